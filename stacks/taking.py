"""The function that takes a package which another Kedge has approved; only a Kedge with a source has it."""

from __future__ import annotations

from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from stacks.parts.access import (
    DEFINITIONS,
    OBJECTS,
    TIMELINE,
    allow,
    may_read,
    may_tell,
    may_use_key,
    may_use_state,
    may_write,
    objects_below,
)
from stacks.parts.functions import add_function, role_of
from stacks.parts.naming import own_arns, stage_of
from stacks.parts.packages import Packages
from stacks.parts.workshop import IMAGES, images
from stacks.promotion import ARTEFACTS, EVIDENCE, TAKER_ROLE, PackageSource
from stacks.storage import Storage


def add_taker(scope: cdk.Stack, *, packages: Packages, storage: Storage, source: PackageSource) -> lambda_.Function:
    """Make the function that takes packages from the source."""
    begins = scope.format_arn(
        service="sagemaker",
        account=source.account,
        resource="model-package",
        resource_name=source.stage.named(""),
    )
    function = add_function(
        scope,
        "take_package",
        does="a package that another Kedge has approved, copied and registered here",
        packages=packages,
        key=storage.key,
        memory_mib=1024,
        timeout_seconds=900,
        environment={
            "DATA_BUCKET": storage.data.bucket_name,
            "STATE_TABLE": storage.state.table_name,
            "ALERT_TOPIC_ARN": storage.alerts.topic_arn,
            "EVENT_TOPIC_ARN": storage.events.topic_arn,
            "SOURCE_PACKAGES": begins,
        },
    )
    role = role_of(function)
    # The source's policies name it, so it must have the name that they know.
    cast(iam.CfnRole, role.node.default_child).role_name = stage_of(scope).named(f"{TAKER_ROLE}{scope.region}")
    _may_read_there(role, scope, source, begins)
    may_read(role, storage.data, *DEFINITIONS, "artefacts", "retraining")
    may_write(role, storage.data, "artefacts", "retraining", *TIMELINE)
    parts = objects_below(storage.data, "artefacts")
    allow(role, "GiveUpCopies", ["s3:AbortMultipartUpload"], parts, wildcard=OBJECTS)
    may_use_state(role, storage.state, "GetItem", "PutItem", "DeleteItem")
    may_tell(role, storage.alerts, storage.events)
    may_use_key(role, storage.key)
    made, numbered = (
        own_arns(scope, "model-package", "model-package-group"),
        "a version is numbered when it is registered",
    )
    allow(role, "Register", ["sagemaker:CreateModelPackage"], made, wildcard=numbered)
    ours = own_arns(scope, "model-package")
    allow(role, "SeeRegistered", ["sagemaker:DescribeModelPackage"], ours, wildcard=numbered)
    # CreateModelPackage looks at the image as its caller.
    allow(role, "SeeImages", ["ecr:BatchGetImage", "ecr:DescribeImages"], [images(scope)], wildcard=IMAGES)
    return function


def _may_read_there(role: iam.Role, stack: cdk.Stack, source: PackageSource, begins: str) -> None:
    allow(
        role,
        "SeeSourcePackages",
        ["sagemaker:DescribeModelPackage"],
        [f"{begins}*"],
        wildcard="a person says which model and version is taken",
    )
    theirs = {"StringEquals": {"aws:ResourceAccount": source.account}}
    unnamed = "CloudFormation named the source's bucket and key; the condition says whose they are, and their policies what may be read"
    buckets = f"arn:{stack.partition}:s3:::*"
    places = [f"{buckets}/{place}" for place in (ARTEFACTS, *EVIDENCE)]
    allow(role, "ReadSource", ["s3:GetObject"], places, wildcard=unnamed, conditions=theirs)
    allow(role, "FindSource", ["s3:ListBucket"], [buckets], wildcard=unnamed, conditions=theirs)
    key = stack.format_arn(service="kms", account=source.account, resource="key", resource_name="*")
    by_s3 = {"StringEquals": {"kms:ViaService": f"s3.{stack.region}.{stack.url_suffix}"}}
    allow(role, "DecryptSource", ["kms:Decrypt"], [key], wildcard=unnamed, conditions=by_s3)
