"""Athena: runs the SQL that it is given over the catalogue's tables and S3's objects, in the name of who asks.

The real service plans a query with Trino, reads and writes S3 as the caller, and ends it as SUCCEEDED, FAILED or CANCELLED.
Imitated: UNLOAD of a SELECT, parsed in Athena's dialect (sqlglot) and executed by DuckDB; its tables (`offline.athena.tables`);
a target that must be empty, files named as Athena names them, times without a zone; the manifest in the workgroup's own place;
the permissions; failures with Athena's reasons; the bytes that a query scans (`offline.athena.scans`), and the workgroup's limit of
them, which ends it as CANCELLED. A query takes no time on the account's clock: it is a function that waits for it, within one instant.
Not imitated, and an error: every other statement.
"""

from __future__ import annotations

import io
import json
import re
import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError
from moto.athena.models import AthenaBackend, Execution
from moto.athena.responses import AthenaResponse
from moto.core.exceptions import JsonRESTError
from moto.moto_api._internal import mock_random

from offline.athena.scans import Scans
from offline.athena.tables import QueryError, equalities, read_table
from offline.iam.guard import Guard
from offline.region import Region
from offline.sagemaker.storage import split_uri

if TYPE_CHECKING:
    from sqlglot import exp


UNLOAD = re.compile(r"\s*UNLOAD\s*\((.*)\)\s*TO\s*'((?:[^']|'')+)'\s*WITH\s*\(([^()]*)\)\s*", re.DOTALL | re.IGNORECASE)
OPTION = re.compile(r"(\w+)\s*=\s*'([^']*)'")
SQL_BYTES_MAX = 262_144
# Functions of Trino's that DuckDB lacks, or knows by another name. A double's bits are their number already.
TRINO_FUNCTIONS = (
    "CREATE MACRO to_ieee754_64(x) AS CAST(CAST(x AS DOUBLE) AS BIT)",
    "CREATE MACRO from_big_endian_64(x) AS CAST(x AS BIGINT)",
    "CREATE MACRO bitwise_right_shift(x, n) AS x >> n",
    "CREATE MACRO is_infinite(x) AS isinf(x)",
)
FILES = 2  # as many workers would write theirs


class ScanLimitError(QueryError):
    """A query would read more than its workgroup allows."""


def install(region: Region, guard: Guard) -> None:
    """Have moto's Athena run what it is asked."""
    start, describe = AthenaBackend.start_query_execution, AthenaResponse.get_query_execution
    reasons, scanned = dict[str, str](), dict[str, int]()

    def started(backend: AthenaBackend, query: str, *args: Any, **named: Any) -> str:
        select, target = _parsed(query)
        identifier = start(backend, query, *args, **named)
        execution = backend.executions[identifier]
        try:
            scanned[identifier] = _run(region, guard, execution, select, target)
            execution.status = "SUCCEEDED"
        except ScanLimitError as error:
            execution.status, reasons[identifier] = "CANCELLED", str(error)
        except QueryError as error:
            execution.status, reasons[identifier] = "FAILED", str(error)
        return identifier

    def described(response: AthenaResponse) -> str:
        answer = json.loads(describe(response))
        query = answer["QueryExecution"]
        identifier = query["QueryExecutionId"]
        if identifier in reasons:
            query["Status"]["StateChangeReason"] = reasons[identifier]
        query["Statistics"]["DataScannedInBytes"] = scanned.get(identifier, 0)
        return json.dumps(answer)

    region.patch(AthenaBackend, "start_query_execution", started)
    region.patch(AthenaResponse, "get_query_execution", described)


def _parsed(query: str) -> tuple[exp.Expression, str]:
    """The SELECT of an UNLOAD, and where its result goes."""
    import sqlglot  # with DuckDB, a development requirement: not for those who never query
    from sqlglot.errors import SqlglotError

    if len(query.encode()) > SQL_BYTES_MAX:
        raise _refusal(f"Query string is longer than {SQL_BYTES_MAX} bytes")
    unload = UNLOAD.fullmatch(query)
    options = dict(OPTION.findall(unload[3])) if unload else {}
    if unload is None or {name.lower(): value.upper() for name, value in options.items()}.get("format") != "PARQUET":
        raise NotImplementedError(f"of Athena's statements only UNLOAD to Parquet is imitated, not: {query[:80]}")
    try:
        return sqlglot.parse_one(unload[1], read="athena"), unload[2].replace("''", "'")
    except SqlglotError as error:
        raise _refusal(f"line 1:1: {error}") from error


