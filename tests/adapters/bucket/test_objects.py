"""S3 as Kedge uses it: conditional writes, days, parts, labels, baselines, audit entries."""

import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError

from kedge.config.capture_place import CapturePlace, capture_prefix
from kedge.errors import BaselineAbsentError
from kedge.labels.ledger import LabelLedger
from kedge.profile.counted_objects import CountedObjects
from kedge.profile.day import DayProfile
from lambdas.adapters.bucket import (
    baselines,
    days,
    label_days,
    label_files,
    layout,
    objects,
    predictions,
    reports,
    timeline,
)
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.captures import inference_logs
from tests.adapters.aws import moto_client
from tests.conditional_writes import CONFLICT, LOST, faults

BUCKET = "data"


@pytest.fixture
def s3():
    with moto_client("s3") as client:
        client.create_bucket(Bucket=BUCKET)
        yield client


def put(s3, key, body=b"x"):
    return s3.put_object(Bucket=BUCKET, Key=key, Body=body)["ETag"]


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


@pytest.mark.parametrize("replaced", [False, True])
def test_a_write_whose_answer_was_lost_is_known_as_ones_own(s3, replaced):
    etag = put(s3, "k", b"first") if replaced else None
    with faults(s3, LOST) as left:
        assert objects.replace(s3, BUCKET, "k", b"mine", etag=etag)
    assert (left, objects.read(s3, BUCKET, "k")[0]) == ([], b"mine")


def test_the_same_content_written_by_another_is_not_ones_own(s3):
    assert objects.replace(s3, BUCKET, "k", b"same", etag=None)
    assert not objects.replace(s3, BUCKET, "k", b"same", etag=None)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_write_that_meets_another_under_way_is_to_be_read_again(s3, replaced):
    etag = put(s3, "k", b"first") if replaced else None
    with faults(s3, CONFLICT):
        assert not objects.replace(s3, BUCKET, "k", b"mine", etag=etag)
    assert objects.replace(s3, BUCKET, "k", b"mine", etag=etag)


def test_what_was_deleted_meanwhile_is_to_be_read_again(s3):
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    etag = put(s3, "k", b"first")
    s3.delete_object(Bucket=BUCKET, Key="k")
    assert not objects.replace(s3, BUCKET, "k", b"mine", etag=etag)
    assert objects.replace(s3, BUCKET, "k", b"mine", etag=None)


def test_a_refusal_of_another_kind_is_raised(s3):
    with pytest.raises(ClientError, match="NoSuchBucket"):
        objects.replace(s3, "no-such-bucket", "k", b"mine", etag=None)


def test_listings_have_more_than_one_page(s3):
    keys = [f"p/{n:04d}" for n in range(1005)]
    for key in keys:
        put(s3, key)
    assert list(objects.list_objects(s3, BUCKET, "p/")) == keys
    assert list(objects.list_objects(s3, BUCKET, "p/", start_after="p/1003")) == ["p/1004"]


def test_what_s3_does_not_delete_at_once_is_asked_for_again_after_a_pause(monkeypatch):
    """Of one DeleteObjects each object has an answer of its own, and botocore tries none of them again."""
    answers, asked = (
        iter([{"a": "SlowDown", "b": "PreconditionFailed", "c": "NoSuchKey"}, {"a": "InternalError"}, {}]),
        [],
    )

    class Busy:
        def delete_objects(self, Bucket, Delete):  # noqa: N803
            asked.append([each["Key"] for each in Delete["Objects"]])
            return {"Errors": [{"Key": key, "Code": code} for key, code in next(answers).items()]}

    waited = []
    monkeypatch.setattr(objects.time, "sleep", waited.append)
    assert objects.delete_unchanged(Busy(), BUCKET, dict.fromkeys("abcd", "1")) == ["b"]
    assert waited == [0, 1, 4]
    assert asked == [["a", "b", "c", "d"], ["a"], ["a"]]


def test_a_day_is_empty_until_it_is_saved_and_only_the_first_of_two_saves_wins(s3):
    key = layout.profile_day_key("m", "1", "1", date(2016, 1, 3))
    assert key == "profiles/m/1/1/2016-01-03.npz"
    empty, etag = days.load_day(s3, BUCKET, key)
    assert (empty, etag) == (DayProfile(), None)
    day = DayProfile(counted=CountedObjects.of({"k": "e"}), parts=("p",), quarantined=2)
    assert days.save_day(s3, BUCKET, key, day, etag=None)
    assert not days.save_day(s3, BUCKET, key, DayProfile(), etag=None)
    assert days.load_day(s3, BUCKET, key)[0] == day


