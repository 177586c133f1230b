"""Everything that a smoke makes, found by the name of its model: this needs no list from a run that may have been killed.

Execution histories, ended jobs, logs and metrics are kept by AWS, cost nothing, and cannot be deleted, or expire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from cli.operator.deployment import RELEASE, RETRAINING
from cli.smoke.listener import queue_name
from cli.smoke.model import MODEL
from cli.smoke.packages import packages
from cli.smoke.steps.alert_path import topics_of
from cli.smoke.world import Smoke
from kedge.history.tables import TABLES
from kedge.release.plan import alarm_prefix
from lambdas.adapters.bucket import layout, objects
from lambdas.adapters.state import state_items

DATABASE = "kedge"  # stacks/joining.py
QUERIES, MANIFEST = "athena/queries/", "-manifest.csv"
DELETED_AT_ONCE = 1000  # S3's limit


@dataclass(frozen=True)
class Leftover:
    """Something that a smoke made, and how it is removed."""

    kind: str
    name: str
    remove: Callable[[], object]


def executions(smoke: Smoke) -> Iterator[Leftover]:
    """Executions that still run, which would go on making things."""
    client = smoke.client("stepfunctions")
    for stack, machine in ((RETRAINING, "KedgeRetrain"), (RELEASE, "KedgeRelease")):
        arn = smoke.deployment.find(stack, "AWS::StepFunctions::StateMachine", machine)
        pages = client.get_paginator("list_executions").paginate(stateMachineArn=arn, statusFilter="RUNNING")
        for found in (execution for page in pages for execution in page["executions"]):
            if found["name"].startswith(f"{smoke.config.resource_name}-"):
                yield Leftover(
                    "execution",
                    found["executionArn"],
                    partial(client.stop_execution, executionArn=found["executionArn"], cause="kedge smoke cleans up"),
                )


def jobs(smoke: Smoke) -> Iterator[Leftover]:
    """Training and transform jobs that still run."""
    client = smoke.client("sagemaker")
    for kind, call in (("Training", "training"), ("Transform", "transform")):
        pages = client.get_paginator(f"list_{call}_jobs").paginate(
            NameContains=smoke.config.resource_name, StatusEquals="InProgress"
        )
        for found in (job for page in pages for job in page[f"{kind}JobSummaries"]):
            stop, name = getattr(client, f"stop_{call}_job"), found[f"{kind}JobName"]
            if name.startswith(f"{smoke.config.resource_name}-"):
                yield Leftover(f"{call} job", name, partial(stop, **{f"{kind}JobName": name}))


def endpoints(smoke: Smoke) -> Iterator[Leftover]:
    """The endpoint."""
    name, client = smoke.config.endpoint.name, smoke.client("sagemaker")
    if (found := smoke.endpoint()) is not None:
        # SageMaker cannot delete an endpoint while it changes it, and an endpoint that is being deleted needs no second call.
        settled = found["EndpointStatus"] in ("InService", "Failed", "OutOfService", "UpdateRollbackFailed")
        yield Leftover("endpoint", name, partial(client.delete_endpoint, EndpointName=name) if settled else _nothing)


def serving_parts(smoke: Smoke) -> Iterator[Leftover]:
    """Endpoint configs and models."""
    client = smoke.client("sagemaker")
    for kind, many, call, delete in (
        ("EndpointConfig", "EndpointConfigs", "list_endpoint_configs", client.delete_endpoint_config),
        ("Model", "Models", "list_models", client.delete_model),
    ):
        for page in client.get_paginator(call).paginate(NameContains=smoke.config.resource_name):
            for name in (found[f"{kind}Name"] for found in page[many]):
                if name.startswith(f"{smoke.config.resource_name}-"):
                    yield Leftover(
                        "endpoint config" if many != "Models" else "model",
                        name,
                        partial(delete, **{f"{kind}Name": name}),
                    )


def alarms(smoke: Smoke) -> Iterator[Leftover]:
    """Alarms of releases; those of the stack stay."""
    client = smoke.client("cloudwatch")
    for page in client.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=alarm_prefix(smoke.config.stage, f"{smoke.config.resource_name}-v")
    ):
        for alarm in page["MetricAlarms"]:
            yield Leftover("alarm", alarm["AlarmName"], partial(client.delete_alarms, AlarmNames=[alarm["AlarmName"]]))


def package_versions(smoke: Smoke) -> Iterator[Leftover]:
    """Versions in the registry; their group belongs to the stack."""
    delete = smoke.client("sagemaker").delete_model_package
    for package in packages(smoke):
        arn = package["ModelPackageArn"]
        yield Leftover("package version", arn, partial(delete, ModelPackageName=arn))


def stored(smoke: Smoke) -> Iterator[Leftover]:
    """Objects, a line for each part of the bucket, with their past versions."""
    s3, bucket = smoke.client("s3"), smoke.bucket
    below = (f"{top}{MODEL}/" for top in objects.list_folders(s3, bucket, ""))
    for prefix in (*below, *_of_history(s3, bucket), *_query_results(s3, bucket)):
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
        found = [
            {"Key": version["Key"], "VersionId": version["VersionId"]}
            for page in pages
            for version in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
        ]
        if found:
            yield Leftover("objects", f"s3://{bucket}/{prefix}", _emptied(s3, bucket, found))


def _of_history(s3: Any, bucket: str) -> Iterator[str]:
    """The objects of the history that are about the smoke alone: one a window or entry, in the folder of each month."""
    yield layout.answers_lists_prefix(MODEL)
    yield layout.shown_key(MODEL)
    for table in TABLES:
        for month in objects.list_folders(s3, bucket, layout.history_prefix(table)):
            yield f"{month}{MODEL}."


def _query_results(s3: Any, bucket: str) -> Iterator[str]:
    """What Athena wrote beside its answers, below the id of a query: its manifest names the objects of the answer."""
    for key in objects.list_objects(s3, bucket, QUERIES):
        body = objects.read(s3, bucket, key) if key.endswith(MANIFEST) else None
        if body is not None and f"/{layout.joins_prefix(MODEL)}".encode() in body[0]:
            yield key.removesuffix(MANIFEST)


def _emptied(s3: Any, bucket: str, found: list[dict[str, str]]) -> Callable[[], object]:
    def remove() -> None:
        for start in range(0, len(found), DELETED_AT_ONCE):
            s3.delete_objects(Bucket=bucket, Delete={"Objects": found[start : start + DELETED_AT_ONCE], "Quiet": True})

    return remove


def items(smoke: Smoke) -> Iterator[Leftover]:
    """Items of the state table."""
    client, table = smoke.client("dynamodb"), smoke.deployment.table
    pages = client.get_paginator("query").paginate(
        TableName=table,
        ConsistentRead=True,
        KeyConditionExpression="#model = :model",
        ExpressionAttributeNames={"#model": "model"},
        ExpressionAttributeValues={":model": {"S": MODEL}},
    )
    for item in (found for page in pages for found in page["Items"]):
        name = item["item"]["S"]
        yield Leftover("item", name, partial(client.delete_item, TableName=table, Key=state_items.key(MODEL, name)))


def tables(smoke: Smoke) -> Iterator[Leftover]:
    """Tables of the catalogue that describe the smoke's columns to Athena."""
    database = smoke.config.stage.database(DATABASE)
    client, mine = smoke.client("glue"), f"{MODEL.replace('-', '_')}_"
    for page in client.get_paginator("get_tables").paginate(DatabaseName=database, Expression=f"{mine}*"):
        for name in (table["Name"] for table in page["TableList"] if table["Name"].startswith(mine)):
            yield Leftover(
                "table", f"{database}.{name}", partial(client.delete_table, DatabaseName=database, Name=name)
            )


def listening(smoke: Smoke) -> Iterator[Leftover]:
    """The listener's subscriptions and its queue."""
    sns, sqs = smoke.client("sns"), smoke.client("sqs")
    for topic in topics_of(smoke).values():
        for page in sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic):
            for found in page["Subscriptions"]:
                if smoke.listener.is_own(found["Endpoint"]):
                    arn = found["SubscriptionArn"]
                    yield Leftover("subscription", arn, partial(sns.unsubscribe, SubscriptionArn=arn))
    for url in sqs.list_queues(QueueNamePrefix=queue_name()).get("QueueUrls", []):
        yield Leftover("queue", url, partial(sqs.delete_queue, QueueUrl=url))


def _nothing() -> None:
    pass


# The order: first what makes things, then what they are made from, last what listens.
RUNNING = (executions, jobs)
RESTING = (serving_parts, alarms, package_versions, stored, items, tables, listening)


def find_all(smoke: Smoke) -> list[Leftover]:
    """Everything that is there now."""
    return [found for kind in (*RUNNING, endpoints, *RESTING) for found in kind(smoke)]
