"""Which versions answered requests beside which champion: the state table's `trials` item, by which their captures are found.

An endpoint config has one place for the captures of all its variants, the champion's. The version's lie there, below its variant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from kedge.instants import from_text, to_text
from lambdas.adapters.state import state_items

ITEM = "trials"
# A year of A/B tests of a week.
KEPT = 60


@dataclass(frozen=True)
class AbTrial:
    """A version that answered a share of the requests from a time until another, which is the latest possible one while it goes on."""

    package_version: str
    champion_version: str
    since: datetime
    until: datetime

    def has(self, day: date) -> bool:
        """Whether it may have answered on a day; the last answers of a test that ends are given while its update runs."""
        return self.since.date() <= day <= (self.until + timedelta(days=1)).date()


def load(dynamodb: Any, table: str, model: str) -> tuple[AbTrial, ...]:
    """All that are known, the newest last."""
    item = state_items.load(dynamodb, table, state_items.key(model, ITEM))
    return state_items.read(item, _trials) if item is not None else ()


def begin(dynamodb: Any, table: str, model: str, trial: AbTrial) -> None:
    """Remember one that is about to begin; the same one again changes nothing."""
    known = load(dynamodb, table, model)
    if trial not in known:
        _save(dynamodb, table, model, [*known, trial])


def end(dynamodb: Any, table: str, model: str, package_version: str, *, now: datetime) -> None:
    """Remember that the version answers no longer."""
    known = load(dynamodb, table, model)
    ended = [
        replace(trial, until=max(now, trial.since))
        if trial.package_version == package_version and now < trial.until
        else trial
        for trial in known
    ]
    if ended != [*known]:
        _save(dynamodb, table, model, ended)


def overlap(trials: Iterable[AbTrial], start: datetime, end: datetime) -> bool:
    """Whether the champion answered only a part of the requests in some of a time."""
    return any(trial.since < end and start < trial.until for trial in trials)


def _save(dynamodb: Any, table: str, model: str, trials: list[AbTrial]) -> None:
    kept = [
        {
            "M": {
                "package_version": {"S": trial.package_version},
                "champion_version": {"S": trial.champion_version},
                "since": {"S": to_text(trial.since)},
                "until": {"S": to_text(trial.until)},
            }
        }
        for trial in trials[-KEPT:]
    ]
    state_items.put(dynamodb, table, {**state_items.key(model, ITEM), "trials": {"L": kept}})


def _trials(item: Mapping[str, Any]) -> tuple[AbTrial, ...]:
    return tuple(
        AbTrial(
            package_version=found["M"]["package_version"]["S"],
            champion_version=found["M"]["champion_version"]["S"],
            since=from_text(found["M"]["since"]["S"]),
            until=from_text(found["M"]["until"]["S"]),
        )
        for found in item["trials"]["L"]
    )
