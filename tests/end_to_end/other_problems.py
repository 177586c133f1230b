"""The hotels' guests asked other questions: models of several classes and of numbers, watched in an account of their own."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from app import build_app
from demo.bookings import Booking
from demo.replay import Replay
from kedge.config.reading import parse_model_config
from kedge.profile.encoding import decode_baseline
from offline.account import Account
from tests.end_to_end.hotel import DAY, Hotel

MODELS = Path(__file__).parent / "models"
# What the YAML files say, and when the front desk exports the truth.
RIPE, KNOWN = timedelta(days=2), timedelta(days=1)


@dataclass(frozen=True)
class Watched:
    """A model that was watched for some weeks: the account, and every guest with what the endpoint answered."""

    hotel: Hotel
    guests: tuple[Booking, ...]
    answers: dict[str, list[str]]

    def measured(self) -> list[dict[str, Any]]:
        """Each judged window in time: when, and the report's "performance"."""
        return self.hotel.timeline("performance_measured")

    def rows_behind(self, entry: dict[str, Any]) -> list[tuple[list[str], str]]:
        """Answers and truths of the guests that a measurement should be about, found without Kedge."""
        window, now = entry["detail"]["window"], datetime.fromisoformat(entry["time"])
        start, end = (datetime.fromisoformat(window[side]) for side in ("start", "end"))
        inside = (g for g in self.guests if start <= g.time < end and g.time <= now - RIPE)
        return [(self.answers[guest.id], str(guest.label)) for guest in inside]

    def answers_in(self, entry: dict[str, Any]) -> list[list[str]]:
        """What each guest of a measurement's window was answered, labelled or not."""
        start, end = (datetime.fromisoformat(entry["detail"]["window"][side]) for side in ("start", "end"))
        return [self.answers[guest.id] for guest in self.guests if start <= guest.time < end]

    def drift_reports(self, entry: dict[str, Any]) -> list[dict[str, Any]]:
        """The newest drift report of a measurement's window."""
        end = datetime.fromisoformat(entry["detail"]["window"]["end"])
        found = self.hotel.objects(f"reports/{self.hotel.model}/")
        return [
            json.loads(body)
            for key, body in sorted(found.items())
            if f"/{end:%Y-%m-%dT%H}/drift-r" in key and key.endswith(".json")
        ][-1:]

    def holdout(self, run: str, who: str) -> list[tuple[list[str], str]]:
        """What a transform job answered to each holdout row, beside the truth."""
        answers = self._answers(run, who)
        return [(answers[row_id], label) for row_id, label in self._truth(run).items()]

    def shuffled(self, run: str) -> dict[str, list[tuple[str, str, str]]]:
        """By feature: what the challenger answered before and after its values were shuffled, and the truth."""
        answers, truth = self._answers(run, "challenger"), self._truth(run)
        rows = [(*key.split("~", 1), answer[0]) for key, answer in answers.items() if key not in truth]
        return {
            name: [(answers[row_id][0], after, truth[row_id]) for place, row_id, after in rows if int(place) == number]
            for number, name in enumerate(self.hotel.config.feature_names)
        }

    def importance(self, package: str) -> dict[str, float]:
        """What a package's baseline says of its features."""
        (key,) = [k for k in self.hotel.objects(f"baselines/{self.hotel.model}/") if k.endswith(f"/{package}.npz")]
        return dict(decode_baseline(self.hotel.objects(key)[key]).importance)

    def _answers(self, run: str, who: str) -> dict[str, list[str]]:
        answers: dict[str, list[str]] = {}
        for body in self.hotel.objects(f"scored/{self.hotel.model}/{run}/{who}/").values():
            answers |= {row_id: rest for row_id, *rest in csv.reader(io.StringIO(body.decode()))}
        return answers

    def _truth(self, run: str) -> dict[str, str]:
        (table,) = self.hotel.objects(f"retraining/{self.hotel.model}/{run}/holdout/truth.parquet").values()
        truth = pq.read_table(io.BytesIO(table))
        return dict(zip(truth.column("kedge_row_id").to_pylist(), truth.column("label").to_pylist(), strict=True))

    def reference(self, package: str) -> dict[str, Any]:
        """What the holdout said of a package when it was registered."""
        (found,) = self.hotel.objects(f"baselines/{self.hotel.model}/{package}/reference.json").values()
        document: dict[str, Any] = json.loads(found)
        return document

    def package(self, version: str) -> dict[str, Any]:
        """A package as the registry describes it."""
        arn = f"arn:aws:sagemaker:eu-west-1:123456789012:model-package/{self.hotel.model}/{version}"
        described: dict[str, Any] = self.hotel.registry.describe_model_package(ModelPackageName=arn)
        return described


@contextmanager
def watch(
    model: str, frame: Any, target: str, directory: Path, *, since: datetime, until: datetime, end: datetime
) -> Iterator[Watched]:
    """Let a first champion learn `[since, until)`, then play the guests of `[until, end)` against it."""
    config = parse_model_config((MODELS / f"{model}.yaml").read_text(), source=f"{model}.yaml")
    # Both models fall into one of three stacks: the others are deployed empty.
    build_app(directory / "assembly", MODELS, model_stacks=3).synth()
    frame = frame.assign(label=frame[target].astype(str), label_time=frame["time"] + KNOWN)
    with Account(start=until - DAY / 2, directory=directory / "account") as account:
        account.deploy(directory / "assembly")
        hotel = Hotel(account, config, frame)
        hotel.release_first_champion(since=since, until=until)
        account.clock.advance_to(until)
        guests = _guests(frame[(frame["time"] >= until) & (frame["time"] < end)], config.feature_names)
        replay = Replay(account, endpoint=hotel.endpoint, model=model, bucket=hotel.bucket)
        replay.run(list(guests), end, lambda _day: None)
        assert replay.failures == 0
        answers = {guest: next(csv.reader([line])) for guest, line in replay.answers.items()}
        yield Watched(hotel, guests, answers)


def _guests(frame: pd.DataFrame, features: tuple[str, ...]) -> tuple[Booking, ...]:
    lines = frame[list(features)].to_csv(header=False, index=False, lineterminator="\n").splitlines()
    columns = zip(frame["id"], frame["time"], lines, frame["label"], frame["label_time"], strict=True)
    return tuple(
        Booking(i, t.to_pydatetime(), line, label, known.to_pydatetime()) for i, t, line, label, known in columns
    )
