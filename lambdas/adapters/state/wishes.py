"""Retrainings that are wanted and wait: what holds each model's, and what another program has requested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kedge.instants import from_text, to_text
from kedge.retraining.state import OutsideRequest
from lambdas.adapters.state import state_items

HELD, REQUESTED = "held", "requested"


@dataclass(frozen=True)
class HeldRetraining:
    """A retraining that is wanted and held: by what, and how much the model loses meanwhile."""

    hold: str
    loss_a_day: float


def save_held(dynamodb: Any, table: str, model: str, held: HeldRetraining) -> None:
    """Remember that it waits."""
    facts = {"hold": {"S": held.hold}, "loss_a_day": {"N": repr(held.loss_a_day)}}
    state_items.put(dynamodb, table, {**state_items.key(model, HELD), **facts})


def forget_held(dynamodb: Any, table: str, model: str) -> None:
    """It has started, or is not wanted any more."""
    dynamodb.delete_item(TableName=table, Key=state_items.key(model, HELD))


def load_held(dynamodb: Any, table: str, models: Sequence[str]) -> dict[str, HeldRetraining]:
    """What waits among these models."""
    items = state_items.load_items(dynamodb, table, [(model, HELD) for model in models])
    return {model: state_items.read(item, _held) for (model, _), item in items.items()}


def save_request(dynamodb: Any, table: str, model: str, request: OutsideRequest) -> None:
    """Keep another program's wish until a retraining starts; an older one that comes late changes nothing."""
    item = {
        **state_items.key(model, REQUESTED),
        "time": {"S": to_text(request.time)},
        "source": {"S": request.source},
        "reason": {"S": request.reason},
    }
    state_items.put_if(
        dynamodb, table, item, "attribute_not_exists(#time) OR #time < :new", new={"S": to_text(request.time)}
    )


def load_request(dynamodb: Any, table: str, model: str) -> OutsideRequest | None:
    """The newest wish of another program."""
    item = state_items.load(dynamodb, table, state_items.key(model, REQUESTED))
    return read_request(item)


def read_request(item: Mapping[str, Any] | None) -> OutsideRequest | None:
    """Read the item; None where there is none."""
    return state_items.read(item, _request) if item else None


def _held(item: Mapping[str, Any]) -> HeldRetraining:
    return HeldRetraining(item["hold"]["S"], float(item["loss_a_day"]["N"]))


def _request(item: Mapping[str, Any]) -> OutsideRequest:
    return OutsideRequest(from_text(item["time"]["S"]), item["source"]["S"], item["reason"]["S"])
