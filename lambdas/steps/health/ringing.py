"""Tell of the models that began to ring since the last look of the monitor at itself, and of those that have stopped."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from kedge.alerts.holding import is_muted
from kedge.alerts.ringing import BROKEN, CAUSES, NAMED, Bundle, changes
from kedge.config.model import ModelConfig
from kedge.errors import EncodingError
from kedge.stored import RINGING
from lambdas.adapters.bucket import layout, objects, timeline
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.state import mutes, state_items
from lambdas.adapters.telling import Desk, record_and_tell
from lambdas.logs import logger

KIND = "alarm"


def tell_ringing(
    desk: Desk, ringing: Mapping[str, Mapping[str, float]], models: Mapping[str, ModelConfig], now: datetime
) -> None:
    """Compare what rings, by cause and model with its value, with the last look; tell what has changed, then keep this look.

    A muted model that people do not know of yet is looked at as if it did not ring: they hear of it at the first look after the mute.
    """
    before = _load(desk)
    heard = _heard(desk, ringing, before, now)
    found = changes(before, heard, {name: way_of(config) for name, config in models.items()}, now)
    standing = [*found.lasts, *found.over]
    # Kept after each, so that nothing is told twice where a later one cannot be told.
    for bundle in found.began:
        _tell(desk, bundle, "ALARM", now, models, ringing[bundle.cause][bundle.first])
        standing.append(bundle)
        keep_bundles(desk.s3, desk.bucket, standing)
    for bundle in found.over:
        _tell(desk, bundle, "OK", now, models)
        standing.remove(bundle)
        keep_bundles(desk.s3, desk.bucket, standing)
    if not (found.began or found.over) and standing != before:
        keep_bundles(desk.s3, desk.bucket, standing)


def load_bundles(s3: Any, bucket: str) -> list[Bundle]:
    """What rang at the last look; nothing before the first.

    Raises
    ------
    EncodingError
    """
    found = objects.read(s3, bucket, layout.ringing_key())
    bundles = RINGING.read_json(found[0], _bundles) if found else []
    return [bundle for bundle in bundles if bundle.cause in CAUSES]


def _load(desk: Desk) -> list[Bundle]:
    """Where it cannot be read, all that rings is told again."""
    try:
        return load_bundles(desk.s3, desk.bucket)
    except EncodingError as error:
        logger.warning("what rang at the last look cannot be read", key=layout.ringing_key(), error=str(error))
        return []


def keep_bundles(s3: Any, bucket: str, standing: Sequence[Bundle]) -> None:
    """Keep what rings for the next look."""
    kept = json.dumps(RINGING.marked({"bundles": [bundle.to_json() for bundle in standing]}))
    s3.put_object(Bucket=bucket, Key=layout.ringing_key(), Body=kept.encode(), ContentType="application/json")


def _bundles(data: Mapping[str, Any]) -> list[Bundle]:
    return [Bundle.from_json(each) for each in data["bundles"]]


def _heard(
    desk: Desk, ringing: Mapping[str, Mapping[str, float]], before: Sequence[Bundle], now: datetime
) -> dict[str, list[str]]:
    """The models that ring by cause, without the muted ones, and with those that cannot be looked at now and rang."""
    known = {(each.cause, model) for each in before for model in each.ringing}
    new = {model for cause, found in ringing.items() for model in found if (cause, model) not in known}
    muted, unseen = _muted(desk, new, now), ringing.get(BROKEN, {})
    heard = {
        cause: [model for model in found if model not in muted or (cause, model) in known]
        for cause, found in ringing.items()
    }
    for cause, model in known:
        if cause != BROKEN and model in unseen:
            heard[cause].append(model)
    return heard


def way_of(config: ModelConfig) -> str:
    """What stands for where a model's messages go."""
    hours = config.alerts.quiet_hours
    routes = [route.model_dump_json() for route in config.alerts.routes or ()]
    return json.dumps([config.owner.model_dump_json(), routes, hours and hours.model_dump_json()])


def _muted(desk: Desk, candidates: Collection[str], now: datetime) -> set[str]:
    items = state_items.load_items(desk.dynamodb, desk.table, [(model, mutes.ITEM) for model in sorted(candidates)])
    return {model for (model, _), item in items.items() if is_muted(mutes.read(item), now)}


def _tell(
    desk: Desk, bundle: Bundle, state: str, now: datetime, models: Mapping[str, ModelConfig], value: float = 0.0
) -> None:
    # The first may ring in another bundle by now, or be no model any more; its people are those of the others.
    name = next((model for model in (*bundle.models, bundle.first) if model in models), bundle.first)
    managed = name in models and models[name].mode == "manage"
    detail = bundle.detail(state, name=name, value=value, managed=managed)
    if len(bundle.models) > NAMED:
        detail["list"] = f"s3://{desk.bucket}/{layout.ringing_key()}"
    # Each model that the message names has it in its own timeline too.
    for model in bundle.models[:NAMED]:
        if model != name:
            timeline.record(desk.s3, desk.bucket, Entry(model, KIND, now, detail))
    record_and_tell(desk, Entry(name, KIND, now, detail))
