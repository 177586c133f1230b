"""The baseline of a window, column by column: the training data, the days before it, or the same hours of earlier weeks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from kedge.columns.casting import Column, columns_of
from kedge.comparisons import counted
from kedge.config.model import ModelConfig
from kedge.config.sections import BaselineSource
from kedge.profile.baseline import Baseline, Profile

_WEEK = timedelta(days=7)
Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class SeasonalBaseline:
    """Counts from several sources on one ruler.

    Attributes
    ----------
    profile : Profile
        Each column's counts from its own source.
    sources : mapping of str to str
        The columns whose baseline is not the training data, each with its source.
    notes : tuple of str
        Columns that should have another source, and why they do not, in words.
    """

    profile: Profile
    sources: Mapping[str, BaselineSource]
    notes: tuple[str, ...]


def seasonal_spans(config: ModelConfig, start: datetime, end: datetime) -> dict[BaselineSource, list[Span]]:
    """The stretches of time that serve as baseline, by source; empty if the training data is enough.

    Earlier weeks are a whole number of weeks apart, enough not to overlap the window: for a window of 28 days, "the same hours
    earlier" begin four weeks back.

    Parameters
    ----------
    start, end : datetime
        The window.

    >>> from kedge.config.reading import parse_model_config
    >>> text = "{model: m, endpoint: {name: m}, features: [{name: x, kind: numeric}], drift: {baseline: same_hours}}"
    >>> spans = seasonal_spans(parse_model_config(text, source="m.yaml"), datetime(2016, 2, 1), datetime(2016, 2, 2))
    >>> [f"{first:%d.%m.} to {last:%d.%m.}" for first, last in spans["same_hours"]]
    ['25.01. to 26.01.', '18.01. to 19.01.', '11.01. to 12.01.', '04.01. to 05.01.']
    """
    wanted = set(_wanted(config).values())
    spans: dict[BaselineSource, list[Span]] = {}
    if "trailing" in wanted:
        spans["trailing"] = [(start - timedelta(days=config.drift.trailing_days), start)]
    if "same_hours" in wanted:
        step = -((start - end) // _WEEK) * _WEEK
        times = max(config.drift.earlier_weeks * _WEEK // step, 1)
        spans["same_hours"] = [(start - n * step, end - n * step) for n in range(1, times + 1)]
    return spans


def seasonal_baseline(
    baseline: Baseline, earlier: Mapping[BaselineSource, Profile], config: ModelConfig
) -> SeasonalBaseline:
    """Each column's counts from the source that its YAML names; from the training data if that source has too few rows.

    Parameters
    ----------
    baseline : Baseline
        The champion's; its edges cut all sources.
    earlier : mapping of str to Profile
        The profiles of `seasonal_spans`, counted with `baseline`.
    """
    counts, sources, notes = baseline.profile.counts.copy(), {}, []
    starts = [*baseline.offsets.values(), baseline.width]
    wanted = _wanted(config)
    for column, first, last in zip(baseline.columns, starts[:-1], starts[1:], strict=True):
        source = wanted.get(column.name, "training")
        if source == "training":
            continue
        profile = earlier.get(source, baseline.empty())
        rows, needed = int(baseline.column(profile, column.name).with_unseen.sum()), config.drift.minimum_rows
        if rows < needed:
            notes.append(f"{column.name} is compared with the training data: {_short_of(source, rows, needed)}")
            continue
        counts[first:last] = profile.counts[first:last]
        sources[column.name] = source
    return SeasonalBaseline(Profile(baseline.baseline, baseline.profile.rows, counts), sources, tuple(notes))


def with_own_predictions(baseline: Baseline, everything: Profile, own: Profile) -> Profile:
    """Features as all packages saw them, answers as this package gave them: answers of other packages come from another model.

    Parameters
    ----------
    everything, own : Profile
        The same hours, for every package and for the judged one.
    """
    counts = everything.counts.copy()
    starts = [*baseline.offsets.values(), baseline.width]
    for column, first, last in zip(baseline.columns, starts[:-1], starts[1:], strict=True):
        if column.role == "prediction":
            counts[first:last] = own.counts[first:last]
    return Profile(baseline.baseline, everything.rows, counts)


def of_columns(baseline: Baseline, profile: Profile, kept: Collection[Column]) -> Profile:
    """A profile with rows in these columns only: the others have no rows, which differs from missing values.

    >>> import pyarrow as pa
    >>> from kedge.profile.counting import count_rows
    >>> from kedge.profile.freezing import freeze_baseline
    >>> columns = tuple(Column(name, "feature", "numeric", "float64") for name in ("x", "y"))
    >>> rows = pa.table({"x": [1.0, 2.0], "y": [None, None]})
    >>> baseline = freeze_baseline("m", "1", columns, pa.table({"x": [1.0, 2.0], "y": [3.0, 4.0]}), rows)
    >>> found = of_columns(baseline, count_rows(baseline, rows), columns[:1])
    >>> baseline.column(found, "x").rows, baseline.column(found, "y").rows
    (2, 0)
    """
    counts = profile.counts.copy()
    starts = [*baseline.offsets.values(), baseline.width]
    for column, first, last in zip(baseline.columns, starts[:-1], starts[1:], strict=True):
        if column not in kept:
            counts[first:last] = 0
    return Profile(baseline.baseline, profile.rows, counts)


def _wanted(config: ModelConfig) -> dict[str, BaselineSource]:
    """Each judged column's source; columns derived from the answers have the model's."""
    own = {feature.name: feature.baseline for feature in config.features}
    return {column.name: own.get(column.name) or config.drift.baseline for column in columns_of(config)}


def _short_of(source: BaselineSource, rows: int, needed: int) -> str:
    where = {"trailing": "the days before the window hold", "same_hours": "the same hours of earlier weeks hold"}[
        source
    ]
    return f"{where} {counted(rows, 'row')} with a value; {needed:,} are needed"
