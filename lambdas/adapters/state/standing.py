"""How a model stands: who works on it, what is under way, what serves, what waits, and what is still to be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kedge.alerts.holding import Mute
from kedge.release.promise import Promise
from kedge.release.serving import Agreement
from lambdas.adapters.release import experiments
from lambdas.adapters.release.experiments import Experiment
from lambdas.adapters.state import agreements, approvals, champions, leases, mutes, promises, state_items, under_way
from lambdas.adapters.state.approvals import Waiting
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.state.leases import Lease
from lambdas.adapters.state.state_items import Item
from lambdas.adapters.state.under_way import ReleaseUnderWay

# By their names these items lie in two short stretches of a model's partition: two Queries read them all. What is kept
# for months (`start#`, `told#`, `window#`) lies outside of both.
_STRETCHES = ((champions.ITEM, state_items.RELEASE), (state_items.UNTOLD, state_items.WAITING_RELEASE))


@dataclass(frozen=True)
class Standing:
    """A model's state in the state table."""

    champion: Champion | None
    agreement: Agreement | None
    lease: Lease | None
    release: ReleaseUnderWay | None
    waiting: Waiting | None
    untold: tuple[Item, ...]
    mute: Mute | None = None
    promise: Promise | None = None
    experiment: Experiment | None = None


def load(dynamodb: Any, table: str, model: str) -> Standing:
    """Read it, with two calls."""
    stretches = [state_items.load_stretch(dynamodb, table, model, *ends) for ends in _STRETCHES]
    items = {item["item"]["S"]: item for stretch in stretches for item in stretch}
    return Standing(
        champion=champions.read(items.get(champions.ITEM)),
        agreement=agreements.read(items.get(agreements.ITEM)),
        lease=leases.read(items.get(state_items.LEASE)),
        release=under_way.read(items.get(state_items.RELEASE)),
        waiting=approvals.read_waiting(items.get(state_items.WAITING_RELEASE)),
        untold=tuple(item for name, item in items.items() if name.startswith(state_items.UNTOLD)),
        mute=mutes.read(items.get(mutes.ITEM)),
        promise=promises.read(items.get(promises.ITEM)),
        experiment=experiments.read(items.get(experiments.ITEM)),
    )
