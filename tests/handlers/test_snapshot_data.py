"""snapshot_data writes ripe rows split in time, or says why there are none to learn from."""

import csv
import hashlib
import io
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from kedge.errors import LabelsUnfoldedError
from lambdas.adapters.state import champions, windows
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.training import training_data
from lambdas.handlers.snapshot_data import handler
from lambdas.steps import label_batches
from lambdas.steps.point_in_time import Athena
from lambdas.steps.retraining_run import RetrainingRun
from lambdas.steps.training_rows.training_history import Workplace, gather
from tests import deployed_models
from tests.handlers.aws_world import BUCKET, CONTEXT, MODEL, ROLE, SNAPSHOT_ENVIRONMENT, TABLE, TRAINER, aws_world
from tests.handlers.bookings import answer, load_bookings, publish_labels
from tests.handlers.labels import folded

NOW = datetime(2015, 12, 1, tzinfo=UTC)
PREFIX = f"retraining/{MODEL}/run-1"


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch, **SNAPSHOT_ENVIRONMENT) as world:
        yield world


def run(time: datetime = NOW) -> dict:
    event = {"model": MODEL, "run": "run-1", "time": f"{time:%Y-%m-%dT%H:%M:%SZ}", "trigger": {"kind": "performance"}}
    return json.loads(json.dumps(handler(event, CONTEXT)))


def promote(world, training_end: datetime, *, package_arn: str = "arn:1") -> None:
    champion = Champion(package_arn, "1", "1", training_end, training_end, f"{MODEL}-v1-aaaa", f"{MODEL}-v1-aaaa")
    champions.save(world.dynamodb, TABLE, MODEL, champion)


def times_of(world, name: str) -> list[datetime]:
    return pq.read_table(io.BytesIO(world.read(f"{PREFIX}/{name}"))).column("kedge_time").to_pylist()


def initial_rows(world, *, vouched: bool = True) -> None:
    bookings = load_bookings("2015-07-01", "2015-10-01")
    columns = ["id", "timestamp", *world.config.feature_names, "label"]
    bookings = bookings.select([*columns, *([] if vouched else ["label_ts"])])
    if not vouched:
        bookings = bookings.rename_columns([*columns, "label_time"])
    world.put(f"initial/{MODEL}/training.parquet", parquet(bookings))


def first_rows() -> pa.Table:
    names = [feature.name for feature in deployed_models.config_of(MODEL).features]
    return load_bookings("2015-07-01", "2015-10-01").select(["id", "timestamp", *names, "label"])


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_the_first_training_learns_from_the_users_rows(world):
    initial_rows(world)
    answered = run(datetime(2015, 10, 1, tzinfo=UTC))
    assert (answered["verdict"], answered["champion"]) == ("READY", {"present": False})
    snapshot = answered["snapshot"]
    assert snapshot["train_rows"] + snapshot["holdout_rows"] == 6684
    assert not {"champion_model", "champion_transform"} & set(answered)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows.rename_columns({"timestamp": "seen_at"}), "has no column timestamp."),
        (lambda rows: rows.drop_columns(["id", "adr"]), "has no column id, adr."),
        (
            lambda rows: rows.set_column(1, "timestamp", pa.array(["2016-01-01 10:00"] * len(rows))),
            "holds in its column timestamp what is no time with a zone; write timestamps in UTC",
        ),
        (None, "cannot be read: "),
    ],
)
def test_first_rows_that_cannot_be_read_are_rejected_in_the_users_own_names(world, change, words):
    world.put(f"initial/{MODEL}/training.parquet", parquet(change(first_rows())) if change else b"id,timestamp")
    answered = run(datetime(2015, 10, 1, tzinfo=UTC))
    (reason,) = answered["reasons"]
    assert answered["verdict"] == "REJECTED"
    assert reason.startswith(f"initial/{MODEL}/training.parquet {words}")
    assert "the columns id, timestamp (UTC), every feature of the YAML, and label" in reason


