"""Look whether what a package captures can be read, and tell people at once where it cannot; `fan_out` names a model hourly until it can."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from kedge.capture.check import CaptureCheck, check_captures, denied, unread_file
from kedge.capture.records import Quarantined
from kedge.capture.source import source_of
from kedge.config.capture_place import capture_place
from kedge.config.model import ModelConfig
from kedge.errors import CapturesDeniedError
from lambdas.adapters import clients
from lambdas.adapters.bucket import package_schemas, timeline
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.captures import inference_logs
from lambdas.adapters.catalogue import find_model
from lambdas.adapters.state import capture_states, champions, state_items
from lambdas.adapters.state.capture_states import CaptureState
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.telling import desk_of, record_and_tell
from lambdas.adapters.transform_jobs import TransformJobs
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.counting.transform_day import TransformDay
from lambdas.steps.requests import StageRequest
from report.alert_text import render_alert

# Files are minutes late, so a run may find what came in the two hours before it.
LOOK_BACK, HOUR = timedelta(hours=2), timedelta(hours=1)
JOB_LINES = 200
KIND = "captures_unreadable"


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    alert_topic_arn: str
    event_topic_arn: str


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Look at the newest captures of a model's champion, unless they were readable a short while ago."""
    request, settings = StageRequest.from_event(event), Settings.from_environment()
    config = find_model(request.model, settings.data_bucket)
    keys = [(request.model, item) for item in (champions.ITEM, capture_states.ITEM)]
    items = state_items.load_items(clients.dynamodb(), settings.state_table, keys)
    champion, before = champions.read(items.get(keys[0])), capture_states.read(items.get(keys[1]))
    # A model that was taken away since, or a message that came twice.
    if config is None or champion is None:
        return {}
    found = look(config, champion, before, request.time, settings)
    looked: dict[str, Any] = {"records": found.records, "unread": found.unread} if found is not None else {}
    logger.info("looked at captures", model=request.model, **looked)
    return looked


def look(
    config: ModelConfig, champion: Champion, before: CaptureState | None, now: datetime, settings: Settings
) -> CaptureCheck | None:
    """Look at one model's captures, and tell once per package while they cannot be read; None where nothing was looked at."""
    version = champion.package_version
    known = before if before is not None and before.package_version == version else None
    if known is not None and not known.is_due(version, now):
        return None
    schema = package_schemas.load(clients.s3(), settings.data_bucket, config, version)
    looks = look_at_jobs if source_of(config).by_manifest else look_at_variants
    was_readable = known is not None and known.readable
    # What came last says most. Of a package that was readable, what came in the hours after the last look is enough.
    starts = (now - LOOK_BACK, *((known.seen_at + HOUR,) if known is not None and was_readable else ()))
    try:
        found = ((looks(schema, champion, start, now, settings), start) for start in starts)
        check, captured_at = next(((check, start) for check, start in found if check is not None), (None, None))
    except CapturesDeniedError as error:
        check, captured_at = denied(str(error)), None
    if check is None and not was_readable:
        return None

    def remember() -> None:
        state = CaptureState(version, check is None or check.readable, now, captured_at)
        capture_states.save(clients.dynamodb(), settings.state_table, config.model, state)

    if check is not None and not check.readable and (known is None or known.readable):
        tell(config.model, {"package_version": version} | check.to_json(), now, settings, remember)
    else:
        remember()
    return check


def look_at_variants(
    config: ModelConfig, champion: Champion, start: datetime, now: datetime, settings: Settings
) -> CaptureCheck | None:
    """Look at some records, of each production variant; one that cannot be read speaks for all. None where there are none."""
    found = [
        check_captures(lines, config)
        for variant in source_of(config).roots(config)
        if (lines := sample(config, champion, variant, (start, now), settings))
    ]
    return min(found, key=lambda check: check.readable, default=None)


def look_at_jobs(
    config: ModelConfig, champion: Champion, start: datetime, now: datetime, settings: Settings
) -> CaptureCheck | None:
    """Look at some records of the job that ended last; None where none has."""
    place = capture_place(config, champion.package_version, data_bucket=settings.data_bucket)
    known = TransformJobs(clients.sagemaker())
    for day in sorted({start.date(), now.date()}, reverse=True):
        jobs, aside = TransformDay(clients.s3(), known, place, config, day), list[Quarantined]()
        for key in reversed(jobs.listing()):
            records = jobs.open(key, aside)
            lines = [*islice(next(records, b"").splitlines(), JOB_LINES)] if records is not None else []
            if lines or aside:
                return check_captures(lines, config) if lines else unread_file(aside[0].reason)
    return None


def sample(
    config: ModelConfig, champion: Champion, variant: str, span: tuple[datetime, datetime], settings: Settings
) -> list[bytes]:
    """Some records of a variant from a stretch of hours."""
    start, now = max(span[0], champion.promoted_at), span[1]
    place = capture_place(config, champion.package_version, data_bucket=settings.data_bucket)
    for day in sorted({start.date(), now.date()}, reverse=True):
        prefix = inference_logs.day_prefixes(place, config, day)[variant]
        with inference_logs.readable(place):
            if lines := inference_logs.sample_after(
                clients.s3(), place.bucket, prefix, start, extension=source_of(config).extension
            ):
                return lines
    return []


def tell(model: str, detail: dict[str, Any], now: datetime, settings: Settings, remember: Callable[[], object]) -> None:
    """Note in the timeline what is sent, and send it; `remember` is called once it cannot be lost any more."""
    desk = desk_of(settings)
    sent = detail | {"subject": render_alert(KIND, model, now, detail).subject}
    timeline.record(desk.s3, desk.bucket, Entry(model, "alert_sent", now, sent))
    record_and_tell(desk, Entry(model, KIND, now, detail), entered=True, when_kept=remember)
