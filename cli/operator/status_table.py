"""Models in the terminal: one line each, then what a person should do first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.operator.timeline import PIPED_WIDTH
from kedge.alerts.response_times import ResponseTimes, together
from kedge.alerts.urgency import SILENT, ModelStatus, age_in_words
from kedge.comparisons import counted
from kedge.config.capture_place import version_label
from kedge.instants import to_text
from kedge.severity import Severity

_COLOURS = {Severity.CRITICAL: "red", Severity.WARNING: "yellow", Severity.OK: "green"}
# Short enough for 80 columns.
_WORDS = {Severity.INSUFFICIENT_DATA: "no data"}
NEXT_SHOWN = 5
PARTS_SHOWN = 3


def print_statuses(found: Sequence[ModelStatus], now: datetime) -> None:
    """Print the sum, a line a model, and the first steps of those that need a person."""
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    for line in head_lines(found):
        console.print(escape(line), soft_wrap=True)
    console.print(_table(found, now))
    urgent = [one for one in found if one.needs_a_person or one.unread]
    if urgent:
        console.print("\nto do:")
    for one in urgent[:NEXT_SHOWN]:
        for line in steps(one, now):
            console.print(escape(f"- {one.model}: {line}"), soft_wrap=True)
    if len(urgent) > NEXT_SHOWN:
        console.print(f"- and {counted(len(urgent) - NEXT_SHOWN, 'more model')}: see the lines above")


def _table(found: Sequence[ModelStatus], now: datetime) -> Table:
    """A line a model."""
    table = Table(box=None, header_style="dim", padding=(0, 1, 0, 0))
    for name in ("", "model", "quality, limit", "drift", "judged", "serves", "holds"):
        table.add_column(name, no_wrap=True, overflow="ellipsis", min_width=len(name), ratio=None)
    table.columns[1].min_width = 12
    for one in found:
        cells = [verdict(one), one.model, quality(one), word(one.drift), judged(one, now), serves(one), holds(one, now)]
        colour = _COLOURS.get(one.severity, "default")
        table.add_row(f"[{colour}]{escape(cells[0])}[/]", *(escape(cell) for cell in cells[1:]))
    return table


def head_lines(found: Sequence[ModelStatus]) -> Iterator[str]:
    """All models in a sentence, and why the first one stands first."""
    yield in_sum(found)
    if found and (why := why_first(found[0])):
        yield f"first: {found[0].model}: {why}"


def in_sum(found: Sequence[ModelStatus]) -> str:
    """All models in a sentence."""
    numbers = [(severity, sum(one.severity is severity for one in found)) for severity in reversed(Severity)]
    parts = [f"{number} {word(severity)}" for severity, number in numbers if number]
    waiting = sum(len(one.pending) for one in found)
    late = sum(one.is_late for one in found)
    rings = sum(bool(one.rings) for one in found)
    extra = [f"{rings} {'rings' if rings == 1 else 'ring'}"] * bool(rings)
    extra += [f"{counted(waiting, 'package')} to approve"] * bool(waiting) + [f"{late} judged late"] * bool(late)
    return f"{counted(len(found), 'model')}: {', '.join([*parts, *extra]) or 'none is known'}"


def why_first(one: ModelStatus) -> str:
    """Why the most urgent model is the most urgent; empty where all is well."""
    if one.unread:
        return "it could not be read, so it may be anything"
    if one.severity >= Severity.WARNING:
        since = f", since {one.alarming_since:%Y-%m-%d}" if one.alarming_since else ""
        return what_is_wrong(one) + since
    if one.rings:
        return one.rings[0].partition(".")[0]
    return f"not judged for {one.judged_cadences:.1f} cadences" if one.is_late else ""


def word(severity: Severity) -> str:
    """A verdict as the table says it."""
    return _WORDS.get(severity, severity.value)


def verdict(one: ModelStatus) -> str:
    """The worst of a model's parts, or that nothing could be read."""
    return "unread" if one.unread else word(one.severity)


def quality(one: ModelStatus) -> str:
    """The measured metric beside its limit; without labels the estimated one, which says so."""
    found = one.quality or one.estimate
    if found is not None:
        sign = "<" if found.value < found.limit else ">"
        said = "" if one.quality is not None else " (estimated)"
        return f"{found.metric} {found.value:.3g} {sign} {found.limit:.3g}{said}"
    return f"estimate {word(one.estimated)}" if one.estimated else "-"


def judged(one: ModelStatus, now: datetime) -> str:
    """How old the newest judged window is, and whether that is late."""
    since = one.judged or one.serves_since
    if since is None:
        return "-"
    age = age_in_words(now - since)
    return f"{age} LATE" if one.is_late else (age if one.judged else "not yet")


def serves(one: ModelStatus) -> str:
    """The version that serves."""
    return version_label(one.serves) if one.serves else "none"


