"""Renew a model's page after its judgements and news, and the page of all models every hour."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel

from kedge.config.model import ModelConfig
from lambdas.adapters import clients
from lambdas.adapters.bucket import layout, reports, shown_history
from lambdas.adapters.catalogue import find_model, load_models
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.pages.model_facts import facts_of, load_shown
from lambdas.steps.requests import CADENCES, is_direct
from report.pages.model_facts import ModelFacts
from report.pages.model_page import render_model_page
from report.pages.portfolio_page import render_portfolio_page

# Each summary is a small object: their reading is all waiting.
READERS = 16


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str


class Request(BaseModel, frozen=True):
    """A judged window's message (`window_end` is its end) or an event of the topic; without a model, a tick."""

    time: AwareDatetime
    model: str | None = None
    window_end: AwareDatetime | None = None

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Read the one message of the queue, or the schedule's payload."""
        if is_direct(event):
            return cls.model_validate(event)
        (record,) = event["Records"]
        return cls.model_validate_json(record["body"])


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Write the page of one model, or of all."""
    request, settings = Request.from_event(event), Settings.from_environment()
    if request.model is None:
        return write_portfolio(request, settings)
    config = find_model(request.model, settings.data_bucket)
    if config is None:
        logger.info("no page: the model has been taken away", model=request.model)
        return {"page": None}
    shown = load_shown(settings.data_bucket, config.model, request.time, judged=request.window_end)
    facts = facts_of(settings.data_bucket, config, request.time, shown)
    if not (facts.windows or facts.decisions):
        logger.info("no page: nothing is known of the model", model=request.model)
        return {"page": None}
    s3, key = clients.s3(), layout.page_key(config.model)
    reports.save_page(s3, settings.data_bucket, key, render_model_page(facts))
    # The summary comes last: it says until when the history is kept as shown.
    shown_history.save(s3, settings.data_bucket, config.model, shown)
    reports.save_json(s3, settings.data_bucket, layout.summary_key(config.model), facts.summary())
    logger.info("page written", model=config.model, windows=len(facts.windows))
    return {"page": key}


def write_portfolio(request: Request, settings: Settings) -> dict[str, Any]:
    """Write the page of all models from the summaries that their own pages left."""
    s3, models = clients.s3(), load_models(settings.data_bucket)

    def summary(config: ModelConfig) -> dict[str, Any]:
        found = reports.load_json(s3, settings.data_bucket, layout.summary_key(config.model))
        return found or not_judged(config, request)

    with ThreadPoolExecutor(READERS) as readers:
        summaries = [*readers.map(summary, models.values())]
    reports.save_page(s3, settings.data_bucket, layout.page_key(), render_portfolio_page(summaries, now=request.time))
    logger.info("page of all models written", models=len(summaries))
    return {"page": layout.page_key(), "models": len(summaries)}


def not_judged(config: ModelConfig, request: Request) -> dict[str, Any]:
    """The line of a model that has no page yet."""
    cadence = CADENCES[config.cadence.judge]
    facts = ModelFacts(config.model, config.problem, request.time, cadence=cadence, team=config.owner.team)
    return facts.summary()
