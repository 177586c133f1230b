"""Fold what the endpoint captured into each day's counts and the predictions table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from kedge.capture_records import EVENT_ID, HOUR, ROW_ID, TIME, parse_capture_files
from kedge.class_margins import with_margins
from kedge.day_profile import DayProfile, FoldPlan, plan_fold
from kedge.errors import DayContendedError
from kedge.model_config import ModelConfig
from kedge.profile import Baseline, count_rows_by_hour
from kedge.typed_columns import typed_predictions
from lambdas.adapters import baselines, champions, clients, days, inference_logs, metrics, predictions, served
from lambdas.adapters.models import load_model
from lambdas.handlers.entry import entry
from lambdas.handlers.logs import logger
from lambdas.handlers.requests import StageRequest
from lambdas.settings import Settings as Environment

# Capture has no promise about lateness: each run looks at the running day and at the two before it.
LOOK_BACK_DAYS = 2
ATTEMPTS = 5


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str


@dataclass(frozen=True)
class Place:
    """One package's day."""

    bucket: str
    config: ModelConfig
    package_version: str
    baseline: Baseline
    day: date


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """List, diff and fold each package's recent days."""
    request, settings = StageRequest.from_event(event), Settings.from_environment()
    config, today = load_model(request.model), request.time.date()
    folded = [
        fold_day(Place(settings.data_bucket, config, version, baseline, today - timedelta(days=back)))
        for version, baseline in packages(config, request, settings)
        for back in range(LOOK_BACK_DAYS, -1, -1)
    ]
    totals = {
        "RowsCaptured": sum(sum(profile.rows for profile in day.hours.values()) for day in folded),
        "RecordsQuarantined": sum(day.quarantined for day in folded),
        "RowsDuplicated": sum(day.duplicates for day in folded),
    }
    metrics.put(clients.cloudwatch(), model=request.model, values=totals, time=request.time)
    logger.info("profiled", model=request.model, days=len(folded), added=totals)
    return totals


def packages(config: ModelConfig, request: StageRequest, settings: Settings) -> list[tuple[str, Baseline]]:
    """The champion's package, and those that were tried or replaced within the last days, each with its baseline."""
    dynamodb, table = clients.dynamodb(), settings.state_table
    champion = champions.load(dynamodb, table, config.model)
    versions = set(served.load(dynamodb, table, config.model, now=request.time))
    if champion:
        versions.add(champion.package_version)
        if champion.previous_package_arn and request.time - champion.promoted_at < served.REMEMBERED:
            versions.add(champion.previous_package_arn.rpartition("/")[2])
    return [
        (version, baselines.load_baseline(clients.s3(), settings.data_bucket, config.model, version))
        for version in sorted(versions)
    ]


def fold_day(place: Place) -> DayProfile:
    """Bring one day up to date with what is there; return what was added to it.

    A run that lost the race begins again from what the winner wrote, so no object is counted twice or forgotten. The
    part that it had written stays, named by no day (whoever reads the table reads the parts that days name): the winner
    may have written the very same part, so nobody can safely delete it.
    """
    s3 = clients.s3()
    endpoint = place.config.endpoint
    prefix = inference_logs.capture_prefix(
        place.config.model, place.package_version, endpoint=endpoint.name, variant=endpoint.variant, day=place.day
    )
    key = days.day_key(place.config.model, place.package_version, place.baseline.baseline, place.day)
    for _ in range(ATTEMPTS):
        known, etag = days.load_day(s3, place.bucket, key)
        listing = inference_logs.list_day(s3, place.bucket, prefix)
        plan = plan_fold(known.manifest, listing)
        if plan.is_empty:
            return DayProfile()
        kept = DayProfile() if plan.rebuild else known
        added = count(place, kept, plan, listing)
        if days.save_day(s3, place.bucket, key, kept.folded(added), etag=etag):
            return added
    raise DayContendedError(key=key, attempts=ATTEMPTS)


def count(place: Place, known: DayProfile, plan: FoldPlan, listing: dict[str, str]) -> DayProfile:
    """Read the new objects, keep what is broken aside, drop ids that were counted before, and count the rest."""
    s3, config = clients.s3(), place.config
    files = inference_logs.read_files(s3, place.bucket, plan.keys)
    batch = parse_capture_files(files, config)
    if batch.quarantined:
        predictions.quarantine(
            s3, place.bucket, model=config.model, package_version=place.package_version, day=place.day,
            records=batch.quarantined,
        )  # fmt: skip
    rows = new_rows(batch.table, predictions.load_parts(s3, place.bucket, known.parts, [ROW_ID]))
    manifest = {key: listing[key] for key, _ in files}
    parts: tuple[str, ...] = ()
    if rows.num_rows:
        folded = [*(f"{key} {etag}" for key, etag in manifest.items()), *known.parts]
        parts = (predictions.part_key(config.model, place.package_version, place.day, folded),)
        predictions.save_part(s3, place.bucket, parts[0], typed_predictions(rows, config, (ROW_ID, EVENT_ID, TIME)))
    return DayProfile(
        hours=count_rows_by_hour(place.baseline, with_margins(rows, config), rows.column(HOUR).to_numpy(), times=TIME)
        if rows.num_rows
        else {},
        manifest=manifest,
        parts=parts,
        quarantined=len(batch.quarantined),
        duplicates=batch.table.num_rows - rows.num_rows,
        requests=batch.requests_by_hour(),
    )


def new_rows(table: pa.Table, known: pa.Table | None) -> pa.Table:
    """Each row id once, and only those that were not counted before."""
    seen = set(known.column(ROW_ID).to_pylist()) if known is not None else set()
    keep = []
    for row_id in table.column(ROW_ID).to_pylist():
        keep.append(row_id not in seen)
        seen.add(row_id)
    return table if all(keep) else table.filter(pa.array(keep, pa.bool_()))
