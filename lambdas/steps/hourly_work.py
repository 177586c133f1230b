"""What an hour's tick finds to do: which models are settled, decided again, or have their captures looked at.

It is found for all models together, with a call for a page of items or endpoints: an hour in which nothing happened costs a model
a share of a few calls, and no message.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from kedge.config.model import ModelConfig
from kedge.config.training import run_prefix
from kedge.release.serving import Served
from lambdas.adapters import clients
from lambdas.adapters.release import endpoints
from lambdas.adapters.release.endpoints import ListedEndpoint
from lambdas.adapters.state import agreements, capture_states, champions, mutes, state_items
from lambdas.adapters.state.state_items import Item
from lambdas.adapters.training.run_leftovers import TRIAL

# UTC. In this hour's tick every model is settled, whatever is known of it: it is swept, and its packages that wait are looked at.
SWEEP_HOUR = 3
_ITEMS = (champions.ITEM, agreements.ITEM, capture_states.ITEM)
# What people are still told of a model that was taken away.
_TOLD = {state_items.UNTOLD.rstrip("#"), mutes.ITEM}


@dataclass(frozen=True)
class HourlyWork:
    """The models to which each of the three queues gets a message; among those to settle are some that were taken away."""

    settle: tuple[str, ...]
    decide: tuple[str, ...]
    look: tuple[str, ...]


def find_work(models: Iterable[ModelConfig], table: str, now: datetime) -> HourlyWork:
    """Find what is to be done for these models."""
    dynamodb, known = clients.dynamodb(), {config.model: config for config in models}
    unsettled = state_items.load_waiting(dynamodb, table, state_items.SETTLE)
    held = state_items.load_waiting(dynamodb, table, state_items.DECIDE)
    items = state_items.load_items(dynamodb, table, [(model, item) for model in known for item in _ITEMS])
    taken_away = (model for model, kinds in unsettled.items() if model not in known and kinds & _TOLD)
    return HourlyWork(
        settle=(*(known if now.hour == SWEEP_HOUR else _to_settle(known, unsettled, items, now)), *taken_away),
        decide=tuple(model for model, config in known.items() if _is_decided(config, held)),
        look=tuple(model for model in known if _is_looked_at(model, items, now)),
    )


def _is_decided(config: ModelConfig, held: Container[str]) -> bool:
    """Whether what held a retraining may be over, or a schedule of the YAML is due; of any other model its next window decides."""
    return config.mode == "manage" and (config.model in held or config.retraining.schedule is not None)


def _to_settle(
    known: Mapping[str, ModelConfig], unsettled: Container[str], items: Mapping[tuple[str, str], Item], now: datetime
) -> tuple[str, ...]:
    """The models where something waits, and those whose endpoint is not as it was when all agreed."""
    serving = {model: items[model, champions.ITEM] for model in known if (model, champions.ITEM) in items}
    has_endpoint = any(known[model].has_endpoint for model in serving)
    tries = any(config.staging is not None for config in known.values())
    listed = endpoints.list_endpoints(clients.sagemaker()) if has_endpoint or tries else {}
    trials = [name for name in listed if TRIAL in name]
    return tuple(
        model
        for model, config in known.items()
        if model in unsettled
        # An endpoint on trial costs money until somebody has looked whether its run still works.
        or (config.staging is not None and any(name.startswith(run_prefix(config.resource_name)) for name in trials))
        or (
            model in serving
            and config.has_endpoint
            and not _agrees(serving[model], items.get((model, agreements.ITEM)), listed.get(config.endpoint.name), now)
        )
    )


def _agrees(champion_item: Item, agreement_item: Item | None, listed: ListedEndpoint | None, now: datetime) -> bool:
    """Whether the endpoint is as it was when it was last compared; no other config can serve without a change of it."""
    champion, agreement = champions.read(champion_item), agreements.read(agreement_item)
    if champion is None or agreement is None or listed is None:
        return False
    return agreement.holds(
        champion_config=champion.endpoint_config,
        served=Served(listed.status, settled=True, endpoint_config=agreement.endpoint_config),
        modified_at=listed.modified_at,
        now=now,
    )


def _is_looked_at(model: str, items: Mapping[tuple[str, str], Item], now: datetime) -> bool:
    champion = champions.read(items.get((model, champions.ITEM)))
    if champion is None:
        return False
    before = capture_states.read(items.get((model, capture_states.ITEM)))
    return before is None or before.is_due(champion.package_version, now)
