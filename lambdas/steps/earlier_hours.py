"""The hours before a window on the champion's edges, for models that are judged against those; other packages' are recounted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from kedge.columns.casting import Column, columns_of
from kedge.columns.margins import with_margins
from kedge.config.model import ModelConfig
from kedge.drift.seasonal_baseline import (
    SeasonalBaseline,
    Span,
    of_columns,
    seasonal_baseline,
    seasonal_spans,
    with_own_predictions,
)
from kedge.own_columns import TIME
from kedge.profile.baseline import Baseline, Profile
from kedge.profile.counting import count_rows_by_hour
from kedge.profile.day import DayProfile
from kedge.profile.packed_profiles import used_cells
from lambdas.adapters import clients
from lambdas.adapters.bucket import days, layout, package_schemas, predictions
from lambdas.steps.requests import Window


@dataclass(frozen=True)
class Ruler:
    """Whose hours are wanted, and on which edges."""

    bucket: str
    config: ModelConfig
    package_version: str
    baseline: Baseline


def load_seasonal_baseline(ruler: Ruler, window: Window) -> SeasonalBaseline | None:
    """The baseline of the window's columns; None if all use the training data."""
    spans = seasonal_spans(ruler.config, window.start, window.end)
    if not spans:
        return None
    wanted = {day for stretches in spans.values() for day in days_of(stretches)}
    packages = days.packages_by_day(clients.s3(), ruler.bucket, ruler.config.model, min(wanted), max(wanted))
    everything = {source: ruler.baseline.empty() for source in spans}
    own = {source: ruler.baseline.empty() for source in spans}
    for day, version in [(each, version) for each in sorted(wanted) for version in packages.get(each, ())]:
        found = on_edges(ruler, version, day)
        for source, stretches in spans.items():
            inside = sum_inside(found, day, stretches, ruler.baseline)
            everything[source] = everything[source] + inside
            if version == ruler.package_version:
                own[source] = own[source] + inside
    earlier = {source: with_own_predictions(ruler.baseline, everything[source], own[source]) for source in spans}
    return seasonal_baseline(ruler.baseline, earlier, ruler.config)


def on_edges(ruler: Ruler, version: str, day: date) -> DayProfile:
    """A package's day on the champion's edges: another package's rows are counted once more, and kept for the next window."""
    s3, bucket, model = clients.s3(), ruler.bucket, ruler.config.model
    original, _ = days.load_day(s3, bucket, layout.profile_day_key(model, version, version, day))
    if version == ruler.package_version:
        return original
    key = layout.profile_day_key(model, version, ruler.baseline.baseline, day)
    known, etag = days.load_day(s3, bucket, key)
    if known.counted == original.counted:
        return known
    config = package_schemas.load(s3, bucket, ruler.config, version)
    recounted = DayProfile(recount(ruler, original, config), original.counted)
    # Another run may have been faster: it has counted the same rows.
    days.save_day(s3, bucket, key, recounted, etag=etag)
    return recounted


def recount(ruler: Ruler, day: DayProfile, config: ModelConfig) -> dict[int, Profile]:
    """The rows of a day's parts, part by part, by the hour of their own time.

    Parameters
    ----------
    config : ModelConfig
        The schema of the package that answered: a column that it reads otherwise, or not, holds no rows of it.
    """
    hours: dict[int, Profile] = {}
    theirs = {Column(f.name, "feature", f.kind, f.declared_dtype) for f in config.features} | {*columns_of(config)}
    kept = theirs & {*ruler.baseline.columns}
    watched = {column.name for column in kept} - {ruler.config.margin_column}
    columns = [TIME, *sorted(watched | {*ruler.config.prediction.probabilities})]
    for part in day.parts:
        rows = predictions.load_parts(clients.s3(), ruler.bucket, [part], columns)
        if rows is None:
            continue
        clock = pc.hour(rows.column(TIME)).to_numpy()
        rows = with_margins(rows, ruler.config)
        for column in ruler.baseline.columns:
            if column.name not in rows.column_names:
                rows = rows.append_column(column.name, pa.nulls(rows.num_rows, pa.string()))
        counted = {
            hour: of_columns(ruler.baseline, profile, kept)
            for hour, profile in count_rows_by_hour(ruler.baseline, rows, clock, times=TIME).items()
        }
        for hour, profile in counted.items():
            hours[hour] = hours[hour] + profile if hour in hours else profile
    return hours


def sum_inside(day: DayProfile, date_: date, stretches: Sequence[Span], baseline: Baseline) -> Profile:
    """The sum of the day's hours that lie in one of the stretches."""
    total = baseline.empty()
    for hour in day.hours:
        begins = datetime.combine(date_, time(hour), UTC)
        if any(first <= begins < last for first, last in stretches):
            total = used_cells(day.hours, hour).added_to(total)
    return total


def days_of(stretches: Iterable[Span]) -> set[date]:
    """Every UTC day that a stretch touches."""
    touched = set()
    for first, last in stretches:
        count = ((last - timedelta(microseconds=1)).date() - first.date()).days
        touched |= {first.date() + timedelta(days=n) for n in range(count + 1)}
    return touched
