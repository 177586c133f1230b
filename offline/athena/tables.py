"""The catalogue's tables as Athena reads them: Parquet below a location, or named by lists of objects there.

Imitated: Parquet tables, plain or through SymlinkTextInputFormat; partitions of the projection type `injected`, whose values
the WHERE clause must say, and `integer`, which no query may name; columns looked up by name, in any case, and null where a file
lacks them; types that must agree; `"$path"`; times by the millisecond. A table that says anything else is an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from moto.glue.exceptions import DatabaseNotFoundException, TableNotFoundException

from offline import roles
from offline.iam.athena import catalogue_needs
from offline.iam.guard import Guard
from offline.region import Region
from offline.sagemaker.storage import split_uri

if TYPE_CHECKING:
    from sqlglot import exp


TYPES = {
    "string": pa.string(),
    "double": pa.float64(),
    "float": pa.float32(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
}
TIMESTAMP = pa.timestamp("ms")  # Athena's, of tables that Hive could read
PARQUET, LISTS = "MapredParquetInputFormat", "SymlinkTextInputFormat"


class QueryError(Exception):
    """Athena's reason why a query failed."""


@dataclass(frozen=True)
class TableRows:
    """A table's rows, and what each column weighs in the files, compressed; a partition's column and `"$path"` weigh nothing."""

    rows: pa.Table
    chunk_bytes: Mapping[str, int]


def read_table(region: Region, guard: Guard, named: exp.Table, database: str) -> TableRows:
    """Read what a query's table holds, in the name of who asks."""
    table = _described(region, guard, named.db or database, named.name)
    values = _injected(table, named)
    files = [(uri, body) for uri, body in _files(region.plain_client("s3"), table, values)]
    columns = {each["Name"]: each["Type"] for each in table["StorageDescriptor"]["Columns"]}
    schema = pa.schema([*((name, _type(kind)) for name, kind in columns.items())])
    sizes = Counter[str]()
    rows = [_read(uri, body, columns, sizes) for uri, body in files]
    found = pa.concat_tables([schema.empty_table(), *rows])
    paths = [uri for (uri, _), table in zip(files, rows, strict=True) for _ in range(table.num_rows)]
    beside = {"$path": paths} | {name: [value] * found.num_rows for name, value in values.items()}
    for name, texts in beside.items():
        found = found.append_column(name, pa.array(texts, pa.string()))
    return TableRows(found, sizes)


def _described(region: Region, guard: Guard, database: str, name: str) -> dict[str, Any]:
    role = roles.current_role()
    for need in catalogue_needs("GetTable", database, name, region):
        guard.require(role, need.action, need.resource)
    try:
        return region.backend("glue").get_table(database, name).as_dict()  # type: ignore[no-any-return]
    except (DatabaseNotFoundException, TableNotFoundException) as error:
        raise QueryError(
            f"TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.{database}.{name}' does not exist"
        ) from error


def _injected(table: dict[str, Any], named: exp.Table) -> dict[str, str]:
    """The value that the query gives each partition column."""
    said = dict(equalities(named))
    values = {}
    for column in (each["Name"] for each in table.get("PartitionKeys", [])):
        kind = table["Parameters"].get(f"projection.{column}.type")
        if kind == "integer":
            continue  # any value: the query reads all that lies below the table
        if kind != "injected":
            raise NotImplementedError(f"of partitions only projected ones are imitated, not {column}")
        if column not in said:
            raise QueryError(
                f"CONSTRAINT_VIOLATION: For the injected projected partition column {column}, the WHERE clause must contain "
                "only static equality conditions, and at least one such condition must be present."
            )
        values[column] = said[column]
    return values


def equalities(named: exp.Table) -> Iterator[tuple[str, str]]:
    """Columns of a table that the WHERE clause of its own SELECT sets equal to a text."""
    from sqlglot import exp

    select = named.find_ancestor(exp.Select)
    where = select.args.get("where") if select else None
    for condition in where.this.find_all(exp.EQ) if where else ():
        left, right = condition.left, condition.right
        # Only what must hold says which partition to read: not one side of an OR, and nothing of a query inside this one.
        certain = condition.find_ancestor(exp.Or, exp.Not, exp.Select) is select
        column = isinstance(left, exp.Column) and left.table in ("", named.alias_or_name)
        if certain and column and isinstance(right, exp.Literal):
            yield left.name, str(right.this)


def _files(s3: Any, table: dict[str, Any], values: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    location = table["StorageDescriptor"]["Location"]
    if values:
        location = table["Parameters"]["storage.location.template"]
        for name, value in values.items():
            location = location.replace(f"${{{name}}}", value)
    below = [(uri, _body(s3, uri)) for uri in _listed(s3, location)]
    reader = table["StorageDescriptor"]["InputFormat"].rpartition(".")[2]
    if reader == PARQUET:
        yield from below
    elif reader == LISTS:
        yield from ((uri, _body(s3, uri)) for _, lines in below for uri in lines.decode().splitlines())
    else:
        raise NotImplementedError(f"the input format {reader} is not imitated")


def _listed(s3: Any, location: str) -> list[str]:
    bucket, prefix = split_uri(location)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return [f"s3://{bucket}/{key}" for key in keys if not key.rpartition("/")[2].startswith(("_", "."))]


def _body(s3: Any, uri: str) -> bytes:
    bucket, key = split_uri(uri)
    return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def _type(kind: str) -> pa.DataType:
    if kind == "timestamp":
        return TIMESTAMP
    if kind not in TYPES:
        raise NotImplementedError(f"columns of type {kind} are not imitated")
    return TYPES[kind]


def _read(uri: str, body: bytes, columns: dict[str, str], sizes: Counter[str]) -> pa.Table:
    file = pq.ParquetFile(pa.BufferReader(body))
    names = file.schema_arrow.names
    in_file = {name.lower(): name for name in reversed(names)} | {name: name for name in names}
    rows = file.read(columns=[in_file[name] for name in columns if name in in_file], use_threads=False)
    found = {}
    for name, kind in columns.items():
        if name not in in_file:
            found[name] = pa.nulls(rows.num_rows, _type(kind))
            continue
        found[name] = _column(rows.column(in_file[name]), name, kind, uri)
        sizes[name] += _chunk_bytes(file.metadata, names.index(in_file[name]))
    return pa.table(found)


def _chunk_bytes(metadata: pq.FileMetaData, place: int) -> int:
    groups = (metadata.row_group(group) for group in range(metadata.num_row_groups))
    return int(sum(group.column(place).total_compressed_size for group in groups))


def _column(values: Any, name: str, kind: str, uri: str) -> Any:
    if kind == "timestamp" and pa.types.is_timestamp(values.type):
        return pc.round_temporal(values, unit="millisecond").cast(TIMESTAMP)
    if values.type != _type(kind):
        raise QueryError(
            f"HIVE_BAD_DATA: Field {name}'s type {values.type} in parquet file {uri} is incompatible with type {kind} "
            "defined in table schema"
        )
    return values
