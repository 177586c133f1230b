"""Renew the pages of models after their judgements and news, and then the page of all models; that one also once a day.

Messages come in batches: forty models that are judged at once cost a few pages of all models, and a quiet hour costs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import AwareDatetime, BaseModel

from kedge.config.model import ModelConfig
from kedge.errors import PageContendedError
from kedge.instants import from_text
from lambdas.adapters import clients
from lambdas.adapters.bucket import layout, objects, reports, shown_history
from lambdas.adapters.catalogue import find_model, load_models
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.pages.model_facts import facts_of, load_shown
from lambdas.steps.requests import CADENCES, failure, is_direct
from report.pages.model_facts import ModelFacts
from report.pages.model_page import render_model_page
from report.pages.portfolio_page import render_portfolio_page

# Each summary is a small object: their reading is all waiting.
READERS = 16
# Another batch may write the page of all models meanwhile, from other summaries.
TRIES = 5


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str


class Request(BaseModel, frozen=True):
    """A judged window's message (`window_end` is its end) or an event of the topic; without a model, a tick."""

    time: AwareDatetime
    model: str | None = None
    window_end: AwareDatetime | None = None


class Asked(NamedTuple):
    """A message of the batch, and what it asks."""

    message: str
    request: Request


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Write the pages of a batch's models, each once, and then the page of all; a tick asks for that one alone."""
    settings = Settings.from_environment()
    if is_direct(event):
        write_portfolio(Request.model_validate(event).time, settings)
        return {}
    asked: dict[str, list[Asked]] = {}
    for record in event["Records"]:
        request = Request.model_validate_json(record["body"])
        # News of no model asks for the page of all alone.
        asked.setdefault(request.model or "", []).append(Asked(record["messageId"], request))
    failed = [model for model, batch in asked.items() if model and not try_to_write(model, batch, settings)]
    if len(failed) < len(asked):
        write_portfolio(max(each.request.time for batch in asked.values() for each in batch), settings)
    return {"batchItemFailures": [{"itemIdentifier": each.message} for model in failed for each in asked[model]]}


def try_to_write(model: str, batch: Sequence[Asked], settings: Settings) -> bool:
    """Write the page of one model; where it cannot be written, the others of its batch are nevertheless."""
    ends = [asked.request.window_end for asked in batch if asked.request.window_end is not None]
    try:
        # One page for all its messages: as of the newest, and read back to the oldest window.
        write_page(model, max(asked.request.time for asked in batch), min(ends, default=None), settings)
    except Exception as error:
        logger.exception("the page of a model was not written", model=model, why=failure(error))
        return False
    return True


def write_page(model: str, time: datetime, judged: datetime | None, settings: Settings) -> None:
    """Write the page of one model, and its line for the page of all."""
    config = find_model(model, settings.data_bucket)
    if config is None:
        logger.info("no page: the model has been taken away", model=model)
        return
    shown = load_shown(settings.data_bucket, config.model, time, judged=judged)
    facts = facts_of(settings.data_bucket, config, time, shown)
    if not (facts.windows or facts.decisions):
        logger.info("no page: nothing is known of the model", model=model)
        return
    s3, key = clients.s3(), layout.page_key(config.model)
    reports.save_page(s3, settings.data_bucket, key, render_model_page(facts))
    # The summary comes last: it says until when the history is kept as shown.
    shown_history.save(s3, settings.data_bucket, config.model, shown)
    reports.save_json(s3, settings.data_bucket, layout.summary_key(config.model), facts.summary())
    logger.info("page written", model=config.model, windows=len(facts.windows))


def write_portfolio(time: datetime, settings: Settings) -> None:
    """Write the page of all models from the summaries that their own pages left.

    It replaces what was there before the summaries were read, and nothing newer: of two batches at once neither takes away what
    the other has added.
    """
    s3, key = clients.s3(), layout.page_key()
    for _ in range(TRIES):
        before = objects.read(s3, settings.data_bucket, key)
        summaries = load_summaries(time, settings)
        # A message may be old, because it waited among the dead.
        now = max([time, *(from_text(summary["written"]) for summary in summaries)])
        page = render_portfolio_page(summaries, now=now)
        if reports.replace_page(s3, settings.data_bucket, key, page, etag=before[1] if before else None):
            logger.info("page of all models written", models=len(summaries))
            return
    raise PageContendedError(key=key, attempts=TRIES)


def load_summaries(time: datetime, settings: Settings) -> list[dict[str, Any]]:
    """The line of every model."""
    s3, models = clients.s3(), load_models(settings.data_bucket)

    def summary(config: ModelConfig) -> dict[str, Any]:
        found = reports.load_json(s3, settings.data_bucket, layout.summary_key(config.model))
        return found or not_judged(config, time)

    with ThreadPoolExecutor(READERS) as readers:
        return [*readers.map(summary, models.values())]


def not_judged(config: ModelConfig, time: datetime) -> dict[str, Any]:
    """The line of a model that has no page yet."""
    cadence = CADENCES[config.cadence.judge]
    return ModelFacts(config.model, config.problem, time, cadence=cadence, team=config.owner.team).summary()
