"""Delete the captures whose day was counted and is as old as their model's YAML says, once a night."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from typing import Any

from pydantic import AwareDatetime, BaseModel

from kedge.capture.source import last_expired
from kedge.config.model import ModelConfig
from lambdas.adapters import clients
from lambdas.adapters.catalogue import load_models
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.expire_captures import ExpiryPlace, expire_captures

# What the hashes of a day and a page of its captures may take.
RESERVE_SECONDS = 120


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str


class Request(BaseModel, frozen=True):
    """A tick; `time` is the schedule's, not the clock's."""

    time: AwareDatetime


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Go through the models whose captures expire; what the time does not reach, another night does."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    today, deleted, behind, failed = request.time.date(), 0, list[str](), None

    def has_time() -> bool:
        return bool(context.get_remaining_time_in_millis() > RESERVE_SECONDS * 1000)

    for config, expire_days in in_turn(load_models(settings.data_bucket).values(), today):
        place = ExpiryPlace(clients.s3(), clients.dynamodb(), settings.data_bucket, settings.state_table, config)
        try:
            found = expire_captures(place, last_expired(today, expire_days), has_time)
        except Exception as error:
            # One model keeps no other waiting; its error is for the end.
            logger.exception("captures were not deleted", model=config.model)
            failed = failed or error
            continue
        deleted += found.deleted
        behind += [] if found.is_whole else [config.model]
        if found.deleted or found.replaced:
            logger.info("captures have expired", model=config.model, **asdict(found))
    if failed is not None:
        raise failed
    logger.info("old captures are deleted", deleted=deleted, behind=len(behind))
    return {"deleted": deleted, "behind": behind}


def in_turn(models: Iterable[ModelConfig], today: date) -> list[tuple[ModelConfig, int]]:
    """The models whose captures expire, each night in another order: where the time is short, none is always the last."""
    expiring = [(config, config.capture.expire_days) for config in models if config.capture.expire_days is not None]
    return sorted(expiring, key=lambda one: hashlib.sha256(f"{today} {one[0].model}".encode()).digest())