def holds(one: ModelStatus, now: datetime) -> str:
    """That it rings, what waits for a person, what is held, and what is under way."""
    waiting = [f"v{each.version} waits {age_in_words(now - each.since)}" for each in one.pending]
    return ", ".join(
        [*["rings"] * bool(one.rings), *waiting, *(one.holds or {}), *([one.at_work] if one.at_work else [])]
    )


def steps(one: ModelStatus, now: datetime) -> Iterator[str]:
    """What is wrong with a model, and what a person can do now."""
    if one.unread:
        yield one.unread
    if one.severity is Severity.CRITICAL:
        since = f" since {one.alarming_since:%Y-%m-%d}" if one.alarming_since else ""
        yield f"{what_is_wrong(one)}{since}; read `kedge history {one.model} --last 20`"
    yield from one.rings
    if one.is_late:
        yield f"not judged for {one.judged_cadences:.1f} cadences; `kedge doctor` finds what stands still"
    for each in one.pending:
        since = f"{each.since:%Y-%m-%d} ({age_in_words(now - each.since)})"
        yield f"version {each.version} waits for approval since {since}; approve or reject it in the registry"
    yield from (f"{name}: {(one.holds or {})[name]}" for name in SILENT if name in (one.holds or {}))
    if "attempts" in (one.holds or {}):
        yield f"retraining stopped: {(one.holds or {})['attempts']}"


def what_is_wrong(one: ModelStatus) -> str:
    """Whether people lose quality, or the rows alone have moved, or what else alarms."""
    found, traffic = one.quality, f"{one.rows_per_day:,.0f} rows a day"
    traffic += f", {one.counted_percentage} % of them counted" if one.counted_percentage < 100 else ""
    if found is not None and found.severity is Severity.CRITICAL:
        return f"quality is lost: {found.metric} is {found.value:.3g}, its limit is {found.limit:.3g}, {traffic}"
    if one.estimated is Severity.CRITICAL:
        guess = one.estimate
        value = f": {guess.metric} is about {guess.value:.3g}, its limit is {guess.limit:.3g}" if guess else ""
        return f"quality is estimated as lost{value}; labels are still out, {traffic}"
    if one.severity is Severity.CRITICAL and one.drift is not Severity.CRITICAL and one.alarming:
        return f"what alarms: {', '.join(one.alarming[:PARTS_SHOWN])}"
    if one.drift >= Severity.WARNING:
        kept = " while measured quality keeps its limit" if found is not None and found.severity is Severity.OK else ""
        return f"rows drift{kept}"
    if found is not None and found.severity is Severity.WARNING:
        return f"quality may be lower: {found.metric} is {found.value:.3g}, its limit is {found.limit:.3g}"
    return "its episode of alarms is not over" if one.alarming_since else "the newest window has a warning"


def print_response_times(found: Mapping[str, ResponseTimes], days: int) -> None:
    """Print MTTD and MTTR of all models, then of each that lost quality, the slowest first."""
    typer.echo(f"\nlosses of quality in the last {counted(days, 'day')}:")
    if not found:
        typer.echo("- none was measured")
        return
    typer.echo(f"- all models: {response_in_words(together(found.values()))}")
    never = timedelta(0)
    for model in sorted(found, key=lambda name: (-(found[name].mean_time_to_repair or never), name)):
        typer.echo(f"- {model}: {response_in_words(found[model])}")


def response_in_words(times: ResponseTimes) -> str:
    """How many losses, how fast they were told and repaired, and how many were not."""
    parts = ["1 loss" if len(times.losses) == 1 else f"{len(times.losses):,} losses"]
    if times.mean_time_to_detect is not None:
        parts.append(f"told after {in_days(times.mean_time_to_detect)} on average (MTTD)")
    if times.mean_time_to_repair is not None:
        parts.append(f"a better model served after {in_days(times.mean_time_to_repair)} (MTTR)")
    parts += [f"{times.untold} not told"] * bool(times.untold) + [f"{times.lasting} not over"] * bool(times.lasting)
    return ", ".join(parts)


def in_days(time: timedelta) -> str:
    """Days with one decimal."""
    return f"{time / timedelta(days=1):.1f} days"


def to_json(one: ModelStatus, responses: Mapping[str, ResponseTimes]) -> dict[str, Any]:
    """A model for programs: times as text, what is not known absent."""
    document = asdict(one) | {"is_late": one.is_late, "needs_a_person": one.needs_a_person}
    if one.model in responses:
        times = responses[one.model]
        document["losses"] = [asdict(loss) for loss in times.losses]
        document["mttd_days"], document["mttr_days"] = (
            mean / timedelta(days=1) if mean is not None else None
            for mean in (times.mean_time_to_detect, times.mean_time_to_repair)
        )
    document["why"] = why_first(one) or None
    for name, known in (("quality", one.quality), ("estimate", one.estimate)):
        if known is not None:
            document[name]["loss"] = known.loss
    return {name: _plain(value) for name, value in document.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_text(value)
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return {name: _plain(each) for name, each in value.items()} if isinstance(value, dict) else value
