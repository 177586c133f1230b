"""A canary in CloudWatch: how much it was asked, and the gauge that its rollback alarm reads."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from lambdas.adapters.metrics import NAMESPACE

_PERIOD_SECONDS = 60
_LONGEST = timedelta(hours=24)


def count_requests(
    cloudwatch: Any, *, endpoint: str, variant: str, endpoint_config: str, start: datetime, end: datetime
) -> int:
    """Count the requests that one fleet answered; fleets differ in nothing but the endpoint config's dimension."""
    answer = cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="Invocations",
        Dimensions=[
            {"Name": "EndpointName", "Value": endpoint},
            {"Name": "VariantName", "Value": variant},
            {"Name": "EndpointConfigName", "Value": endpoint_config},
        ],
        # One call returns at most 1,440 datapoints: a day of minutes.
        StartTime=max(start.replace(second=0, microsecond=0), end - _LONGEST),
        EndTime=end + timedelta(seconds=_PERIOD_SECONDS),
        Period=_PERIOD_SECONDS,
        Statistics=["Sum"],
    )
    total: float = sum(point["Sum"] for point in answer["Datapoints"])
    return round(total)


def put_gauge(cloudwatch: Any, *, model: str, endpoint_config: str, value: int, time: datetime) -> None:
    """Put the behaviour gauge of one canary: 1 sends it back."""
    dimensions = [{"Name": "Model", "Value": model}, {"Name": "EndpointConfigName", "Value": endpoint_config}]
    datum = {"MetricName": "CanaryMisbehaviour", "Dimensions": dimensions, "Timestamp": time, "Value": float(value)}
    cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=[datum])
