"""Step 10: Athena joins the same rows as the function."""

from __future__ import annotations

from datetime import datetime, timedelta

from cli.operator.deployment import MONITORING
from cli.smoke.model import MODEL
from cli.smoke.proof import NotProvedError, Proof
from cli.smoke.steps.capture import CAPTURE_MINUTES, QUEUE_MINUTES, count_rows, measure
from cli.smoke.world import Smoke
from kedge.comparisons import counted
from kedge.instants import to_text
from kedge.own_columns import ROW_ID
from kedge.window_sql.joined import REPEATED, JoinedRows
from lambdas.adapters import athena_joins
from lambdas.adapters.bucket import layout, objects
from lambdas.steps.measuring.join_window import joined_in_memory, measured_columns

REQUESTS = 60


def prove(smoke: Smoke) -> Proof:
    """Have the champion's window joined by Athena, and compare it row by row with the join in memory."""
    champion, s3 = smoke.serving(), smoke.client("s3")
    names = smoke.ask(REQUESTS)
    smoke.waiting.pause(CAPTURE_MINUTES / 3 * 60)  # captures come up to ten minutes late
    count_rows(smoke, champion, names)
    measure(smoke, champion, names)
    start, end = champion.promoted_at, smoke.now + timedelta(minutes=1)
    prefix, keys = _joined_by_athena(smoke, start, end)
    schema = JoinedRows(smoke.config, tuple(measured_columns(smoke.config)), "", "", "", "", end).schema
    there = athena_joins.load_unloaded(s3, smoke.bucket, keys, schema).drop_columns([REPEATED]).sort_by(ROW_ID)
    here = joined_in_memory(s3, smoke.bucket, smoke.config, champion, start, end)
    here = here.sort_by(ROW_ID).select(there.column_names) if here is not None else there.slice(0, 0)
    arn = f"arn:aws:s3:::{smoke.bucket}/{prefix}joined/"
    if here.cast(there.schema) != there:
        raise NotProvedError(
            f"Athena joined {counted(there.num_rows, 'row')}, the function {here.num_rows:,}, and they are not the same",
            arn=arn,
            remedy="keep both and report it: this is a fault of Kedge",
        )
    return Proof(arn, f"the {there.num_rows:,} rows that Athena joined are those of the function, labels included")


def _joined_by_athena(smoke: Smoke, start: datetime, end: datetime) -> tuple[str, list[str]]:
    """Send the window to the function that starts the join; the new join's prefix and the objects of its rows, once all are written."""
    s3, below = smoke.client("s3"), layout.joins_prefix(MODEL)
    known = set(objects.list_folders(s3, smoke.bucket, below))
    window = {"start": to_text(start), "end": to_text(end)}
    message = {"model": MODEL, "time": to_text(end), "window": window, "start": to_text(start)}
    url = smoke.send(MONITORING, "Joins", message)

    def joined() -> tuple[str, list[str]] | None:
        for prefix in objects.list_folders(s3, smoke.bucket, below):
            if prefix not in known and (keys := athena_joins.load_list(s3, smoke.bucket, prefix + athena_joins.ROWS)):
                return prefix, keys
        return None

    found = smoke.waiting.until(joined, minutes=QUEUE_MINUTES)
    if found is None:
        raise NotProvedError(
            "Athena joined nothing",
            arn=url,
            remedy="look at the log of join_labels, and at the queries of the workgroup `kedge` in the Athena console",
        )
    return found
