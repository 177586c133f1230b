"""Step 7: every request is captured, counted and joined with its label."""

from __future__ import annotations

import json
from datetime import timedelta

from cli.operator.deployment import MONITORING
from cli.smoke.model import MODEL
from cli.smoke.proof import NotProvedError, Proof
from cli.smoke.world import Smoke
from kedge.config.capture_place import capture_prefix
from kedge.instants import to_text
from kedge.own_columns import ROW_ID
from lambdas.adapters.bucket import days, layout, objects, predictions, reports
from lambdas.adapters.state.champions import Champion

REQUESTS = 200
CAPTURE_MINUTES, QUEUE_MINUTES = 30, 15


def prove(smoke: Smoke) -> Proof:
    """Send requests with ids of their own; count what was captured, and fold and join their labels."""
    champion = smoke.serving()
    names = smoke.ask(REQUESTS)
    if len(names) != REQUESTS:
        raise NotProvedError(
            f"{REQUESTS - len(names)} of {REQUESTS} requests were answered by an error",
            arn=smoke.config.endpoint.name,
            remedy="look at the endpoint's log in CloudWatch: /aws/sagemaker/Endpoints/kedge-smoke",
        )
    captured = await_captures(smoke, champion, REQUESTS)
    count_rows(smoke, champion, names)
    key = measure(smoke, champion, names)
    return Proof(
        f"arn:aws:s3:::{smoke.bucket}/{key}",
        f"{REQUESTS} requests sent, {captured} captured, {REQUESTS} counted, {REQUESTS} labels joined",
    )


def await_captures(smoke: Smoke, champion: Champion, count: int) -> int:
    """Wait until `count` of a package's records have been captured."""
    prefix, s3 = f"{capture_prefix(MODEL, champion.package_version)}/", smoke.client("s3")

    def found() -> int:
        keys = objects.list_objects(s3, smoke.bucket, prefix)
        bodies = (s3.get_object(Bucket=smoke.bucket, Key=key)["Body"].read() for key in keys)
        return sum(len(body.splitlines()) for body in bodies)

    smoke.waiting.until(lambda: found() >= count, minutes=CAPTURE_MINUTES, pause_seconds=60)
    if (records := found()) < count:
        raise NotProvedError(
            f"{records} of {count} requests were captured within {CAPTURE_MINUTES} minutes",
            arn=f"arn:aws:s3:::{smoke.bucket}/{prefix}",
            remedy="look at DataCaptureConfig of the endpoint's config, and whether Kedge's SageMaker role may write there",
        )
    return records


def count_rows(smoke: Smoke, champion: Champion, names: list[str]) -> None:
    """Have profile_logs count, and compare its rows with what was sent."""
    url, wanted = smoke.send(MONITORING, "Profiles", {"model": MODEL, "time": to_text(smoke.now)}), set(names)

    smoke.waiting.until(lambda: wanted <= rows_counted(smoke, champion), minutes=QUEUE_MINUTES)
    missing = len(wanted - rows_counted(smoke, champion))
    if missing:
        raise NotProvedError(
            f"{missing} of {len(wanted)} captured rows were not counted: {_quarantined(smoke, champion)}",
            arn=url,
            remedy="look at the log of profile_logs, and at docs/operations.md#quarantine",
        )


def rows_counted(smoke: Smoke, champion: Champion) -> set[str]:
    """The ids of the champion's rows that the days of yesterday and today have counted."""
    today, s3 = smoke.now.date(), smoke.client("s3")
    prefix = layout.profile_days_prefix(MODEL, champion.package_version, champion.baseline)
    parts = days.parts_of_package(s3, smoke.bucket, prefix, first=today - timedelta(days=1), last=today)
    rows = predictions.load_parts(s3, smoke.bucket, parts, [ROW_ID])
    return set() if rows is None else set(rows.column(ROW_ID).to_pylist())


def _quarantined(smoke: Smoke, champion: Champion) -> str:
    """Why records could not be read, each reason once."""
    s3 = smoke.client("s3")
    keys = objects.list_objects(s3, smoke.bucket, layout.quarantine_prefix(MODEL, champion.package_version))
    bodies = (s3.get_object(Bucket=smoke.bucket, Key=key)["Body"].read() for key in keys)
    reasons = {json.loads(line)["reason"] for body in bodies for line in body.splitlines()}
    return "; ".join(sorted(reasons)) or "nothing is in quarantine, so they were not read at all"


def measure(smoke: Smoke, champion: Champion, names: list[str]) -> str:
    """Upload the labels of some rows and have the window measured; the key of the report that joined them."""
    s3 = smoke.client("s3")
    smoke.label(names)
    end = smoke.now + timedelta(minutes=1)  # requests of this very minute are in it
    window = {"start": to_text(champion.promoted_at), "end": to_text(end)}
    key = layout.performance_key(MODEL, champion.baseline, end)
    earlier = reports.load_json(s3, smoke.bucket, key)  # of a window that ended within the same hour
    url = smoke.send(MONITORING, "Performances", {"model": MODEL, "time": to_text(end), "window": window})

    def joined() -> int:
        document = reports.load_json(s3, smoke.bucket, key)
        return 0 if document in (None, earlier) else int(document["join"].get("labelled_rows", 0))

    smoke.waiting.until(lambda: joined() >= len(names), minutes=QUEUE_MINUTES)
    if (found := joined()) < len(names):
        raise NotProvedError(
            f"{found} of {len(names)} labels were joined with their rows",
            arn=url,
            remedy="look at the log of measure_performance, and at docs/operations.md#fold-labels-again",
        )
    return key