def with_footer(content: bytes, change) -> bytes:
    """A Parquet file with another footer."""
    size = int.from_bytes(content[-8:-4], "little")
    footer = change(content[-8 - size : -8])
    return content[: -8 - size] + footer + len(footer).to_bytes(4, "little") + content[-4:]


def saying_rows(rows: int):
    """A footer of a file of 300 rows that says so many of the whole file: the first number behind the schema."""
    said, lie = (bytes([0x16, *zigzag(number), 0x19]) for number in (300, rows))
    return lambda footer: footer.replace(said, lie, 1)


def zigzag(number: int) -> list[int]:
    number, found = number << 1, []
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return [*found, number]


def one_long_level() -> bytes:
    rows = first_rows().slice(0, 300)
    level = pa.DictionaryArray.from_arrays(pa.array([0] * 300, pa.int32()), pa.array(["y" * (1 << 20)]))
    return parquet(rows.append_column("note", level))


@pytest.mark.parametrize(
    ("hurt", "words"),
    [
        (lambda whole: with_footer(whole, saying_rows(2**40)), "has more than the 20,000,000 values"),
        (lambda whole: with_footer(whole, saying_rows(10)), "is damaged: it says that it has 10 rows, and a column has 300"),
        (lambda whole: whole[:-4] + b"PARE", "cannot be read: Could not read encrypted metadata"),
        (lambda whole: whole[: len(whole) // 2], "cannot be read: "),
        (lambda whole: whole[:40] + b"\xff" * 400 + whole[440:], "cannot be read: "),
        (lambda _: one_long_level(), "has more than the 268,435,456 bytes unpacked"),
        (lambda _: parquet(pa.concat_tables([first_rows()] * 400)), "has more than the 20,000,000 values"),
    ],
    ids=["2^40 rows", "10 rows", "encrypted", "cut", "holes", "one long level", "too many"],
)  # fmt: skip
def test_a_file_of_first_rows_that_lies_is_rejected_in_words(world, hurt, words):
    world.put(f"initial/{MODEL}/training.parquet", hurt(parquet(first_rows().slice(0, 300))))
    (reason,) = run()["reasons"]
    assert reason.startswith(f"initial/{MODEL}/training.parquet {words}"), reason


def test_nanoseconds_of_pandas_are_no_fault(world):
    rows = first_rows()
    moments = rows.column("timestamp").cast(pa.timestamp("ns")).cast(pa.int64())
    rows = rows.set_column(1, "timestamp", pc.add(moments, 7).cast(pa.timestamp("ns")))
    world.put(f"initial/{MODEL}/training.parquet", parquet(rows))
    assert run(datetime(2015, 10, 1, tzinfo=UTC))["verdict"] == "READY"


def test_a_feature_that_is_called_timestamp_leaves_the_times_to_the_column_time(world, monkeypatch):
    rows = first_rows().rename_columns({"id": "row_id", "timestamp": "time", "adr": "timestamp"})
    features = [f.model_copy(update={"name": "timestamp"}) if f.name == "adr" else f for f in world.config.features]
    config = world.config.model_copy(update={"features": tuple(features)})
    world.put(f"initial/{MODEL}/training.parquet", parquet(rows))
    found = training_data.load_initial_rows(world.s3, BUCKET, config, may_lack=False)
    assert {"kedge_row_id", "kedge_time", "timestamp"} <= {*found.rows.column_names}


def test_without_an_endpoint_the_package_that_was_promoted_last_is_the_champion(world):
    promote(world, datetime(2015, 11, 5, tzinfo=UTC), package_arn=world.register())
    bookings = load_bookings("2015-10-01", "2015-12-01")
    answer(world, bookings)
    publish_labels(world, bookings, until=NOW)
    answered = run()
    champion = {"present": True, "model_name": f"{MODEL}-v1-aaaa", "package_version": "1"}
    assert answered["champion"] == champion | {"training_end": "2015-11-05T00:00:00Z"}
    assert answered["champion_model"]["Containers"] == [{"Image": "i", "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"}]
    assert answered["champion_transform"]["TransformOutput"]["S3OutputPath"].endswith("/champion")


def test_the_holdout_is_newer_than_what_either_model_learnt(world):
    world.serve()
    promote(world, datetime(2015, 11, 5, tzinfo=UTC))
    bookings = load_bookings("2015-10-01", "2015-12-01")
    answer(world, bookings)
    publish_labels(world, bookings, until=NOW)
    answered = run()
    assert answered["verdict"] == "READY", answered["reasons"]
    newest_learnt = max(*times_of(world, "training.parquet"), datetime(2015, 11, 5, tzinfo=UTC))
    assert min(times_of(world, "holdout/truth.parquet")) > newest_learnt
    champion = {"present": True, "model_name": f"{MODEL}-v1-aaaa", "package_version": "1"}
    assert answered["champion"] == champion | {"training_end": "2015-11-05T00:00:00Z"}
    copy = answered["champion_model"]
    assert copy["ExecutionRoleArn"] == answered["challenger_model"]["ExecutionRoleArn"]
    assert copy["Containers"] == [{"Image": "i", "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"}]


def test_labels_that_one_attempt_cannot_fold_are_all_there_when_the_last_one_takes_the_rows(world, monkeypatch):
    bookings = load_bookings("2015-11-01", "2015-11-08")
    answer(world, bookings)
    publish_labels(world, bookings, until=NOW)
    monkeypatch.setattr(label_batches, "BATCH_BYTES", 20_000)
    # Each attempt has time for two batches.
    answers = []
    while not answers or isinstance(answers[-1], str):
        left = iter([600_000])
        monkeypatch.setattr(CONTEXT, "get_remaining_time_in_millis", lambda left=left: next(left, 100_000))
        try:
            answers.append(run())
        except LabelsUnfoldedError as error:
            answers.append(str(error))
    assert len(answers) > 2
    assert "more than one run can fold" in answers[0]
    uploaded = [line for key in world.keys(f"labels/{MODEL}/") for line in world.read(key).splitlines()]
    assert len(folded(world)) == len(uploaded)


def test_rows_younger_than_the_label_horizon_are_left_out(world):
    windows.save_horizon(world.dynamodb, TABLE, MODEL, 20.0)
    bookings = load_bookings("2015-10-01", "2015-12-01")
    answer(world, bookings)
    publish_labels(world, bookings, until=NOW)
    run()
    manifest = json.loads(world.read(f"{PREFIX}/manifest.json"))
    newest = max(times_of(world, "holdout/truth.parquet"))
    assert (NOW - newest).total_seconds() / 86400 >= manifest["label_horizon_days"] > 1


def test_rows_of_every_package_and_the_users_first_rows_are_one_history(world):
    initial_rows(world)
    older, newer = load_bookings("2015-10-01", "2015-11-01"), load_bookings("2015-11-01", "2015-12-01")
    answer(world, older, package_version="1")
    answer(world, newer, package_version="2")
    for bookings in (older, newer):
        publish_labels(world, bookings, until=NOW)
    assert run()["verdict"] == "READY"
    months = {
        f"{moment:%m}" for name in ("training.parquet", "holdout/truth.parquet") for moment in times_of(world, name)
    }
    assert months == {"07", "08", "09", "10", "11"}
    manifest = json.loads(world.read(f"{PREFIX}/manifest.json"))
    packages = {source.split("/")[2] for source in manifest["sources"] if source.startswith("predictions/")}
    assert packages == {"package=1", "package=2"}
    assert f"initial/{MODEL}/training.parquet" in manifest["sources"]


def test_the_users_rows_ripen_where_they_say_when_labels_came(world):
    initial_rows(world, vouched=False)
    answered = run(datetime(2015, 10, 1, tzinfo=UTC))
    assert answered["verdict"] == "READY"
    assert answered["snapshot"]["train_rows"] + answered["snapshot"]["holdout_rows"] < 6684


def test_a_refusal_says_how_many_rows_are_too_old(world):
    initial_rows(world)
    answered = run(datetime(2017, 1, 1, tzinfo=UTC))
    assert answered["verdict"] == "REJECTED"
    assert "6,684 labelled rows are older than training.window_days reaches, from 2016-01-02 on" in answered["reasons"]


def test_the_files_are_what_the_manifest_says(world):
    initial_rows(world)
    run(datetime(2015, 10, 1, tzinfo=UTC))
    manifest = json.loads(world.read(f"{PREFIX}/manifest.json"))
    for name, entry in manifest["files"].items():
        assert hashlib.sha256(world.read(f"{PREFIX}/{name}")).hexdigest() == entry["sha256"]
    header = next(csv.reader(io.StringIO(world.read(f"{PREFIX}/train/train.csv").decode())))
    assert header == ["kedge_row_id", "kedge_time", *world.config.feature_names, "label"]
    described = json.loads(world.read(f"{PREFIX}/train/columns.json"))
    assert [feature["name"] for feature in described["features"]] == list(world.config.feature_names)


def test_the_holdout_goes_out_without_header_and_label(world):
    initial_rows(world)
    run(datetime(2015, 10, 1, tzinfo=UTC))
    rows = list(csv.reader(io.StringIO(world.read(f"{PREFIX}/holdout/input/rows.csv").decode())))
    truth = pq.read_table(io.BytesIO(world.read(f"{PREFIX}/holdout/truth.parquet")))
    assert [row[0] for row in rows] == truth.column("kedge_row_id").to_pylist()
    assert {len(row) for row in rows} == {1 + len(world.config.features)}


def test_without_any_rows_the_data_is_rejected_in_sentences(world):
    answered = run()
    assert answered["verdict"] == "REJECTED"
    assert answered["reasons"][0] == "0 labelled training rows; 1,000 are needed"
    assert world.keys("retraining/") == []


def test_whoever_approves_is_told_that_only_a_sample_was_kept(world):
    capture = world.config.capture.model_copy(update={"counted_percentage": 10})
    config = world.config.model_copy(update={"capture": capture})
    place = Workplace(TABLE, Athena("kedge", "kedge", lambda: 600), "attempt")
    _, origin = gather(RetrainingRun(config, "run-1", NOW, BUCKET, None), place, None)
    assert origin.notes[-1].startswith("of what was answered 10 % is counted and kept")


def test_an_unknown_label_horizon_rejects(world):
    bookings = load_bookings("2015-11-20", "2015-12-01")
    answer(world, bookings)
    answered = run()
    assert answered["verdict"] == "REJECTED"
    assert "the label horizon is not known" in answered["reasons"][0]


def scored_by(answered: dict, name: str, world) -> list[str]:
    """The files that a model's transform job reads."""
    source = answered[f"{name}_transform"]["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    return [key.removeprefix(f"{PREFIX}/holdout/") for key in world.keys(source.removeprefix(f"s3://{BUCKET}/"))]


def test_the_challenger_scores_shuffled_rows_too_and_the_champion_does_not(world):
    initial_rows(world)
    world.serve()
    answered = run(datetime(2015, 10, 1, tzinfo=UTC))
    assert scored_by(answered, "challenger", world) == ["input/permuted.csv", "input/rows.csv"]
    assert scored_by(answered, "champion", world) == ["input/rows.csv"]
    shuffled = list(csv.reader(io.StringIO(world.read(f"{PREFIX}/holdout/input/permuted.csv").decode())))
    rows = list(csv.reader(io.StringIO(world.read(f"{PREFIX}/holdout/input/rows.csv").decode())))
    features = len(world.config.features)
    assert len(shuffled) == len(rows) // features * features
    assert {len(row) for row in shuffled} == {1 + features}
    assert {row[0].split("~", 1)[1] for row in shuffled} < {row[0] for row in rows}


def test_the_jobs_read_below_the_run_and_write_where_nothing_decides(world):
    initial_rows(world)
    answered = run(datetime(2015, 10, 1, tzinfo=UTC))
    base = f"s3://{BUCKET}/{PREFIX}"
    source = answered["training_job"]["InputDataConfig"][0]["DataSource"]["S3DataSource"]
    assert source["S3Uri"] == answered["snapshot"]["train_uri"] == f"{base}/train/"
    assert answered["training_job"]["AlgorithmSpecification"]["TrainingImage"] == "image:1"
    scored, trained = (f"s3://{BUCKET}/{kind}/{MODEL}/run-1" for kind in ("scored", "trained"))
    assert answered["challenger_transform"]["TransformOutput"]["S3OutputPath"] == f"{scored}/challenger"
    assert answered["training_job"]["OutputDataConfig"]["S3OutputPath"] == trained
    assert answered["training_job"]["RoleArn"] == TRAINER != answered["challenger_model"]["ExecutionRoleArn"]
    assert answered["challenger_model"]["EnableNetworkIsolation"] is True


def judge_package(arn: str) -> dict:
    trigger = {"kind": "package", "package_arn": arn}
    event = {"model": MODEL, "run": "run-1", "time": f"{NOW:%Y-%m-%dT%H:%M:%SZ}", "trigger": trigger}
    return json.loads(json.dumps(handler(event, CONTEXT), default=str))


def served_bookings(world) -> None:
    bookings = load_bookings("2015-10-01", "2015-12-01")
    answer(world, bookings)
    publish_labels(world, bookings, until=NOW)


def test_a_package_that_kedge_did_not_make_takes_the_place_of_a_training(world):
    served_bookings(world)
    arn = world.register(properties={"kedge:training_end": "2015-11-10T00:00:00Z"})
    answered = judge_package(arn)
    assert answered["verdict"] == "READY", answered["reasons"]
    taken = answered["training"]
    assert (taken["job"], taken["artefact_uri"]) == ("run-1-v1", f"s3://{BUCKET}/model.tar.gz")
    assert (taken["package_arn"], answered["training_inputs"]) == (arn, "")
    assert answered["challenger_model"]["PrimaryContainer"] == {"Image": "i", "Environment": {}}
    assert answered["challenger_model"]["ExecutionRoleArn"] == ROLE
    assert min(times_of(world, "holdout/truth.parquet")) > datetime(2015, 11, 10, tzinfo=UTC)
    assert answered["snapshot"]["training_end"] >= "2015-11-09"
    assert any("says that it learnt from rows until 2015-11-10" in note for note in answered["snapshot"]["notes"])


def test_a_package_that_does_not_say_what_it_learnt_is_judged_by_rows_after_its_registration_alone(world):
    served_bookings(world)
    answered = judge_package(world.register(properties={}))
    assert answered["verdict"] == "REJECTED"
    assert any("kedge:training_end, such as" in reason for reason in answered["reasons"])


@pytest.mark.parametrize(
    ("properties", "content_type", "words"),
    [
        ({"kedge:training_end": "last week"}, "text/csv", "write it like 2026-03-01T00:00:00Z"),
        ({}, "application/json", "register it with that type too"),
    ],
)
def test_a_package_that_cannot_be_judged_is_rejected_with_the_remedy(world, properties, content_type, words):
    arn = world.register(properties=properties, content_type=content_type)
    answered = judge_package(arn)
    assert answered["verdict"] == "REJECTED"
    assert words in answered["reasons"][0]


def test_a_pipeline_is_told_where_the_rows_are_and_no_earlier_training_is_used(world, monkeypatch):
    served_bookings(world)
    training = world.config.training.model_copy(
        update={"pipeline": "mine", "pipeline_parameters": {"Rows": "train_uri", "Run": "run"}}
    )
    config = world.config.model_copy(update={"training": training})
    monkeypatch.setattr("lambdas.handlers.snapshot_data.load_managed_model", lambda *_: config)
    answered = run()
    assert answered["verdict"] == "READY", answered["reasons"]
    asked = answered["pipeline"]
    assert (asked["PipelineName"], asked["PipelineExecutionDisplayName"]) == ("mine", "run-1")
    rows = {"Name": "Rows", "Value": f"s3://{BUCKET}/{PREFIX}/train/"}
    assert asked["PipelineParameters"] == [rows, {"Name": "Run", "Value": "run-1"}]
    assert (answered["training_inputs"], "training" in answered) == ("", False)
