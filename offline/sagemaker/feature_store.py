"""Feature Store: feature groups, their records, and the Parquet files of their offline stores.

The real service keeps the newest record of each identifier online, and all records offline: as Parquet by event time, up to 15
minutes late, at least once. Imitated: groups that are made in a moment, described in pages, and need a role that SageMaker may
take; the offline store's folder and its table in the Glue catalogue, with projected partitions; PutRecord, DeleteRecord and
GetRecord with the refusals of the real ones; deletions as rows; records that are written twice. Not imitated: Iceberg, tables
without a catalogue, collections in records, and a time to live.
"""

from __future__ import annotations

import io
import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse
from moto.sagemaker.exceptions import ResourceNotFound

from offline.iam.guard import Guard
from offline.region import Region
from offline.sagemaker.api import (
    Described,
    ResourceInUseException,
    ValidationError,
    add_operations,
    arn,
    check_name,
    check_role,
)
from offline.sagemaker.storage import Storage

EVENT = "before-send.sagemaker-featurestore-runtime."
DATABASE = "sagemaker_featurestore"
CREATION, OFFLINE_DELAY_MAX = timedelta(seconds=30), timedelta(minutes=15)
DEFINITIONS_A_PAGE = 20
WRITTEN_TWICE = 0.1
# Of Feature Store's types: Glue's, and Parquet's.
TYPES = {"String": ("string", pa.string()), "Integral": ("bigint", pa.int64()), "Fractional": ("double", pa.float64())}
BESIDE = {"write_time": "timestamp", "api_invocation_time": "timestamp", "is_deleted": "boolean"}
STORED = {"timestamp": pa.timestamp("ms"), "boolean": pa.bool_()}
EVENT_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3})?Z")
PARTITIONS = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H"}
HIVE = "org.apache.hadoop.hive.ql.io"


def install(region: Region, guard: Guard) -> None:
    """Answer the operations on feature groups, and those on their records for boto3's clients."""
    store = FeatureStore(region, guard)
    add_operations(
        region,
        CreateFeatureGroup=store.create,
        DescribeFeatureGroup=store.describe,
        DeleteFeatureGroup=store.delete,
    )
    otherwise = BotocoreStubber.__call__

    def stub(stubber: Any, event_name: str, request: Any, **kwargs: Any) -> Any:
        if not event_name.startswith(EVENT):
            return otherwise(stubber, event_name, request, **kwargs)
        status, document = store.answer(event_name.removeprefix(EVENT), request)
        headers = {"Content-Type": "application/json"} | (
            {"x-amzn-ErrorType": document["Code"]} if status >= 300 else {}
        )
        return AWSResponse(request.url, status, headers, MockRawResponse(json.dumps(document).encode()))

    region.patch(BotocoreStubber, "__call__", stub)


@dataclass
class Group(Described):
    """One feature group: its description, and the newest record of each identifier."""

    arn: str
    document: dict[str, Any]
    tags: list[dict[str, str]] = field(default_factory=list)
    online: dict[str, dict[str, str]] = field(default_factory=dict)
    written: int = 0

    @property
    def types(self) -> dict[str, str]:
        """Feature Store's type of each feature."""
        return {each["FeatureName"]: each["FeatureType"] for each in self.document["FeatureDefinitions"]}


