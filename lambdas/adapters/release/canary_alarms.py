"""The alarms that guard one canary: which rang, and those that an earlier one has left."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from kedge.config.model import ModelConfig
from kedge.release.plan import alarm_prefix
from kedge.release.rung_alarms import RungAlarm

_LISTED = 100  # DescribeAlarms takes, and DeleteAlarms deletes, at most this many names


def delete(cloudwatch: Any, names: Iterable[str]) -> None:
    """Delete those of these alarms that exist: one unknown name makes DeleteAlarms delete none."""
    asked = list(names)
    for start in range(0, len(asked), _LISTED):
        answer = cloudwatch.describe_alarms(AlarmNames=asked[start : start + _LISTED], MaxRecords=_LISTED)
        if found := [alarm["AlarmName"] for alarm in answer["MetricAlarms"]]:
            cloudwatch.delete_alarms(AlarmNames=found)


def left_over(cloudwatch: Any, config: ModelConfig) -> list[str]:
    """Names of the canary alarms of a model: while nothing releases it, nobody needs them."""
    begins = alarm_prefix(config.stage, f"{config.resource_name}-v")
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=begins)
    # Another model's name may begin like this one's: the config's form tells them apart.
    ours = re.compile(rf"{re.escape(begins)}\d+-[0-9a-f]{{8}}-[a-z-]+")
    return [
        alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"] if ours.fullmatch(alarm["AlarmName"])
    ]


def rung(cloudwatch: Any, names: Iterable[str], *, since: datetime, until: datetime) -> tuple[RungAlarm, ...] | None:
    """Each alarm's first step into ALARM between two times; None where CloudWatch does not say: it is only told beside the rest.

    By their history, which outlives the alarms by weeks: one that rang is often OK again before anybody looks.
    """
    try:
        found = [_first(cloudwatch, name, since, until) for name in names]
    except (ClientError, BotoCoreError):
        return None
    return tuple(alarm for alarm in found if alarm is not None)


def _first(cloudwatch: Any, name: str, since: datetime, until: datetime) -> RungAlarm | None:
    pages = cloudwatch.get_paginator("describe_alarm_history").paginate(
        AlarmName=name, HistoryItemType="StateUpdate", StartDate=since, EndDate=until, ScanBy="TimestampAscending"
    )
    for entry in (entry for page in pages for entry in page["AlarmHistoryItems"]):
        state = json.loads(entry["HistoryData"]).get("newState", {})
        if state.get("stateValue") == "ALARM":
            return RungAlarm(name, entry["Timestamp"], state.get("stateReason", "CloudWatch gives no reason"))
    return None
