"""What deployed versions left in the bucket can be read, or says what to rebuild."""

import io
import json
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kedge.errors import EncodingError
from kedge.labels.fold import label_schema, waiting_schema
from kedge.labels.ledger import decode_ledger
from kedge.package_schema import decode_schema
from kedge.performance.business import decode_figures, encode_figures
from kedge.profile.counted_objects import CountedObjects, KnownObjects
from kedge.profile.day import decode_day, decode_origin, encode_day
from kedge.profile.encoding import decode_baseline, decode_profile, encode_baseline, encode_profile
from kedge.quality.kept import KeptQuality
from kedge.severity import Severity
from kedge.slices.encoding import decode_slices, encode_slices
from lambdas.adapters.bucket import baselines, days, kept_quality, label_days, package_schemas
from lambdas.adapters.bucket.baselines import decode_reference
from tests.adapters.aws import moto_client
from tests.builders import make_config
from tests.stored_samples import FOLDER, ROWS, files

REFERENCES = tuple(f"reference_{problem}.json" for problem in ("binary", "multiclass", "regression"))
# What is read of each file, as far as it shows that nothing was lost.
READERS = {
    "baseline.npz": lambda content: decode_baseline(content).profile.rows,
    "profile.npz": lambda content: decode_profile(content).rows,
    "day.npz": lambda content: sum(profile.rows for profile in decode_day(content).hours.values()),
    "slices.npz": lambda content: int(decode_slices(content).total.rows[0]),
    **{name: lambda content: decode_reference(content).counts.rows for name in REFERENCES},
    "schema.json": lambda content: decode_schema(content).feature_names,
    "ledger.json": lambda content: vars(decode_ledger(content)),
    "performance.json": lambda content: KeptQuality.decode(content).verdicts.known,
    "labels.parquet": lambda content: label_days.decode_labels(content, label_schema(["refund"])).num_rows,
    "waiting.parquet": lambda content: label_days.decode_labels(content, waiting_schema(["refund"])).num_rows,
}
MEANS = {
    **dict.fromkeys(READERS, ROWS),
    "schema.json": ("weight", "items", "carrier"),
    "ledger.json": {
        "fields": ("refund",),
        "files": {"a": "1"},
        "broken": {"a": {"no id": 2}},
        "unknown": {"a": 3},
        "swept": "2016-01-04T02:00:00+00:00",
        "partial": {"b": "1 7"},
        "slots": 2,
        "waiting": {},
        "looked": {},
        "counted": {},
        "objects": {},
    },
    "performance.json": (Severity.OK, Severity.OK, Severity.INSUFFICIENT_DATA),
    "labels.parquet": 2,
    "waiting.parquet": 2,
}
# Each place of a JSON document, or of a header, to which a later version may add a field.
GROWS = {
    "baseline.npz": ([], ["columns", 0]),
    "slices.npz": ([], ["groupings", 0]),
    "reference_binary.json": (
        [], ["counts"], ["counts", "costs"], ["estimator"], ["estimator", "reference"], ["business", "loss_avoided"],
    ),
    "reference_multiclass.json": ([], ["counts"], ["counts", "costs"], ["estimator"], ["estimator", "references", 0]),
    "reference_regression.json": ([], ["counts"], ["counts", "labels"], ["estimator"], ["estimator", "bands"]),
    "performance.json": ([], ["estimate"], ["fairness"], ["concept_drift"], ["metrics", 0], ["join"]),
}  # fmt: skip
# What every version must find, a place each.
NEEDED = {
    "baseline.npz": (["columns"], ["columns", 0, "name"], ["rows"], ["importance"]),
    "profile.npz": (["keys"], ["width"]),
    "day.npz": (["manifest"], ["parts"], ["requests"]),
    "slices.npz": (["groupings"], ["groupings", 0, "column"], ["tables"]),
    "reference_binary.json": (["counts"], ["estimator", "method"], ["estimator", "threshold"]),
    "reference_multiclass.json": (["counts", "confusion"], ["estimator", "classes"]),
    "reference_regression.json": (["counts", "labels"], ["estimator", "bands"]),
    "ledger.json": (["fields"],),
    "performance.json": (["severity"], ["metrics"]),
    "schema.json": (["config"],),
}


def stored(name):
    return (FOLDER / name).read_bytes()


def changed(name, change):
    """The file with its JSON, its header, or its columns and metadata changed."""
    content = stored(name)
    if name.endswith(".json"):
        return json.dumps(change(json.loads(content))).encode()
    if name.endswith(".parquet"):
        table = pq.read_table(pa.BufferReader(content))
        facts = change({column: table.column(column) for column in table.column_names})
        version = facts.pop("version", None)
        table = pa.table(facts).replace_schema_metadata({"kedge_version": str(version)} if version else None)
        sink = io.BytesIO()
        pq.write_table(table, sink)
        return sink.getvalue()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    header = json.loads(np.lib.format.read_array(io.BytesIO(members["header.npy"])).tobytes())
    text, sink = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array(text, np.frombuffer(json.dumps(change(header)).encode(), np.uint8))
    with zipfile.ZipFile(sink, "w") as archive:
        for member, body in (members | {"header.npy": text.getvalue()}).items():
            archive.writestr(member, body)
    return sink.getvalue()


def place_of(document, path):
    for step in path:
        document = document[step]
    return document


def with_added(path):
    def change(document):
        place_of(document, path)["added_later"] = 1
        return document

    return change


def without(path):
    def change(document):
        del place_of(document, path[:-1])[path[-1]]
        return document

    return change


@pytest.mark.parametrize("name", READERS)
def test_a_file_that_an_earlier_version_wrote_means_what_it_meant(name):
    assert READERS[name](stored(name)) == MEANS[name]