def test_the_days_of_a_window_are_those_that_were_counted(s3):
    for day in (date(2015, 12, 31), date(2016, 1, 1), date(2016, 1, 3), date(2016, 1, 5)):
        days.save_day(s3, BUCKET, layout.profile_day_key("m", "1", "1", day), DayProfile(parts=(str(day),)), etag=None)
    found = days.each_day(s3, BUCKET, "profiles/m/1/1/", first=date(2016, 1, 1), last=date(2016, 1, 4))
    assert [day.parts for _, day in found] == [("2016-01-01",), ("2016-01-03",)]


CAPTURES = CapturePlace(BUCKET, capture_prefix("m", "2"))


def test_capture_objects_are_the_jsonl_of_a_day(s3):
    prefix = CAPTURES.of("e/v/2016/01/03/")
    assert prefix == "capture/m/2/e/v/2016/01/03/"
    etag = put(s3, f"{prefix}05/a.jsonl")
    put(s3, f"{prefix}05/a.jsonl.tmp")
    put(s3, "capture/m/2/e/v/2016/01/04/00/b.jsonl")
    assert inference_logs.list_captured(s3, BUCKET, prefix) == {f"{prefix}05/a.jsonl": (etag, 1)}


@pytest.mark.parametrize(("hour", "found"), [(4, True), (5, True), (6, False)])
def test_captures_from_an_hour_on_are_seen(s3, hour, found):
    prefix = CAPTURES.of("e/v/2016/01/03/")
    put(s3, f"{prefix}05/a.jsonl")
    start = datetime(2016, 1, 3, hour, 30, tzinfo=UTC)
    assert inference_logs.any_after(s3, BUCKET, prefix, start) is found


def test_bytes_of_a_file_that_vanished_are_none(s3):
    put(s3, "a", b"12345")
    assert [objects.read_range(s3, BUCKET, key, 1, 3) for key in ("a", "gone")] == [b"23", b""]


def test_a_file_that_vanished_is_left_out(s3):
    put(s3, "a", b"1")
    (block,) = inference_logs.open_blocks(s3, BUCKET, ["a", "gone"])
    assert [(piece.key, piece.content) for piece in block.pieces] == [("a", b"1")]


def test_parts_are_named_after_what_was_folded_whatever_its_order():
    names = {predictions.part_key("m", "1", date(2016, 1, 3), folded) for folded in (["a 1", "b 2"], ["b 2", "a 1"])}
    names.add(predictions.part_key("m", "1", date(2016, 1, 3), ["a 1"]))
    assert len(names) == 2
    assert all(name.startswith("predictions/m/package=1/date=2016-01-03/") for name in names)


def test_parts_are_read_as_one_table(s3):
    for name, ids in (("p/1", ["a"]), ("p/2", ["b", "c"])):
        predictions.save_part(s3, BUCKET, name, pa.table({"kedge_row_id": ids, "x": [1.0] * len(ids)}))
    assert predictions.load_parts(s3, BUCKET, ["p/1", "p/2"], ["kedge_row_id"]).to_pydict() == {
        "kedge_row_id": ["a", "b", "c"]
    }
    assert predictions.load_parts(s3, BUCKET, []) is None


def test_parts_of_before_are_read_under_the_names_of_now_beside_features_that_have_theirs(s3):
    predictions.save_part(s3, BUCKET, "p/1", pa.table({"row_id": ["a"], "event_id": ["e"], "time": [1], "x": [0.5]}))
    predictions.save_part(
        s3, BUCKET, "p/2", pa.table({"kedge_row_id": ["b"], "kedge_event_id": ["f"], "kedge_time": [2], "time": [9]})
    )
    rows = [{"kedge_row_id": "a", "kedge_time": 1, "time": None}, {"kedge_row_id": "b", "kedge_time": 2, "time": 9}]
    assert (
        predictions.load_parts(s3, BUCKET, ["p/1", "p/2"], ["kedge_row_id", "kedge_time", "time"]).to_pylist() == rows
    )
    assert predictions.load_parts(s3, BUCKET, ["p/1"]).column_names == [
        "kedge_row_id",
        "kedge_event_id",
        "kedge_time",
        "x",
    ]


