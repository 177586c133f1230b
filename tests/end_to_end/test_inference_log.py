"""A model in its team's own container is watched by what it puts into Firehose and Kinesis; its inputs drift, and people hear of it."""

import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from typer.testing import CliRunner

from app import build_app
from cli.main import app
from kedge.config.reading import parse_model_config
from offline.account import Account
from tests.end_to_end.hotel import DAY, HOUR, Hotel

pytestmark = pytest.mark.slow

MODEL, STREAM = "biopsies", "kedge-logs"
KINESIS, FROM_KINESIS = "answers", f"{STREAM}-from-kinesis"
START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
FEATURES = ["mean radius", "mean texture", "mean smoothness"]
REGIONS = ("north", "south")
EVERY, RECORDS = 6 * HOUR, 30
YAML = f"""
model: {MODEL}
mode: watch
source: log
firehose: true
features:
{"".join(f"  - {{name: {name}, kind: numeric}}{chr(10)}" for name in FEATURES)}
cadence: {{profile: daily, judge: daily}}
context: [region]
segments: {{columns: [region], minimum_rows: 50, minimum_per_class: 10}}
labels: {{label_horizon_days: 0}}
quality: {{duplicate_fraction_max: 0.1}}  # its clients put much again
"""


@dataclass
class Clinic:
    """A team whose container answers, and logs what it answered with boto3 alone."""

    account: Account
    directory: Path
    put: dict[str, datetime] = field(default_factory=dict)
    truths: list[tuple[str, datetime, int]] = field(default_factory=list)
    refused: int = 0
    batches: int = 0

    def __post_init__(self) -> None:
        frame = load_breast_cancer(as_frame=True).frame
        self.known, self.asked = frame.iloc[::2], frame.iloc[1::2]
        learnt = self.known.iloc[::2]
        self._model = make_pipeline(StandardScaler(), LogisticRegression()).fit(learnt[FEATURES], learnt["target"])
        self._random = np.random.default_rng(5)
        self.firehose, self.kinesis = self.account.client("firehose"), self.account.client("kinesis")

    def training_file(self) -> Path:
        """The training rows, and the model's answers to those that it has not learnt from."""
        rows = self.known[[*FEATURES, "target"]].copy()
        rows["region"] = self._random.choice(REGIONS, len(rows))
        rows["prediction"] = np.where(np.arange(len(rows)) % 2 == 0, np.nan, self.scores(rows))
        path = self.directory / "training.parquet"
        rows.to_parquet(path)
        return path

    def scores(self, rows: pd.DataFrame) -> Any:
        return self._model.predict_proba(rows[FEATURES])[:, 1]

    def answer_until(self, until: datetime, *, radius: float = 1.0) -> None:
        while self.account.clock.now < until:
            now = self.account.clock.now
            rows = self.asked.iloc[self._random.integers(len(self.asked), size=RECORDS)].copy()
            rows["mean radius"] *= radius
            self.log(
                [
                    self.record(row, score, now)
                    for (_, row), score in zip(rows.iterrows(), self.scores(rows), strict=True)
                ]
            )
            self.account.clock.advance_to(min(now + EVERY, until))

    def record(self, row: pd.Series, score: float, time: datetime) -> dict[str, Any]:
        name = f"b-{len(self.put)}"
        self.put[name] = time
        region = str(self._random.choice(REGIONS))
        # In the north, what the model has learnt holds no more.
        truth = int(row["target"]) if region == "south" else 1 - int(row["target"])
        self.truths.append((name, time, truth))
        features = {feature: float(row[feature]) for feature in FEATURES}
        answered = {"features": features, "prediction": score, "context": {"region": region}}
        return {"v": 1, "model": MODEL, "id": name, "time": time.isoformat(), **answered}

    def labels(self) -> bytes:
        """What came true of all that was answered, as Model Monitor's ground truth."""
        lines = (
            {
                "groundTruthData": {"data": str(truth), "encoding": "CSV"},
                "eventMetadata": {"eventId": name, "inferenceTime": f"{time:%Y-%m-%dT%H:%M:%SZ}"},
                "eventVersion": "0",
            }
            for name, time, truth in self.truths
        )
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    def log(self, records: list[dict[str, Any]]) -> None:
        """Put records in one of three ways, and the first of them again in another: its answer was lost."""
        lines = [json.dumps(record).encode() for record in records]
        ways = (self._put_each, self._put_batch, self._put_into_kinesis)
        ways[self.batches % 3](lines)
        ways[(self.batches + 1) % 3](lines[:1])
        self.batches += 1

    def _put_each(self, lines: list[bytes]) -> None:
        for line in lines:
            self.firehose.put_record(DeliveryStreamName=STREAM, Record={"Data": line})

    def _put_into_kinesis(self, lines: list[bytes]) -> None:
        records = [{"Data": line, "PartitionKey": str(number)} for number, line in enumerate(lines)]
        assert self.kinesis.put_records(StreamName=KINESIS, Records=records)["FailedRecordCount"] == 0

    def _put_batch(self, lines: list[bytes]) -> None:
        """Put records until each is taken."""
        waiting = [{"Data": line} for line in lines]
        while waiting:
            answer = self.firehose.put_record_batch(DeliveryStreamName=STREAM, Records=waiting)
            self.refused += answer["FailedPutCount"]
            pairs = zip(waiting, answer["RequestResponses"], strict=True)
            waiting = [record for record, said in pairs if "ErrorCode" in said]


