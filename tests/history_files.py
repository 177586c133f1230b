"""The history's files as Athena would read them: the tables in DuckDB, and the same views and queries, parsed as Athena's SQL."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot

from kedge.config.model import ModelConfig
from kedge.history.predictions import COLUMNS, LABELS, answers_tables, predictions_sql
from kedge.history.queries import QUERIES
from kedge.history.tables import MONTH, TABLES
from kedge.history.views import DATABASE, WRITTEN, columns_of_view, newest_sql
from lambdas.adapters.bucket.history import schema_of

_PARTITIONS = re.compile(r"(\w+)=([^/]+)/")
_ARROW = {"string": pa.string(), "double": pa.float64(), "float": pa.float32(), "timestamp": pa.timestamp("ms")}


class Warehouse:
    """A database with the history's tables and views, filled from a bucket's objects."""

    def __init__(self, objects: Mapping[str, bytes], models: Iterable[ModelConfig], *, today: datetime) -> None:
        self._objects, self._today = objects, today
        self._database = duckdb.connect()
        self._database.execute(f"CREATE SCHEMA {DATABASE}; SET schema = '{DATABASE}'; SET TimeZone = 'UTC'")
        for table in TABLES.values():
            schema = schema_of(table).append(pa.field(MONTH, pa.string()))
            found = [self._rows(key, body) for key, body in self._below(f"history/{table.name}/", ".parquet")]
            self._keep(table.name + WRITTEN, pa.concat_tables([schema.empty_table(), *found]).cast(schema))
            self._view(table.name, newest_sql(table), [name for name, _ in columns_of_view(table)])
        self._predictions(list(models))

    def ask(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query of Athena's dialect."""
        answer = self._database.execute(self._translated(sql)).fetch_arrow_table()
        rows: list[dict[str, Any]] = answer.to_pylist()
        return rows

    def answers(self) -> dict[str, list[dict[str, Any]]]:
        """What each named query answers today."""
        return {query.name: self.ask(query.sql) for query in QUERIES}

    def _translated(self, sql: str) -> str:
        (parsed,) = sqlglot.parse(sql, read="athena")
        assert parsed is not None
        return parsed.sql(dialect="duckdb").replace("CURRENT_DATE", f"DATE '{self._today:%Y-%m-%d}'")

    def _view(self, name: str, sql: str, columns: list[str]) -> None:
        self._database.execute(f'CREATE VIEW {DATABASE}."{name}" AS {self._translated(sql)}')
        assert self._database.table(name).columns == columns

    def _keep(self, name: str, rows: pa.Table) -> None:
        self._database.from_arrow(rows).create(f"{DATABASE}.{name}")

    def _below(self, prefix: str, end: str) -> list[tuple[str, bytes]]:
        return [(k, body) for k, body in sorted(self._objects.items()) if k.startswith(prefix) and k.endswith(end)]

    def _rows(self, key: str, body: bytes) -> pa.Table:
        rows = pq.ParquetFile(io.BytesIO(body)).read()
        for name, value in _PARTITIONS.findall(key):
            rows = rows.append_column(name, pa.array([value] * rows.num_rows, pa.string()))
        return rows

    def _predictions(self, models: list[ModelConfig]) -> None:
        tables = answers_tables(models)
        for table in tables:
            schema = pa.schema(
                [*((n, _ARROW[k]) for n, k in table.columns), *((n, pa.string()) for n in ("model", MONTH, "$path"))]
            )
            found = [schema.empty_table()]
            for key, listed in self._below("history/answers/", ".txt"):
                partitions = dict(_PARTITIONS.findall(key))
                if partitions["model"] in table.models:
                    for uri in listed.decode().split():
                        found.append(_part(self._objects[uri.split("/", 3)[3]], schema, partitions | {"$path": uri}))
            self._keep(table.name, pa.concat_tables(found))
        beside = ("model", "date", "$path")
        schema = pa.schema([*((n, _ARROW[k]) for n, k in LABELS), *((name, pa.string()) for name in beside)])
        labels = [schema.empty_table()]
        for key, body in self._below("labelled/", ".parquet"):
            _, model, *date, _ = key.split("/")
            if date:
                values = (model, date[0].removeprefix("date="), key)
                labels.append(_part(body, schema, dict(zip(beside, values, strict=True))))
        self._keep("labels", pa.concat_tables(labels))
        names = {name: f'"{DATABASE}"."{name}"' for name in (*(table.name for table in tables), "labels")}
        self._view("predictions", predictions_sql(tables, names), [name for name, _ in COLUMNS])