class FeatureStore:
    """The account's feature groups."""

    def __init__(self, region: Region, guard: Guard) -> None:
        self.region, self.guard = region, guard
        self._groups: dict[str, Group] = {}
        self._late = region.seeded("feature store")

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer CreateFeatureGroup."""
        name = request["FeatureGroupName"]
        check_name(name.replace("_", "-"), "featureGroupName")
        if name.lower() in self._groups:
            raise ResourceInUseException(f"Resource Already Exists: FeatureGroup with name {name} already exists.")
        offered = {each["FeatureName"]: each["FeatureType"] for each in request["FeatureDefinitions"]}
        for role in ("RecordIdentifierFeatureName", "EventTimeFeatureName"):
            if request[role] not in offered:
                raise ValidationError(f"{role} {request[role]} must be in the list of FeatureDefinitions.")
        if offered[request["EventTimeFeatureName"]] == "Integral":
            raise ValidationError("EventTimeFeature must be of type String or Fractional.")
        if taken := {name.lower() for name in offered} & {*BESIDE, *PARTITIONS}:
            raise ValidationError(f"Feature names {sorted(taken)} are reserved.")
        if not request.get("OfflineStoreConfig") and not request.get("OnlineStoreConfig", {}).get("EnableOnlineStore"):
            raise ValidationError("At least one of OnlineStoreConfig and OfflineStoreConfig must be enabled.")
        now = self.region.clock.now
        group = Group(
            arn(self.region, "feature-group", name),
            {**request, "FeatureGroupStatus": "Creating", "CreationTime": now},
        )
        group.document["FeatureGroupArn"] = group.arn
        if request.get("OfflineStoreConfig"):
            check_role(self.guard, request["RoleArn"])
            self._make_store(group, int(now.timestamp()))
        self._groups[name.lower()] = group
        done = {"FeatureGroupStatus": "Created"}
        self.region.clock.call_at(now + CREATION, lambda: group.document.update(done), f"feature group {name}")
        return {"FeatureGroupArn": group.arn}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer DescribeFeatureGroup, a page of definitions at a time."""
        group = self._find(request["FeatureGroupName"])
        start = int(request.get("NextToken", 0))
        definitions = group.document["FeatureDefinitions"]
        page = definitions[start : start + DEFINITIONS_A_PAGE]
        more = str(start + DEFINITIONS_A_PAGE) if start + DEFINITIONS_A_PAGE < len(definitions) else None
        return {**group.response_object, "FeatureDefinitions": page} | ({"NextToken": more} if more else {})

    def delete(self, request: dict[str, Any]) -> None:
        """Answer DeleteFeatureGroup: the offline store's files and table stay."""
        del self._groups[self._find(request["FeatureGroupName"]).document["FeatureGroupName"].lower()]

    def _find(self, name: str) -> Group:
        found = self._groups.get(name.rpartition("/")[2].lower())
        if found is None:
            raise ResourceNotFound(
                message=f"Resource Not Found: Amazon SageMaker can't find a FeatureGroup with name {name}"
            )
        return found

    def _make_store(self, group: Group, created: int) -> None:
        document, region = group.document, self.region
        name, store = document["FeatureGroupName"], document["OfflineStoreConfig"]
        place = store["S3StorageConfig"]
        below = f"{region.account_id}/sagemaker/{region.name}/offline-store/{name}-{created}/data"
        place["ResolvedOutputS3Uri"] = f"{place['S3Uri'].rstrip('/')}/{below}"
        document["OfflineStoreStatus"] = {"Status": "Active"}
        if store.get("DisableGlueTableCreation"):
            return
        table = f"{name.lower().replace('-', '_')}_{created}"
        store["DataCatalogConfig"] = {"TableName": table, "Catalog": "AwsDataCatalog", "Database": DATABASE}
        glue = region.client("glue")
        if DATABASE not in [each["Name"] for each in glue.get_databases()["DatabaseList"]]:
            glue.create_database(DatabaseInput={"Name": DATABASE})
        columns = {feature.lower(): TYPES[kind][0] for feature, kind in group.types.items()} | BESIDE
        projected = {f"projection.{name}.type": "integer" for name in PARTITIONS}
        glue.create_table(
            DatabaseName=DATABASE,
            TableInput={
                "Name": table,
                "TableType": "EXTERNAL_TABLE",
                "PartitionKeys": [{"Name": name, "Type": "string"} for name in PARTITIONS],
                "Parameters": {"EXTERNAL": "TRUE", "projection.enabled": "true", **projected},
                "StorageDescriptor": {
                    "Columns": [{"Name": name, "Type": kind} for name, kind in columns.items()],
                    "Location": place["ResolvedOutputS3Uri"],
                    "InputFormat": f"{HIVE}.parquet.MapredParquetInputFormat",
                    "OutputFormat": f"{HIVE}.parquet.MapredParquetOutputFormat",
                    "SerdeInfo": {"SerializationLibrary": f"{HIVE}.parquet.serde.ParquetHiveSerDe"},
                },
            },
        )

    def answer(self, operation: str, request: Any) -> tuple[int, dict[str, Any]]:
        """Answer one request about a record as it goes over the wire."""
        try:
            url = urlsplit(request.url)
            group = self._find(unquote(url.path.rpartition("/")[2]))
            if group.document["FeatureGroupStatus"] != "Created":
                raise ValidationError(f"FeatureGroup {group.document['FeatureGroupName']} is not in Created state.")
            asked = {name: values[0] for name, values in parse_qs(url.query).items()}
            if operation == "PutRecord":
                values = {each["FeatureName"]: each["ValueAsString"] for each in json.loads(request.body)["Record"]}
                self._put(group, values, deleted=False)
                return 200, {}
            record = asked["RecordIdentifierValueAsString"]
            if operation == "DeleteRecord":
                names = (group.document["RecordIdentifierFeatureName"], group.document["EventTimeFeatureName"])
                self._put(group, dict(zip(names, (record, asked["EventTime"]), strict=True)), deleted=True)
                return 200, {}
            if operation == "GetRecord":
                known = group.online.get(record, {})
                return 200, {"Record": [{"FeatureName": n, "ValueAsString": v} for n, v in known.items()]}
        except ResourceNotFound as error:
            return 404, {"Code": "ResourceNotFound", "Message": error.message}
        except ValidationError as error:
            return 400, {"Code": "ValidationError", "Message": error.message}
        raise NotImplementedError(f"{operation} of Feature Store's runtime is not imitated")

    def _put(self, group: Group, values: dict[str, str], *, deleted: bool) -> None:
        typed = _typed(group, values)
        record, time = (values[group.document[f"{what}FeatureName"]] for what in ("RecordIdentifier", "EventTime"))
        newest = group.online.get(record, {}).get(group.document["EventTimeFeatureName"])
        # Online the newest event time stays, whichever comes later; offline every record is kept.
        if newest is None or _seconds(time) >= _seconds(newest):
            group.online[record] = {} if deleted else values
        if not group.document.get("OfflineStoreConfig"):
            return
        invoked = self.region.clock.now
        for _ in range(2 if self._late.random() < WRITTEN_TWICE else 1):
            written = invoked + OFFLINE_DELAY_MAX * self._late.random()
            row = typed | {"api_invocation_time": invoked, "write_time": written, "is_deleted": deleted}
            self._write_at(written, group, row, _seconds(time))

    def _write_at(self, written: datetime, group: Group, row: dict[str, Any], seconds: float) -> None:
        group.written += 1
        at = datetime.fromtimestamp(seconds, UTC)
        folder = "/".join(f"{name}={at:{form}}" for name, form in PARTITIONS.items())
        store = group.document["OfflineStoreConfig"]["S3StorageConfig"]
        uri = f"{store['ResolvedOutputS3Uri']}/{folder}/{at:%Y%m%dT%H%M%SZ}_{group.written:016d}.parquet"
        types = {name: TYPES[kind][1] for name, kind in group.types.items()}
        schema = pa.schema([*types.items(), *((name, STORED[kind]) for name, kind in BESIDE.items())])
        naive = {name: v.replace(tzinfo=None) if isinstance(v, datetime) else v for name, v in row.items()}

        def write() -> None:
            sink = io.BytesIO()
            pq.write_table(pa.Table.from_pylist([naive], schema), sink)
            storage = Storage(self.region, self.guard, group.document["RoleArn"])
            storage.write(uri, sink.getvalue(), store.get("KmsKeyId"))

        self.region.clock.call_at(written, write, f"feature group {group.document['FeatureGroupName']}")


