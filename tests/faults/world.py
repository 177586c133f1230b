"""The smallest deployed account in which everything of Kedge runs: one model of two features, its clients and its people."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from app import build_app
from demo.bookings import to_bookings
from demo.first_champion import function_name
from kedge.config.reading import parse_model_config
from offline.account import Account
from offline.functions.errors import FunctionError
from tests.end_to_end.hotel import DAY, HOUR, MINUTE, Hotel
from tests.faults.remembered import remember_scripts

YAML = Path(__file__).with_name("model.yaml")
ATTEMPTS = 5  # of a person, the last one two hours later
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday: the judging schedule fires
SHIFTED = """

honest_predict_fn = predict_fn


def predict_fn(rows, model):
    return [0.02 * answer for answer in honest_predict_fn(rows, model)]
"""


def make_rows(count: int, since: datetime, until: datetime, *, turned: bool = False) -> pd.DataFrame:
    """Draw rows whose label follows `size`, or the other way round where the world has `turned`."""
    draw = np.random.default_rng(int(since.timestamp()))
    size = draw.normal(size=count).round(3)
    label = (draw.random(count) < 1 / (1 + np.exp(-4 * size))).astype(int)
    seconds = np.sort(draw.integers(int(since.timestamp()), int(until.timestamp()), count))
    times = pd.to_datetime(seconds, unit="s", utc=True)
    return pd.DataFrame(
        {
            "id": [f"{since:%m%d}-{number}" for number in range(count)],
            "time": times,
            "label_time": times + pd.Timedelta(hours=1),
            "size": size,
            "colour": draw.choice(["blue", "red"], count),
            "label": 1 - label if turned else label,
        }
    )


def deploy(account: Account, yaml: str, place: Path) -> None:
    """Deploy the tiny model as a YAML says; every function has its cold start now, or each case would have it anew."""
    models = place / "models"
    models.mkdir(parents=True)
    (models / "tiny.yaml").write_text(yaml)
    build_app(place / "assembly", models).synth()
    account.deploy(place / "assembly")
    for function in account.client("lambda").list_functions()["Functions"]:
        account.functions.load(account.functions.find(function["FunctionName"]))


class World(Hotel):
    """The tiny model's account; each of its stories may be told in a fork of this process."""

    def ask_rows(self, rows: pd.DataFrame, name: str) -> None:
        """Send rows in one request; a model that fails is no failure of the world's."""
        body = rows[list(self.config.feature_names)].to_csv(header=False, index=False, lineterminator="\n")
        self.ask_quietly(body, name)

    def ask_quietly(self, body: str, name: str) -> None:
        """Send a request, whatever is answered."""
        errors = self.runtime.exceptions
        try:
            self.runtime.invoke_endpoint(
                EndpointName=self.endpoint, ContentType="text/csv", Accept="text/csv", InferenceId=name, Body=body
            )
        except (errors.ModelError, errors.ClientError):
            return

    def traffic(self, how_long: timedelta, *, every: timedelta = MINUTE, requests: int = 4) -> None:
        """Send the same forty rows again and again, in requests of ten."""
        bodies, until = self._bodies(), self.now + how_long
        while self.now < until:
            self.account.clock.advance_to(min(self.now + every, until))
            for number in range(requests):
                self._sent += 1
                self.ask_quietly(bodies[number % len(bodies)], f"t-{self._sent}")

    def _bodies(self) -> list[str]:
        lines = [booking.payload for booking in to_bookings(self.frame[:40], self.config.feature_names)]
        return ["\n".join(lines[start : start + 10]) for start in range(0, 40, 10)]

    def serve(self, days: int, *, turned: bool = False, each: int = 30) -> None:
        """Days of requests of thirty rows every three hours, or of `each`, and the labels of each."""
        begin = self.now
        rows = make_rows(days * 8 * each, begin, begin + days * DAY, turned=turned)
        for number in range(days * 8):
            self.account.clock.advance_to(begin + (number + 1) * 3 * HOUR)
            some, name = rows[number * each : (number + 1) * each], f"w{begin:%m%d}-{number}"
            self.ask_rows(some, name)
            self._label(some["label"].tolist(), name)

    def _label(self, labels: list[int], name: str) -> None:
        lines = [
            json.dumps(
                {
                    "groundTruthData": {"data": str(label), "encoding": "CSV"},
                    "eventMetadata": {"eventId": f"{name}/{row}", "inferenceTime": f"{self.now:%Y-%m-%dT%H:%M:%SZ}"},
                    "eventVersion": "0",
                }
            )
            for row, label in enumerate(labels)
        ]
        self.put(f"labels/{self.model}/{self.now:%Y/%m/%d/%H}/{name}.jsonl", "\n".join(lines).encode())

    # What people do ---------------------------------------------------------------------------------------------

    def decide(self, trigger: str) -> Any:
        """Ask for a retraining; a person who gets an error asks again a minute later."""
        for attempt in range(ATTEMPTS):
            time = f"{self.now:%Y-%m-%dT%H:%M:%SZ}"
            asked = {"model": self.model, "time": time, "trigger": trigger, "reason": "a walk"}
            try:
                return self.account.invoke_function(function_name(self.account, "decide_retraining"), asked)
            except FunctionError:
                self.wait((1 if attempt < ATTEMPTS - 2 else 120) * MINUTE)
        raise AssertionError(f"{ATTEMPTS} attempts failed")

    def hand_over(self, rows: pd.DataFrame) -> None:
        """Put the first training rows where Kedge looks for them."""
        body, columns = io.BytesIO(), ["id", "timestamp", "label_time", *self.config.feature_names, "label"]
        rows.rename(columns={"time": "timestamp"})[columns].to_parquet(body, index=False)
        self.put(f"initial/{self.model}/training.parquet", body.getvalue())

    def timeline_of_all(self) -> list[dict[str, Any]]:
        """Every entry of the timeline."""
        return [json.loads(body) for body in self.objects(f"audit/{self.model}/").values()]

    def packages(self) -> dict[str, str]:
        """Approval status of each version."""
        pages = self.registry.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=self.config.package_group
        )
        return {
            found["ModelPackageArn"]: found["ModelApprovalStatus"]
            for page in pages
            for found in page["ModelPackageSummaryList"]
        }


@contextmanager
def open_world(directory: Path) -> Iterator[World]:
    """Deploy the tiny model; nobody has trained it yet."""
    config = parse_model_config(YAML.read_text(), source="model.yaml")
    rows = make_rows(1_000, BEGIN - 60 * DAY, BEGIN)
    with Account(start=BEGIN - DAY / 2, directory=directory / "account") as account:
        remember_scripts(account, directory / "remembered")
        deploy(account, YAML.read_text(), directory / "by people")
        yield World(account, config, rows)


__all__ = ["BEGIN", "DAY", "HOUR", "MINUTE", "SHIFTED", "World", "deploy", "make_rows", "open_world"]
