"""What the monitoring functions stand on, in moto: queues, topics, the retrain machine, and a champion that answers."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kedge.columns.casting import columns_of
from kedge.estimation.estimators import fit_estimator
from kedge.outcomes.binary import count_binary
from kedge.outcomes.outcomes import Outcomes
from kedge.profile.counted_objects import CountedObjects
from kedge.profile.counting import count_rows_by_hour
from kedge.profile.day import DayProfile, encode_day
from kedge.profile.encoding import decode_baseline, encode_baseline
from kedge.profile.freezing import freeze_baseline
from kedge.slices.counts import slice_reference
from kedge.slices.encoding import encode_slices
from lambdas.adapters.bucket import days
from lambdas.adapters.state import champions
from lambdas.adapters.state.champions import Champion
from tests.handlers.aws_world import (
    ACCOUNT,
    BUCKET,
    MODEL,
    REGION,
    ROLE,
    TABLE,
    World,
    aws_world,
    moto_backend,
)
from tests.handlers.bookings import load_bookings

EVENTS = Path(__file__).parents[1] / "events"
QUEUES = ("profile", "performance", "join", "drift", "decision", "settle", "capture", "approvals", "page")


def load_event(name: str) -> dict[str, Any]:
    """A payload as AWS hands it over."""
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return loaded


def message(body: dict[str, Any]) -> dict[str, Any]:
    """A queue's message as the event source mapping hands it over."""
    event = load_event("message_profile")
    event["Records"][0]["body"] = json.dumps(body)
    return event


class Monitor(World):
    """The account with its queues, topics and the retrain machine."""

    def __init__(self) -> None:
        super().__init__()
        self.sqs, self.sns = boto3.client("sqs"), boto3.client("sns")
        self.stepfunctions = boto3.client("stepfunctions")
        self.cloudwatch = boto3.client("cloudwatch")

    def received(self, queue: str) -> list[Any]:
        """Take every message of a queue: bodies of a stage's, mails and events of a topic's."""
        url, found = self.sqs.get_queue_url(QueueName=queue)["QueueUrl"], []
        while batch := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for item in batch:
                found.append(json.loads(item["Body"]))
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=item["ReceiptHandle"])
        return found

    def waiting(self, queue: str) -> int:
        """How many messages a queue holds."""
        url = self.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(found["Attributes"]["ApproximateNumberOfMessages"])

    def mails(self) -> list[Any]:
        """Subject and text of each mail sent since the last look."""
        return [(mail["Subject"], mail["Message"]) for mail in self.received("people")]

    def kinds(self) -> list[str]:
        """Kinds of the timeline's entries."""
        return [entry["kind"] for entry in self.timeline()]

    def runs(self) -> list[str]:
        """Names of the retrainings that were started, in their order."""
        return [execution.name for execution in self._executions()]

    def end_run(self, status: str) -> None:
        """Let the last retraining end so."""
        self._executions()[-1].status = status

    def gauge(self, name: str, *, model: str = MODEL) -> list[float]:
        """Values of one of a model's metrics."""
        found = [m for m in self._metrics() if m.name == name and m.dimensions[0].value == model]
        return [metric.value for metric in found]

    def promote(self, promoted_at: datetime, *, version: str = "1", training_end: datetime | None = None) -> None:
        """Let a package be the champion."""
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{MODEL}/{version}"
        name = f"{MODEL}-v{version}-aaaa"
        champion = Champion(arn, version, version, promoted_at, training_end, name, name)
        champions.save(self.dynamodb, TABLE, MODEL, champion)

    def freeze(self, version: str = "1", *, rows: pa.Table | None = None) -> None:
        """Store a baseline (of last summer's bookings), with a reference on which the model ranks well."""
        rows = load_bookings("2015-07-01", "2015-10-01") if rows is None else rows
        scores, labels = scored(rows, skill=0.8)
        predictions = pa.table({self.config.prediction.name: scores})
        baseline = freeze_baseline(MODEL, version, columns_of(self.config), rows, predictions)
        self.put(f"baselines/{MODEL}/{version}.npz", encode_baseline(baseline))
        outcomes = Outcomes("binary_classification", np.asarray(scores), labels, ("0", "1"))
        estimator = fit_estimator(outcomes, threshold=0.5)
        counts = count_binary(scores, labels, threshold=0.5)
        reference = {"counts": counts.to_json(), "metrics": {}, "estimator": estimator.to_json()}
        self.put(f"baselines/{MODEL}/{version}/reference.json", json.dumps(reference).encode())

    def freeze_slices(self, version: str = "1") -> None:
        """Store the slices of last summer's bookings, as the model that was frozen answered them."""
        rows = load_bookings("2015-07-01", "2015-10-01")
        holdout = rows.append_column(self.config.prediction.name, pa.array(scored(rows, skill=0.8)[0]))
        baseline = decode_baseline(self.read(f"baselines/{MODEL}/{version}.npz"))
        slices = slice_reference(baseline, holdout, self.config)
        self.put(f"baselines/{MODEL}/{version}/slices.npz", encode_slices(slices))

    def capture(
        self, rows: pa.Table, scores: Any, *, version: str = "1", name: str = "a", variant: str | None = None
    ) -> list[str]:
        """Write captured requests, one object an hour; return the objects' keys."""
        lines = defaultdict(list)
        columns = [rows.column(feature).to_pylist() for feature in self.config.feature_names]
        ids, times = rows.column("id").to_pylist(), rows.column("kedge_time").to_pylist()
        for row_id, time, values, score in zip(ids, times, zip(*columns, strict=True), scores, strict=True):
            lines[time].append(capture_line(str(row_id), time, values, score))
        endpoint = self.config.endpoint
        prefix = f"capture/{MODEL}/{version}/{endpoint.name}/{variant or endpoint.variant}"
        keys = [f"{prefix}/{hour:%Y/%m/%d/%H}/{name}.jsonl" for hour in lines]
        for key, content in zip(keys, lines.values(), strict=True):
            self.put(key, "\n".join(content).encode())
        return keys

    def answer(self, rows: pa.Table, scores: Any, *, version: str = "1", name: str = "p") -> None:
        """Leave the days and the predictions that a profiled stretch of requests leaves."""
        baseline = decode_baseline(self.read(f"baselines/{MODEL}/{version}.npz"))
        ids = rows.column("id").cast(pa.string())
        table = rows.select(["kedge_time", *self.config.feature_names]).append_column("kedge_row_id", ids)
        table = table.append_column(self.config.prediction.name, pa.array(scores))
        dates = pc.strftime(table.column("kedge_time"), "%Y-%m-%d")
        for day in pc.unique(dates).to_pylist():
            found = table.filter(pc.equal(dates, day))
            part = f"predictions/{MODEL}/package={version}/date={day}/{name}.parquet"
            sink = io.BytesIO()
            pq.write_table(found, sink)
            self.put(part, sink.getvalue())
            hours = count_rows_by_hour(baseline, found, pc.hour(found.column("kedge_time")).to_numpy())
            folded = DayProfile(hours, CountedObjects.of({f"capture/{day}/{name}": str(found.num_rows)}), (part,))
            key = f"profiles/{MODEL}/{version}/{version}/{day}.npz"
            known, _ = days.load_day(self.s3, BUCKET, key)
            self.put(key, encode_day(known.folded(folded)))

    def _executions(self) -> list[Any]:
        machines = moto_backend("stepfunctions").state_machines
        return [execution for machine in machines for execution in machine.executions]

    def _metrics(self) -> list[Any]:
        found: list[Any] = moto_backend("cloudwatch").metric_data
        return found