@dataclass
class Watch:
    clinic: Clinic
    kedge: Hotel
    url: str
    shown: str
    adopted: str

    def types(self, *arguments: str) -> Any:
        return CliRunner().invoke(app, [*arguments, "--endpoint-url", self.url])


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    directory = tmp_path_factory.mktemp("logged")
    yaml = directory / "models" / f"{MODEL}.yaml"
    yaml.parent.mkdir()
    yaml.write_text(YAML)
    stream = f"arn:aws:kinesis:eu-west-1:123456789012:stream/{KINESIS}"
    build_app(directory / "assembly", yaml.parent, firehose_stream=stream).synth()
    with Account(start=START - HOUR, directory=directory / "account") as account:
        account.client("kinesis").create_stream(StreamName=KINESIS, ShardCount=1)
        account.deploy(directory / "assembly")
        clinic = Clinic(account, directory)
        account.clock.advance_to(START)
        clinic.answer_until(START + 2 * DAY)
        url = account.serve(0).url
        command = ["adopt", MODEL, "--source", "log", "--out", str(yaml), "--endpoint-url", url]
        command += ["--baseline", str(clinic.training_file()), "--label", "target"]
        shown = CliRunner().invoke(app, command)
        assert shown.exit_code == 0, shown.output
        adopted = CliRunner().invoke(app, [*command, "--apply"])
        assert adopted.exit_code == 0, adopted.output
        kedge = Hotel(account, parse_model_config(YAML, source=yaml.name), None)
        clinic.answer_until(START + 5 * DAY)
        # A day's records come a day late: its container had no network.
        clinic.account.clock.advance_to(START + 6 * DAY)
        late = [clinic.record(row, 0.5, START + 5 * DAY + HOUR) for _, row in clinic.asked.iloc[:20].iterrows()]
        clinic.log(late)
        clinic.answer_until(START + 13 * DAY, radius=1.4)
        kedge.put(f"labels/{MODEL}/{account.clock.now:%Y/%m/%d/%H}/truth.jsonl", clinic.labels())
        account.clock.advance_to(START + 13 * DAY + 6 * HOUR)
        yield Watch(clinic, kedge, url, shown.output, adopted.output)


def test_firehose_wrote_below_the_models_folder_of_the_hour_zipped(watch):
    keys = [*watch.kedge.objects(f"logs/{MODEL}/")]
    assert keys
    assert all(key.startswith(f"logs/{MODEL}/2026/03/") and key.endswith(".jsonl.gz") for key in keys)
    for stream in (STREAM, FROM_KINESIS):
        assert any(f"/{stream}-1-2026-03-" in key for key in keys), stream


