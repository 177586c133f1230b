"""Training rows with the features that a feature group of SageMaker Feature Store knew at each row's time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.columns.casting import cast_text
from kedge.config.model import ModelConfig
from kedge.errors import FeatureGroupError
from kedge.labels.join import seconds_of
from kedge.labels.join_sql import RUN, CatalogueTable, literal, quoted
from kedge.own_columns import LABEL, ROW_ID, TIME
from kedge.retraining.labelled_history import RowsOfSchema
from kedge.retraining.rows import moments

# The columns of what is looked up: a row's place among all rows, its record identifier, its time in seconds since 1970.
_PLACE, _RECORD, _SECONDS = "kedge_place", "kedge_record", "kedge_seconds"
_LOOKED_UP = ((_PLACE, "bigint"), (_RECORD, "string"), (_SECONDS, "double"))
# Feature Store's types that a feature of the YAML can be read from.
_FITTING = {
    "numeric": ("Integral", "Fractional"),
    "categorical": ("String", "Integral"),
    "boolean": ("String", "Integral"),
    "timestamp": ("String", "Integral", "Fractional"),
}


@dataclass(frozen=True)
class FeatureGroup:
    """A feature group with an offline store that has all that a model needs.

    Attributes
    ----------
    name : str
    database, table : str
        Of the offline store in the Glue catalogue.
    uri : str
        Where the offline store lies, and `key` what encrypts it, as an error names them.
    key : str or None
    record, event_time : str
        The features that identify a record and say from when its values hold.
    event_time_is_text : bool
        ISO 8601 in UTC; else seconds since 1970.
    features : tuple of str
        The model's features that the group gives.
    column : str
        The column of the rows that holds the record identifier.
    """

    name: str
    database: str
    table: str
    uri: str
    key: str | None
    record: str
    event_time: str
    event_time_is_text: bool
    features: tuple[str, ...]
    column: str


def feature_group_of(described: Mapping[str, Any], config: ModelConfig) -> FeatureGroup:
    """Read what DescribeFeatureGroup says, with every page of its definitions.

    Raises
    ------
    FeatureGroupError
        The group cannot give this model's rows, with the reason and the remedy.
    """
    name, store = described["FeatureGroupName"], described.get("OfflineStoreConfig") or {}
    definitions = {each["FeatureName"]: each for each in described["FeatureDefinitions"]}
    record, time = described["RecordIdentifierFeatureName"], described.get("EventTimeFeatureName")
    column = config.training.record_identifier or record
    fault = (
        _fault_of_store(described, store)
        or _fault_of_event_time(time, definitions)
        or _fault_of_record(record, column, definitions, config)
        or _fault_of_features(definitions, config)
    )
    if fault:
        raise FeatureGroupError(group=name, fault=fault)
    place, catalogue = store["S3StorageConfig"], store["DataCatalogConfig"]
    return FeatureGroup(
        name=name,
        database=catalogue["Database"],
        table=catalogue["TableName"],
        uri=place["S3Uri"],
        key=place.get("KmsKeyId"),
        record=record,
        event_time=str(time),
        event_time_is_text=definitions[time]["FeatureType"] == "String",
        features=tuple(feature.name for feature in config.group_features),
        column=column,
    )


def _fault_of_store(described: Mapping[str, Any], store: Mapping[str, Any]) -> str | None:
    status = described.get("FeatureGroupStatus", "Created")
    if status != "Created":
        return f"has the status {status}; it must be Created"
    if not store:
        return "has no offline store, so nothing is known of earlier times: make a group with OfflineStoreConfig"
    kept = described.get("OfflineStoreStatus") or {}
    if kept.get("Status", "Active") != "Active":
        return f"has an offline store that is {kept['Status']}: {kept.get('BlockedReason', 'no reason is given')}"
    if not store.get("DataCatalogConfig"):
        return "has no Glue table, which Athena needs: make a group without DisableGlueTableCreation"
    return None


def _fault_of_event_time(time: str | None, definitions: Mapping[str, Any]) -> str | None:
    kind = definitions.get(time or "", {}).get("FeatureType")
    if kind not in ("String", "Fractional"):
        return f"has no event time: EventTimeFeatureName is {time!r}, and it must be a String or a Fractional feature of the group"
    return None


def _fault_of_record(record: str, column: str, definitions: Mapping[str, Any], config: ModelConfig) -> str | None:
    if column not in (*config.feature_names, *config.context, ROW_ID):
        return (
            f"is looked up by {record}, and the model has no such column: add {record} to context, or name the feature or context "
            f"that holds it in training.record_identifier ({ROW_ID} is the row's own id)"
        )
    if definitions[record]["FeatureType"] == "Fractional":
        return f"has the Fractional record identifier {record}: fractions cannot be compared; it must be String or Integral"
    return None


def _fault_of_features(definitions: Mapping[str, Any], config: ModelConfig) -> str | None:
    if lacking := [feature.name for feature in config.group_features if feature.name not in definitions]:
        return (
            f"lacks {', '.join(lacking)}: name in training.request_features what only a request knows, or spell the features as "
            f"the group does ({', '.join(sorted(definitions))})"
        )
    wrong = [
        f"{feature.name} is {feature.kind} in the YAML and {_type_of(definition)} in the group"
        for feature in config.group_features
        if _type_of(definition := definitions[feature.name]) not in _FITTING[feature.kind]
    ]
    return f"has features of other types: {'; '.join(wrong)}" if wrong else None


def _type_of(definition: Mapping[str, Any]) -> str:
    collection = definition.get("CollectionType")
    return f"{collection} of {definition['FeatureType']}" if collection else str(definition["FeatureType"])


def looked_up(rows: Sequence[pa.Table], group: FeatureGroup) -> pa.Table:
    """What is looked up for the labelled rows of these tables; places count through all of them.

    >>> times = pa.array([0, 1_500_000], pa.timestamp("us", "UTC"))
    >>> rows = pa.table({"kedge_row_id": ["a", "b"], "kedge_time": times, "customer": [7, None], "label": ["1", "0"]})
    >>> group = FeatureGroup("g", "d", "t", "s3://b", None, "customer", "at", True, ("age",), "customer")
    >>> looked_up([rows], group).to_pylist()
    [{'kedge_place': 0, 'kedge_record': '7', 'kedge_seconds': 0.0}]
    """
    parts, start = [], 0
    for table in rows:
        parts.append(_looked_up(table, group.column, start))
        start += table.num_rows
    schema = pa.schema([(_PLACE, pa.int64()), (_RECORD, pa.string()), (_SECONDS, pa.float64())])
    return pa.concat_tables([schema.empty_table(), *parts])


def _looked_up(table: pa.Table, column: str, start: int) -> pa.Table:
    places = pa.array(np.arange(start, start + table.num_rows), pa.int64())
    # Counted before the YAML named it: of these rows no record is known.
    known = column in table.column_names
    records = cast_text(table.column(column)) if known else pa.nulls(table.num_rows, pa.string())
    found = pa.table({_PLACE: places, _RECORD: records, _SECONDS: pa.array(seconds_of(moments(table.column(TIME))))})
    wanted = pc.and_(pc.is_valid(found.column(_RECORD)), pc.is_valid(table.column(LABEL)))
    return found.filter(pc.and_(wanted, pc.is_finite(found.column(_SECONDS))))


def looked_up_table(model: str, location: str) -> CatalogueTable:
    """The catalogue's table of what a model's retrainings look up; `location` is that of one with `${kedge_run}` for its run."""
    digest = hashlib.sha256(repr((model, location, _LOOKED_UP)).encode()).hexdigest()[:12]
    return CatalogueTable(f"{model.lower().replace('-', '_')}_records_{digest}", location, _LOOKED_UP)


def point_in_time_sql(
    group: FeatureGroup, rows: CatalogueTable, *, database: str, run: str, by_event_time: bool
) -> str:
    """Athena's SELECT of each row's place and features, as they were known at the row's time.

    A record holds from its event time on, and is known from its writing on: one that was written later, with an earlier event
    time, is a correction that the model could not have had. With `by_event_time` the event time alone decides. Of several
    records the newest counts, and where that is a deletion there is none. Columns are named `c0`, `c1`, ...

    >>> group = FeatureGroup("g", "store", "g_1", "s3://b", None, "id", "at", False, ("age",), "customer")
    >>> table = looked_up_table("m", "s3://b/${kedge_run}/")
    >>> print(point_in_time_sql(group, replace(table, name="t"), database="kedge", run="r", by_event_time=False))
    SELECT c0, c1 FROM (
      SELECT k."kedge_place" AS c0, f."age" AS c1, f."is_deleted" AS gone, row_number() OVER (
        PARTITION BY k."kedge_place" ORDER BY f."at" DESC, f."api_invocation_time" DESC, f."write_time" DESC
      ) AS place
      FROM "kedge"."t" AS k
      JOIN "store"."g_1" AS f ON CAST(f."id" AS varchar) = k."kedge_record"
      WHERE k."kedge_run" = 'r' AND f."at" <= k."kedge_seconds" AND to_unixtime(f."write_time") <= k."kedge_seconds"
    ) AS known WHERE place = 1 AND NOT gone
    """
    at = f"f.{quoted(group.event_time)}"
    holds_from = f"to_unixtime(from_iso8601_timestamp({at}))" if group.event_time_is_text else at
    written = "" if by_event_time else f' AND to_unixtime(f."write_time") <= k.{quoted(_SECONDS)}'
    features = [f"f.{quoted(name)} AS c{place}" for place, name in enumerate(group.features, start=1)]
    order = f'{holds_from} DESC, f."api_invocation_time" DESC, f."write_time" DESC'
    # Every name is quoted and every text is a literal: no text of a YAML or of a feature group can become SQL.
    return (
        f"SELECT {', '.join(f'c{place}' for place in range(len(features) + 1))} FROM (\n"  # noqa: S608
        f'  SELECT k.{quoted(_PLACE)} AS c0, {", ".join(features)}, f."is_deleted" AS gone, row_number() OVER (\n'
        f"    PARTITION BY k.{quoted(_PLACE)} ORDER BY {order}\n"
        f"  ) AS place\n"
        f"  FROM {quoted(database)}.{quoted(rows.name)} AS k\n"
        f"  JOIN {quoted(group.database)}.{quoted(group.table)} AS f "
        f"ON CAST(f.{quoted(group.record)} AS varchar) = k.{quoted(_RECORD)}\n"
        f"  WHERE k.{quoted(RUN)} = {literal(run)} AND {holds_from} <= k.{quoted(_SECONDS)}{written}\n"
        f") AS known WHERE place = 1 AND NOT gone"
    )


def with_features(rows: Sequence[RowsOfSchema], group: FeatureGroup, found: pa.Table | None) -> list[RowsOfSchema]:
    """Put what was found (`c0` the place, then the group's features) into the rows; without a record it is missing.

    What a request sent of these features is replaced: training sees what the group knew, and no second truth beside it.
    """
    given, start = [], 0
    for one in rows:
        places = pa.array(np.arange(start, start + one.rows.num_rows), pa.int64())
        start += one.rows.num_rows
        at = pc.index_in(places, value_set=found.column("c0").combine_chunks()) if found is not None else None
        table = one.rows
        for number, name in enumerate(group.features, start=1):
            values = pa.nulls(len(places), pa.string()) if found is None else found.column(f"c{number}").take(at)
            table = table.drop_columns([name]) if name in table.column_names else table
            table = table.append_column(name, values)
        given.append(replace(one, rows=table))
    return given


def without_record(labelled: int, found: int, group: FeatureGroup) -> list[str]:
    """What the approver is told of the rows that the group knew nothing of; nothing where it knew all.

    >>> group = FeatureGroup("g", "d", "t", "s3://b", None, "id", "at", True, ("age",), "id")
    >>> without_record(12, 8, group)
    ['the feature group g had no record for 4 of 12 labelled rows at their time: its features are missing in them']
    """
    absent = f"the feature group {group.name} had no record for {labelled - found:,} of {labelled:,} labelled rows at their time"
    return [f"{absent}: its features are missing in them"] if found < labelled else []
