"""S3 as Kedge uses it: conditional writes, days, parts, labels, baselines, audit entries."""

import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from kedge.day_profile import DayProfile
from kedge.errors import BaselineAbsentError
from lambdas.adapters import audit, baselines, days, inference_logs, label_files, objects, predictions, reports
from tests.adapters.aws import moto_client

BUCKET = "data"


@pytest.fixture
def s3():
    with moto_client("s3") as client:
        client.create_bucket(Bucket=BUCKET)
        yield client


def put(s3, key, body=b"x"):
    return s3.put_object(Bucket=BUCKET, Key=key, Body=body)["ETag"]


def label(row_id, value):
    record = {"groundTruthData": {"data": value, "encoding": "CSV"}, "eventMetadata": {"eventId": row_id}}
    return json.dumps(record | {"eventVersion": "0"})


def test_what_is_absent_reads_as_none(s3):
    assert objects.read(s3, BUCKET, "k") is None
    etag = put(s3, "k", b"content")
    assert objects.read(s3, BUCKET, "k") == (b"content", etag)


def test_a_first_write_loses_against_another(s3):
    assert objects.replace(s3, BUCKET, "k", b"mine", etag=None)
    assert not objects.replace(s3, BUCKET, "k", b"theirs", etag=None)
    assert objects.read(s3, BUCKET, "k")[0] == b"mine"


def test_a_replacement_loses_against_another(s3):
    etag = put(s3, "k", b"first")
    assert objects.replace(s3, BUCKET, "k", b"mine", etag=etag)
    assert not objects.replace(s3, BUCKET, "k", b"theirs", etag=etag)
    s3.delete_object(Bucket=BUCKET, Key="k")
    assert not objects.replace(s3, BUCKET, "k", b"late", etag=etag)


def test_listings_have_more_than_one_page(s3):
    keys = [f"p/{n:04d}" for n in range(1005)]
    for key in keys:
        put(s3, key)
    assert list(objects.list_objects(s3, BUCKET, "p/")) == keys
    assert list(objects.list_objects(s3, BUCKET, "p/", start_after="p/1003")) == ["p/1004"]


def test_a_day_is_empty_until_it_is_saved_and_only_the_first_of_two_saves_wins(s3):
    key = days.day_key("m", "1", "1", date(2016, 1, 3))
    assert key == "profiles/m/1/1/2016-01-03.npz"
    empty, etag = days.load_day(s3, BUCKET, key)
    assert (empty, etag) == (DayProfile(), None)
    day = DayProfile(manifest={"k": "e"}, parts=("p",), quarantined=2)
    assert days.save_day(s3, BUCKET, key, day, etag=None)
    assert not days.save_day(s3, BUCKET, key, DayProfile(), etag=None)
    assert days.load_day(s3, BUCKET, key)[0] == day


def test_the_days_of_a_window_are_those_that_were_counted(s3):
    for day in (date(2015, 12, 31), date(2016, 1, 1), date(2016, 1, 3), date(2016, 1, 5)):
        days.save_day(s3, BUCKET, days.day_key("m", "1", "1", day), DayProfile(parts=(str(day),)), etag=None)
    found = days.load_days(
        s3, BUCKET, model="m", package_version="1", baseline="1", first=date(2016, 1, 1), last=date(2016, 1, 4)
    )
    assert [day.parts for day in found.values()] == [("2016-01-01",), ("2016-01-03",)]


def test_capture_objects_are_the_jsonl_of_a_day(s3):
    prefix = inference_logs.capture_prefix("m", "2", endpoint="e", variant="v", day=date(2016, 1, 3))
    assert prefix == "capture/m/2/e/v/2016/01/03/"
    etag = put(s3, f"{prefix}05/a.jsonl")
    put(s3, f"{prefix}05/a.jsonl.tmp")
    put(s3, "capture/m/2/e/v/2016/01/04/00/b.jsonl")
    assert inference_logs.list_day(s3, BUCKET, prefix) == {f"{prefix}05/a.jsonl": etag}


@pytest.mark.parametrize(("hour", "found"), [(4, True), (5, True), (6, False)])
def test_captures_from_an_hour_on_are_seen(s3, hour, found):
    prefix = inference_logs.capture_prefix("m", "2", endpoint="e", variant="v", day=date(2016, 1, 3))
    put(s3, f"{prefix}05/a.jsonl")
    start = datetime(2016, 1, 3, hour, 30, tzinfo=UTC)
    assert inference_logs.any_after(s3, BUCKET, prefix, start) is found


