import io
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lambdas.adapters import athena_joins
from lambdas.adapters.bucket import layout
from tests.adapters.aws import moto_client

START, END = datetime(2016, 1, 4, 6, tzinfo=UTC), datetime(2016, 1, 6, tzinfo=UTC)
SCHEMA = pa.schema(
    [("kedge_row_id", pa.string()), ("kedge_time", pa.timestamp("us", "UTC")), ("Lead Time", pa.float64())]
)
PREFIX = layout.join_prefix("m", "7-abc")


@pytest.fixture
def s3():
    with moto_client("s3") as client:
        client.create_bucket(Bucket="data")
        yield client


def put(s3, key, body=b""):
    s3.put_object(Bucket="data", Key=key, Body=body)


def parquet(table, **options):
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def test_a_window_weighs_its_days_parts_of_its_package_and_their_labels(s3):
    for day, size in (("2016-01-03", 1), ("2016-01-04", 10), ("2016-01-05", 100), ("2016-01-06", 1000)):
        put(s3, f"predictions/m/package=7/date={day}/a.parquet", b"x" * size)
        put(s3, f"predictions/m/package=71/date={day}/a.parquet", b"x" * 50_000)
        put(s3, f"labelled/m/date={day}/labels.parquet", b"x" * 2 * size)
    put(s3, "predictions/m/package=7/date=2016-01-04/b.parquet", b"x" * 5)
    put(s3, "labelled/m/ledger.json", b"x" * 70_000)
    weighed = athena_joins.window_bytes(s3, "data", model="m", package_version="7", start=START, end=END)
    assert weighed == 10 + 5 + 100 + 20 + 200


def test_days_of_a_window_end_with_the_one_that_its_last_moment_is_in():
    assert athena_joins.days_of(START, END) == [date(2016, 1, 4), date(2016, 1, 5)]
    assert athena_joins.days_of(START, END.replace(microsecond=1))[-1] == date(2016, 1, 6)


def test_athena_is_told_each_object_that_counts_and_no_prefix(s3):
    athena_joins.save_list(s3, "data", PREFIX, answers=["p/a", "p/b"], labels=[])
    lists = [
        s3.get_object(Bucket="data", Key=f"{PREFIX}{kind}/objects.txt")["Body"].read() for kind in ("answers", "labels")
    ]
    assert lists == [b"s3://data/p/a\ns3://data/p/b\n", b""]


def test_what_athena_wrote_gets_its_names_types_and_zone_back(s3):
    noon = datetime(2016, 1, 4, 12)  # without a zone, as Athena writes it
    for name, row_id in (("one", "a"), ("two", "é")):
        rows = pa.table({"c0": [row_id], "c1": pa.array([noon], pa.timestamp("ms")), "c2": [1.5]})
        put(s3, f"{PREFIX}joined/{name}", parquet(rows, use_deprecated_int96_timestamps=True))
    found = athena_joins.load_unloaded(s3, "data", athena_joins.written(s3, "data", f"{PREFIX}joined/"), SCHEMA)
    assert found.schema == SCHEMA
    assert found.to_pylist() == [
        {"kedge_row_id": row_id, "kedge_time": noon.replace(tzinfo=UTC), "Lead Time": 1.5} for row_id in ("a", "é")
    ]
    assert athena_joins.load_unloaded(s3, "data", [], SCHEMA) == SCHEMA.empty_table()


def test_a_join_tells_which_question_it_answers():
    prefix = layout.join_prefix("a-model", "12-0f3e-5d-9")
    assert athena_joins.is_of(prefix, "12-0f3e")
    assert not athena_joins.is_of(prefix, "12-0f")
    assert not athena_joins.is_of(prefix, "2-0f3e")


def test_what_was_joined_is_listed_for_athena_to_count_and_the_first_list_stays(s3):
    location = athena_joins.joined_location("data", "m", "7-abc")
    assert location == f"s3://data/{PREFIX}rows/"
    assert athena_joins.load_list(s3, "data", f"{PREFIX}rows/") is None
    assert athena_joins.keep_list(s3, "data", f"{PREFIX}rows/", ["joined/r1/one"]) == ["joined/r1/one"]
    assert athena_joins.keep_list(s3, "data", f"{PREFIX}rows/", ["joined/r2/one"]) == ["joined/r1/one"]
    listed = s3.get_object(Bucket="data", Key=f"{PREFIX}rows/objects.txt")["Body"].read()
    assert listed == b"s3://data/joined/r1/one\n"
    assert athena_joins.keep_list(s3, "data", f"{PREFIX}none/", []) == []
    assert athena_joins.load_list(s3, "data", f"{PREFIX}none/") == []


def test_counts_of_several_objects_are_read_in_their_types_and_only_those_that_are_listed(s3):
    schema = pa.schema([("part", pa.string()), ("n", pa.int64())])
    for name, rows in (("0-0", 1), ("1-0", 2), ("1-1", 3)):
        key = f"{PREFIX}counts/{name}/r1/a"
        put(s3, key, parquet(pa.table({"part": ["rows"], "n": pa.array([rows], pa.int32())})))
        if rows < 3:
            athena_joins.keep_list(s3, "data", f"{PREFIX}counted/{name}/", [key])
    found = athena_joins.load_counts(s3, "data", athena_joins.counted(s3, "data", PREFIX), schema)
    assert pa.concat_tables(found) == pa.table({"part": ["rows", "rows"], "n": [1, 2]}, schema)
