"""AWS::S3::Bucket and AWS::S3::BucketPolicy; lifecycle rules are recorded, and nothing expires offline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType, by_creating, flag, only, tags, text


def bucket(making: Making, properties: dict[str, Any]) -> Made:
    """Make a bucket as its properties say."""
    s3, region = making.client("s3"), making.region.name
    name = properties.get("BucketName") or making.name(63, lower=True)
    location = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **location)
    for key, apply in _SETTINGS.items():
        if key in properties:
            apply(making, name, properties[key])
    if given := tags(properties):
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": given})
    domain = f"{name}.s3.amazonaws.com"
    return Made(
        name,
        {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": domain,
            "RegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
        },
    )


def update_bucket(making: Making, made: Made, old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Change a bucket's settings; its objects stay."""
    for key, apply in _SETTINGS.items():
        if key in new and new[key] != old.get(key):
            apply(making, made.reference, new[key])
        elif key in old and key not in new:
            _REMOVALS[key](making.client("s3"), made.reference)
    return made


def delete_bucket(making: Making, made: Made, _properties: dict[str, Any]) -> None:
    """Delete a bucket, which must be empty."""
    making.client("s3").delete_bucket(Bucket=made.reference)


def _encryption(making: Making, name: str, given: dict[str, Any]) -> None:
    rules = [
        {
            "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
            **only(rule, "BucketKeyEnabled"),
        }
        for rule in given["ServerSideEncryptionConfiguration"]
    ]
    making.client("s3").put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})


def _versioning(making: Making, name: str, given: dict[str, Any]) -> None:
    making.client("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration=given)


def _public_access(making: Making, name: str, given: dict[str, Any]) -> None:
    block = {key: flag(value) for key, value in given.items()}
    making.client("s3").put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)


def _ownership(making: Making, name: str, given: dict[str, Any]) -> None:
    making.client("s3").put_bucket_ownership_controls(Bucket=name, OwnershipControls={"Rules": given["Rules"]})


def _logging(making: Making, name: str, given: dict[str, Any]) -> None:
    # The target's policy, which moto asks for and AWS does not, may come later in the stack.
    logging = {"TargetBucket": given.get("DestinationBucketName", name), "TargetPrefix": given.get("LogFilePrefix", "")}
    s3 = making.client("s3")
    making.afterwards(lambda: s3.put_bucket_logging(Bucket=name, BucketLoggingStatus={"LoggingEnabled": logging}))


def _lifecycle(making: Making, name: str, given: dict[str, Any]) -> None:
    rules = [_rule(rule) for rule in given["Rules"]]
    making.client("s3").put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})


def _rule(given: dict[str, Any]) -> dict[str, Any]:
    rule = only(given, "Status", "AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration")
    rule |= {"ID": given["Id"]} if "Id" in given else {}
    rule["Filter"] = _filter(given)
    if "ExpirationInDays" in given:
        rule["Expiration"] = {"Days": int(given["ExpirationInDays"])}
    elif "ExpiredObjectDeleteMarker" in given:
        rule["Expiration"] = {"ExpiredObjectDeleteMarker": flag(given["ExpiredObjectDeleteMarker"])}
    if "NoncurrentVersionExpirationInDays" in given:
        rule["NoncurrentVersionExpiration"] = {"NoncurrentDays": int(given["NoncurrentVersionExpirationInDays"])}
    rule |= {"Transitions": [_transition(item) for item in given["Transitions"]]} if "Transitions" in given else {}
    if moves := given.get("NoncurrentVersionTransitions"):
        rule["NoncurrentVersionTransitions"] = [
            {"NoncurrentDays": int(move["TransitionInDays"]), "StorageClass": move["StorageClass"]} for move in moves
        ]
    return rule


def _filter(given: dict[str, Any]) -> dict[str, Any]:
    sizes = {name: int(given[name]) for name in ("ObjectSizeGreaterThan", "ObjectSizeLessThan") if name in given}
    asked = sizes | ({"Prefix": given["Prefix"]} if "Prefix" in given else {})
    return {"And": asked} if len(asked) > 1 else asked or {"Prefix": ""}


def _transition(given: dict[str, Any]) -> dict[str, Any]:
    return {"Days": int(given["TransitionInDays"]), "StorageClass": given["StorageClass"]}


