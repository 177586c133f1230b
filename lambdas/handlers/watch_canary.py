"""Watch a canary: compare its captured answers with the champion's, and put the gauge that its rollback alarm reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel

from kedge.config.capture_place import CapturePlace, capture_place
from kedge.config.model import ModelConfig
from kedge.errors import UnknownPackageError
from kedge.instants import to_text
from kedge.release.canary import CanaryVerdict, judge_canary, judge_canary_figures
from kedge.release.canary_reading import NOTHING, SAME_MINUTES, Reading
from kedge.release.proof import LastWatch
from lambdas.adapters import clients
from lambdas.adapters.bucket import package_schemas
from lambdas.adapters.bucket.captured_answers import Sample, answers_of, list_fleet, load_sample, read_on
from lambdas.adapters.models import load_model
from lambdas.adapters.release import canary_traffic, endpoints, model_registry
from lambdas.adapters.release.endpoints import EndpointState
from lambdas.adapters.state import canary_watch, champions
from lambdas.adapters.state.canary_watch import CanaryWatch
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment

# The last look must leave the alarm two of its periods to be evaluated within the bake.
LAST_LOOK = timedelta(minutes=5)
# Reading for errors ends here, so that the gauge is put: what is left is read by the next look.
RESERVE_SECONDS = 30


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str


class Request(BaseModel, frozen=True):
    """A canary that bakes."""

    model: str
    run: str
    time: AwareDatetime
    package_arn: str
    package_version: str
    endpoint_config: str
    previous_config: str
    started: AwareDatetime


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Look at the canary once; SETTLED when the endpoint is not being updated any more."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    config = load_model(request.model)
    endpoint = endpoints.describe_endpoint(clients.sagemaker(), config.endpoint.name)
    if endpoint is None or endpoint.settled:
        return {"verdict": "SETTLED", "watch": {}}
    since = endpoint.baking_since(request.started)
    if since is None:
        # The fleet is still being made, or the old one taken down: there is nothing to compare.
        watched(request)
        return {"verdict": "BAKING", "watch": {}}
    before = canary_watch.load(clients.dynamodb(), settings.state_table, request.model)
    before = before if before is not None and before.run == request.run else None
    read = before.reading if before else NOTHING

    def may_go_on() -> bool:
        return bool(context.get_remaining_time_in_millis() > RESERVE_SECONDS * 1000)

    verdict, requests, read = look(request, settings, config, endpoint, since, read, may_go_on)
    if (word := taken_back(request.package_arn)) is not None:
        verdict = CanaryVerdict("MISBEHAVING", (word,), verdict.judged)
    # The bake's clock starts anew when the last traffic moves: what was judged before that still counts.
    judged = max(verdict.judged, before.last.judged if before else 0)
    seen = CanaryWatch(
        run=request.run,
        package_version=request.package_version,
        endpoint_config=request.endpoint_config,
        requests=requests,
        seen_at=to_text(request.time),
        last=LastWatch(verdict.verdict, verdict.reasons, judged),
        reading=read,
    )
    # The gauge first: whatever else fails, the alarm knows.
    canary_traffic.put_gauge(
        clients.cloudwatch(), model=request.model, endpoint_config=request.endpoint_config, value=verdict.gauge
    )
    watched(request)
    canary_watch.save(clients.dynamodb(), settings.state_table, request.model, seen)
    logger.info("watched", model=request.model, verdict=verdict.verdict, requests=requests, reasons=verdict.reasons)
    watch = {"verdict": verdict.verdict, "reasons": list(verdict.reasons), "requests": requests, "gauge": verdict.gauge}
    return {"verdict": "BAKING", "watch": watch}


def watched(request: Request) -> None:
    """Put that the canary is watched: without this, an alarm sends it back."""
    canary_traffic.put_look(clients.cloudwatch(), model=request.model, endpoint_config=request.endpoint_config)


def taken_back(package_arn: str) -> str | None:
    """Say so where the approval that this release rests on is no more: a person's newest word counts."""
    try:
        package = model_registry.describe_package(clients.sagemaker(), package_arn)
    except UnknownPackageError:
        return f"version {package_arn.rpartition('/')[2]} was deleted in the registry: the canary goes back"
    if package.approval_status == "Approved":
        return None
    by = f" by {package.approved_by}" if package.approved_by else ""
    return f"version {package.version} is {package.approval_status} in the registry{by}: the canary goes back"


