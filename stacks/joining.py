"""Labels joined with answers beyond one function's memory: a queue, a function, and the place where Athena works."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_athena as athena
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.parts.access import (
    DEFINITIONS,
    OBJECTS,
    allow,
    may_read,
    may_send,
    may_use_key,
    may_use_state,
    may_write,
    objects_below,
)
from stacks.parts.functions import add_function, consume, role_of
from stacks.parts.naming import stage_of
from stacks.parts.packages import Packages
from stacks.parts.queues import add_stage_queue, dead_letters_of, retried_environment
from stacks.storage import Storage

NAME = "kedge"
# Lambda's longest. A query that needs more is stopped, and its message tried again.
JOIN_SECONDS = 900
# 5 dollars a query at 5 a terabyte: a join that would read more is a mistake, or somebody's decision.
SCANNED_BYTES_MAX = 1024**4
PARTITIONS = ("glue:GetPartition", "glue:GetPartitions", "glue:BatchGetPartition")


class Joining(Construct):
    """joins -> join_labels (Athena: answers with labels) -> performances."""

    def __init__(
        self, scope: Construct, name: str, *, packages: Packages, storage: Storage, performances: sqs.Queue
    ) -> None:
        super().__init__(scope, name)
        self._storage = storage
        self.joins = add_stage_queue(scope, "Joins", consumer_timeout_seconds=JOIN_SECONDS)
        self.database, self.workgroup = self._database(), self._workgroup()
        self.join_labels = self._join_labels(scope, packages, performances)

        consume(self.join_labels, self.joins)

    def _database(self) -> glue.CfnDatabase:
        described = glue.CfnDatabase.DatabaseInputProperty(
            name=stage_of(self).database(NAME), description="Kedge: what Athena joins"
        )
        return glue.CfnDatabase(self, "Database", catalog_id=cdk.Stack.of(self).account, database_input=described)

    def _workgroup(self) -> athena.CfnWorkGroup:
        result = athena.CfnWorkGroup.ResultConfigurationProperty(
            output_location=f"s3://{self._storage.data.bucket_name}/athena/queries/",
            encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                encryption_option="SSE_KMS", kms_key=self._storage.key.key_arn
            ),
        )
        return athena.CfnWorkGroup(
            self,
            "WorkGroup",
            name=stage_of(self).named(NAME),
            description="Kedge: labels joined with answers",
            recursive_delete_option=True,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                bytes_scanned_cutoff_per_query=SCANNED_BYTES_MAX,
                result_configuration=result,
            ),
        )

    def _join_labels(self, scope: Construct, packages: Packages, performances: sqs.Queue) -> lambda_.Function:
        function = add_function(
            scope,
            "join_labels",
            does="answers joined with labels by Athena",
            packages=packages,
            key=self._storage.key,
            layers=("statistics", "tables"),
            memory_mib=1024,
            timeout_seconds=JOIN_SECONDS,
            environment={
                "DATA_BUCKET": self._storage.data.bucket_name,
                "STATE_TABLE": self._storage.state.table_name,
                **athena_environment(self),
                **retried_environment(self.joins),
                "PERFORMANCE_QUEUE_URL": performances.queue_url,
            },
        )
        role = role_of(function)
        # Athena reads and writes in the caller's name.
        may_read(role, self._storage.data, *DEFINITIONS, "profiles", "predictions", "labelled", "athena", "baselines")
        may_write(role, self._storage.data, "athena")
        may_use_state(role, self._storage.state, "GetItem")
        may_use_key(role, self._storage.key)
        may_send(role, performances, dead_letters_of(self.joins))
        may_query(role, self._storage)
        return function


def athena_environment(scope: Construct) -> dict[str, str]:
    """Where a function has Athena work."""
    stage = stage_of(scope)
    return {"ATHENA_DATABASE": stage.database(NAME), "ATHENA_WORKGROUP": stage.named(NAME)}


def may_query(role: iam.Role, storage: Storage) -> None:
    """Make tables in Kedge's database and query them; Athena reads and writes in the caller's name."""
    stack, stage = cdk.Stack.of(role), stage_of(role)
    actions = ["StartQueryExecution", "GetQueryExecution", "StopQueryExecution", "GetWorkGroup"]
    workgroup = stack.format_arn(service="athena", resource="workgroup", resource_name=stage.named(NAME))
    allow(role, "Query", [f"athena:{action}" for action in actions], [workgroup])
    catalogue, database, tables, default = (
        stack.format_arn(service="glue", resource=resource, resource_name=name)
        for resource, name in (
            ("catalog", None),
            ("database", stage.database(NAME)),
            ("table", f"{stage.database(NAME)}/*"),
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
