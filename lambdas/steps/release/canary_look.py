"""One look at a canary: its answers and the champion's, read where they were captured, and judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kedge.config.capture_place import CapturePlace, capture_place
from kedge.config.model import ModelConfig
from kedge.release.canary import CanaryVerdict, FleetAnswers, judge_canary, judge_canary_figures
from kedge.release.canary_reading import SAME_MINUTES, Reading
from kedge.release.look_table import FleetCounts, LookRow, look_table
from kedge.release.returned import judge_returned
from kedge.release.traffic import IN_STEPS
from lambdas.adapters import clients
from lambdas.adapters.bucket import layout, package_schemas
from lambdas.adapters.captures.captured_answers import Sample, answers_of, list_fleet, load_sample, read_on
from lambdas.adapters.release import canary_traffic, endpoints
from lambdas.adapters.release.canary_traffic import FleetName
from lambdas.adapters.release.endpoints import EndpointState
from lambdas.adapters.state.champions import Champion

# The last look must leave the alarm two of its periods to be evaluated within the bake.
LAST_LOOK = timedelta(minutes=5)


@dataclass(frozen=True)
class Bake:
    """A canary that answers: its release, its endpoint, and the champion that it is compared with.

    The release `started` before the traffic moved last, which was at `since`; the look is at `now`.
    """

    config: ModelConfig
    endpoint: EndpointState
    package_version: str
    endpoint_config: str
    previous_config: str
    champion: Champion | None
    started: datetime
    since: datetime
    now: datetime
    bucket: str

    @property
    def fleet(self) -> str:
        """The folder of both fleets' captures."""
        return f"{self.endpoint.name}/{self.endpoint.variant}"

    @property
    def is_ending(self) -> bool:
        """Whether this is the last look."""
        return self.now >= self.since + timedelta(minutes=self.config.canary.bake_minutes) - LAST_LOOK


def look(bake: Bake, read: Reading, may_go_on: Callable[[], bool]) -> tuple[CanaryVerdict, int, Reading]:
    """Compare a sample of both fleets' answers since the bake began, and read all of the canary's that are new for errors."""
    requests, s3 = count_requests(bake), clients.s3()
    schema, released = schemas_of(bake)
    # The canary's errors count from the release on: when the last traffic moves, the bake's clock starts anew.
    place = capture_place(bake.config, bake.package_version, data_bucket=bake.bucket)
    captures = list_fleet(s3, place, bake.fleet, since=bake.started, until=bake.now)
    canary = load_sample(s3, captures, schema, since=bake.since)
    champion, when = champions_answers(bake, released)
    reading = read_on(s3, captures, schema, read, may_go_on=may_go_on)
    classes = tuple(dict.fromkeys((*released.labels.classes, *schema.labels.classes)))
    verdict = judge_canary(
        FleetAnswers(answers_of(canary.rows, schema, classes), canary.unread),
        FleetAnswers(answers_of(champion.rows, released, classes), champion.unread),
        bake.config,
        requests=requests,
        bake_is_ending=bake.is_ending,
        read=replace(reading.found, sampled=canary.part or champion.part, when=when),
    )
    return judge_canary_figures(canary.rows, champion.rows, schema, verdict, released=released), requests, reading


def look_at_returned(bake: Bake, read: Reading, may_go_on: Callable[[], bool]) -> tuple[CanaryVerdict, int, Reading]:
    """Look at what a package answers that came back at once: whether requests fail, and whether its answers are answers."""
    s3, (schema, _) = clients.s3(), schemas_of(bake)
    place = capture_place(bake.config, bake.package_version, data_bucket=bake.bucket)
    captures = list_fleet(s3, place, bake.fleet, since=bake.started, until=bake.now)
    sample = load_sample(s3, captures, schema, since=bake.since)
    reading = read_on(s3, captures, schema, read, may_go_on=may_go_on)
    requests = count_requests(bake)
    verdict = judge_returned(
        bake.config.canary,
        requests=requests,
        server_errors=count_requests(bake, failed=True),
        read=reading.found,
        unread=sample.unread,
    )
    return verdict, requests, reading


def table_of(bake: Bake, verdict: CanaryVerdict) -> tuple[LookRow, ...]:
    """The look as a table: what both fleets answered since the traffic moved last."""
    canary, champion = (_counts(bake, config) for config in (bake.endpoint_config, bake.previous_config))
    return look_table(canary, champion, bake.config.canary, verdict=verdict.verdict, reasons=verdict.reasons)


def _counts(bake: Bake, endpoint_config: str) -> FleetCounts:
    fleet = FleetName(bake.endpoint.name, bake.endpoint.variant, endpoint_config)
    found = (
        canary_traffic.count_requests(clients.cloudwatch(), fleet, start=bake.since, end=bake.now, metric=metric)
        for metric in ("Invocations", "Invocation5XXErrors", "Invocation4XXErrors")
    )
    return FleetCounts(*found)


def count_requests(bake: Bake, *, failed: bool = False) -> int:
    """How many requests the new fleet has answered, or failed, by the endpoint's own count: from its first share of the traffic on."""
    return canary_traffic.count_requests(
        clients.cloudwatch(),
        FleetName(bake.endpoint.name, bake.endpoint.variant, bake.endpoint_config),
        # In steps the bake's clock starts anew with each step, and at the last step the proof of the first still counts.
        start=bake.started if bake.config.release.strategy in IN_STEPS else bake.since,
        end=bake.now,
        metric="Invocation5XXErrors" if failed else "Invocations",
    )


def schemas_of(bake: Bake) -> tuple[ModelConfig, ModelConfig]:
    """How the canary's records are read, and how the champion's: each by the schema that it was released with."""
    s3, config, champion = clients.s3(), bake.config, bake.champion
    canary = package_schemas.load(s3, bake.bucket, config, bake.package_version)
    return canary, package_schemas.load(s3, bake.bucket, config, champion.baseline) if champion else config


def champions_answers(bake: Bake, schema: ModelConfig) -> tuple[Sample, str]:
    """What the champion answered since the bake began, and when; or else in the hour before, or in the day before.

    Traffic that moves at once leaves the champion nothing to answer in these minutes.
    """
    place = champions_captures(bake)

    def sample(since: datetime, until: datetime) -> Sample:
        captures = list_fleet(clients.s3(), place, bake.fleet, since=since, until=until)
        return load_sample(clients.s3(), captures, schema, since=since)

    hour, day = timedelta(hours=1), timedelta(days=1)
    for since, until, when in (
        (bake.since, bake.now, SAME_MINUTES),
        (bake.since - hour, bake.since, "in the hour before"),
    ):
        found = sample(since, until)
        if found.rows.num_rows or found.unread.records:
            return found, when
    return sample(bake.since - day, bake.since), "in the day before"


def champions_captures(bake: Bake) -> CapturePlace:
    """Where the champion's answers are: what a person put into service may capture nothing, or where Kedge does not look.

    Then the answers of the last champion are compared, as far as they are young enough.
    """
    served = endpoints.describe_served_model(clients.sagemaker(), bake.previous_config)
    found = served.capture_prefix(bake.bucket) or ""
    if found.startswith(layout.CAPTURES):
        return CapturePlace(bake.bucket, found)
    version = bake.champion.package_version if bake.champion else "none"
    return capture_place(bake.config, version, data_bucket=bake.bucket)
