"""What releases and retrainings have left, and no running execution owns, is swept."""

import json
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from kedge.config.staging import Staging
from kedge.instants import to_text
from lambdas.adapters import clients
from lambdas.adapters.state import under_way
from lambdas.handlers import settle
from lambdas.handlers.settle import handler
from lambdas.steps.release import run_sweep
from tests.handlers.aws_world import BUCKET, CONTEXT, MODEL, ROLE, TABLE, moto_backend
from tests.handlers.settle_world import (
    ALARM,
    EXECUTION,
    NOW,
    OLD,
    RETRAIN_ARN,
    RETRAINING,
    RUN,
    alarms,
    hourly,
    leave_alarm,
    promote,
    released,
    settle_world,
)


@pytest.fixture
def world(monkeypatch):
    with settle_world(monkeypatch) as world:
        yield world


def test_alarms_that_an_earlier_release_left_are_deleted_and_nobody_elses(world):
    promote(world)
    released(world)
    under_way.forget(world.dynamodb, TABLE, MODEL, RUN)
    world.serve(OLD)
    others = [f"kedge-{MODEL}-vip-v1-aaaaaaaa-latency", "kedge-judgement"]
    for name in others:
        world.cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="n",
            MetricName="m",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            Statistic="Sum",
            ComparisonOperator="GreaterThanOrEqualToThreshold",
        )
    hourly()
    assert sorted(alarms(world)) == sorted(others)


@pytest.mark.parametrize("more", [
    {"time": to_text(NOW + timedelta(hours=24))}, {"hourly": False},
    {"hourly": False, "detail": {"executionArn": EXECUTION, "status": "SUCCEEDED", "input": "{}"}},
], ids=["a day later", "reconcile", "an execution has ended"])  # fmt: skip
def test_alarms_that_nobody_noted_go_within_a_day_on_demand_and_with_every_ended_execution(world, more):
    promote(world)
    world.serve(OLD)
    hourly()
    leave_alarm(world)
    hourly(time=to_text(NOW + timedelta(hours=23)))
    assert alarms(world) == [ALARM]
    hourly(**more)
    assert alarms(world) == []


OTHERS = [OLD, f"{MODEL}-performance-1-ffffffff-0", f"{MODEL}-by-hand", "hotel-prices-manual-1-0a1b2c3d-0"]


