"""A model whose features bear names that Kedge once had for columns of its own, and whose schema changes while it serves."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app import build_app
from demo.first_champion import function_name
from kedge.config.reading import parse_model_config
from kedge.profile.encoding import decode_baseline
from offline.account import Account
from tests.end_to_end.hotel import DAY, HOUR, MINUTE, Hotel

pytestmark = pytest.mark.slow

YAML = """
model: boiler
problem: multiclass_classification
endpoint: {name: boiler}
features:
  - {name: hour, kind: numeric}
  - {name: time, kind: numeric}
  - {name: row_id, kind: numeric}
  - {name: event_id, kind: categorical}
FEATURES
prediction: {name: state, probabilities: [PROBABILITIES]}
labels: {classes: [CLASSES], label_horizon_days: 1}
cadence: {profile: daily, judge: daily, window_days: 3}
drift: {minimum_rows: 100}
retraining: {paused: true}
training: {minimum_rows: 300, permuted_rows: 0, holdout_fraction: 0.1, hyperparameters: {trees: 30, min_child_weight: 1}}
gate: {minimum_holdout_rows: 50}
canary: {traffic_fraction: 0.5, bake_minutes: 30, termination_wait_minutes: 0, minimum_requests: 2, behaviour_effect_max: 0.9}
"""
BEFORE = {
    "FEATURES": "  - {name: temp, kind: numeric}\n  - {name: noise, kind: numeric}",
    "PROBABILITIES": "p_low, p_mid",
    "CLASSES": "low, mid",
}
# A feature renamed, one taken out, one added, and another class.
AFTER = {
    "FEATURES": "  - {name: temperature, kind: numeric, renamed_from: temp}\n  - {name: pressure, kind: numeric}",
    "PROBABILITIES": "p_low, p_mid, p_high",
    "CLASSES": "low, mid, high",
}
START = datetime(2026, 3, 2, 6, tzinfo=UTC)
# From this day on boilers get hot.
HOT_FROM = START + 3 * DAY
ROWS_A_REQUEST, REQUESTS_A_DAY = 50, 4
COLUMNS = ("hour", "time", "row_id", "event_id", "temp", "noise")


@dataclass
class Plant:
    """The boilers' clients, who send by name what either schema reads, and their engineers, who know the truth a day later."""

    hotel: Hotel
    random: Any = field(default_factory=lambda: np.random.default_rng(0))
    untold: list[tuple[str, datetime, str]] = field(default_factory=list)
    sent: int = 0

    def row(self, now: datetime) -> tuple[dict[str, Any], str]:
        z = np.inf
        while z > (1 if now < HOT_FROM else 9):
            hour, pressure = int(self.random.integers(24)), self.random.normal()
            temp = self.random.normal() + (now >= HOT_FROM)
            kind = str(self.random.choice(["a", "b", "c"]))
            z = temp + 0.05 * (hour - 12) + {"a": -0.5, "b": 0.0, "c": 0.5}[kind] + 0.2 * pressure
        row = {
            "hour": hour,
            "time": float(self.random.normal()),
            "row_id": float(self.random.uniform()),
            "event_id": kind,
            "temp": float(temp),
            "temperature": float(temp),
            "noise": float(self.random.normal()),
            "pressure": float(pressure),
        }
        return row, "low" if z < 0 else "high" if z > 1 else "mid"

    def first_rows(self) -> bytes:
        """What the engineers hand over first, long before anyone thinks of pressure."""
        rows, labels = zip(*(self.row(START - DAY) for _ in range(1500)), strict=True)
        times = [START - 20 * DAY + place * HOUR / 4 for place in range(1500)]
        table = pa.table(
            {"id": [f"first-{n}" for n in range(1500)], "timestamp": pa.array(times, pa.timestamp("us", "UTC"))}
            | {name: [row[name] for row in rows] for name in COLUMNS}
            | {"label": list(labels)}
        )
        sink = io.BytesIO()
        pq.write_table(table, sink)
        return sink.getvalue()

    def ask(self) -> None:
        self.sent += 1
        name, now = f"ask-{self.sent}", self.hotel.now
        rows, labels = zip(*(self.row(now) for _ in range(ROWS_A_REQUEST)), strict=True)
        self.hotel.runtime.invoke_endpoint(
            EndpointName="boiler",
            ContentType="application/json",
            Accept="application/json",
            InferenceId=name,
            Body=json.dumps({"instances": rows}),
        )
        self.untold += [(f"{name}/{place}", now, label) for place, label in enumerate(labels)]

    def live(self, until: datetime) -> None:
        """Ask through the day, and say in the morning what has become of the days before."""
        while self.hotel.now < until:
            morning = self.hotel.now
            self.tell(morning)
            for place in range(REQUESTS_A_DAY):
                self.hotel.account.clock.advance_to(morning + place * HOUR)
                self.ask()
            self.hotel.account.clock.advance_to(morning + DAY)

    def tell(self, now: datetime) -> None:
        due = [said for said in self.untold if said[1] <= now - DAY / 2]
        self.untold = [said for said in self.untold if said[1] > now - DAY / 2]
        lines = [
            {
                "groundTruthData": {"data": label},
                "eventMetadata": {"eventId": row, "inferenceTime": f"{at:%Y-%m-%dT%H:%M:%SZ}"},
            }
            for row, at, label in due
        ]
        if lines:
            self.hotel.put(f"labels/boiler/{now:%Y/%m/%d/%H}/a.jsonl", "\n".join(map(json.dumps, lines)).encode())

    def retrain(self, trigger: str = "manual") -> str:
        """Ask for a retraining as a person does, and wait for its end."""
        asked = {
            "model": "boiler",
            "time": f"{self.hotel.now:%Y-%m-%dT%H:%M:%SZ}",
            "trigger": trigger,
            "reason": "a test",
        }
        function = function_name(self.hotel.account, "decide_retraining")
        run = str(self.hotel.account.invoke_function(function, asked)["run"])
        self.hotel.wait(2 * HOUR)
        return run

    def approve(self, version: int) -> None:
        """Approve a package, and go on asking while it is released."""
        assert not self.hotel.timeline("gate_failed", "data_rejected", "failed")
        self.hotel.approve(f"arn:aws:sagemaker:eu-west-1:123456789012:model-package/boiler/{version}")
        serves = bool(self.hotel.item("champion"))
        for _ in range(180):
            self.hotel.wait(MINUTE)
            if serves:
                self.ask()
            if (champion := self.hotel.item("champion")) and champion["package_version"] == str(version):
                return
        raise AssertionError(self.hotel.timeline("failed", "canary_rolled_back", "release_unproven"))

    def gate(self, run: str) -> dict[str, Any]:
        (found,) = [e["detail"] for e in self.hotel.timeline("gate_passed", "gate_failed") if e["detail"]["run"] == run]
        return dict(found)


