"""A canary in CloudWatch: how much it was asked, and what its rollback alarms read of the looks at it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lambdas import stage

_PERIOD_SECONDS = 60
_LONGEST = timedelta(hours=24)


@dataclass(frozen=True)
class FleetName:
    """One fleet of an endpoint: fleets differ in nothing but the endpoint config's dimension."""

    endpoint: str
    variant: str
    endpoint_config: str


def count_requests(
    cloudwatch: Any, fleet: FleetName, *, start: datetime, end: datetime, metric: str = "Invocations"
) -> int:
    """Count the requests that one fleet answered; or, by another metric of SageMaker's, those that failed."""
    answer = cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName=metric,
        Dimensions=[
            {"Name": "EndpointName", "Value": fleet.endpoint},
            {"Name": "VariantName", "Value": fleet.variant},
            {"Name": "EndpointConfigName", "Value": fleet.endpoint_config},
        ],
        # One call returns at most 1,440 datapoints: a day of minutes.
        StartTime=max(start.replace(second=0, microsecond=0), end - _LONGEST),
        EndTime=end + timedelta(seconds=_PERIOD_SECONDS),
        Period=_PERIOD_SECONDS,
        Statistics=["Sum"],
    )
    total: float = sum(point["Sum"] for point in answer["Datapoints"])
    return round(total)


def put_gauge(cloudwatch: Any, *, model: str, endpoint_config: str, value: int) -> None:
    """Put the behaviour gauge of one canary: 1 sends it back."""
    _put(cloudwatch, "CanaryMisbehaviour", model, endpoint_config, value)


def put_look(cloudwatch: Any, *, model: str, endpoint_config: str) -> None:
    """Put that somebody has looked: minutes without it send the canary back."""
    _put(cloudwatch, "CanaryLooks", model, endpoint_config, 1)


def _put(cloudwatch: Any, metric: str, model: str, endpoint_config: str, value: int) -> None:
    dimensions = [{"Name": "Model", "Value": model}, {"Name": "EndpointConfigName", "Value": endpoint_config}]
    # Without a timestamp it counts from now. The look began minutes ago, longer where it was tried again: an alarm that reads
    # the last few minutes alone would miss what is dated back.
    datum = {"MetricName": metric, "Dimensions": dimensions, "Value": float(value)}
    cloudwatch.put_metric_data(Namespace=stage.current().namespace, MetricData=[datum])