def leftovers(world) -> None:
    """Leave what a retraining leaves that was stopped while it scored, beside models of others."""
    container = {"Image": "i", "ModelDataUrl": f"s3://{BUCKET}/m.tar.gz"}
    for name in (f"{RETRAINING}-0", f"{RETRAINING}-champion-1", *OTHERS[1:]):
        world.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
    world.sagemaker.create_transform_job(
        TransformJobName=f"{RETRAINING}-challenger-0",
        ModelName=f"{RETRAINING}-0",
        TransformInput={"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/in"}}},
        TransformOutput={"S3OutputPath": f"s3://{BUCKET}/out"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    for job in moto_backend("sagemaker").transform_jobs.values():
        job.transform_job_status = "InProgress"


def models_left(world) -> list[str]:
    pages = world.sagemaker.get_paginator("list_models").paginate()
    return sorted(model["ModelName"] for page in pages for model in page["Models"])


@pytest.mark.parametrize("status", ["ABORTED", "FAILED", "SUCCEEDED"])
def test_what_a_retraining_left_is_swept_when_it_has_ended(world, monkeypatch, status):
    promote(world)
    world.serve(OLD)
    leftovers(world)
    stopped = []
    monkeypatch.setattr(
        clients.sagemaker(), "stop_transform_job", lambda **job: stopped.append(job["TransformJobName"])
    )
    hourly(detail={"executionArn": RETRAIN_ARN, "status": status, "input": json.dumps({"model": MODEL})})
    assert models_left(world) == sorted(OTHERS)
    assert stopped == [f"{RETRAINING}-challenger-0"]


def test_a_job_that_ends_by_itself_while_it_is_swept_is_no_error(world, monkeypatch):
    promote(world)
    world.serve(OLD)
    leftovers(world)
    ended = ClientError({"Error": {"Code": "ValidationException", "Message": "is in status Completed"}}, "Stop")

    def stop(**_):
        raise ended

    monkeypatch.setattr(clients.sagemaker(), "stop_transform_job", stop)
    hourly(detail={"executionArn": RETRAIN_ARN, "status": "ABORTED", "input": json.dumps({"model": MODEL})})
    assert models_left(world) == sorted(OTHERS)


@pytest.mark.parametrize(("hour", "swept"), [(3, True), (4, False)])
def test_once_a_day_all_is_swept_that_no_running_execution_owns(world, monkeypatch, hour, swept):
    promote(world)
    world.serve(OLD)
    leftovers(world)
    monkeypatch.setattr(clients.sagemaker(), "stop_transform_job", lambda **_: None)
    running = OTHERS[1].removesuffix("-0")
    monkeypatch.setattr(
        run_sweep.executions, "status", lambda _client, arn: "RUNNING" if arn.endswith(running) else "ABORTED"
    )
    handler({"model": MODEL, "time": to_text(NOW.replace(hour=hour))}, CONTEXT)
    assert (models_left(world) == sorted(OTHERS)) is swept


def test_an_execution_of_a_persons_own_name_has_nothing_swept_that_begins_like_it(world, monkeypatch):
    promote(world)
    world.serve(OLD)
    leftovers(world)
    arn = RETRAIN_ARN.replace(RETRAINING, MODEL)
    before = models_left(world)
    hourly(detail={"executionArn": arn, "status": "ABORTED", "input": json.dumps({"model": MODEL})})
    assert models_left(world) == before


def trials_left(world) -> list[str]:
    endpoints = world.sagemaker.get_paginator("list_endpoints").paginate()
    configs = world.sagemaker.get_paginator("list_endpoint_configs").paginate()
    names = [each["EndpointName"] for page in endpoints for each in page["Endpoints"]]
    names += [each["EndpointConfigName"] for page in configs for each in page["EndpointConfigs"]]
    return sorted(name for name in names if "staging" in name)


def leave_trial(world, *names) -> None:
    """Leave endpoints as a trial makes them."""
    container = {"Image": "i", "ModelDataUrl": f"s3://{BUCKET}/m.tar.gz"}
    world.sagemaker.create_model(ModelName="tried", PrimaryContainer=container, ExecutionRoleArn=ROLE)
    variant = {"VariantName": "v", "ModelName": "tried", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    for name in names:
        world.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        world.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)


STRANGERS = [f"{MODEL}-staging", "hotel-prices-manual-1-0a1b2c3d-staging-0"]


def test_the_endpoint_of_a_retraining_that_was_stopped_goes_with_its_config_and_nobody_elses(world):
    promote(world)
    world.serve(OLD)
    leave_trial(world, f"{RETRAINING}-staging-0", *STRANGERS)
    hourly(detail={"executionArn": RETRAIN_ARN, "status": "ABORTED", "input": json.dumps({"model": MODEL})})
    assert trials_left(world) == sorted([*STRANGERS, *STRANGERS])


@pytest.mark.parametrize(
    ("wanted", "running", "swept"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_where_the_yaml_wants_trials_their_endpoints_are_looked_for_each_hour(
    world, monkeypatch, wanted, running, swept
):
    promote(world)
    world.serve(OLD)
    leave_trial(world, f"{RETRAINING}-staging-0")
    config = world.config.model_copy(update={"staging": Staging() if wanted else None})
    monkeypatch.setattr(settle, "find_model", lambda *_: config)
    monkeypatch.setattr(run_sweep.executions, "status", lambda *_: "RUNNING" if running else "ABORTED")
    hourly(time=to_text(NOW.replace(hour=12)))
    assert (trials_left(world) == []) is swept


def test_an_endpoint_that_sagemaker_still_makes_keeps_its_config_until_the_next_sweep(world, monkeypatch):
    promote(world)
    world.serve(OLD)
    leave_trial(world, name := f"{RETRAINING}-staging-0")
    said = {"Code": "ValidationException", "Message": f'Cannot update in-progress endpoint "{name}".'}
    delete = clients.sagemaker().delete_endpoint

    def not_yet(**_):
        raise ClientError({"Error": said}, "DeleteEndpoint")

    monkeypatch.setattr(clients.sagemaker(), "delete_endpoint", not_yet)
    ended = {"executionArn": RETRAIN_ARN, "status": "ABORTED", "input": json.dumps({"model": MODEL})}
    hourly(detail=ended)
    assert trials_left(world) == [name, name]
    monkeypatch.setattr(clients.sagemaker(), "delete_endpoint", delete)
    hourly(detail=ended)
    assert trials_left(world) == []