def deploy(account: Account, directory: Path, name: str, words: dict[str, str]) -> Any:
    """Write the YAML and deploy it, over what is there."""
    text = YAML
    for place, word in words.items():
        text = text.replace(place, word)
    (directory / "models").mkdir(exist_ok=True)
    (directory / "models" / "boiler.yaml").write_text(text)
    build_app(directory / name, directory / "models").synth()
    account.deploy(directory / name)
    return parse_model_config(text, source="boiler.yaml")


@dataclass
class Story:
    """The plant at the end, and the retrainings on the way."""

    plant: Plant
    changed_at: datetime
    first: str
    second: str
    third: str
    without_endpoint: str


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    directory = tmp_path_factory.mktemp("schema")
    with Account(start=START - DAY / 2, directory=directory / "account") as account:
        config = deploy(account, directory, "before", BEFORE)
        plant = Plant(Hotel(account, config, None))
        plant.hotel.put("initial/boiler/training.parquet", plant.first_rows())
        first = plant.retrain("initial")
        plant.approve(1)
        account.clock.advance_to(START)
        plant.live(HOT_FROM)
        changed_at = plant.hotel.now
        deploy(account, directory, "after", AFTER)
        plant.live(HOT_FROM + 4 * DAY)
        second = plant.retrain()
        plant.approve(2)
        account.clock.advance_to(HOT_FROM + 5 * DAY)
        plant.live(HOT_FROM + 8 * DAY)
        third = plant.retrain()
        plant.hotel.registry.delete_endpoint(EndpointName="boiler")
        account.clock.advance_to(plant.hotel.now + HOUR)
        yield Story(plant, changed_at, first, second, third, plant.retrain())