@pytest.mark.parametrize("name", [name for name in READERS if name != "performance.json"])
def test_a_file_that_this_version_writes_means_the_same(name):
    assert READERS[name](files()[name]) == MEANS[name]


@pytest.mark.parametrize(
    ("name", "path"),
    [(name, path) for name in READERS if not name.endswith(".parquet") for path in GROWS.get(name, ([],))],
)
def test_a_field_that_a_later_version_adds_is_passed_over(name, path):
    assert READERS[name](changed(name, with_added(path))) == MEANS[name]


@pytest.mark.parametrize("name", READERS)
def test_a_file_of_a_later_version_is_refused_with_what_to_rebuild(name):
    with pytest.raises(
        EncodingError, match=r"version 9, not .* must be rebuilt; (deploy the newer|retrain|delete|count)"
    ):
        READERS[name](changed(name, lambda document: document | {"version": 9}))


@pytest.mark.parametrize(("name", "path"), [(name, path) for name, paths in NEEDED.items() for path in paths])
def test_a_file_that_lacks_what_every_version_needs_is_refused_with_what_to_rebuild(name, path):
    with pytest.raises(
        EncodingError, match=r"lacks something .* must be rebuilt; (deploy the newer|retrain|delete|count)"
    ):
        READERS[name](changed(name, without(path)))


@pytest.mark.parametrize("name", ["labels.parquet", "waiting.parquet"])
def test_labels_may_have_more_columns_and_fewer_fields_but_need_their_ids(name):
    more = changed(name, lambda columns: columns | {"added_later": columns["label"]})
    fewer = changed(name, without(["kedge_field_refund"]))
    assert READERS[name](more) == READERS[name](fewer) == 2
    for needed in ("kedge_row_id", "label"):
        with pytest.raises(EncodingError, match="the label day must be rebuilt; delete it"):
            READERS[name](changed(name, without([needed])))


@pytest.mark.parametrize("name", READERS)
def test_what_is_cut_short_is_refused(name):
    with pytest.raises(EncodingError, match="must be rebuilt"):
        READERS[name](stored(name)[:-20])


def test_nothing_is_lost_between_reading_and_writing():
    for name, again in {
        "baseline.npz": lambda content: encode_baseline(decode_baseline(content)),
        "slices.npz": lambda content: encode_slices(decode_slices(content)),
    }.items():
        arrays = [np.load(io.BytesIO(content)) for content in (stored(name), again(stored(name)))]
        for member in arrays[0].files:
            np.testing.assert_array_equal(arrays[0][member], arrays[1][member], err_msg=f"{name} {member}")
    # Of an older version: the same profile is written otherwise.
    profile = decode_profile(stored("profile.npz"))
    assert decode_profile(encode_profile(profile)) == profile
    for name in REFERENCES:
        document, found = json.loads(stored(name)), decode_reference(stored(name))
        assert found.counts.to_json() == document["counts"]
        assert found.estimator.to_json() == document["estimator"]
        assert encode_figures(found.figures) == encode_figures(decode_figures(document.get("business", {})))


@pytest.mark.parametrize("content", [stored("day.npz"), stored("day_3.npz"), files()["day.npz"]])
def test_days_of_every_version_say_what_they_counted(content):
    counted = CountedObjects.of({"captures/a.jsonl": "1"})
    for day in (decode_day(content), decode_origin(content)):
        assert (day.counted, day.folders, day.parts) == (counted, ("captures/",), ("predictions/m/a.parquet",))
        assert KnownObjects([day.counted.held]).has_counted("captures/a.jsonl", "1")
    assert sum(decode_day(content).rows.values()) == ROWS
    assert decode_day(encode_day(decode_day(content))).counted == counted


def test_a_refused_object_is_named_by_its_key():
    config, later = make_config(), {"version": 9}
    with moto_client("s3") as s3:
        s3.create_bucket(Bucket="data")
        for key, name, load in (
            ("baselines/m/1/reference.json", "reference_binary.json", lambda: baselines.load_reference(s3, "data", "m", "1")),
            ("baselines/m/1/slices.npz", "slices.npz", lambda: baselines.load_slices(s3, "data", "m", "1")),
            ("baselines/m/1.npz", "baseline.npz", lambda: baselines.load_baseline(s3, "data", "m", "1")),
            ("a/day.npz", "day.npz", lambda: days.load_day(s3, "data", "a/day.npz")),
            ("baselines/parcels/1/schema.json", "schema.json", lambda: package_schemas.load(s3, "data", config, "1")),
            ("labelled/m/ledger.json", "ledger.json", lambda: label_days.load_ledger(s3, "data", "m", fields=())),
            ("p/performance.json", "performance.json", lambda: kept_quality.load(s3, "data", "p/performance.json")),
        ):  # fmt: skip
            s3.put_object(Bucket="data", Key=key, Body=changed(name, lambda document: document | later))
            with pytest.raises(EncodingError, match=f"s3://data/{key} is a .* must be rebuilt; "):
                load()


def test_an_hour_that_cannot_be_unpacked_names_its_object():
    content = bytearray(files()["day.npz"])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        member = archive.getinfo("counts_11.npy")
    # Behind the local header of the member, its name and no extra field.
    content[member.header_offset + 30 + len(member.filename) + member.compress_size // 2] ^= 0xFF
    with moto_client("s3") as s3:
        s3.create_bucket(Bucket="data")
        s3.put_object(Bucket="data", Key="a/day.npz", Body=bytes(content))
        day, _ = days.load_day(s3, "data", "a/day.npz")
        assert day.hours[10].rows
        with pytest.raises(EncodingError, match=r"s3://data/a/day\.npz is no complete file"):
            day.hours[11]