def scored(rows: pa.Table, *, skill: float, seed: int = 0) -> tuple[Any, Any]:
    """Answers whose ranking of the true labels is as good as `skill` says (0 to 1), and the labels."""
    labels = rows.column("label").to_numpy().astype(np.int64)
    noise = np.random.default_rng(seed).uniform(size=len(labels))
    return 0.1 + 0.8 * (skill * labels * noise**0.3 + (1 - skill * labels) * noise), labels


def capture_line(row_id: str, time: datetime, values: Any, score: float) -> str:
    """One record as Data Capture writes it."""
    sides = (("endpointInput", "INPUT", ",".join(map(str, values))), ("endpointOutput", "OUTPUT", str(score)))
    data = {
        side: {"observedContentType": "text/csv", "mode": mode, "data": text, "encoding": "CSV"}
        for side, mode, text in sides
    }
    when = time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata = {"eventId": f"event-{row_id}", "inferenceId": row_id, "inferenceTime": when}
    return json.dumps({"captureData": data, "eventMetadata": metadata, "eventVersion": "0"})


@contextmanager
def monitor_world(monkeypatch: Any, *, page_items: int | None = 2) -> Iterator[Monitor]:
    """An account as the monitoring stack leaves it, and the environment of all its functions."""
    url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}"
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}"
    environment = {f"{queue.upper()}_QUEUE_URL": f"{url}/{queue}" for queue in QUEUES} | {
        "DEAD_LETTERS_URL": f"{url}/dead-letters",
        "ATTEMPTS": "3",
        "ALERT_TOPIC_ARN": f"{arn}:people",
        "EVENT_TOPIC_ARN": f"{arn}:programs",
        "RETRAIN_MACHINE_ARN": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:kedge-retrain",
    }
    with aws_world(monkeypatch, page_items=page_items, **environment):
        world = Monitor()
        for queue in (*QUEUES, "people", "programs", "dead-letters"):
            world.sqs.create_queue(QueueName=queue)
        for topic in ("people", "programs"):
            world.sns.create_topic(Name=topic)
            endpoint = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{topic}"
            world.sns.subscribe(TopicArn=f"{arn}:{topic}", Protocol="sqs", Endpoint=endpoint)
        definition = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
        world.stepfunctions.create_state_machine(name="kedge-retrain", definition=definition, roleArn=ROLE)
        yield world


__all__ = ["BUCKET", "MODEL", "TABLE", "Monitor", "load_event", "message", "monitor_world", "scored"]
