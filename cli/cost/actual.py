"""What a deployment has really cost: Cost Explorer by the tags that its stacks and jobs carry, and Lambda's own counts of its work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from cli.operator.deployment import MONITORING, RELEASE, RETRAINING, Deployment
from cli.refusals import BadInputError
from kedge.config.prices import USD
from kedge.config.stage import MODEL_TAG, STAGE_TAG
from lambdas import stage

FUNCTION = "AWS::Lambda::Function"
# What GetMetricData takes in a call.
QUERIES_MAX = 500
_DENIED = ("AccessDeniedException", "AccessDenied")


@dataclass(frozen=True)
class Worked:
    """What a function did, by CloudWatch's counts."""

    function: str
    runs: float
    gb_seconds: float

    @property
    def usd(self) -> float:
        """What Lambda takes for it, by the table of prices."""
        return self.gb_seconds * USD["Lambda GB-second"] + self.runs * USD["Lambda request"]


@dataclass(frozen=True)
class Spent:
    """What was spent in a stretch of days, UTC, the last not included; and why no cost is any model's, where none is."""

    start: date
    end: date
    by_service: Mapping[str, float]
    by_model: Mapping[str, float]
    worked: Sequence[Worked]
    why_no_model: str = ""

    def to_json(self) -> dict[str, Any]:
        """For programs; nothing is rounded."""
        return {
            "start": f"{self.start}",
            "end": f"{self.end}",
            "usd": sum(self.by_service.values()),
            "by_service": dict(self.by_service),
            "by_model": dict(self.by_model),
            "why_no_model": self.why_no_model,
            "functions": [
                {"function": each.function, "runs": each.runs, "gb_seconds": each.gb_seconds, "usd": each.usd}
                for each in self.worked
            ],
        }


def read_spent(deployment: Deployment, days: int) -> Spent:
    """Ask Cost Explorer by service and by model, and CloudWatch by function.

    Raises
    ------
    BadInputError
        Nothing is known of the tag, with what is to be done.
    """
    ce, end = deployment.client("ce"), deployment.caller.time.date()
    start = end - timedelta(days=days)
    try:
        ours = _ours(deployment.region)
        by_service = _grouped(ce, start, end, ours, {"Type": "DIMENSION", "Key": "SERVICE"})
        by_model = _grouped(ce, start, end, ours, {"Type": "TAG", "Key": MODEL_TAG})
    except ClientError as error:
        raise BadInputError(_why_refused(error)) from error
    if not by_service:
        raise BadInputError(_why_nothing(ce, STAGE_TAG, start, end))
    models = {key.removeprefix(f"{MODEL_TAG}$"): usd for key, usd in by_model.items()}
    models.pop("", None)
    why = (
        f"{_why_nothing(ce, MODEL_TAG, start, end)}. A model that is only watched has no costs with it"
        if not models
        else ""
    )
    return Spent(start, end, by_service, models, list(_worked(deployment, start, end)), why)


def _ours(region: str) -> dict[str, Any]:
    """What carries the deployment's tag in its region: Kedges without a stage, each in a region of its own, carry the same."""
    key, value = stage.current().tag
    tag = {"Key": key, "Values": [value], "MatchOptions": ["EQUALS"]}
    there = {"Key": "REGION", "Values": [region], "MatchOptions": ["EQUALS"]}
    return {"And": [{"Tags": tag}, {"Dimensions": there}]}


def _grouped(ce: Any, start: date, end: date, ours: Mapping[str, Any], by: Mapping[str, str]) -> dict[str, float]:
    request: dict[str, Any] = {
        "TimePeriod": {"Start": f"{start}", "End": f"{end}"},
        "Granularity": "MONTHLY",
        "Metrics": ["UnblendedCost"],
        "Filter": ours,
        "GroupBy": [by],
    }
    found: dict[str, float] = {}
    while True:
        answer = ce.get_cost_and_usage(**request)
        for group in (group for result in answer["ResultsByTime"] for group in result["Groups"]):
            (name,), usd = group["Keys"], float(group["Metrics"]["UnblendedCost"]["Amount"])
            found[name] = found.get(name, 0.0) + usd
        if not (token := answer.get("NextPageToken")):
            return found
        request["NextPageToken"] = token


def _why_refused(error: ClientError) -> str:
    code = error.response["Error"]["Code"]
    if code in _DENIED:
        return (
            "AWS does not let you read what was spent: you need ce:GetCostAndUsage, and in an account of an organization its management "
            f"account must allow it (Billing, Cost Management preferences). AWS said: {error}"
        )
    if code == "DataUnavailableException":
        return "Cost Explorer is not enabled: open it once in the console (Billing and Cost Management); its data come a day later"
    raise error


def _why_nothing(ce: Any, tag: str, start: date, end: date) -> str:
    nothing = f"Cost Explorer knows no costs with the tag {tag} from {start} to {end}"
    activate = (
        f"aws ce update-cost-allocation-tags-status --cost-allocation-tags-status TagKey={STAGE_TAG},Status=Active "
        f"TagKey={MODEL_TAG},Status=Active (in an organization by its management account)"
    )
    try:
        listed = ce.list_cost_allocation_tags(TagKeys=[tag])["CostAllocationTags"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in _DENIED:
            raise
        return (
            f"{nothing}. Whether it is activated as a cost allocation tag you may not see. To activate it: {activate}"
        )
    if not listed:
        return (
            f"{nothing}, and has not seen the tag yet: it can be activated about a day after the first deployment that sets it. "
            f"Then: {activate}"
        )
    if listed[0]["Status"] != "Active":
        return (
            f"{nothing}: it is not activated as a cost allocation tag, and costs from before its activation have none. "
            f"To activate it: {activate}"
        )
    return f"{nothing}. It is activated; costs come up to a day later, and those from before its activation have no tag"


def _worked(deployment: Deployment, start: date, end: date) -> Iterator[Worked]:
    """What the functions did; CloudWatch keeps hourly counts for 455 days."""
    functions = [
        found["PhysicalResourceId"]
        for each in (MONITORING, RETRAINING, RELEASE)
        for found in deployment.resources(each)
        if found["ResourceType"] == FUNCTION
    ]
    asked = [(name, metric) for name in functions for metric in ("Duration", "Invocations")]
    sums = dict.fromkeys(asked, 0.0)
    begin, until = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (start, end))
    for first in range(0, len(asked), QUERIES_MAX):
        named = {f"m{number}": each for number, each in enumerate(asked[first : first + QUERIES_MAX])}
        pages = (
            deployment.client("cloudwatch")
            .get_paginator("get_metric_data")
            .paginate(
                MetricDataQueries=[_query(name, *each) for name, each in named.items()], StartTime=begin, EndTime=until
            )
        )
        for result in (result for page in pages for result in page["MetricDataResults"]):
            sums[named[result["Id"]]] += sum(result["Values"])
    for name in functions:
        memory = deployment.client("lambda").get_function_configuration(FunctionName=name)["MemorySize"]
        yield Worked(name, sums[name, "Invocations"], sums[name, "Duration"] / 1000 * memory / 1024)


def _query(name: str, function: str, metric: str) -> dict[str, Any]:
    found = {
        "Namespace": "AWS/Lambda",
        "MetricName": metric,
        "Dimensions": [{"Name": "FunctionName", "Value": function}],
    }
    return {"Id": name, "MetricStat": {"Metric": found, "Period": 86_400, "Stat": "Sum"}}
