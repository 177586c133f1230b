"""Whether the alarms exist, are quiet, get data, and may send messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from cli.doctor.checks.installation import Installation
from cli.doctor.findings import Finding, failed, ok, warning
from cli.doctor.remedies import restore

ALARM = "AWS::CloudWatch::Alarm"
NAMES_PER_CALL = 100
# Twice the longest pause between two looks of watch_monitor, and an hour.
NO_DATA_MAX = timedelta(hours=25)


def check(installation: Installation) -> Iterator[Finding]:
    """Describe every alarm of the stacks."""
    stack_of = {alarm.physical_id: alarm.stack for alarm in installation.resources(ALARM)}
    names = list(stack_of)
    client = installation.client("cloudwatch")
    described: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(names), NAMES_PER_CALL):
        some = names[start : start + NAMES_PER_CALL]
        answer = client.describe_alarms(AlarmNames=some, MaxRecords=NAMES_PER_CALL)
        described |= {alarm["AlarmName"]: alarm for alarm in answer["MetricAlarms"]}
    for name in names:
        if name in described:
            yield state(described[name], installation.now)
        else:
            yield failed(name, "the alarm is gone", restore(stack_of[name]))


def state(alarm: Mapping[str, Any], now: datetime) -> Finding:
    """The alarm's state, and whether anyone would get its message."""
    name, since = alarm["AlarmName"], alarm["StateUpdatedTimestamp"]
    says = alarm.get("AlarmDescription") or name
    if not alarm.get("ActionsEnabled", True):
        remedy = f"aws cloudwatch enable-alarm-actions --alarm-names {name}"
        return failed(name, f"the alarm's actions are switched off, so it sends no message ({says})", remedy)
    if alarm["StateValue"] == "ALARM":
        reason = f"in ALARM since {since:%Y-%m-%d %H:%M} UTC: {says}"
        return failed(name, reason, "docs/operations.md#alarms says what to do about each")
    if alarm["StateValue"] == "INSUFFICIENT_DATA" and now - since > NO_DATA_MAX:
        reason = f"the alarm has had no data since {since:%Y-%m-%d %H:%M} UTC: {says}"
        remedy = "what it watches has stopped: docs/operations.md#alarms"
        return warning(name, reason, remedy)
    return ok(name, str(alarm["StateValue"]))