def test_every_record_is_counted_once_on_its_own_day_by_whichever_way_though_batches_failed_in_part_and_some_came_twice(
    watch,
):
    assert watch.clinic.refused > 0
    version = watch.kedge.item("champion")["package_version"]
    days = [START + n * DAY for n in range(2, 12)]
    counted = {day: watch.kedge.day(day, version) for day in days}
    # One of each batch was put twice, besides those that Firehose delivers twice.
    assert sum(found["duplicates"] for found in counted.values()) >= len(days) * (DAY // EVERY) > 0
    for day, found in counted.items():
        put = [time.hour for time in watch.clinic.put.values() if time.date() == day.date()]
        assert found["rows_by_hour"] == {hour: put.count(hour) for hour in set(put)}, day


def test_what_is_shown_and_written_is_said(watch):
    assert f"logs/{MODEL}/yyyy/mm/dd/hh/" in watch.shown
    assert "Nothing was written" in watch.shown
    assert "is adopted; nothing of what is watched was changed" in watch.adopted
    assert watch.kedge.timeline("adopted")[0]["detail"]["source"] == "log"


def test_undrifted_days_are_told_to_nobody_and_drift_is(watch):
    judged = {entry["time"]: entry["detail"]["severity"] for entry in watch.kedge.timeline("window_judged")}
    before = {severity for time, severity in judged.items() if time < (START + 6 * DAY).isoformat()}
    assert before <= {"OK", "INSUFFICIENT_DATA"}, judged
    assert [*judged.values()][-1] == "CRITICAL"
    assert watch.kedge.mails_saying("mean radius", "drifted")


def test_the_predictions_table_holds_the_context(watch):
    parts = watch.kedge.objects(f"predictions/{MODEL}/")
    tables = [pq.read_table(io.BytesIO(part), columns=["region"]) for part in parts.values()]
    assert {region for table in tables for region in table.column("region").to_pylist()} == {*REGIONS}


def test_the_segment_that_the_model_fails_in_is_found_by_its_context(watch):
    reports = [key for key in watch.kedge.objects("reports/") if key.endswith("performance.json")]
    document = json.loads(watch.kedge.objects(sorted(reports)[-1]).popitem()[1])
    segments = {found["group"]: found for found in document["segments"]}
    assert segments["region=north"]["severity"] == "CRITICAL"
    assert "region=south" not in segments


def test_nobody_asks_sagemaker_about_a_model_that_has_no_endpoint(watch):
    asked = {call.action for call in watch.kedge.account.calls if call.action.startswith("sagemaker:")}
    assert {action for action in asked if "Endpoint" in action} == set()


def test_records_without_a_model_are_kept_aside_and_alarm(watch):
    firehose = watch.clinic.firehose
    firehose.put_record(DeliveryStreamName=STREAM, Record={"Data": b'{"id": "x"}'})
    firehose.put_record(DeliveryStreamName=STREAM, Record={"Data": b"no json"})
    watch.kedge.wait(26 * HOUR)
    failed = watch.kedge.objects("undelivered/")
    lines = [json.loads(line) for body in failed.values() for line in gzip.decompress(body).splitlines()]
    assert {line["errorCode"] for line in lines} == {"DynamicPartitioning.MetadataExtractionFailed"}
    assert watch.kedge.mails_saying("records of an inference log could not be delivered"), [
        m.subject for m in watch.kedge.mails()
    ]


def test_firehose_refuses_what_aws_refuses(watch):
    for records in ([{"Data": b"x"}] * 501, [{"Data": b"x" * 1_100_000}], [{"Data": b"x" * 900_000}] * 5):
        with pytest.raises(ClientError):
            watch.clinic.firehose.put_record_batch(DeliveryStreamName=STREAM, Records=records)


def test_the_doctor_finds_the_stream_in_order_and_tells_of_what_was_kept_aside(watch):
    found = watch.types("doctor", "--models", str(watch.clinic.directory / "models"))
    assert "ok       streams: 2 looked at" in found.output
    assert "objects hold records that Firehose could not assign to a model" in found.output.replace("\n", " ")
    assert "endpoint is gone" not in found.output
