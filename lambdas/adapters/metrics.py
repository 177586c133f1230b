"""Kedge's own CloudWatch metrics: a few aggregates a model, never one per feature."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

NAMESPACE = "Kedge"


def put(cloudwatch: Any, *, model: str | None, values: Mapping[str, float], time: datetime) -> None:
    """Put values of one model, or of the deployment, at a logical time; those older than two weeks are left out,
    because CloudWatch refuses them.
    """
    dimensions = [{"Name": "Model", "Value": model}] if model is not None else []
    data = [
        {"MetricName": name, "Dimensions": dimensions, "Timestamp": time, "Value": float(value)}
        for name, value in values.items()
    ]
    if data:
        try:
            cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=data)
        except ClientError as error:
            if not _is_late(error.response["Error"]):
                raise


def _is_late(error: Mapping[str, str]) -> bool:
    """Whether CloudWatch refuses values for their time: what is told beside the work must not stop it."""
    said = error.get("Message", "")
    return error["Code"].startswith("InvalidParameter") and "Timestamp" in said and "past two weeks" in said


def endpoint_invocations(cloudwatch: Any, *, endpoint: str, variant: str, start: datetime, end: datetime) -> int:
    """Requests that an endpoint answered, as CloudWatch counted them: Data Capture keeps nothing of one that failed."""
    sums = {
        name: endpoint_sum(cloudwatch, name, endpoint=endpoint, variant=variant, start=start, end=end)
        for name in ("Invocations", *_FAILED)
    }
    return max(0, round(sums["Invocations"] - sum(sums[name] for name in _FAILED)))


_FAILED = ("Invocation4XXErrors", "Invocation5XXErrors")


def endpoint_sum(cloudwatch: Any, name: str, *, endpoint: str, variant: str, start: datetime, end: datetime) -> float:
    """The sum of one of an endpoint's metrics over a time of at most 60 days, whatever its config was."""
    answer = cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName=name,
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}],
        StartTime=start,
        EndTime=end,
        Period=3600,
        Statistics=["Sum"],
    )
    total: float = sum(point["Sum"] for point in answer["Datapoints"])
    return total


def slowest_day_ms(cloudwatch: Any, *, endpoint: str, variant: str, start: datetime, end: datetime) -> float | None:
    """The 90th percentile of a variant's latency on the day on which it was highest; None without requests."""
    answer = cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="ModelLatency",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}],
        StartTime=start,
        EndTime=end,
        Period=86_400,
        ExtendedStatistics=["p90"],
    )
    days = [point["ExtendedStatistics"]["p90"] for point in answer["Datapoints"]]
    return max(days) / 1000 if days else None