def _part(body: bytes, schema: pa.Schema, beside: Mapping[str, str]) -> pa.Table:
    rows = pq.ParquetFile(io.BytesIO(body)).read()
    found = {name.lower(): rows.column(name) for name in rows.column_names}
    found |= {name: pa.array([value] * rows.num_rows) for name, value in beside.items()}
    return pa.table({field.name: _as(found[field.name], field.type) for field in schema})


def _as(values: Any, kind: pa.DataType) -> Any:
    # Athena reads microseconds in UTC as milliseconds without a zone.
    return (
        values.cast(pa.timestamp("ms", "UTC"), safe=False).cast(kind)
        if pa.types.is_timestamp(kind)
        else values.cast(kind)
    )


def newest_reports(objects: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """The newest report of each window, by its key."""
    newest: dict[str, tuple[int, str]] = {}
    for key in objects:
        if found := re.fullmatch(r"(reports/.*)/drift-r(\d+)\.json", key):
            newest[found[1]] = max(newest.get(found[1], (0, "")), (int(found[2]), key))
    return {key: json.loads(objects[key]) for _, key in newest.values()}


def moment(text: str) -> datetime:
    """An instant of a report as the tables hold it."""
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)


def rows_of(warehouse: Warehouse, table: str, window: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A window's rows in another table."""
    names = ("model", "package", "window_end")
    rows = warehouse.ask(f'SELECT * FROM "{table}"')  # noqa: S608  # one of ours
    return [row for row in rows if all(row[name] == window[name] for name in names)]


def check_against_reports(warehouse: Warehouse, objects: Mapping[str, bytes]) -> int:
    """Hold every row of the views against the JSON that people and programs read; return how many windows there are."""
    reports = newest_reports(objects)
    windows = {row["report_key"]: row for row in warehouse.ask("SELECT * FROM windows")}
    assert windows.keys() == reports.keys()
    for key, report in reports.items():
        window, quality = windows[key], report.get("performance", {})
        assert (window["model"], window["package"]) == (report["model"], report["baseline"])
        assert window["window_end"] == moment(report["window"]["end"])
        assert (window["rows"], window["severity"]) == (report["window"]["rows"], report["severity"])
        assert window["performance"] == quality.get("severity")
        columns = {row["name"]: row for row in rows_of(warehouse, "columns", window)}
        assert {
            name: (row["severity"], row["effect"], row["psi"], row["missing_fraction"]) for name, row in columns.items()
        } == {
            c["name"]: (c["severity"], c.get("effect"), c["statistics"].get("psi"), c.get("missing_fraction"))
            for c in report["columns"]
        }
        metrics = rows_of(warehouse, "metrics", window)
        for kind, part in (("measured", quality), ("estimated", quality.get("estimate", {}))):
            assert {
                r["metric"]: (r["value"], r["low"], r["high"], r["limit"]) for r in metrics if r["kind"] == kind
            } == {m["name"]: (m["value"], m["low"], m["high"], m.get("limit")) for m in part.get("metrics", ())}
        assert {r["metric"]: (r["value"], r["total"]) for r in metrics if r["kind"] == "business"} == {
            figure["name"]: (figure["value"], figure["total"]) for figure in quality.get("business", ())
        }
        assert len([r for r in metrics if r["kind"] == "segment"]) == len(quality.get("segments", ()))
    return len(reports)
