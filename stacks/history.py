"""The history for business intelligence: its tables, views and queries in the Glue catalogue, and the function that keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_athena as athena
from aws_cdk import aws_glue as glue
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from kedge.config.model import ModelConfig
from kedge.history.predictions import COLUMNS as PREDICTIONS
from kedge.history.predictions import LABELS, AnswersTable, answers_tables, predictions_sql
from kedge.history.queries import QUERIES
from kedge.history.tables import MONTH, TABLES, HistoryTable
from kedge.history.views import DATABASE, HIVE, WRITTEN, columns_of_view, hive_types, newest_sql, presto_view
from stacks.parts.access import OBJECTS, allow, may_read, may_use_key, may_write, objects_below
from stacks.parts.functions import add_function, role_of
from stacks.parts.naming import stage_of
from stacks.parts.packages import Packages
from stacks.storage import Storage

KEEP_SECONDS = 900
# The first month and day that projection looks at: nothing of Kedge is older.
FIRST_MONTH, FIRST_DAY = "2025-01", "2025-01-01"


def _by_date(shape: str, first: str, unit: str) -> dict[str, str]:
    return {"type": "date", "format": shape, "range": f"{first},NOW", "interval": "1", "interval.unit": unit}


_HIVE = "org.apache.hadoop.hive.ql.io"
_PARQUET = ("parquet.MapredParquetInputFormat", "parquet.MapredParquetOutputFormat")
# A list of objects: Athena reads what the day objects vouch for, not what a lost race left beside it.
_LISTS = ("SymlinkTextInputFormat", "HiveIgnoreKeyTextOutputFormat")
# By date, never `injected`: a BI tool that asks without a month would get an error.
_MONTHS = _by_date("yyyy-MM", FIRST_MONTH, "MONTHS")
_DAYS = _by_date("yyyy-MM-dd", FIRST_DAY, "DAYS")
Columns = Iterable[tuple[str, str]]


class HistoryCatalogue(Construct):
    """The catalogue of the history, and keep_history."""

    def __init__(self, scope: Construct, name: str, *, packages: Packages, storage: Storage, workgroup: str) -> None:
        super().__init__(scope, name)
        self._storage = storage
        described = glue.CfnDatabase.DatabaseInputProperty(
            name=stage_of(self).database(DATABASE), description="Kedge: the history of all models"
        )
        self._database = glue.CfnDatabase(
            self, "Database", catalog_id=cdk.Stack.of(self).account, database_input=described
        )
        for table in TABLES.values():
            self._written(table)
            self._view(
                table.name,
                newest_sql(table, database=stage_of(self).database(DATABASE)),
                columns_of_view(table),
                says=table.says,
            )
        if packages.models:
            self._predictions(packages.models)
        for query in QUERIES:
            if packages.models or "FROM predictions" not in query.sql:
                self._query(query.name, query.says, query.sql, workgroup)
        self.keep_history = self._keep_history(scope, packages)

    def _written(self, table: HistoryTable) -> None:
        columns = [(column.name, HIVE[column.kind]) for column in table.columns]
        place = f"history/{table.name}/"
        self._files(
            table.name + WRITTEN,
            columns,
            place,
            {MONTH: _MONTHS},
            template=f"{place}{MONTH}=${{{MONTH}}}/",
            formats=_PARQUET,
            says=f"All that was written of: {table.says}. Query the view {table.name}",
        )

    def _predictions(self, models: Sequence[ModelConfig]) -> None:
        if not models:  # a view over no table, and an enumeration of nothing: both are errors in Athena
            return
        tables = answers_tables(models)
        for table in tables:
            self._answers(table)
        names = ",".join(sorted(config.model for config in models))
        self._files(
            "labels",
            LABELS,
            "labelled/",
            {"model": {"type": "enum", "values": names}, "date": _DAYS},
            template="labelled/${model}/date=${date}/",
            formats=_PARQUET,
            says="The labels of all models by the day on which their row was answered",
        )
        database = stage_of(self).database(DATABASE)
        in_sql = {name: f'"{database}"."{name}"' for name in (*(table.name for table in tables), "labels")}
        says = "answered rows that were counted, each with the label that was collected last"
        self._view("predictions", predictions_sql(tables, in_sql), PREDICTIONS, says=says)

    def _answers(self, table: AnswersTable) -> None:
        self._files(
            table.name,
            table.columns,
            "history/answers/",
            {"model": {"type": "enum", "values": ",".join(table.models)}, MONTH: _MONTHS},
            template=f"history/answers/model=${{model}}/{MONTH}=${{{MONTH}}}/",
            formats=_LISTS,
            says=f"The answers of the models whose prediction is called {table.column}, by lists of their files",
        )

    def _files(  # noqa: PLR0913  # what tells one table from the other
        self,
        name: str,
        columns: Columns,
        place: str,
        partitions: Mapping[str, Mapping[str, str]],
        *,
        template: str,
        formats: tuple[str, str],
        says: str,
    ) -> None:
        bucket = self._storage.data.bucket_name
        projection = {
            f"projection.{column}.{key}": value for column, said in partitions.items() for key, value in said.items()
        }
        reads, writes = (f"{_HIVE}.{each}" for each in formats)
        self._table(
            name,
            glue.CfnTable.TableInputProperty(
                name=name,
                description=says,
                table_type="EXTERNAL_TABLE",
                partition_keys=[glue.CfnTable.ColumnProperty(name=column, type="string") for column in partitions],
                parameters={
                    "EXTERNAL": "TRUE",
                    "projection.enabled": "true",
                    "storage.location.template": f"s3://{bucket}/{template}",
                    **projection,
                },
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    columns=_columns(columns),
                    location=f"s3://{bucket}/{place}",
                    input_format=reads,
                    output_format=writes,
                    serde_info=glue.CfnTable.SerdeInfoProperty(
                        serialization_library=f"{_HIVE}.parquet.serde.ParquetHiveSerDe"
                    ),
                ),
            ),
        )

    def _view(self, name: str, sql: str, columns: Sequence[tuple[str, str]], *, says: str) -> None:
        described = glue.CfnTable.TableInputProperty(
            name=name,
            description=says,
            table_type="VIRTUAL_VIEW",
            parameters={"presto_view": "true", "comment": "Presto View"},
            view_original_text=presto_view(sql, columns, database=stage_of(self).database(DATABASE)),
            view_expanded_text="/* Presto View */",
            storage_descriptor=glue.CfnTable.StorageDescriptorProperty(columns=_columns(hive_types(columns))),
        )
        self._table(name, described)

    def _table(self, name: str, described: glue.CfnTable.TableInputProperty) -> None:
        glue.CfnTable(
            self,
            name.title().replace("_", ""),
            catalog_id=cdk.Stack.of(self).account,
            database_name=self._database.ref,
            table_input=described,
        )

    def _query(self, name: str, says: str, sql: str, workgroup: str) -> None:
        athena.CfnNamedQuery(
            self,
            name.removeprefix("kedge-").title().replace("-", ""),
            database=self._database.ref,
            name=stage_of(self).named(name),
            description=says,
            query_string=sql,
            work_group=workgroup,
        )

    def _keep_history(self, scope: Construct, packages: Packages) -> lambda_.Function:
        function = add_function(
            scope,
            "keep_history",
            does="the history mended and compacted, once a night",
            packages=packages,
            key=self._storage.key,
            memory_mib=2048,
            timeout_seconds=KEEP_SECONDS,
            environment={"DATA_BUCKET": self._storage.data.bucket_name},
        )
        role, data = role_of(function), self._storage.data
        may_read(role, data, "history", "reports", "audit", "profiles")
        may_write(role, data, "history")
        # What was copied into a compacted object.
        allow(role, "DeleteCompacted", ["s3:DeleteObject"], objects_below(data, "history"), wildcard=OBJECTS)
        may_use_key(role, self._storage.key)
        return function


def _columns(columns: Columns) -> list[glue.CfnTable.ColumnProperty]:
    return [glue.CfnTable.ColumnProperty(name=name, type=kind) for name, kind in columns]
