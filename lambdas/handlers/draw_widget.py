"""Draw what CloudWatch cannot: a model's quality over its history with its releases, and all models by urgency."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from kedge.errors import ModelConfigError
from lambdas.adapters import clients
from lambdas.adapters.bucket import layout, reports
from lambdas.adapters.catalogue import find_model, load_models
from lambdas.adapters.times import wall_clock
from lambdas.entry import entry
from lambdas.settings import Settings as Environment
from lambdas.steps.page_facts import SHOWN, load_facts
from report.pages.widget import DESCRIPTION, VIEWS, model_widget, nothing_to_draw, portfolio_widget


# Less than this would be empty for a model that is judged once a week.
LEAST = timedelta(days=31)
# Of a dashboard's instants, in milliseconds: far enough, and no error.
LATEST = 4e12
READERS = 16


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any] | str:
    """Answer a dashboard: with what the widget takes, or with HTML. Each parameter is one of a list, or is left out."""
    if event.get("describe"):
        return DESCRIPTION
    settings, context = Settings.from_environment(), event.get("widgetContext") or {}
    theme = "dark" if context.get("theme") == "dark" else "light"
    now = shown_until(context)
    if event.get("view") == "portfolio":
        return portfolio_widget(summaries(settings.data_bucket), now=now, theme=theme)
    view, name = event.get("view", "quality"), event.get("model")
    if view not in VIEWS or not isinstance(name, str):
        return nothing_to_draw(f"the parameter view is one of {', '.join(VIEWS)}, and model is a model's name", theme)
    try:
        config = find_model(name, settings.data_bucket)
    except ModelConfigError:
        config = None
    if config is None:
        return nothing_to_draw("no model of this name is watched: choose one at the top of the dashboard", theme)
    facts = load_facts(settings.data_bucket, config, now, since=since(context, now))
    return model_widget(facts, view, theme=theme, width=int(context.get("width") or 0))


def summaries(bucket: str) -> list[dict[str, Any]]:
    """The line of every model that has a page."""
    models = sorted(load_models(bucket))
    with ThreadPoolExecutor(READERS) as readers:
        found = readers.map(lambda model: reports.load_json(clients.s3(), bucket, layout.summary_key(model)), models)
        return [each for each in found if each]


def shown_until(context: Mapping[str, Any]) -> datetime:
    """The end of the dashboard's time range; without one, now."""
    return _instant(context, "end") or wall_clock()


def since(context: Mapping[str, Any], now: datetime) -> datetime:
    """The start of the dashboard's time range: at least a month, for its usual hours hold no window, and at most what is kept."""
    return min(max(_instant(context, "start") or now - SHOWN, now - SHOWN), now - LEAST)


def _instant(context: Mapping[str, Any], name: str) -> datetime | None:
    given = (context.get("timeRange") or {}).get(name)
    if not isinstance(given, int | float) or not 0 <= given < LATEST:
        return None
    return datetime.fromtimestamp(given / 1000, UTC)
