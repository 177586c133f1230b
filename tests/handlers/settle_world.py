"""A model with a champion, a release that is under way, and `settle` called at its times."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import boto3
import pytest
import time_machine

from kedge.instants import to_text
from kedge.release.proof import LastWatch
from lambdas.adapters import clients
from lambdas.adapters.state import canary_watch, champions, under_way
from lambdas.adapters.state.canary_watch import CanaryWatch
from lambdas.adapters.state.under_way import ReleaseUnderWay
from lambdas.handlers.settle import handler
from tests.handlers import champions as champion_items
from tests.handlers.aws_world import ACCOUNT, BUCKET, CONTEXT, MODEL, REGION, ROLE, TABLE
from tests.handlers.monitor_world import Monitor, monitor_world

OLD, NEW, RUN = f"{MODEL}-v1-aaaa", f"{MODEL}-v2-bbbbbbbb", "release-1"
# What moto makes is stamped with this time, not with the machine's: the hour of the daily sweep must not come by chance.
NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)
# Far from the hour of the daily sweep.
NOON = (NOW + timedelta(days=1)).replace(hour=12)
ALARM = f"kedge-{NEW}-behaviour"
EXECUTION = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:kedge-release:{RUN}"
PROPERTIES = {"kedge:training_end": "2016-02-01T00:00:00Z", "kedge:staged": "retraining/r/baseline"}


@contextmanager
def settle_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Monitor]:
    """Yield the world of a monitor whose clock begins at `NOW`."""
    with time_machine.travel(NOW), monitor_world(monkeypatch) as world:
        yield world


def promote(world, **more):
    """Let a registered package be the champion."""
    return champion_items.promote(world, **({"package_arn": world.register(properties=PROPERTIES)} | more))


def at_the_end(run: str = RUN) -> dict:
    """As the release machine calls it."""
    return handler({"model": MODEL, "run": run, "time": to_text(NOW)}, CONTEXT)


def hourly(**more) -> dict:
    """As the queue's message of an hour's tick calls it."""
    body = {"model": MODEL, "time": to_text(NOW), "hourly": True, **more}
    return handler({"Records": [{"body": json.dumps(body)}]}, CONTEXT)


def released(world, *, previous: str | None = OLD, planned_at: datetime = NOW - timedelta(hours=1)) -> str:
    """Note a release that is under way; return its package."""
    arn = world.register(properties=PROPERTIES)
    note = ReleaseUnderWay(RUN, arn, "2", NEW, previous, (ALARM,), planned_at)
    under_way.save(world.dynamodb, TABLE, MODEL, note)
    world.cloudwatch.put_metric_alarm(
        AlarmName=ALARM,
        Namespace="Kedge",
        MetricName="CanaryMisbehaviour",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        Statistic="Maximum",
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    return arn


def watched(world, verdict: str, *, run: str = RUN) -> None:
    seen = CanaryWatch(run, "2", NEW, 1, to_text(NOW), LastWatch(verdict, (f"it was {verdict}",), 50))
    canary_watch.save(world.dynamodb, TABLE, MODEL, seen)


def answered_requests(count: int) -> None:
    dimensions = {"EndpointName": MODEL, "VariantName": "AllTraffic", "EndpointConfigName": NEW}
    datum = {
        "MetricName": "Invocations",
        "Value": float(count),
        "Timestamp": NOW - timedelta(minutes=30),
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
    }
    clients.cloudwatch().put_metric_data(Namespace="AWS/SageMaker", MetricData=[datum])


def alarms(world) -> list[str]:
    return [alarm["AlarmName"] for alarm in world.cloudwatch.describe_alarms()["MetricAlarms"]]


def champion(world):
    return champions.load(world.dynamodb, TABLE, MODEL)


def left(world) -> list[str]:
    """What of a release is still in the state table."""
    pages = world.dynamodb.get_paginator("scan").paginate(TableName=TABLE)
    items = {item["item"]["S"] for page in pages for item in page["Items"]}
    return sorted(items & {"release", "canary", "lease", "waiting_release"})


def ended(status: str) -> dict:
    return {"executionArn": EXECUTION, "status": status, "input": json.dumps({"model": MODEL, "run": RUN})}


def held_by(world, holder: str) -> None:
    item = {"holder": holder, "purpose": "release", "taken_at": to_text(NOW)}
    world.dynamodb.put_item(
        TableName=TABLE,
        Item={"model": {"S": MODEL}, "item": {"S": "lease"}} | {name: {"S": value} for name, value in item.items()},
    )


def start_execution(world) -> str:
    machine = boto3.client("stepfunctions").create_state_machine(
        name="kedge-release",
        definition=json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}),
        roleArn=ROLE,
    )["stateMachineArn"]
    return world.stepfunctions.start_execution(stateMachineArn=machine, name="r")["executionArn"]


def by_hand(world, package: str | None) -> str:
    """Put another config into service, as a person does in the console."""
    config = f"{MODEL}-by-hand"
    container = {"ModelPackageName": package} if package else {"Image": "i", "ModelDataUrl": f"s3://{BUCKET}/m.tar.gz"}
    world.sagemaker.create_model(ModelName=config, PrimaryContainer=container, ExecutionRoleArn=ROLE)
    variant = {"VariantName": "AllTraffic", "ModelName": config, "InstanceType": "ml.m5.large"}
    world.sagemaker.create_endpoint_config(
        EndpointConfigName=config, ProductionVariants=[variant | {"InitialInstanceCount": 1}]
    )
    world.sagemaker.create_endpoint(EndpointName=MODEL, EndpointConfigName=config)
    return config


def leave_alarm(world) -> None:
    """An alarm of an earlier release that no note names."""
    released(world)
    under_way.forget(world.dynamodb, TABLE, MODEL, RUN)


RETRAINING = f"{MODEL}-performance-1-0a1b2c3d"
RETRAIN_ARN = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:kedge-retrain:{RETRAINING}"
