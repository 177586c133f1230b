"""CloudTrail: who changed an endpoint, as far as it says so; its events come about a quarter of an hour late."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

# An account with more such events in the time is not searched further: LookupEvents takes two requests a second.
_PAGES = 4


@dataclass(frozen=True)
class EndpointChange:
    """One change of an endpoint: what was called, by whom, and when."""

    call: str
    by: str
    time: datetime


def last_change(
    cloudtrail: Any, endpoint: str, config: str | None, *, since: datetime, until: datetime
) -> EndpointChange | None:
    """The newest call that put this config into service, or deleted the endpoint where no config serves.

    Any other call is not the change: the newest one may have been our own, while a person's is not in CloudTrail yet. None
    where CloudTrail does not say, or may not be asked: it is only told beside the rest.
    """
    asked = {"endpointName": endpoint} | ({"endpointConfigName": config} if config else {})
    calls = ("UpdateEndpoint", "CreateEndpoint") if config else ("DeleteEndpoint",)
    try:
        found = [change for call in calls for change in _changes(cloudtrail, call, asked, since=since, until=until)]
    except (ClientError, BotoCoreError):
        return None
    return max(found, key=lambda change: change.time, default=None)


def _changes(
    cloudtrail: Any, call: str, asked: dict[str, str], *, since: datetime, until: datetime
) -> list[EndpointChange]:
    # By the call's name and not by the resource's: which resources an event names differs from service to service.
    pages = cloudtrail.get_paginator("lookup_events").paginate(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": call}],
        StartTime=since,
        EndTime=until,
        PaginationConfig={"MaxItems": _PAGES * 50},
    )
    found = []
    for event in (event for page in pages for event in page.get("Events", [])):
        record = json.loads(event["CloudTrailEvent"])
        is_it = asked.items() <= (record.get("requestParameters") or {}).items()
        if is_it and event["EventName"] == call and not record.get("errorCode"):
            by = (record.get("userIdentity") or {}).get("arn") or event.get("Username", "unknown")
            found.append(EndpointChange(call, by, event["EventTime"]))
    return found