def _refusal(message: str) -> JsonRESTError:
    return JsonRESTError("InvalidRequestException", message)


def _run(region: Region, guard: Guard, execution: Execution, select: exp.Expression, target: str) -> int:
    """Run a query, and return how many bytes it has scanned."""
    s3 = region.plain_client("s3")
    database = (execution.context or {}).get("Database", "default")  # type: ignore[attr-defined]  # moto types it as text
    try:
        bucket, prefix = split_uri(target)
        s3.get_bucket_location(Bucket=bucket)
        limit = execution.workgroup.configuration.get("BytesScannedCutoffPerQuery")
        result, scanned = _executed(region, guard, select, database, limit)
        _check_columns(result.schema)
        if s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount"):
            raise QueryError(f"HIVE_PATH_ALREADY_EXISTS: Target directory for table already exists: {target}")
        written = _write(s3, bucket, prefix, result)
        bucket, key = split_uri(execution.workgroup.configuration["ResultConfiguration"]["OutputLocation"])
        manifest = "".join(f"{uri}\n" for uri in written)
        s3.put_object(Bucket=bucket, Key=f"{key}{execution.id}-manifest.csv", Body=manifest.encode())
        return scanned
    except ClientError as error:
        raise QueryError(f"PERMISSION_DENIED: {error.response['Error']['Message']}") from error


def _executed(
    region: Region, guard: Guard, select: exp.Expression, database: str, limit: int | None
) -> tuple[pa.Table, int]:
    import duckdb
    from sqlglot import exp

    with duckdb.connect(config={"threads": 1}) as connection:
        for macro in TRINO_FUNCTIONS:
            connection.execute(macro)
        scans, known = Scans(connection), dict[Any, str]()
        for table in list(select.find_all(exp.Table)):
            # Each mention is a scan of the same rows: here they are read once.
            what = (table.db, table.name, *sorted(equalities(table)))
            if what not in known:
                known[what] = scans.register(read_table(region, guard, table, database))
            table.set("this", exp.to_identifier(known[what]))
            table.set("db", None)
        for digest in list(select.find_all(exp.SHA2)):
            # Trino's is of bytes; DuckDB's is their text already.
            digest.replace(exp.Unhex(this=digest.copy()))
        sql = select.sql("duckdb")
        try:
            scanned = scans.bytes_of(sql)
            if limit is not None and scanned > limit:
                raise ScanLimitError("Bytes scanned limit was exceeded")
            return connection.execute(sql).fetch_arrow_table(), scanned
        except duckdb.Error as error:
            raise QueryError(f"SYNTAX_ERROR: {error}") from error


def _check_columns(schema: pa.Schema) -> None:
    names = [name.lower() for name in schema.names]
    for field in schema:
        if names.count(field.name.lower()) > 1:
            raise QueryError(f"DUPLICATE_COLUMN_NAME: Column name '{field.name.lower()}' specified more than once")
        if getattr(field.type, "tz", None):
            raise QueryError("NOT_SUPPORTED: Unsupported Hive type: timestamp(3) with time zone")


def _write(s3: Any, bucket: str, prefix: str, result: pa.Table) -> list[str]:
    """Write the rows as several workers do, or nothing where there are none."""
    result = result.rename_columns([name.lower() for name in result.schema.names])
    size = -(-result.num_rows // FILES)
    written = []
    for start in range(0, result.num_rows, size or 1):
        sink = io.BytesIO()
        pq.write_table(result.slice(start, size), sink, compression="snappy", use_deprecated_int96_timestamps=True)
        key = f"{prefix}{time.strftime('%Y%m%d_%H%M%S')}_{start:05d}_offln_{mock_random.uuid4()}"
        s3.put_object(Bucket=bucket, Key=key, Body=sink.getvalue())
        written.append(f"s3://{bucket}/{key}")
    return written
