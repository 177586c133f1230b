"""Tell of the models that began to ring since the last look of the monitor at itself, and of those that have stopped."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime

from kedge.alerts.holding import is_muted
from kedge.alerts.ringing import NAMED, Bundle, changes
from kedge.config.model import ModelConfig
from lambdas.adapters.bucket import layout, objects, timeline
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.state import mutes, state_items
from lambdas.adapters.telling import Desk, record_and_tell

KIND = "alarm"


def tell_ringing(
    desk: Desk, ringing: Mapping[str, Mapping[str, float]], models: Mapping[str, ModelConfig], now: datetime
) -> None:
    """Compare what rings, by cause and model with its value, with the last look; tell what has changed, then keep this look.

    A muted model that people do not know of yet is looked at as if it did not ring: they hear of it at the first look after the mute.
    """
    before = load_bundles(desk)
    known = {(each.cause, model) for each in before for model in each.models}
    muted = _muted(
        desk, {model for cause, found in ringing.items() for model in found if (cause, model) not in known}, now
    )
    heard = {
        cause: [model for model in found if model not in muted or (cause, model) in known]
        for cause, found in ringing.items()
    }
    found = changes(before, heard, {name: way_of(config) for name, config in models.items()}, now)
    for bundle in found.began:
        _tell(desk, bundle, "ALARM", now, ringing[bundle.cause][bundle.models[0]])
    for bundle in found.over:
        _tell(desk, bundle, "OK", now)
    if found.began or found.over:
        kept = json.dumps([bundle.to_json() for bundle in (*found.lasts, *found.began)])
        desk.s3.put_object(
            Bucket=desk.bucket, Key=layout.ringing_key(), Body=kept.encode(), ContentType="application/json"
        )


def load_bundles(desk: Desk) -> list[Bundle]:
    """What rang at the last look."""
    found = objects.read(desk.s3, desk.bucket, layout.ringing_key())
    return [Bundle.from_json(each) for each in json.loads(found[0])] if found else []


def way_of(config: ModelConfig) -> str:
    """What stands for where a model's messages go."""
    hours = config.alerts.quiet_hours
    routes = [route.model_dump_json() for route in config.alerts.routes or ()]
    return json.dumps([config.owner.model_dump_json(), routes, hours and hours.model_dump_json()])


def _muted(desk: Desk, candidates: Collection[str], now: datetime) -> set[str]:
    items = state_items.load_items(desk.dynamodb, desk.table, [(model, mutes.ITEM) for model in sorted(candidates)])
    return {model for (model, _), item in items.items() if is_muted(mutes.read(item), now)}


def _tell(desk: Desk, bundle: Bundle, state: str, now: datetime, value: float = 0.0) -> None:
    first, *others = bundle.models[:NAMED]
    detail = bundle.detail(state, value)
    # Each model that the message names has it in its own timeline too.
    for model in others:
        timeline.record(desk.s3, desk.bucket, Entry(model, KIND, now, detail))
    record_and_tell(desk, Entry(first, KIND, now, detail))
