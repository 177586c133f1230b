"""Who asks Athena, works in Kedge's own workgroup and database."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from stacks.parts.access import OBJECTS, allow, objects_below
from stacks.storage import Storage

NAME = "kedge"
PARTITIONS = ("glue:GetPartition", "glue:GetPartitions", "glue:BatchGetPartition")


def may_query(role: iam.Role, storage: Storage) -> None:
    """Make tables in Kedge's database and query them; Athena reads and writes in the caller's name."""
    stack = cdk.Stack.of(role)
    actions = ["StartQueryExecution", "GetQueryExecution", "StopQueryExecution", "GetWorkGroup"]
    workgroup = stack.format_arn(service="athena", resource="workgroup", resource_name=NAME)
    allow(role, "Query", [f"athena:{action}" for action in actions], [workgroup])
    catalogue, database, tables, default = (
        stack.format_arn(service="glue", resource=resource, resource_name=name)
        for resource, name in (
            ("catalog", None),
            ("database", NAME),
            ("table", f"{NAME}/*"),
            ("database", "default"),
        )
    )
    named_by_content = "a table's name ends in a digest of its columns"
    reading = ["glue:GetDatabase", "glue:GetTable", "glue:CreateTable", *PARTITIONS]
    allow(role, "Catalogue", reading, [catalogue, database, tables], wildcard=named_by_content)
    # https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html
    allow(role, "AthenaLooksAtDefault", ["glue:GetDatabase"], [default])
    allow(role, "FindBucket", ["s3:GetBucketLocation"], [storage.data.bucket_arn])
    uploads = ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    allow(role, "WriteInParts", uploads, objects_below(storage.data, "athena"), wildcard=OBJECTS)
