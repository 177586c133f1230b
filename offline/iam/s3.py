"""What S3's operations ask of IAM; an object's version, tags and key encryption ask for more."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote

from offline.iam.actions import Need, Needs, Params, anywhere, needing
from offline.region import Region


def _bucket(name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:s3:::{name}"


def _object(params: Params) -> str:
    return f"{_bucket(params['Bucket'])}/{params['Key']}"


@needing("s3:GetObject")
def _read(params: Params, _region: Region) -> list[Need]:
    return [Need("s3:GetObjectVersion" if params.get("VersionId") else "s3:GetObject", _object(params))]


@needing("s3:PutObject")
def _write(params: Params, _region: Region) -> list[Need]:
    facts = {
        "s3:x-amz-server-side-encryption": params.get("ServerSideEncryption"),
        "s3:x-amz-server-side-encryption-aws-kms-key-id": params.get("SSEKMSKeyId"),
        "s3:x-amz-acl": params.get("ACL"),
    }
    needs = [Need("s3:PutObject", _object(params), {key: value for key, value in facts.items() if value is not None})]
    needs += [Need("s3:PutObjectTagging", _object(params))] if params.get("Tagging") else []
    # Who compares ETags learns what is there. https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    needs += [Need("s3:GetObject", _object(params))] if params.get("IfMatch") else []
    return needs + ([Need("s3:PutObjectAcl", _object(params))] if params.get("ACL") else [])


def copied_from(source: Any) -> tuple[str, str, str | None]:
    """Return bucket, key and version of a CopySource, written either way."""
    if isinstance(source, dict):
        return source["Bucket"], source["Key"], source.get("VersionId")
    path, _, query = str(source).partition("?")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    return bucket, key, parse_qs(query).get("versionId", [None])[0]


@needing("s3:PutObject", "s3:GetObject")
def _copy(params: Params, region: Region) -> list[Need]:
    bucket, key, version = copied_from(params["CopySource"])
    source = {"Bucket": bucket, "Key": key, "VersionId": version}
    return [*_write.of(params, region), *_read.of(source, region)]


@needing("s3:DeleteObject")
def _delete(params: Params, _region: Region) -> list[Need]:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
    condition = params.get("IfMatch")
    action = "s3:DeleteObjectVersion" if params.get("VersionId") else "s3:DeleteObject"
    needs = [Need(action, _object(params), {} if condition is None else {"s3:if-match": condition})]
    return needs + ([Need("s3:GetObject", _object(params))] if condition not in (None, "*") else [])


@needing("s3:DeleteObject")
def _delete_several(params: Params, region: Region) -> list[Need]:
    entries = [
        {"Bucket": params["Bucket"], "IfMatch": entry.get("ETag"), **entry} for entry in params["Delete"]["Objects"]
    ]
    return [need for entry in entries for need in _delete.of(entry, region)]


def _list(action: str) -> Needs:
    @needing(action)
    def needs(params: Params, _region: Region) -> list[Need]:
        facts = {"s3:prefix": params.get("Prefix", ""), "s3:max-keys": params.get("MaxKeys", 1000)}
        if "Delimiter" in params:
            facts["s3:delimiter"] = params["Delimiter"]
        return [Need(action, _bucket(params["Bucket"]), facts)]

    return needs


def _on_object(action: str) -> Needs:
    return Needs((action,), lambda params, _region: [Need(action, _object(params))])


def _on_bucket(action: str) -> Needs:
    return Needs((action,), lambda params, _region: [Need(action, _bucket(params["Bucket"]))])


S3: dict[str, Needs] = {
    "GetObject": _read,
    "HeadObject": _read,
    "PutObject": _write,
    "CopyObject": _copy,
    "DeleteObject": _delete,
    "DeleteObjects": _delete_several,
    "CreateMultipartUpload": _write,
    "UploadPart": _on_object("s3:PutObject"),
    "UploadPartCopy": _copy,
    "CompleteMultipartUpload": _on_object("s3:PutObject"),
    "AbortMultipartUpload": _on_object("s3:AbortMultipartUpload"),
    "ListObjects": _list("s3:ListBucket"),
    "ListObjectsV2": _list("s3:ListBucket"),
    "ListObjectVersions": _list("s3:ListBucketVersions"),
    "HeadBucket": _on_bucket("s3:ListBucket"),
    "GetBucketLocation": _on_bucket("s3:GetBucketLocation"),
    "GetObjectTagging": _on_object("s3:GetObjectTagging"),
    "PutObjectTagging": _on_object("s3:PutObjectTagging"),
    "ListBuckets": anywhere("s3:ListAllMyBuckets"),
}