def _typed(group: Group, values: dict[str, str]) -> dict[str, Any]:
    types, time = group.types, group.document["EventTimeFeatureName"]
    if unknown := sorted({*values} - {*types}):
        raise ValidationError(f"Validation Error: Feature names {unknown} do not exist in the FeatureGroup.")
    for name in (group.document["RecordIdentifierFeatureName"], time):
        if not values.get(name):
            raise ValidationError(f"Validation Error: The feature {name} must be present in the record.")
    if types[time] == "String" and not EVENT_TIME.fullmatch(values[time]):
        raise ValidationError(
            f"Validation Error: The event time {values[time]} must be in the format yyyy-MM-dd'T'HH:mm:ss[.SSS]Z."
        )
    return {name: _value(name, types[name], text) for name, text in values.items()}


def _value(name: str, kind: str, text: str) -> Any:
    try:
        value = {"String": str, "Integral": int, "Fractional": float}[kind](text)
    except ValueError as error:
        raise ValidationError(
            f"Validation Error: Feature {name} with value {text} could not be parsed as {kind}."
        ) from error
    if isinstance(value, float) and not math.isfinite(value):
        raise ValidationError(f"Validation Error: Feature {name} must be finite.")
    return value


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp() if EVENT_TIME.fullmatch(time) else float(time)
