"""Judge each transform job whose files are all counted, once, and write it into the timeline."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kedge.capture.transform_jobs import Manifest, TransformJob
from kedge.columns.margins import with_margins
from kedge.comparisons import counted
from kedge.drift.report import DriftReport, judge_drift
from kedge.drift.unjudged import empty_context
from kedge.errors import UnreadableTransformError
from kedge.instants import to_text
from kedge.own_columns import EVENT_ID, TIME
from kedge.profile.baseline import Profile
from kedge.profile.counted_objects import KnownObjects
from kedge.profile.counting import count_batches
from kedge.profile.day import DayProfile
from kedge.severity import Severity
from lambdas.adapters import clients, transform_jobs
from lambdas.adapters.bucket import days, predictions, timeline
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.state import windows
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.telling import Desk
from lambdas.steps.counting.counting_place import CountingPlace
from lambdas.steps.counting.transform_day import TransformDay, is_counted
from lambdas.steps.requests import CADENCES

KIND = "job_judged"
COLUMNS_NAMED = 5


def judge_jobs(place: CountingPlace, champion: Champion, desk: Desk, now: datetime) -> None:
    """Judge the jobs of a day that began since the adoption, and were not judged before."""
    if place.transforms is None:
        return
    day: DayProfile | None = None
    known: KnownObjects | None = None
    for manifest in place.transforms.manifests.values():
        what = f"job#{hashlib.sha256(manifest.key.encode()).hexdigest()[:16]}"
        before = manifest.hour < champion.promoted_at.replace(minute=0, second=0, microsecond=0)
        if before or windows.is_told(desk.dynamodb, desk.table, place.config.model, what):
            continue
        day = day or days.load_day(clients.s3(), place.bucket, place.key)[0]
        known = known or days.load_counted(clients.s3(), place.bucket, day.counted)
        if is_counted(manifest, known):
            detail = judged(place, place.transforms, manifest, day)
            timeline.record(desk.s3, desk.bucket, Entry(place.config.model, KIND, now, detail), name=what)
            windows.remember_told(desk.dynamodb, desk.table, place.config.model, what, now=now)


def judged(place: CountingPlace, jobs: TransformDay, manifest: Manifest, day: DayProfile) -> dict[str, Any]:
    """One job for the timeline: its name, model and rows, and the verdict on these."""
    detail: dict[str, Any] = {"package_version": place.package_version, "manifest": manifest.key}
    try:
        job = jobs.job_of(manifest)
    except UnreadableTransformError as error:
        return detail | {"severity": Severity.INSUFFICIENT_DATA.value, "rows_counted": 0, "reasons": [error.reason]}
    detail |= {"job": job.name, "model_name": job.model_name}
    if (package := transform_jobs.package_of(clients.sagemaker(), job.model_name)) is not None:
        detail["package_arn"] = package
    profile, context = counted_rows(place, day, job)
    detail |= {"began": to_text(manifest.hour if job.began is None else job.began), "rows_counted": profile.rows}
    detail["counted"] = counted(profile.rows, "row")
    if not profile.rows:
        earlier = jobs.repeats(manifest)
        reason = (
            f"it read the same input as {earlier.name}, whose answers are counted"
            if earlier
            else f"none of its answers could be read: quarantine/{place.config.model}/{place.package_version}/ says why"
        )
        return detail | {"severity": Severity.INSUFFICIENT_DATA.value, "reasons": [reason]}
    report = judge_rows(place, profile, manifest)
    drifted = [column.column.name for column in report.drifted]
    return detail | {
        "severity": report.severity.value,
        "reasons": [*empty_context(context, place.config), *report.reasons[:COLUMNS_NAMED]],
        "drifted": drifted[:COLUMNS_NAMED],
    }


def counted_rows(place: CountingPlace, day: DayProfile, job: TransformJob) -> tuple[Profile, pa.Table]:
    """A job's rows of the predictions table, counted part by part, and what they hold of the YAML's context.

    Their event ids begin with its name.
    """
    names = [column.name for column in place.baseline.columns if column.name != place.config.margin_column]
    names = list(dict.fromkeys([TIME, EVENT_ID, *names, *place.config.prediction.probabilities, *place.config.context]))
    context = list[pa.Table]()

    def batches() -> Iterator[pa.Table]:
        for part in day.parts:
            rows = predictions.load_parts(clients.s3(), place.bucket, [part], names)
            if rows is not None:
                rows = rows.filter(pc.starts_with(rows.column(EVENT_ID), f"{job.name}/"))
                # An older part lacks what the YAML's context names only now.
                context.append(rows.select([name for name in place.config.context if name in rows.column_names]))
                yield with_margins(rows, place.config)

    profile = count_batches(place.baseline, batches(), times=TIME)
    return profile, pa.concat_tables(context, promote_options="default") if context else pa.table({})


def judge_rows(place: CountingPlace, profile: Profile, manifest: Manifest) -> DriftReport:
    """Judge a job as the only one of its cadence: its false alarms count against the budget as a window's do."""
    return judge_drift(
        place.baseline,
        profile,
        place.config,
        start=manifest.hour,
        end=manifest.hour + CADENCES[place.config.cadence.judge],
        manifests_digest=manifest.etag.strip('"')[:16],
    )
