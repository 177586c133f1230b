"""What the history is made of, with the time at which S3 took it: reports, entries of the timeline, counted days."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any

from lambdas.adapters.bucket import layout, objects

_REPORT = re.compile(r".*/(?P<end>[^/]+)/drift-r(?P<revision>\d+)\.json")


def listed(s3: Any, bucket: str, prefix: str, *, start_after: str = "") -> dict[str, datetime]:
    """When each object below a prefix was written last, by key."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, StartAfter=start_after)
    return {item["Key"]: item["LastModified"] for page in pages for item in page.get("Contents", [])}


def reports(s3: Any, bucket: str, model: str, *, since: datetime) -> dict[str, datetime]:
    """The newest report of each window that ended at or after `since`."""
    newest: dict[str, tuple[int, str, datetime]] = {}
    for baseline in objects.list_folders(s3, bucket, layout.reports_prefix(model)):
        for key, written in listed(s3, bucket, baseline, start_after=f"{baseline}{since:%Y-%m-%dT%H}").items():
            if named := _REPORT.fullmatch(key):
                found = (int(named["revision"]), key, written)
                window = key.rpartition("/")[0]
                newest[window] = max(newest.get(window, found), found)
    return {key: written for _, key, written in newest.values()}


def entries(s3: Any, bucket: str, model: str, *, since: datetime) -> dict[str, datetime]:
    """The entries of the timeline from the day of `since` on."""
    prefix = layout.timeline_prefix(model)
    return listed(s3, bucket, prefix, start_after=f"{prefix}{since:%Y/%m/%d}")


def counted_days(s3: Any, bucket: str, model: str, *, since: datetime) -> dict[str, datetime]:
    """The day objects from the day of `since` on, of each package on its own baseline."""
    found: dict[str, datetime] = {}
    day_before = since.date() - timedelta(days=1) if since.date() > date.min else since.date()
    for package in objects.list_folders(s3, bucket, layout.profiles_prefix(model)):
        own = f"{package}{package.split('/')[-2]}/"
        found |= listed(s3, bucket, own, start_after=f"{own}{day_before:%Y-%m-%d}.npz")
    return found


def answers_lists(s3: Any, bucket: str, model: str) -> dict[str, datetime]:
    """The lists of parts that were written for a model's days."""
    return listed(s3, bucket, layout.answers_lists_prefix(model))
