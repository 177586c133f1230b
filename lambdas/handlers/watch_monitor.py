"""The monitor's monitor: gauges of what is no longer judged, and of what is invoked but not captured."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel

from kedge.config.capture_place import adopted_at, capture_place
from kedge.config.gauges import sent
from kedge.config.model import ModelConfig
from kedge.errors import CapturesDeniedError
from lambdas.adapters import clients, metrics
from lambdas.adapters.captures import inference_logs
from lambdas.adapters.catalogue import load_catalogue
from lambdas.adapters.state import champions, windows
from lambdas.adapters.state.champions import Champion
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.requests import CADENCES

# Capture files are minutes late: the stretch that is compared ended this long ago.
CAPTURE_DELAY, COMPARED = timedelta(hours=1), timedelta(hours=12)
# The metrics' dimension where the worst of the models in the bucket stands: no model can have this name.
IN_BUCKET = "models/"


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str


class Request(BaseModel, frozen=True):
    """A tick of the schedule."""

    time: AwareDatetime


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Put the gauges of every deployed model."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    gauges: dict[str, dict[str, float]] = {}
    catalogue = load_catalogue(settings.data_bucket)
    for config in catalogue.models.values():
        champion = champions.load(clients.dynamodb(), settings.state_table, config.model)
        if champion is not None:
            gauges[config.model] = {"JudgementAgeCadences": judgement_age(config, champion, request.time, settings)}
            if config.has_endpoint:
                found = uncaptured(config, champion, request.time, settings)
                gauges[config.model]["InvocationsWithoutCapture"] = found
            values = sent(gauges[config.model], config.metrics)
            metrics.put(clients.cloudwatch(), model=config.model, values=values, time=request.time)
    if any(config.firehose for config in catalogue.deployed.values()):
        failed = inference_logs.count_failed(clients.s3(), settings.data_bucket, request.time)
        metrics.put(clients.cloudwatch(), model=None, values={"LogObjectsFailed": float(failed)}, time=request.time)
    # A model that needs no deployment has no alarms of its own: these gauges' alarms are deployed for all of them.
    adopted = [gauges[model] for model in gauges if model not in catalogue.deployed]
    names = {name for found in adopted for name in found}
    worst = {name: max(found[name] for found in adopted if name in found) for name in sorted(names)}
    if adopted or catalogue.adopted.broken:
        worst["BrokenDefinitions"] = float(len(catalogue.adopted.broken))
    metrics.put(clients.cloudwatch(), model=IN_BUCKET, values=worst, time=request.time)
    logger.info("watched the monitor", models=len(gauges))
    return gauges


def judgement_age(config: ModelConfig, champion: Champion, now: datetime, settings: Settings) -> float:
    """Cadences since the last window that was judged, the promotion or the adoption, whose captures may have begun long before."""
    judged = windows.newest_end(clients.dynamodb(), settings.state_table, config.model)
    begun = (champion.promoted_at, judged, adopted_at(champion.package_version))
    return (now - max(at for at in begun if at is not None)) / CADENCES[config.cadence.judge]


def uncaptured(config: ModelConfig, champion: Champion, now: datetime, settings: Settings) -> float:
    """Requests of the last hours to variants without a single captured one; 0 where capture works."""
    end = now - CAPTURE_DELAY
    start = max(end - COMPARED, champion.promoted_at)
    endpoint = config.endpoint
    if start >= end:
        return 0.0
    return float(
        sum(
            metrics.endpoint_invocations(
                clients.cloudwatch(), endpoint=endpoint.name, variant=variant, start=start, end=end
            )
            for variant in endpoint.served_variants
            if not is_captured(config, champion, variant, start, end, settings)
        )
    )


def is_captured(
    config: ModelConfig, champion: Champion, variant: str, start: datetime, end: datetime, settings: Settings
) -> bool:
    """Whether any request to a variant in a stretch was captured; a bucket that refuses shows nothing, and `watch_captures` tells why."""
    place = capture_place(config, champion.package_version, data_bucket=settings.data_bucket)
    try:
        with inference_logs.readable(place):
            return any(
                inference_logs.any_after(
                    clients.s3(), place.bucket, inference_logs.day_prefixes(place, config, day)[variant], start
                )
                for day in {start.date(), end.date()}
            )
    except CapturesDeniedError as error:
        logger.warning("captures cannot be seen", model=config.model, reason=str(error))
        return False
