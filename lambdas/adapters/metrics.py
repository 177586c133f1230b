"""Kedge's own CloudWatch metrics: a few aggregates a model, never one per feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from lambdas import stage

# What PutMetricData and GetMetricData take in a call.
_VALUES, _QUERIES = 1000, 500


def put(cloudwatch: Any, *, model: str | None, values: Mapping[str, float], time: datetime) -> None:
    """Put values of one model, or of the deployment, at a logical time; those older than two weeks are left out,
    because CloudWatch refuses them.
    """
    put_of_many(cloudwatch, {model: values}, time=time)


def put_of_many(cloudwatch: Any, values: Mapping[str | None, Mapping[str, float]], *, time: datetime) -> None:
    """Put the values of many models, a thousand in a call."""
    data = [
        {
            "MetricName": name,
            "Dimensions": [{"Name": "Model", "Value": model}] if model is not None else [],
            "Timestamp": time,
            "Value": float(value),
        }
        for model, found in values.items()
        for name, value in found.items()
    ]
    for start in range(0, len(data), _VALUES):
        try:
            values_of_call = data[start : start + _VALUES]
            cloudwatch.put_metric_data(Namespace=stage.current().namespace, MetricData=values_of_call)
        except ClientError as error:
            if not _is_late(error.response["Error"]):
                raise


def _is_late(error: Mapping[str, str]) -> bool:
    """Whether CloudWatch refuses values for their time: what is told beside the work must not stop it."""
    said = error.get("Message", "")
    return error["Code"].startswith("InvalidParameter") and "Timestamp" in said and "past two weeks" in said


def endpoint_invocations(
    cloudwatch: Any, variants: Sequence[Variant], *, start: datetime, end: datetime
) -> dict[Variant, int]:
    """Requests that variants of endpoints answered, as CloudWatch counted them: Data Capture keeps nothing of one that failed.

    A call asks for three metrics of 166 variants.
    """
    sums = _counts(
        cloudwatch, [(each, name, "Sum") for each in variants for name in ("Invocations", *_FAILED)], start, end
    )
    return {
        each: max(0, round(sums[each, "Invocations", "Sum"] - sum(sums[each, name, "Sum"] for name in _FAILED)))
        for each in variants
    }


def server_errors(
    cloudwatch: Any, variants: Sequence[Variant], *, start: datetime, end: datetime
) -> dict[Variant, tuple[float, float]]:
    """How many of a variant's requests ended in 5xx, and how many there were; those without a failure are left out.

    SageMaker puts a 0 or a 1 for each request, so one metric has both counts. A metric that is read costs, so the second is read
    only where there was a failure.
    """
    name = "Invocation5XXErrors"
    failed = _counts(cloudwatch, [(each, name, "Sum") for each in variants], start, end)
    failing = [variant for (variant, *_), count in failed.items() if count]
    requests = _counts(cloudwatch, [(each, name, "SampleCount") for each in failing], start, end)
    return {each: (failed[each, name, "Sum"], requests[each, name, "SampleCount"]) for each in failing}


def _counts(
    cloudwatch: Any, asked: Sequence[tuple[Variant, str, str]], start: datetime, end: datetime
) -> dict[tuple[Variant, str, str], float]:
    """The sum over a stretch of hours of each variant's metric by its statistic."""
    sums = dict.fromkeys(asked, 0.0)
    for first in range(0, len(asked), _QUERIES):
        named = {f"m{number}": each for number, each in enumerate(asked[first : first + _QUERIES])}
        pages = cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[_query(name, *each) for name, each in named.items()], StartTime=start, EndTime=end
        )
        for result in (result for page in pages for result in page["MetricDataResults"]):
            sums[named[result["Id"]]] += sum(result["Values"])
    return sums


# An endpoint's name, and its variant's.
Variant = tuple[str, str]
_FAILED = ("Invocation4XXErrors", "Invocation5XXErrors")


def _query(name: str, variant: Variant, metric: str, statistic: str) -> dict[str, Any]:
    dimensions = [{"Name": kind, "Value": value} for kind, value in zip(_DIMENSIONS, variant, strict=True)]
    found = {"Namespace": "AWS/SageMaker", "MetricName": metric, "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": found, "Period": 3600, "Stat": statistic}}


_DIMENSIONS = ("EndpointName", "VariantName")


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