def test_no_record_is_ever_quarantined_and_no_message_lost(story):
    hotel = story.plant.hotel
    assert not hotel.objects("quarantine/")
    sqs = hotel.account.client("sqs")
    for url in sqs.list_queues()["QueueUrls"]:
        if "Dead" in url:
            told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
            assert told["ApproximateNumberOfMessages"] == "0", url
    counted = 0
    for version in ("1", "2"):
        for key in hotel.objects(f"profiles/boiler/{version}/{version}/"):
            counted += sum(hotel.day(datetime.fromisoformat(key[-14:-4]), version)["rows_by_hour"].values())
    assert counted == story.plant.sent * ROWS_A_REQUEST


def test_every_day_is_judged_before_and_after_the_change(story):
    judged = story.plant.hotel.timeline("window_judged")
    first, last = (datetime.fromisoformat(judged[place]["time"]).date() for place in (0, -1))
    assert len({entry["time"][:10] for entry in judged}) == (last - first).days + 1
    full = [e for e in judged if START + 2 * DAY <= datetime.fromisoformat(e["time"]) <= HOT_FROM + 4 * DAY]
    assert full
    assert all(entry["detail"]["severity"] != "INSUFFICIENT_DATA" for entry in full)


def test_labels_reach_the_champion_in_its_own_schema(story):
    measured = story.plant.hotel.timeline("performance_measured")
    between = [e for e in measured if datetime.fromisoformat(e["time"]) > story.changed_at + 1 * DAY]
    assert {entry["detail"]["package_version"] for entry in between} == {"1", "2"}
    assert all(entry["detail"]["ripe_rows"] >= 100 for entry in between if entry["detail"]["package_version"] == "1")


def test_no_retraining_fails(story):
    hotel = story.plant.hotel
    assert not hotel.timeline("failed", "data_rejected", "canary_rolled_back", "release_unproven")
    assert {one["status"] for one in hotel.executions("kedge-retrain")} == {"SUCCEEDED"}


def test_the_challenger_is_compared_with_the_champion_on_the_same_rows_each_in_its_schema(story):
    hotel, gate = story.plant.hotel, story.plant.gate(story.second)
    assert (gate["verdict"], gate["champion"]) == ("PASS", "1")
    prefix = f"retraining/boiler/{story.second}/holdout/"
    (own,), (theirs,) = (hotel.objects(f"{prefix}{place}/rows.csv").values() for place in ("input", "champion"))
    ids = [[line.split(",")[0] for line in rows.decode().splitlines()] for rows in (own, theirs)]
    assert ids[0] == ids[1]
    assert len(own.splitlines()[0].split(b",")) == len(theirs.splitlines()[0].split(b",")) == 7


def test_what_older_rows_do_not_have_is_said_to_the_approver(story):
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/boiler/2"
    description = story.plant.hotel.registry.describe_model_package(ModelPackageName=arn)["ModelPackageDescription"]
    assert "pressure is missing in" in description
    assert "temperature is missing" not in description, "it was renamed, and older rows have it under its former name"


def test_what_no_row_had_yet_is_watched_from_the_next_package_on(story):
    hotel = story.plant.hotel
    second = decode_baseline(hotel.objects("baselines/boiler/2.npz")["baselines/boiler/2.npz"])
    assert "pressure" not in second.bins
    third = hotel.objects(f"retraining/boiler/{story.third}/baseline/baseline.npz")
    if third:
        (content,) = third.values()
        assert "pressure" in decode_baseline(content).bins


def test_an_endpoint_that_was_deleted_leaves_the_champion_to_be_compared_with(story):
    gate = story.plant.gate(story.without_endpoint)
    assert gate["champion"] == "2"
    assert story.plant.hotel.objects(f"scored/boiler/{story.without_endpoint}/champion/")
