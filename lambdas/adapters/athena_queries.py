"""Queries of Athena and the tables that they read: the only importer of awswrangler, and with it of pandas."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import awswrangler as wr

from kedge.errors import JoinCancelledError, JoinFailedError, JoinUnfinishedError, QueryTooLongError
from kedge.labels.join_sql import RUN, CatalogueTable

_HIVE = "org.apache.hadoop.hive.ql.io"
# https://docs.aws.amazon.com/athena/latest/ug/service-limits.html
SQL_BYTES_MAX = 262_144
# What a reason begins with, such as HIVE_BAD_DATA.
_CODE = re.compile(r"[A-Z]+(_[A-Z]+)+\b")
_ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
_POLL_SECONDS, _POLL_SECONDS_MAX = 0.25, 5.0
# What stopping a query and failing cleanly may take.
_RESERVE_SECONDS = 20.0


def create_table(glue: Any, database: str, table: CatalogueTable) -> None:
    """Describe a table to the catalogue, unless it is there: a table's name says what it is, so it never changes.

    `awswrangler.catalog.create_parquet_table` would call the column `Lead Time` `lead_time`, and Athena, which looks columns
    up by name, would find nothing in it.
    """
    columns = [{"Name": name.lower(), "Type": kind} for name, kind in table.columns]
    # The partition is said by each query and its address follows from it: nobody has to register one.
    projected = {"projection.enabled": "true", f"projection.{RUN}.type": "injected"}
    description = {
        "Name": table.name,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": RUN, "Type": "string"}],
        "Parameters": {"EXTERNAL": "TRUE", "storage.location.template": table.location, **projected},
        "StorageDescriptor": {
            "Columns": columns,
            "Location": table.location.partition("${")[0],
            "InputFormat": f"{_HIVE}.SymlinkTextInputFormat",
            "OutputFormat": f"{_HIVE}.HiveIgnoreKeyTextOutputFormat",
            "SerdeInfo": {"SerializationLibrary": f"{_HIVE}.parquet.serde.ParquetHiveSerDe"},
        },
    }
    try:
        glue.create_table(DatabaseName=database, TableInput=description)
    except glue.exceptions.AlreadyExistsException:
        return


def run(sql: str, *, database: str, workgroup: str, remaining_seconds: Callable[[], float]) -> None:
    """Run a query to its end; one that the function cannot wait for is stopped.

    `awswrangler.athena.unload` waits for ever and does not tell which query it waits for.
    """
    if len(sql.encode()) > SQL_BYTES_MAX:
        raise QueryTooLongError(found_bytes=len(sql.encode()), bytes_max=SQL_BYTES_MAX)
    query = wr.athena.start_query_execution(sql, database=database, workgroup=workgroup)
    wait = _POLL_SECONDS
    while (status := wr.athena.get_query_execution(query)["Status"])["State"] not in _ENDED:
        if remaining_seconds() < _RESERVE_SECONDS:
            wr.athena.stop_query_execution(query)
            raise JoinUnfinishedError(query=query)
        time.sleep(wait)
        wait = min(wait * 1.5, _POLL_SECONDS_MAX)
    if status["State"] == "CANCELLED":
        # Not by Kedge, which stops a query only to raise another error.
        raise JoinCancelledError(query=query)
    if status["State"] != "SUCCEEDED":
        # What follows the code may quote a value; the query's own page in Athena has all of it.
        said = status.get("StateChangeReason")
        code = _CODE.match(said or "")
        reason = code[0] if code else "see the query in Athena" if said else "no reason was given"
        raise JoinFailedError(query=query, state=status["State"], reason=reason)
