"""Permissions that a call needs though nobody calls them: the service asks for them on the caller's behalf.

| call | also needs | because |
| --- | --- | --- |
| PutObject and kin into a bucket encrypted with a KMS key | kms:GenerateDataKey | S3 asks KMS as the caller |
| multipart uploads there | kms:Decrypt | S3 decrypts the parts to join them |
| GetObject of an object so encrypted | kms:Decrypt | likewise; HeadObject reads no content, and does only for a checksum |
| SendMessage, Publish to an encrypted queue or topic | kms:GenerateDataKey, kms:Decrypt | the key is checked first |
| ReceiveMessage of an encrypted queue | kms:Decrypt | the messages are decrypted for the caller |
| reading and writing a table with a customer's key | kms:Decrypt | DynamoDB unlocks the table key as the caller |
| GetObject of a key that does not exist | s3:ListBucket | else S3 answers 403, not 404 |
| asking for or stopping a query of Athena | that action on its workgroup | the call names the query alone |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offline.iam.actions import Need
from offline.region import Region

MULTIPART = {"CompleteMultipartUpload", "UploadPart"}
OBJECT_WRITES = {"PutObject", "CopyObject", "CreateMultipartUpload", *MULTIPART}
OBJECT_READS = {"GetObject", "HeadObject"}
ITEMS = {"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem"}


def implied_needs(region: Region, service: str, operation: str, params: Mapping[str, Any]) -> list[Need]:
    """Return what a call needs beyond its own action."""
    finders = {"s3": _of_object, "sqs": _of_queue, "sns": _of_topic, "dynamodb": _of_table, "athena": _of_query}
    finder = finders.get(service)
    return finder(region, operation, params) if finder else []


def _key_needs(region: Region, key: str | None, service: str, *actions: str) -> list[Need]:
    if not key or key.startswith("alias/aws/"):
        return []
    arn = region.backend("kms").describe_key(key).arn
    via = {"kms:viaservice": f"{service}.{region.name}.amazonaws.com"}
    return [Need(f"kms:{action}", arn, via) for action in actions]


def _of_object(region: Region, operation: str, params: Mapping[str, Any]) -> list[Need]:
    if operation not in OBJECT_WRITES and operation not in OBJECT_READS:
        return []
    bucket = region.backend("s3").buckets.get(params["Bucket"])
    if bucket is None:
        return []
    needs: list[Need] = []
    if operation in OBJECT_READS:
        if params["Key"] not in bucket.keys:
            return [Need("s3:ListBucket", f"arn:aws:s3:::{params['Bucket']}", {"s3:prefix": params["Key"]})]
        if operation == "GetObject" or params.get("ChecksumMode"):
            needs = _key_needs(region, _object_key(bucket, params), "s3", "Decrypt")
    elif operation in OBJECT_WRITES:
        more = ("Decrypt",) if operation in MULTIPART else ()
        key = params.get("SSEKMSKeyId") or _bucket_key(bucket)
        needs = _key_needs(region, key, "s3", "GenerateDataKey", *more)
        if operation == "CopyObject":
            needs += _key_needs(region, _bucket_key(bucket), "s3", "Decrypt")
    return needs


def _object_key(bucket: Any, params: Mapping[str, Any]) -> str | None:
    stored = bucket.keys[params["Key"]]
    return stored.kms_key_id if getattr(stored, "encryption", None) == "aws:kms" else None


def _bucket_key(bucket: Any) -> str | None:
    if not bucket.encryption:
        return None
    default = bucket.encryption["Rule"].get("ApplyServerSideEncryptionByDefault", {})
    return default.get("KMSMasterKeyID") if default.get("SSEAlgorithm") == "aws:kms" else None


def _of_queue(region: Region, operation: str, params: Mapping[str, Any]) -> list[Need]:
    actions = {"SendMessage": ("GenerateDataKey", "Decrypt"), "ReceiveMessage": ("Decrypt",)}
    wanted = actions.get(operation.removesuffix("Batch"))
    name = str(params.get("QueueUrl", "")).rsplit("/", 1)[-1]
    queue = region.backend("sqs").queues.get(name) if wanted else None
    return _key_needs(region, getattr(queue, "kms_master_key_id", None), "sqs", *wanted) if queue and wanted else []


def _of_topic(region: Region, operation: str, params: Mapping[str, Any]) -> list[Need]:
    topic = region.backend("sns").topics.get(params.get("TopicArn")) if operation.startswith("Publish") else None
    key = getattr(topic, "kms_master_key_id", None)
    return _key_needs(region, key, "sns", "GenerateDataKey", "Decrypt") if topic else []


def _of_table(region: Region, operation: str, params: Mapping[str, Any]) -> list[Need]:
    if operation not in ITEMS:
        return []
    tables = region.backend("dynamodb").tables
    asked = [tables.get(str(name).rsplit("/", 1)[-1]) for name in params.get("RequestItems", [params.get("TableName")])]
    keys = {(getattr(table, "sse_specification", None) or {}).get("KMSMasterKeyId") for table in asked}
    return [need for key in keys for need in _key_needs(region, key, "dynamodb", "Decrypt")]


def _of_query(region: Region, operation: str, params: Mapping[str, Any]) -> list[Need]:
    query = region.backend("athena").executions.get(params.get("QueryExecutionId"))
    if query is None:
        return []
    name = query.workgroup.name if query.workgroup else "primary"
    return [Need(f"athena:{operation}", f"arn:aws:athena:{region.name}:{region.account_id}:workgroup/{name}")]
