"""AWS::CloudWatch::Alarm and AWS::CloudWatch::Dashboard."""

from __future__ import annotations

from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType, by_creating, flag, only, tags, text

NUMBERS = {"Threshold": float, "Period": int, "EvaluationPeriods": int, "DatapointsToAlarm": int}
ALARM = (
    "AlarmActions",
    "AlarmDescription",
    "ComparisonOperator",
    "Dimensions",
    "EvaluateLowSampleCountPercentile",
    "ExtendedStatistic",
    "InsufficientDataActions",
    "MetricName",
    "Metrics",
    "Namespace",
    "OKActions",
    "Statistic",
    "TreatMissingData",
    "Unit",
)


def alarm(making: Making, properties: dict[str, Any]) -> Made:
    """Make an alarm; the API takes the same names."""
    name = properties.get("AlarmName") or making.name(255)
    request = only(properties, *ALARM)
    request |= {key: number(properties[key]) for key, number in NUMBERS.items() if key in properties}
    request["ActionsEnabled"] = flag(properties.get("ActionsEnabled", True))
    making.client("cloudwatch").put_metric_alarm(AlarmName=name, Tags=tags(properties), **request)
    return Made(name, {"Arn": making.arn("cloudwatch", f"alarm:{name}")})


def dashboard(making: Making, properties: dict[str, Any]) -> Made:
    """Make a dashboard."""
    name = properties.get("DashboardName") or making.name(255)
    making.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=text(properties["DashboardBody"]))
    return Made(name)


def delete_alarm(making: Making, made: Made, _properties: dict[str, Any]) -> None:
    """Delete an alarm."""
    making.client("cloudwatch").delete_alarms(AlarmNames=[made.reference])


def delete_dashboard(making: Making, made: Made, _properties: dict[str, Any]) -> None:
    """Delete a dashboard."""
    making.client("cloudwatch").delete_dashboards(DashboardNames=[made.reference])


def alarm_exists(making: Making, name: str) -> bool:
    """Tell whether an alarm has the name: PutMetricAlarm would change it."""
    return bool(making.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"])


def dashboard_exists(making: Making, name: str) -> bool:
    """Tell whether a dashboard has the name: PutDashboard would change it."""
    listed = making.client("cloudwatch").list_dashboards(DashboardNamePrefix=name)["DashboardEntries"]
    return any(entry["DashboardName"] == name for entry in listed)


METRIC_STAT = (
    "Metrics.MetricStat.Metric.MetricName Metrics.MetricStat.Metric.Namespace Metrics.MetricStat.Metric.Dimensions.Name"
    " Metrics.MetricStat.Metric.Dimensions.Value Metrics.MetricStat.Period Metrics.MetricStat.Stat"
    " Metrics.MetricStat.Unit"
)
TYPES = (
    ResourceType(
        "AWS::CloudWatch::Alarm",
        "ActionsEnabled AlarmActions AlarmDescription AlarmName ComparisonOperator DatapointsToAlarm Dimensions.Name"
        " Dimensions.Value EvaluateLowSampleCountPercentile EvaluationPeriods ExtendedStatistic"
        " InsufficientDataActions MetricName Metrics.Id Metrics.Expression Metrics.Label Metrics.ReturnData"
        f" Metrics.Period {METRIC_STAT} Namespace OKActions Period Statistic Tags.* Threshold TreatMissingData Unit",
        alarm,
        delete_alarm,
        update=by_creating(alarm),
        named_by="AlarmName",
        exists=alarm_exists,
    ),
    ResourceType(
        "AWS::CloudWatch::Dashboard",
        "DashboardName DashboardBody",
        dashboard,
        delete_dashboard,
        update=by_creating(dashboard),
        named_by="DashboardName",
        exists=dashboard_exists,
    ),
)
