"""DescribeAlarmHistory, which moto lacks: the changes of an alarm's state, kept for 30 days, also after it was deleted.

Imitated: one alarm's or all alarms' changes of state, by time, in both orders, in pages; an entry's data as JSON. Not
imitated: the history of configurations and actions, composite alarms.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from offline.region import Region

KEPT = timedelta(days=30)
PAGE_ITEMS = 100
ENTRIES_MAX = 10_000


class AlarmHistory:
    """What the account's alarms did."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.entries: deque[dict[str, Any]] = deque(maxlen=ENTRIES_MAX)

    def record(self, name: str, previous: Mapping[str, Any], state: Mapping[str, Any]) -> None:
        """Note a change of state."""
        data = {"version": "1.0", "oldState": _told(previous), "newState": _told(state)}
        self.entries.append(
            {
                "AlarmName": name,
                "AlarmType": "MetricAlarm",
                "Timestamp": self.region.clock.now,
                "HistoryItemType": "StateUpdate",
                "HistorySummary": f"Alarm updated from {previous['value']} to {state['value']}",
                "HistoryData": json.dumps(data),
            }
        )

    def describe(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Answer DescribeAlarmHistory."""
        now = self.region.clock.now
        since, until = _aware(asked.get("StartDate")) or now - KEPT, _aware(asked.get("EndDate")) or now
        found = [
            entry
            for entry in self.entries
            if max(since, now - KEPT) <= entry["Timestamp"] <= until
            and asked.get("AlarmName", entry["AlarmName"]) == entry["AlarmName"]
            and asked.get("HistoryItemType", "StateUpdate") == "StateUpdate"
        ]
        if asked.get("ScanBy", "TimestampDescending") == "TimestampDescending":
            found.reverse()
        start, size = int(asked.get("NextToken", 0)), min(int(asked.get("MaxRecords", PAGE_ITEMS)), PAGE_ITEMS)
        more = {"NextToken": str(start + size)} if start + size < len(found) else {}
        return {"AlarmHistoryItems": found[start : start + size], **more}


def _told(state: Mapping[str, Any]) -> dict[str, Any]:
    return {"stateValue": state["value"], "stateReason": state["reason"]}


def _aware(moment: Any) -> datetime | None:
    if moment is None:
        return None
    found = moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment).replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def install(region: Region, history: AlarmHistory) -> None:
    """Give moto's CloudWatch its alarms' history."""
    region.patch(
        CloudWatchResponse,
        "describe_alarm_history",
        lambda response: ActionResult(
            history.describe({k: v for k, v in response._get_params().items() if v is not None})
        ),
        create=True,
    )
