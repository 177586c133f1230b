"""Alarms on what serves a model: the latency, errors, silence and disk of its endpoint, as `health:` in its YAML says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns
from constructs import Construct

from kedge.config.model import ModelConfig

INVOCATIONS, INSTANCES = "AWS/SageMaker", "/aws/sagemaker/Endpoints"
MICROSECONDS = 1000  # in a millisecond


@dataclass(frozen=True)
class EndpointAlarm:
    """One alarm of one variant: it rings while the metric is above its limit in `of_five_minutes` periods in a row.

    With `silent_hours` it rings instead where the metric, summed over this time, is 0 or has no value any more.
    """

    name: str
    metric: str
    statistic: str
    above: float
    says: str
    namespace: str = INVOCATIONS
    of_five_minutes: int = 3
    silent_hours: int | None = None


def wanted_alarms(model: ModelConfig) -> Iterator[EndpointAlarm]:
    """What the YAML wants to hear of each variant; nothing of a model without an endpoint, or with `enabled: false`."""
    health, endpoint = model.health, model.endpoint.name
    if not (health.enabled and endpoint):
        return
    logs = f"read its log group /aws/sagemaker/Endpoints/{endpoint}"
    for quantile in ("p95", "p99"):
        if (limit := getattr(health, f"{quantile}_milliseconds")) is not None:
            says = f"answers slowly: {quantile} of the model's latency is above {limit:g} ms for 15 minutes. {_load(model)}"
            # SageMaker counts it in microseconds, without the network and its own overhead.
            yield EndpointAlarm(quantile, "ModelLatency", quantile, limit * MICROSECONDS, says)
    # An error is 0 or 1 a request, so the average is the share of the requests: no metric math, which costs an alarm a metric.
    if (limit := health.server_error_fraction) is not None:
        says = (
            f"fails: more than {limit:.3g} of its requests end in 5xx for 15 minutes. Please {logs}. {_go_back(model)}"
        )
        yield EndpointAlarm("ServerErrors", "Invocation5XXErrors", "Average", limit, says)
    if (limit := health.client_error_fraction) is not None:
        says = (
            f"refuses: more than {limit:.3g} of its requests end in 4xx for 15 minutes. Has a caller changed what it "
            f"sends? Please {logs}"
        )
        yield EndpointAlarm("ClientErrors", "Invocation4XXErrors", "Average", limit, says)
    if (limit := health.disk_fraction) is not None:
        says = (
            f"fills its disk: more than {limit:.0%} of an instance's disk is used. A full disk ends Data Capture without an "
            "error; look what the container writes, or choose an instance with more disk"
        )
        yield EndpointAlarm("Disk", "DiskUtilization", "Maximum", limit * 100, says, namespace=INSTANCES)
    if (hours := health.no_invocations_hours) is not None:
        says = (
            f"was invoked, and has not been for {hours} hours. Ask its callers: do they send elsewhere, or not at all?"
        )
        yield EndpointAlarm("Silent", "Invocations", "Sum", 0, says, silent_hours=hours)


def alarms_of(model: ModelConfig) -> list[tuple[str, EndpointAlarm]]:
    """Each alarm with its variant."""
    variants = dict.fromkeys((*model.endpoint.served_variants, *model.health.variants))
    return [(variant, alarm) for variant in variants for alarm in wanted_alarms(model)]


def add_endpoint_alarms(scope: Construct, model: ModelConfig, *, topics: Sequence[sns.ITopic]) -> None:
    """Make them, by two calls of CDK's for each: its richer class takes ten, and ten thousand models would wait for minutes."""
    arns = [topic.topic_arn for topic in topics]
    for variant, wanted in alarms_of(model):
        hours = wanted.silent_hours
        is_percentile = wanted.statistic.startswith("p")
        cloudwatch.CfnAlarm(
            Construct(scope, f"{model.model}-{variant}-{wanted.name}"),
            "Resource",
            namespace=wanted.namespace,
            metric_name=wanted.metric,
            dimensions=[
                {"name": "EndpointName", "value": model.endpoint.name},
                {"name": "VariantName", "value": variant},
            ],
            period=3600 * hours if hours else 300,
            statistic=None if is_percentile else wanted.statistic,
            extended_statistic=wanted.statistic if is_percentile else None,
            threshold=wanted.above,
            evaluation_periods=1 if hours else wanted.of_five_minutes,
            comparison_operator="LessThanOrEqualToThreshold" if hours else "GreaterThanThreshold",
            # Five minutes without a request are no fault. Of the silent endpoint silence is the news: were it breaching, each
            # endpoint that is not there yet would alarm, so it is told when the data runs out.
            treat_missing_data="missing" if hours else "notBreaching",
            # A percentile of few requests would ring for one slow answer.
            evaluate_low_sample_count_percentile="ignore" if is_percentile else None,
            alarm_description=f"Kedge: {model.model}: endpoint {model.endpoint.name} ({variant}) {wanted.says}"[:1024],
            alarm_actions=arns,
            insufficient_data_actions=arns if hours else None,
            ok_actions=arns[-1:],
        )


def _load(model: ModelConfig) -> str:
    who = "Its owners should look" if model.mode == "watch" else "Look"
    return f"{who} at its load: more instances help against many requests, a larger one helps a slow model"


def _go_back(model: ModelConfig) -> str:
    if model.mode == "watch":
        return "Kedge only watches it: its owners decide"
    return f"If it began with a release: kedge rollback {model.model} --reason WHY"