def _notifications(making: Making, name: str, given: dict[str, Any]) -> None:
    if flag(given.get("EventBridgeConfiguration", {}).get("EventBridgeEnabled", False)):
        making.client("s3").put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )


_SETTINGS = {
    "BucketEncryption": _encryption,
    "VersioningConfiguration": _versioning,
    "PublicAccessBlockConfiguration": _public_access,
    "OwnershipControls": _ownership,
    "LoggingConfiguration": _logging,
    "LifecycleConfiguration": _lifecycle,
    "NotificationConfiguration": _notifications,
}


_REMOVALS: dict[str, Callable[[Any, str], object]] = {
    "BucketEncryption": lambda s3, name: s3.delete_bucket_encryption(Bucket=name),
    "VersioningConfiguration": lambda s3, name: s3.put_bucket_versioning(
        Bucket=name, VersioningConfiguration={"Status": "Suspended"}
    ),
    "PublicAccessBlockConfiguration": lambda s3, name: s3.delete_public_access_block(Bucket=name),
    "OwnershipControls": lambda s3, name: s3.delete_bucket_ownership_controls(Bucket=name),
    "LoggingConfiguration": lambda s3, name: s3.put_bucket_logging(Bucket=name, BucketLoggingStatus={}),
    "LifecycleConfiguration": lambda s3, name: s3.delete_bucket_lifecycle(Bucket=name),
    "NotificationConfiguration": lambda s3, name: s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={}
    ),
}


def delete_bucket_policy(making: Making, made: Made, _properties: dict[str, Any]) -> None:
    """Take a bucket's policy away."""
    making.client("s3").delete_bucket_policy(Bucket=made.reference)


def bucket_policy(making: Making, properties: dict[str, Any]) -> Made:
    """Give a bucket its policy."""
    making.client("s3").put_bucket_policy(Bucket=properties["Bucket"], Policy=text(properties["PolicyDocument"]))
    return Made(properties["Bucket"])


_RULES = "LifecycleConfiguration.Rules"
_RULE_PATHS = (
    f"{_RULES}.Id {_RULES}.Status {_RULES}.Prefix {_RULES}.ObjectSizeGreaterThan {_RULES}.ObjectSizeLessThan"
    f" {_RULES}.ExpirationInDays {_RULES}.ExpiredObjectDeleteMarker"
    f" {_RULES}.NoncurrentVersionExpirationInDays {_RULES}.NoncurrentVersionExpiration.NoncurrentDays"
    f" {_RULES}.NoncurrentVersionExpiration.NewerNoncurrentVersions"
    f" {_RULES}.AbortIncompleteMultipartUpload.DaysAfterInitiation {_RULES}.Transitions.StorageClass"
    f" {_RULES}.Transitions.TransitionInDays {_RULES}.NoncurrentVersionTransitions.StorageClass"
    f" {_RULES}.NoncurrentVersionTransitions.TransitionInDays"
)
_ENCRYPTION = "BucketEncryption.ServerSideEncryptionConfiguration"
_BLOCK = "PublicAccessBlockConfiguration"
TYPES = (
    ResourceType(
        "AWS::S3::Bucket",
        f"BucketName {_ENCRYPTION}.BucketKeyEnabled {_ENCRYPTION}.ServerSideEncryptionByDefault.SSEAlgorithm"
        f" {_ENCRYPTION}.ServerSideEncryptionByDefault.KMSMasterKeyID VersioningConfiguration.Status"
        f" {_BLOCK}.BlockPublicAcls {_BLOCK}.BlockPublicPolicy {_BLOCK}.IgnorePublicAcls {_BLOCK}.RestrictPublicBuckets"
        " OwnershipControls.Rules.ObjectOwnership LoggingConfiguration.DestinationBucketName"
        " LoggingConfiguration.LogFilePrefix NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled"
        f" Tags.* {_RULE_PATHS}",
        bucket,
        delete_bucket,
        update=update_bucket,
        named_by="BucketName",
    ),
    ResourceType(
        "AWS::S3::BucketPolicy",
        "Bucket PolicyDocument.*",
        bucket_policy,
        delete_bucket_policy,
        update=by_creating(bucket_policy),
        replaced_by="Bucket",
    ),
)
