"""Many small objects become one a table and month, while others read and write.

A run copies what no compacted object holds yet into a new one, and deletes nothing of that. A later night deletes what the newest
compacted object holds, once that has stood for an hour: a query that had listed the old objects has ended by then. So a reader
meets a row once or twice, never not at all; of two the newer counts. A second run at once finds nothing to do.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
from botocore.exceptions import ClientError

from kedge.history.newest import covered, newest_rows
from kedge.history.tables import TABLES
from lambdas.adapters.bucket import history, layout, objects

# Athena ends a query after half an hour unless its quota was raised.
STANDS_FOR = timedelta(hours=1)
_CHANGED = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409")


def compact(s3: Any, bucket: str, name: str, month: str, *, now: datetime) -> bool:
    """Bring one month of a table closer to one object; return whether a new one was written."""
    table, prefix = TABLES[name], layout.history_prefix(name, month)
    found = _listed(s3, bucket, prefix)
    compacted = sorted(key for key in found if key.startswith(prefix + history.COMPACTED))
    if len(found) < 2 and compacted:
        return False
    newest = compacted[-1] if compacted else None
    held = history.load_table(s3, bucket, newest, table) if newest else history.schema_of(table).empty_table()
    others = {key: history.load_table(s3, bucket, key, table) for key in found if key != newest}
    fresh = [rows for rows in others.values() if not covered(rows, held, table)]
    if fresh:
        rows = newest_rows(pa.concat_tables([held, *fresh]), table)
        history.save_table(s3, bucket, f"{prefix}{history.COMPACTED}{now:%Y%m%dT%H%M%S}.parquet", rows)
    elif newest and now - found[newest][1] >= STANDS_FOR:
        for key in others:
            _delete(s3, bucket, key, found[key][0])
    return bool(fresh)


def _listed(s3: Any, bucket: str, prefix: str) -> dict[str, tuple[str, datetime]]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {i["Key"]: (i["ETag"], i["LastModified"]) for page in pages for i in page.get("Contents", [])}


def _delete(s3: Any, bucket: str, key: str, etag: str) -> None:
    """Delete what was listed; an object that was written again meanwhile stays, for the next night."""
    try:
        s3.delete_object(Bucket=bucket, Key=key, IfMatch=etag)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _CHANGED and not objects.is_absent(error):
            raise
