"""The alarms that guard one canary, and those that an earlier one has left."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_LISTED = 100  # DescribeAlarms takes, and DeleteAlarms deletes, at most this many names


def delete(cloudwatch: Any, names: Iterable[str]) -> None:
    """Delete those of these alarms that exist: one unknown name makes DeleteAlarms delete none."""
    asked = list(names)
    for start in range(0, len(asked), _LISTED):
        answer = cloudwatch.describe_alarms(AlarmNames=asked[start : start + _LISTED], MaxRecords=_LISTED)
        if found := [alarm["AlarmName"] for alarm in answer["MetricAlarms"]]:
            cloudwatch.delete_alarms(AlarmNames=found)


def left_over(cloudwatch: Any, model: str) -> list[str]:
    """Names of the canary alarms of a model: while nothing releases it, nobody needs them."""
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"kedge-{model}-v")
    # Another model's name may begin like this one's: the config's form tells them apart.
    ours = re.compile(rf"kedge-{re.escape(model)}-v\d+-[0-9a-f]{{8}}-[a-z-]+")
    return [
        alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"] if ours.fullmatch(alarm["AlarmName"])
    ]
