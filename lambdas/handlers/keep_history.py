"""Keep the history for business intelligence whole and in few objects, once a night."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel

from lambdas.adapters import clients
from lambdas.adapters.times import wall_clock
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.mend_history import compact_all, mend

# A window can be judged again while its days can be counted again: 30 days, and some that a night failed.
LOOK_BACK = timedelta(days=35)
# What a model, or a month of a table, may take.
RESERVE_SECONDS = 120


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str


class Request(BaseModel, frozen=True):
    """A tick of the schedule, or a person who wants more of the past written: from `since` on."""

    time: AwareDatetime
    since: AwareDatetime | None = None


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Write what the history lacks, then compact its months."""
    request, settings = Request.model_validate(event), Settings.from_environment()

    def has_time() -> bool:
        return bool(context.get_remaining_time_in_millis() > RESERVE_SECONDS * 1000)

    s3, since = clients.s3(), request.since or request.time - LOOK_BACK
    mended = mend(s3, settings.data_bucket, since=since, has_time=has_time)
    months = compact_all(s3, settings.data_bucket, since=since, now=wall_clock(), has_time=has_time)
    if mended.windows or mended.decisions or mended.days:
        # What `kedge` itself noted is among them: it writes the timeline alone.
        logger.warning("the history lacked something", **asdict(mended))
    logger.info("the history is kept", months=months)
    return {**asdict(mended), "months": months}
