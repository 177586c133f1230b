"""CloudTrail's LookupEvents, which moto lacks: the management calls on endpoints, a quarter of an hour late.

Imitated: the lookup by the call's name and by the resource's, newest first, in pages; who called, with which parameters,
and whether it was denied. Not imitated: all other calls, the limit of two lookups a second, the 90 days.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.cloudtrail.responses import CloudTrailResponse

from offline.region import Region

# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html: on average within 5 minutes, at times 15.
DELAY = timedelta(minutes=15)
RECORDED = ("CreateEndpoint", "UpdateEndpoint", "UpdateEndpointWeightsAndCapacities", "DeleteEndpoint")
PAGE_ITEMS = 50


@dataclass(frozen=True)
class TrailEvent:
    """A call on an endpoint."""

    time: datetime
    role_arn: str
    operation: str
    endpoint: str
    config: str | None
    allowed: bool

    def to_json(self, number: int, region: str) -> dict[str, Any]:
        """As LookupEvents answers it."""
        record = {
            "eventTime": f"{self.time:%Y-%m-%dT%H:%M:%SZ}",
            "eventSource": "sagemaker.amazonaws.com",
            "eventName": self.operation,
            "awsRegion": region,
            "userIdentity": {"type": "AssumedRole", "arn": self.role_arn},
            "requestParameters": {"endpointName": self.endpoint}
            | ({"endpointConfigName": self.config} if self.config else {}),
        } | ({} if self.allowed else {"errorCode": "AccessDenied"})
        return {
            "EventId": f"{number:032x}",
            "EventName": self.operation,
            "ReadOnly": "false",
            "EventTime": self.time.timestamp(),
            "EventSource": "sagemaker.amazonaws.com",
            "Username": self.role_arn.rpartition("/")[2],
            "Resources": [{"ResourceType": "AWS::SageMaker::Endpoint", "ResourceName": self.endpoint}],
            "CloudTrailEvent": json.dumps(record),
        }


class Trail:
    """What CloudTrail has recorded."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.events: list[TrailEvent] = []

    def record(self, role_arn: str, service: str, operation: str, params: Mapping[str, Any], *, allowed: bool) -> None:
        """Note a call, if it is one on an endpoint."""
        if service == "sagemaker" and operation in RECORDED:
            endpoint = str(params.get("EndpointName", ""))
            config = params.get("EndpointConfigName")
            self.events.append(TrailEvent(self.region.clock.now, role_arn, operation, endpoint, config, allowed))

    def lookup(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Answer LookupEvents."""
        wanted = {each["AttributeKey"]: each["AttributeValue"] for each in asked.get("LookupAttributes", [])}
        first, last = (_moment(asked[key]) if key in asked else None for key in ("StartTime", "EndTime"))
        known = [
            event.to_json(number, self.region.name)
            for number, event in enumerate(self.events)
            if event.time + DELAY <= self.region.clock.now
            and (first is None or event.time >= first)
            and (last is None or event.time <= last)
            and wanted.get("EventName", event.operation) == event.operation
            and wanted.get("ResourceName", event.endpoint) == event.endpoint
        ][::-1]
        start, size = int(asked.get("NextToken", 0)), min(asked.get("MaxResults", PAGE_ITEMS), PAGE_ITEMS)
        more = {"NextToken": str(start + size)} if start + size < len(known) else {}
        return {"Events": known[start : start + size], **more}


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)


def install(region: Region, trail: Trail) -> None:
    """Give moto's CloudTrail its lookup."""
    region.patch(CloudTrailResponse, "lookup_events", _lookup(trail), create=True)


def _lookup(trail: Trail) -> Any:
    def lookup_events(response: Any) -> str:
        return json.dumps(trail.lookup(json.loads(response.body or "{}")))

    return lookup_events