def look(
    request: Request,
    settings: Settings,
    config: ModelConfig,
    endpoint: EndpointState,
    since: datetime,
    read: Reading,
    may_go_on: Callable[[], bool],
) -> tuple[CanaryVerdict, int, Reading]:
    """Compare a sample of both fleets' answers since the bake began, and read all of the canary's that are new for errors."""
    bake_ends = since + timedelta(minutes=config.canary.bake_minutes)
    requests = canary_traffic.count_requests(
        clients.cloudwatch(),
        endpoint=endpoint.name,
        variant=endpoint.variant,
        endpoint_config=request.endpoint_config,
        start=since,
        end=request.time,
    )
    s3, bucket, fleet = clients.s3(), settings.data_bucket, f"{endpoint.name}/{endpoint.variant}"
    places = (
        capture_place(config, request.package_version, data_bucket=bucket),
        champions_captures(request, settings, config),
    )
    # The canary's errors count from the release on: when the last traffic moves, the bake's clock starts anew.
    begins, schemas = (request.started, since), schemas_of(request, settings, config)
    listed = [
        list_fleet(s3, place.bucket, place.of(fleet), since=begin, until=request.time)
        for place, begin in zip(places, begins, strict=True)
    ]
    canary, champion = (
        load_sample(s3, place.bucket, each, schema, since=since, until=request.time)
        for place, each, schema in zip(places, listed, schemas, strict=True)
    )
    when = SAME_MINUTES
    if not champion.rows.num_rows and not champion.unread.records:
        # Traffic that moves at once leaves the champion nothing to answer in these minutes.
        champion, when = answered_before(places[1], fleet, schemas[1], since)
    read = read_on(
        s3, bucket, listed[0], schemas[0], read, since=request.started, until=request.time, may_go_on=may_go_on
    )
    classes = tuple(dict.fromkeys(name for schema in reversed(schemas) for name in schema.labels.classes))
    verdict = judge_canary(
        answers_of(canary.rows, schemas[0], classes),
        answers_of(champion.rows, schemas[1], classes),
        config.canary,
        requests=requests,
        bake_is_ending=request.time >= bake_ends - LAST_LOOK,
        classes=config.problem == "multiclass_classification",
        unread=(canary.unread, champion.unread),
        read=replace(read.found, sampled=canary.part or champion.part, when=when),
    )
    figures = judge_canary_figures(canary.rows, champion.rows, schemas[0], verdict, released=schemas[1])
    return figures, requests, read


def champions_captures(request: Request, settings: Settings, config: ModelConfig) -> CapturePlace:
    """Where the champion's answers are: what a person put into service may capture nothing, or where Kedge does not look.

    Then the answers of the last champion are compared, as far as they are young enough.
    """
    served = endpoints.describe_served_model(clients.sagemaker(), request.previous_config)
    found = served.capture_prefix(settings.data_bucket) or ""
    if found.startswith("capture/"):
        return CapturePlace(settings.data_bucket, found)
    champion = champions.load(clients.dynamodb(), settings.state_table, request.model)
    version = champion.package_version if champion else "none"
    return capture_place(config, version, data_bucket=settings.data_bucket)


def answered_before(place: CapturePlace, fleet: str, schema: ModelConfig, since: datetime) -> tuple[Sample, str]:
    """What the champion answered just before the traffic moved: in the hour before, or else in the day before."""

    def sample(back: timedelta) -> Sample:
        s3 = clients.s3()
        listed = list_fleet(s3, place.bucket, place.of(fleet), since=since - back, until=since)
        return load_sample(s3, place.bucket, listed, schema, since=since - back, until=since)

    hour = sample(timedelta(hours=1))
    if hour.rows.num_rows or hour.unread.records:
        return hour, "in the hour before"
    return sample(timedelta(days=1)), "in the day before"


def schemas_of(request: Request, settings: Settings, config: ModelConfig) -> tuple[ModelConfig, ModelConfig]:
    """How the canary's records are read, and how the champion's: each by the schema that it was released with."""
    s3, bucket = clients.s3(), settings.data_bucket
    champion = champions.load(clients.dynamodb(), settings.state_table, request.model)
    canary = package_schemas.load(s3, bucket, config, request.package_version)
    return canary, package_schemas.load(s3, bucket, config, champion.baseline) if champion else config