def test_label_days_of_before_are_read_under_the_names_of_now(s3):
    at = pa.array([datetime(2016, 1, 9, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    before = pa.table({"row_id": ["a"], "label": ["1"], "collected": at, "source": ["k"], "field_sex": ["f"]})
    put(s3, layout.label_day_key("m", date(2016, 1, 9)), label_days.encode_labels(before))
    (found,) = label_days.load_days(s3, BUCKET, "m", first=date(2016, 1, 9), last=date(2016, 1, 9), fields=("sex",))
    assert [*found.to_pylist()[0].values()] == ["a", "1", datetime(2016, 1, 9, tzinfo=UTC), "k", "f"]


def test_label_files_are_listed_by_the_hour_of_their_collection(s3):
    for name in ("2016/01/01/04/a", "2016/01/01/05/a", "2016/01/03/09/b", "notadate", "2016/01/03/09/folder/"):
        put(s3, f"labels/m/{name}")
    listed = label_files.list_files(s3, BUCKET, "m", since=datetime(2016, 1, 1, 5, tzinfo=UTC))
    keys = [key.removeprefix("labels/m/") for key in listed]
    assert keys == ["2016/01/01/05/a", "2016/01/03/09/b", "notadate"]
    assert len(label_files.list_files(s3, BUCKET, "m", since=None)) == 4
    hours = [label_files.collected_at(key, "m") for key in listed]
    assert hours == [datetime(2016, 1, 1, 5, tzinfo=UTC), datetime(2016, 1, 3, 9, tzinfo=UTC), None]


def test_label_days_of_a_stretch_are_read_object_by_object_in_the_order_of_writing(s3):
    at = pa.array([datetime(2016, 1, 9, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    for day, number in ((1, 0), (2, 10), (2, 1), (2, 0), (3, 0), (4, 0), (4, 1), (5, 0)):
        ids, key = [f"{day}.{number}"], layout.label_day_key("m", date(2016, 1, day), number)
        labels = pa.table({"kedge_row_id": ids, "label": ["1"], "kedge_collected": at, "kedge_source": ["k"]})
        assert label_days.save_object(s3, BUCKET, key, labels, etag=None)
        assert not label_days.save_object(s3, BUCKET, key, labels, etag=None)
    label_days.save_waiting(s3, BUCKET, "m", pa.table({"kedge_row_id": ["w"]}), etag=None)
    found = list(label_days.load_days(s3, BUCKET, "m", first=date(2016, 1, 2), last=date(2016, 1, 4), fields=("sex",)))
    ids = [each.column("kedge_row_id").to_pylist() for each in found]
    assert ids == [["2.0"], ["2.1"], ["2.10"], ["3.0"], ["4.0"], ["4.1"]]
    assert found[0].column_names == ["kedge_row_id", "label", "kedge_collected", "kedge_source", "kedge_field_sex"]
    assert label_days.load_object(s3, BUCKET, layout.label_day_key("m", date(2016, 2, 1)), fields=())[1] is None


def test_days_are_counted_by_the_packages_own_baselines_from_a_day_on(s3):
    for version, baseline, day in (("1", "1", 3), ("1", "1", 4), ("2", "2", 4), ("2", "1", 5), ("2", "2", 1)):
        put(s3, f"profiles/m/{version}/{baseline}/2016-01-{day:02}.npz")
    put(s3, "profiles/other/1/1/2016-01-04.npz")
    assert days.counted_days(s3, BUCKET, "m", first=date(2016, 1, 4)) == {
        date(2016, 1, 4): ["profiles/m/1/1/2016-01-04.npz", "profiles/m/2/2/2016-01-04.npz"]
    }
    assert days.packages_by_day(s3, BUCKET, "m", date(2016, 1, 1), date(2016, 1, 3)) == {
        date(2016, 1, 1): ["2"],
        date(2016, 1, 3): ["1"],
    }


def test_a_ledger_that_was_kept_with_other_fields_counts_as_none_but_is_replaced(s3):
    assert label_days.save_ledger(s3, BUCKET, "m", LabelLedger(("sex",), {"k": "1"}), etag=None)
    same, _ = label_days.load_ledger(s3, BUCKET, "m", fields=("sex",))
    other, etag = label_days.load_ledger(s3, BUCKET, "m", fields=("age",))
    assert (same.files, other) == ({"k": "1"}, LabelLedger(("age",)))
    assert label_days.save_ledger(s3, BUCKET, "m", other, etag=etag)


def test_an_absent_baseline_says_what_to_do(s3):
    with pytest.raises(BaselineAbsentError, match=r"baselines/m/1\.npz"):
        baselines.load_baseline(s3, BUCKET, "m", "1")
    assert baselines.load_reference(s3, BUCKET, "m", "1") is None


def test_an_entry_is_named_after_its_content(s3):
    for error in ("a", "a", "b"):
        timeline.record(s3, BUCKET, Entry("m", "failed", datetime(2016, 1, 3, 5, tzinfo=UTC), {"error": error}))
    keys = list(objects.list_objects(s3, BUCKET, "audit/m/2016/01/03/"))
    assert len(keys) == 2
    assert all("/050000-failed-" in key for key in keys)
    assert json.loads(objects.read(s3, BUCKET, keys[0])[0])["time"] == "2016-01-03T05:00:00Z"


def test_a_report_comes_back(s3):
    prefix = layout.window_prefix("m", "1", datetime(2016, 1, 4, tzinfo=UTC))
    assert prefix == "reports/m/1/2016-01-04T00"
    reports.save_json(s3, BUCKET, f"{prefix}/r.json", {"a": 1})
    assert reports.load_json(s3, BUCKET, f"{prefix}/r.json") == {"a": 1}
    assert reports.load_json(s3, BUCKET, f"{prefix}/absent.json") is None
