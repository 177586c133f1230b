"""How an approved package is released: its endpoint config, and the alarms that guard it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from kedge.config.capture_place import capture_prefix
from kedge.config.model import ModelConfig
from kedge.config.sections import Vpc
from kedge.config.stage import Stage
from kedge.errors import EndpointVariantNameError, NoInstancesError
from kedge.release.traffic import Rollout, rollout

ALARM_PERIOD_SECONDS = 60
# After this many minutes without a look the canary counts as unwatched. A look comes every two minutes; one that times
# out and is tried again comes up to six minutes late. The shortest bake is ten minutes, and CloudWatch reads a few
# datapoints more than it evaluates.
UNWATCHED_MINUTES = 6
# The last part of each alarm's name, and what it means when it rings.
ALARM_REASONS = {
    "server-errors": "the canary fails requests",
    "client-errors": "the canary refuses requests",
    "latency": "the canary is slow",
    "behaviour": "the canary answers differently, or was not tried enough",
    "unwatched": "nobody watches the canary",
}


def alarm_prefix(stage: Stage, endpoint_config: str) -> str:
    """How the names of the alarms of one canary begin: no role may make, or delete, alarms of other names.

    >>> alarm_prefix(Stage("dev"), "dev-hotel-v3-7140caa2")
    'dev-kedge-dev-hotel-v3-7140caa2'
    """
    return stage.named(f"kedge-{endpoint_config}")


@dataclass(frozen=True)
class CanaryAlarm:
    """One CloudWatch alarm that rolls the canary back, with CloudWatch's own words for the comparison and for missing data."""

    name: str
    reason: str
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    statistic: str
    comparison: str
    threshold: float
    periods: int = 1
    breaching_periods: int = 1
    period_seconds: int = ALARM_PERIOD_SECONDS
    missing_data: str = "notBreaching"


@dataclass(frozen=True)
class ServingFleet:
    """What serves before a release: its production variant, and the instances that run now, after any scaling."""

    variant: str
    instances: int


@dataclass(frozen=True)
class ReleasePlan:
    """Everything that a release requests from the platform, decided before anything is touched."""

    model: str
    package_version: str
    package_arn: str
    endpoint: str
    variant: str
    endpoint_config: str
    instance_type: str
    instance_count: int
    content_type: str
    capture_prefix: str
    alarms: tuple[CanaryAlarm, ...]
    rollout: Rollout | None
    network_isolation: bool = True
    vpc: Vpc | None = None

    @property
    def model_name(self) -> str:
        """The SageMaker model that the endpoint config serves: made for this release, so named like it."""
        return self.endpoint_config


def endpoint_config_name(resource_name: str, package_version: str, run: str) -> str:
    """Name a release's endpoint config after its package and run: the same release gets the same name.

    >>> endpoint_config_name("hotel", "3", "release-abc")
    'hotel-v3-7140caa2'
    """
    return f"{resource_name}-v{package_version}-{hashlib.sha256(run.encode()).hexdigest()[:8]}"


def plan_release(
    config: ModelConfig, *, package_version: str, package_arn: str, run: str, serving: ServingFleet | None
) -> ReleasePlan:
    """Decide a release: an update with a canary if something serves, else a creation.

    An update has as many instances as run now: the YAML's count is the first endpoint's, and autoscaling may have
    changed it since.

    Parameters
    ----------
    serving : ServingFleet or None
        The endpoint as it is now; None if no endpoint exists.

    Raises
    ------
    EndpointVariantNameError
        The variant that serves is not the YAML's. Released under its own name, Kedge would look for captures and metrics
        under the YAML's; released under the YAML's, SageMaker would silently move all traffic at once.
    NoInstancesError
        The endpoint has no instances, so none can be a canary.
    """
    name, variant = endpoint_config_name(config.resource_name, package_version, run), config.endpoint.variant
    if serving and serving.variant != variant:
        raise EndpointVariantNameError(
            model=config.model, endpoint=config.endpoint.name, serving=serving.variant, configured=variant
        )
    if serving and serving.instances < 1:
        raise NoInstancesError(endpoint=config.endpoint.name)
    return ReleasePlan(
        model=config.model,
        package_version=package_version,
        package_arn=package_arn,
        endpoint=config.endpoint.name,
        variant=variant,
        endpoint_config=name,
        instance_type=config.endpoint.instance_type,
        instance_count=serving.instances if serving else config.endpoint.instance_count,
        content_type=config.endpoint.content_type,
        capture_prefix=capture_prefix(config.model, package_version),
        alarms=canary_alarms(config, endpoint_config=name, variant=variant) if serving else (),
        rollout=rollout(config.canary, config.release, instances=serving.instances) if serving else None,
        network_isolation=config.endpoint.network_isolation,
        vpc=config.endpoint.vpc,
    )


def canary_alarms(config: ModelConfig, *, endpoint_config: str, variant: str) -> tuple[CanaryAlarm, ...]:
    """Decide the alarms of one canary. Only the endpoint config separates its metrics from the champion's.

    Errors are 0 or 1 a request, so their Average is the failed fraction; latency is in
    microseconds. A minute without traffic is not a breach: whether the canary had traffic at all
    is checked afterwards. Minutes without any look are a breach: a canary that nobody watches goes back.

    >>> from kedge.config.reading import parse_model_config
    >>> config = parse_model_config("{model: m, endpoint: {name: e}, features: [{name: x, kind: numeric}]}", source="m")
    >>> [(alarm.metric, alarm.threshold) for alarm in canary_alarms(config, endpoint_config="m-v2", variant="v")][2]
    ('ModelLatency', 1000000)
    """
    policy, guard = config.canary, alarm_prefix(config.stage, endpoint_config)
    fleet = {"EndpointName": config.endpoint.name, "VariantName": variant, "EndpointConfigName": endpoint_config}
    gauge = {"Model": config.model, "EndpointConfigName": endpoint_config}
    above, reached = "GreaterThanThreshold", "GreaterThanOrEqualToThreshold"
    return (
        CanaryAlarm(
            f"{guard}-server-errors",
            ALARM_REASONS["server-errors"],
            "AWS/SageMaker",
            "Invocation5XXErrors",
            fleet,
            "Average",
            above,
            policy.server_error_fraction_max,
        ),
        CanaryAlarm(
            f"{guard}-client-errors",
            ALARM_REASONS["client-errors"],
            "AWS/SageMaker",
            "Invocation4XXErrors",
            fleet,
            "Average",
            above,
            policy.client_error_fraction_max,
            periods=3,
            breaching_periods=2,
        ),
        CanaryAlarm(
            f"{guard}-latency",
            ALARM_REASONS["latency"],
            "AWS/SageMaker",
            "ModelLatency",
            fleet,
            "p90",
            above,
            policy.latency_max_ms * 1000,
            periods=3,
            breaching_periods=2,
        ),
        CanaryAlarm(
            f"{guard}-behaviour",
            ALARM_REASONS["behaviour"],
            config.stage.namespace,
            "CanaryMisbehaviour",
            gauge,
            "Maximum",
            reached,
            1.0,
            # The last value keeps counting, also for a canary whose new fleet does not bake yet and that gets no further look.
            missing_data="ignore",
        ),
        CanaryAlarm(
            f"{guard}-unwatched",
            ALARM_REASONS["unwatched"],
            config.stage.namespace,
            "CanaryLooks",
            gauge,
            "SampleCount",
            "LessThanThreshold",
            1.0,
            periods=UNWATCHED_MINUTES,
            breaching_periods=UNWATCHED_MINUTES,
            missing_data="breaching",
        ),
    )