def test_a_file_that_vanished_is_left_out(s3):
    put(s3, "a", b"1")
    assert inference_logs.read_files(s3, BUCKET, ["a", "gone"]) == [("a", b"1")]


def test_parts_are_named_after_what_was_folded_whatever_its_order():
    names = {predictions.part_key("m", "1", date(2016, 1, 3), folded) for folded in (["a 1", "b 2"], ["b 2", "a 1"])}
    names.add(predictions.part_key("m", "1", date(2016, 1, 3), ["a 1"]))
    assert len(names) == 2
    assert all(name.startswith("predictions/m/package=1/date=2016-01-03/") for name in names)


def test_parts_are_read_as_one_table(s3):
    for name, ids in (("p/1", ["a"]), ("p/2", ["b", "c"])):
        predictions.save_part(s3, BUCKET, name, pa.table({"row_id": ids, "x": [1.0] * len(ids)}))
    assert predictions.load_parts(s3, BUCKET, ["p/1", "p/2"], ["row_id"]).to_pydict() == {"row_id": ["a", "b", "c"]}
    assert predictions.load_parts(s3, BUCKET, []) is None


def test_of_two_labels_the_last_collected_wins(s3):
    put(s3, "labels/m/2016/01/03/05/b.jsonl", label("r", "0").encode())
    put(s3, "labels/m/2016/01/03/09/a.jsonl", label("r", "1").encode())
    found = label_files.load_labels(
        s3, BUCKET, "m", since=datetime(2016, 1, 1, tzinfo=UTC), until=datetime(2016, 1, 4, tzinfo=UTC)
    )
    assert found.labels == {"r": ("1", datetime(2016, 1, 3, 9, tzinfo=UTC).timestamp())}


def test_labels_of_other_hours_are_not_read(s3):
    for hour in ("2016/01/01/04", "2016/01/01/05", "2016/01/03/09", "2016/01/03/10"):
        put(s3, f"labels/m/{hour}/a.jsonl", label(hour, "1").encode())
    found = label_files.load_labels(
        s3, BUCKET, "m", since=datetime(2016, 1, 1, 5, tzinfo=UTC), until=datetime(2016, 1, 3, 10, tzinfo=UTC)
    )
    assert sorted(found.labels) == ["2016/01/01/05", "2016/01/03/09"]


def test_broken_labels_are_counted_by_reason_and_cost_nothing_else(s3):
    lines = [label("r", " 1 "), "not json", '{"eventMetadata": {}}', "", "[]"]
    put(s3, "labels/m/2016/01/03/05/a.jsonl", "\n".join(lines).encode())
    put(s3, "labels/m/notadate.jsonl")
    found = label_files.load_labels(
        s3, BUCKET, "m", since=datetime(2016, 1, 1, tzinfo=UTC), until=datetime(2016, 1, 4, tzinfo=UTC)
    )
    assert found.labels["r"][0] == "1"
    assert sum(found.broken.values()) == 4


def test_an_absent_baseline_says_what_to_do(s3):
    with pytest.raises(BaselineAbsentError, match=r"baselines/m/1\.npz"):
        baselines.load_baseline(s3, BUCKET, "m", "1")
    assert baselines.load_reference(s3, BUCKET, "m", "1") is None


def test_an_entry_is_named_after_its_content(s3):
    entry = {"model": "m", "kind": "failed", "time": datetime(2016, 1, 3, 5, tzinfo=UTC)}
    for error in ("a", "a", "b"):
        audit.record(s3, BUCKET, **entry, detail={"error": error})
    keys = list(objects.list_objects(s3, BUCKET, "audit/m/2016/01/03/"))
    assert len(keys) == 2
    assert all("/050000-failed-" in key for key in keys)
    assert json.loads(objects.read(s3, BUCKET, keys[0])[0])["time"] == "2016-01-03T05:00:00Z"


def test_a_report_comes_back(s3):
    prefix = reports.window_prefix("m", "1", datetime(2016, 1, 4, tzinfo=UTC))
    assert prefix == "reports/m/1/2016-01-04T00"
    reports.save_json(s3, BUCKET, f"{prefix}/r.json", {"a": 1})
    assert reports.load_json(s3, BUCKET, f"{prefix}/r.json") == {"a": 1}
    assert reports.load_json(s3, BUCKET, f"{prefix}/absent.json") is None
