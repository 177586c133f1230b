"""What an alarm's change of state looks like to others: the JSON on a topic, the event, a function's input.

The shapes are those that CloudWatch sends; pagers parse the first, rules match the second.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

REGION_NAMES = {"eu-west-1": "EU (Ireland)", "eu-central-1": "EU (Frankfurt)", "us-east-1": "US East (N. Virginia)"}
STATISTIC_WORDS = {
    "Sum": "SUM",
    "Average": "AVERAGE",
    "Minimum": "MINIMUM",
    "Maximum": "MAXIMUM",
    "SampleCount": "SAMPLE_COUNT",
}


def subject(alarm: Any) -> str:
    """Return the e-mail's subject, cut to what SNS takes."""
    region = REGION_NAMES.get(alarm.region_name, alarm.region_name)
    return f'{alarm.state_value}: "{alarm.name}" in {region}'[:100]


def topic_message(alarm: Any, previous: dict[str, Any], account_id: str) -> dict[str, Any]:
    """Return the JSON that a topic gets."""
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": account_id,
        "AlarmConfigurationUpdatedTimestamp": _stamp(alarm.configuration_updated_timestamp),
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": _stamp(alarm.state_updated_timestamp),
        "Region": REGION_NAMES.get(alarm.region_name, alarm.region_name),
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": previous["value"],
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
        "Trigger": _trigger(alarm),
    }


def event_detail(alarm: Any, previous: dict[str, Any]) -> dict[str, Any]:
    """Return the detail of "CloudWatch Alarm State Change"."""
    return {
        "alarmName": alarm.name,
        "configuration": {"description": alarm.description, "metrics": _metrics(alarm)},
        "previousState": previous,
        "state": state(alarm),
    }


def function_input(alarm: Any, previous: dict[str, Any], account_id: str) -> dict[str, Any]:
    """Return what a function gets that an alarm calls."""
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.alarm_arn,
        "accountId": account_id,
        "time": _stamp(alarm.state_updated_timestamp),
        "region": alarm.region_name,
        "alarmData": event_detail(alarm, previous),
    }


def state(alarm: Any) -> dict[str, Any]:
    """Return an alarm's present state as events tell it."""
    return {
        "value": alarm.state_value,
        "reason": alarm.state_reason,
        "reasonData": alarm.state_reason_data,
        "timestamp": _stamp(alarm.state_updated_timestamp),
    }


def _trigger(alarm: Any) -> dict[str, Any]:
    common = {
        "Period": alarm.period,
        "EvaluationPeriods": alarm.evaluation_periods,
        "DatapointsToAlarm": alarm.datapoints_to_alarm or alarm.evaluation_periods,
        "ComparisonOperator": alarm.comparison_operator,
        "Threshold": alarm.threshold,
        "TreatMissingData": alarm.treat_missing_data or "missing",
        "EvaluateLowSampleCountPercentile": alarm.evaluate_low_sample_count_percentile or "",
    }
    if alarm.metric_data_queries:
        metrics = [
            {"Id": query.id, "Expression": query.expression, "Label": query.label, "ReturnData": query.return_data}
            if query.expression
            else {"Id": query.id, "MetricStat": _metric_stat(query.metric_stat), "ReturnData": query.return_data}
            for query in alarm.metric_data_queries
        ]
        return {key: value for key, value in common.items() if key != "Period"} | {"Metrics": metrics}
    return {
        "MetricName": alarm.metric_name,
        "Namespace": alarm.namespace,
        "StatisticType": "Statistic" if alarm.statistic else "ExtendedStatistic",
        "Statistic": STATISTIC_WORDS.get(alarm.statistic, alarm.extended_statistic),
        "Unit": alarm.unit,
        "Dimensions": [{"value": item.value, "name": item.name} for item in alarm.dimensions],
    } | common


def _metric_stat(stat: Any) -> dict[str, Any]:
    dimensions = [{"name": item.name, "value": item.value} for item in stat.metric.dimensions]
    metric = {"MetricName": stat.metric.metric_name, "Namespace": stat.metric.namespace, "Dimensions": dimensions}
    return {"Metric": metric, "Period": stat.period, "Stat": stat.stat}


def _metrics(alarm: Any) -> list[dict[str, Any]]:
    """Return the metrics that an alarm reads as events tell them."""
    if not alarm.metric_data_queries:
        dimensions = {item.name: item.value for item in alarm.dimensions}
        metric = {"namespace": alarm.namespace, "name": alarm.metric_name, "dimensions": dimensions}
        stat = alarm.statistic or alarm.extended_statistic
        return [
            {"id": "m1", "metricStat": {"metric": metric, "period": alarm.period, "stat": stat}, "returnData": True}
        ]
    told = []
    for query in alarm.metric_data_queries:
        entry: dict[str, Any] = {"id": query.id, "returnData": query.return_data is not False}
        if query.expression:
            entry |= {"expression": query.expression, "label": query.label}
        else:
            stat = query.metric_stat
            dimensions = {item.name: item.value for item in stat.metric.dimensions}
            metric = {"namespace": stat.metric.namespace, "name": stat.metric.metric_name, "dimensions": dimensions}
            entry["metricStat"] = {"metric": metric, "period": stat.period, "stat": stat.stat}
        told.append(entry)
    return told


def _stamp(time: datetime) -> str:
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}+0000"
