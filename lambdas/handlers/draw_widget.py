"""Draw what CloudWatch cannot: a model's quality over its history with its releases, and all models by urgency."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from kedge.config.model import ModelConfig
from kedge.errors import ModelConfigError
from lambdas.adapters import clients
from lambdas.adapters.bucket import layout, reports
from lambdas.adapters.catalogue import find_model, load_models
from lambdas.adapters.times import wall_clock
from lambdas.entry import entry
from lambdas.settings import Settings as Environment
from lambdas.steps.pages.model_facts import SHOWN, facts_of, load_shown
from report.pages.widget import DESCRIPTION, VIEWS, model_widget, nothing_to_draw, portfolio_widget

# Less than this would be empty for a model that is judged once a week.
LEAST = timedelta(days=31)
READERS = 16
# Milliseconds, of a time that can be written down.
Milliseconds = Annotated[float, Field(ge=0, lt=4e12)]


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str


class TimeRange(BaseModel, frozen=True):
    """What the dashboard shows."""

    start: Milliseconds | None = None
    end: Milliseconds | None = None

    @property
    def until(self) -> datetime:
        """Its end; without one, now."""
        return wall_clock() if self.end is None else datetime.fromtimestamp(self.end / 1000, UTC)

    @property
    def since(self) -> datetime:
        """Its start: at least a month, for a dashboard's usual hours hold no window, and at most what is shown of a model."""
        start = self.until - SHOWN if self.start is None else datetime.fromtimestamp(self.start / 1000, UTC)
        return min(max(start, self.until - SHOWN), self.until - LEAST)


class WidgetContext(BaseModel, frozen=True):
    """The dashboard, as CloudWatch describes it."""

    theme: Literal["light", "dark"] = "light"
    width: int = 0
    time: TimeRange = Field(default_factory=TimeRange, alias="timeRange")


class Request(BaseModel, frozen=True):
    """A widget's parameters, which anyone who may look can write; what is not listed here is not read."""

    view: Literal["quality", "drift", "answers", "business", "portfolio"] = "quality"
    model: Annotated[str, Field(max_length=63)] = ""
    context: WidgetContext = Field(default_factory=WidgetContext, alias="widgetContext")


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any] | str:
    """Answer a dashboard: with what the widget takes, or with HTML."""
    if event.get("describe"):
        return DESCRIPTION
    settings = Settings.from_environment()
    try:
        request = Request.model_validate(event)
    except ValidationError:
        return nothing_to_draw(f"view is one of {', '.join(VIEWS)}, and model is the name of a model", "light")
    theme, time = request.context.theme, request.context.time
    if request.view == "portfolio":
        return portfolio_widget(load_summaries(settings.data_bucket), now=time.until, theme=theme)
    config = find(request.model, settings.data_bucket)
    if config is None:
        return nothing_to_draw("no model of this name is watched: choose one at the top of the dashboard", theme)
    shown = load_shown(settings.data_bucket, config.model, time.until, since=time.since)
    facts = facts_of(settings.data_bucket, config, time.until, shown)
    return model_widget(facts, request.view, theme=theme, width=request.context.width)


def find(name: str, bucket: str) -> ModelConfig | None:
    """The model; None where there is none, or its definition cannot be followed."""
    try:
        return find_model(name, bucket)
    except ModelConfigError:
        return None


def load_summaries(bucket: str) -> list[dict[str, Any]]:
    """The line of every model that has a page."""
    models = sorted(load_models(bucket))
    with ThreadPoolExecutor(READERS) as readers:
        found = readers.map(lambda model: reports.load_json(clients.s3(), bucket, layout.summary_key(model)), models)
        return [each for each in found if each]
