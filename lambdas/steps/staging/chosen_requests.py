"""Which requests a challenger on trial gets: rows of its holdout, and what clients sent in the busiest hour."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from typing import Any

from kedge.capture.source import source_of
from kedge.config.capture_place import capture_place, sampled_percentage
from kedge.config.model import ModelConfig
from kedge.config.staging import Staging
from kedge.package_schema import same_schema
from kedge.staging.load import BusyHour
from kedge.staging.requests import ReplayRequest, holdout_requests
from lambdas.adapters.bucket import days, layout, package_schemas, row_objects
from lambdas.adapters.captures import captured_requests, inference_logs
from lambdas.steps.retraining_run import scored_file

# Captures come minutes late: the last hours are not whole yet.
_WHOLE_AFTER = timedelta(hours=2)


def holdout_sample(
    s3: Any, bucket: str, config: ModelConfig, run: str, *, rows: int, wanted: int
) -> dict[str, ReplayRequest]:
    """Rows of the holdout, even over its time, by their ids.

    Parameters
    ----------
    rows : int
        Of the whole holdout.
    """
    key, step = layout.retraining_key(config.model, run, scored_file(config, "rows")), max(1, rows // wanted)
    chosen = io.BytesIO()
    with row_objects.open_object(s3, bucket, key) as opened:
        for number, line in enumerate(opened):
            if number % step == 0:
                chosen.write(line)
    return holdout_requests(chosen.getvalue(), config)


def busiest_hour(
    s3: Any, bucket: str, config: ModelConfig, policy: Staging, *, version: str | None, now: datetime
) -> BusyHour | None:
    """The whole hour of the last days in which the champion got most requests; None where none of them can be replayed.

    A challenger of another schema cannot read what the champion was sent.
    """
    if version is None or not same_schema(package_schemas.load(s3, bucket, config, version), config):
        return None
    since = now - timedelta(days=policy.from_days)
    counted = days.counted_days(s3, bucket, config.model, first=since.date(), last=now.date())
    keys = [key for of_day in counted.values() for key in of_day if key.split("/")[-2] == version]
    found = {
        hour: requests
        for hour, requests in days.requests_by_hour(s3, bucket, keys).items()
        if since <= hour <= now - _WHOLE_AFTER and requests
    }
    if not found:
        return None
    start = max(found, key=lambda hour: (found[hour], hour))
    return BusyHour(start, version, found[start], sampled_percentage(config, version) / 100)


def captured_in(s3: Any, bucket: str, config: ModelConfig, hour: BusyHour) -> list[ReplayRequest]:
    """What clients sent in that hour."""
    place, day = capture_place(config, hour.package_version, data_bucket=bucket), hour.start.date()
    folders = days.captured_folders(s3, bucket, config.model, first=day, last=day).get(hour.package_version, [])
    of_hour = [f"{folder}{hour.start:%H}/" for folder in folders]
    with inference_logs.readable(place):
        keys = inference_logs.keys_below(s3, place.bucket, of_hour, extension=source_of(config).extension)
        return captured_requests.load_requests(s3, place.bucket, keys, content_type=config.endpoint.content_type)
