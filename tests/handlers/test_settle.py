"""settle brings endpoint, champion item, alarms, lease and messages in line, whoever was interrupted where."""

import json
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.sagemaker.models import sagemaker_backends

from kedge.errors import EndpointBusyError, MessagesUntoldError
from kedge.release_proof import LastWatch
from lambdas.adapters import canary_watch, champions, clients, under_way
from lambdas.adapters.canary_watch import CanaryWatch
from lambdas.adapters.models import load_models
from lambdas.adapters.times import to_text
from lambdas.adapters.under_way import ReleaseUnderWay
from lambdas.handlers.settle import handler
from tests.handlers.aws_world import ACCOUNT, BUCKET, CONTEXT, MODEL, REGION, ROLE, TABLE
from tests.handlers.champions import promote
from tests.handlers.monitor_world import monitor_world

OLD, NEW, RUN = f"{MODEL}-v1-aaaa", f"{MODEL}-v2-bbbbbbbb", "release-1"
# moto stamps what it makes with the machine's clock.
NOW = datetime.now(UTC).replace(microsecond=0)
ALARM = f"kedge-{NEW}-behaviour"
EXECUTION = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:kedge-release:{RUN}"
PROPERTIES = {"kedge:training_end": "2016-02-01T00:00:00Z", "kedge:staged": "retraining/r/baseline"}


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        yield world


def at_the_end(run: str = RUN) -> dict:
    """As the release machine calls it."""
    return handler({"model": MODEL, "run": run, "time": to_text(NOW)}, CONTEXT)


def hourly(**more) -> dict:
    """As the queue's message calls it."""
    body = {"model": MODEL, "time": to_text(NOW), **more}
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


def subjects(world) -> list[str]:
    return [subject.split(": ", 1)[1] for subject, _ in world.mails()]


def left(world) -> list[str]:
    """What of a release is still in the state table."""
    pages = world.dynamodb.get_paginator("scan").paginate(TableName=TABLE)
    items = {item["item"]["S"] for page in pages for item in page["Items"]}
    return sorted(items & {"release", "canary", "lease", "waiting_release"})


def test_a_proved_canary_becomes_the_champion_and_leaves_nothing_behind(world):
    before, arn = promote(world), released(world)
    world.serve(NEW)
    watched(world, "HEALTHY")
    answered_requests(50)
    assert at_the_end()["verdict"] == "PROMOTED"
    found = champion(world)
    assert (found.package_arn, found.endpoint_config, found.previous_package_arn) == (arn, NEW, before.package_arn)
    assert (found.promoted_at, f"{found.training_end:%Y-%m-%d}") == (NOW, "2016-02-01")
    assert sorted(world.kinds()) == ["baseline_switched", "canary_promoted"]
    assert (subjects(world), alarms(world), left(world)) == (["package version 2 serves now"], [], [])


def test_settling_again_changes_and_tells_nothing(world):
    promote(world)
    released(world)
    world.serve(NEW)
    watched(world, "HEALTHY")
    answered_requests(50)
    at_the_end()
    first, entries = champion(world), world.timeline()
    assert at_the_end()["verdict"] == "NOTHING"
    assert hourly()["verdict"] == "agreed"
    assert (champion(world), world.timeline(), len(world.mails())) == (first, entries, 1)


def test_a_first_endpoint_is_told_once_and_without_a_canary(world):
    released(world, previous=None)
    world.serve(NEW)
    assert at_the_end()["verdict"] == "PROMOTED"
    assert (world.kinds(), champion(world).previous_package_arn) == (["baseline_switched"], None)
    at_the_end()
    ((subject, body),) = world.mails()
    assert subject.endswith("package version 2 serves now")
    assert f"the endpoint {MODEL} is in service" in body
    assert "canary" not in body


@pytest.mark.parametrize(("watch", "verdict"), [("MISBEHAVING", "ROLLED_BACK"), ("UNPROVEN", "UNPROVEN")])
def test_a_canary_that_went_back_leaves_the_champion(world, watch, verdict):
    promote(world)
    released(world)
    world.serve(OLD)
    watched(world, watch)
    answer = at_the_end()
    assert (answer["verdict"], answer["reasons"][0]) == (verdict, f"it was {watch}")
    assert (champion(world).endpoint_config, alarms(world), left(world), len(world.mails())) == (OLD, [], [], 1)


@pytest.mark.parametrize("watch", [None, "MISBEHAVING", "UNPROVEN"])
def test_what_serves_without_a_healthy_last_look_is_unproven_and_judged_all_the_same(world, watch):
    promote(world)
    arn = released(world)
    world.serve(NEW)
    answered_requests(50)
    if watch:
        watched(world, watch)
    assert at_the_end()["verdict"] == "UNPROVEN"
    assert champion(world).package_arn == arn
    ((_, body),) = world.mails()
    assert "kedge rollback" in body


def test_an_update_that_never_took_effect_is_told_by_its_failure_alone(world):
    promote(world)
    world.serve(OLD)
    released(world, planned_at=NOW + timedelta(hours=1))
    assert at_the_end()["verdict"] == "UNCHANGED"
    assert (world.mails(), alarms(world), left(world)) == ([], [], [])


def test_while_the_endpoint_is_being_changed_its_alarms_stay(world):
    promote(world)
    released(world)
    world.serve(OLD)
    sagemaker_backends[ACCOUNT][REGION].endpoints[MODEL].endpoint_status = "Updating"
    with pytest.raises(EndpointBusyError):
        at_the_end()
    assert hourly()["verdict"] == "CHANGING"
    assert (alarms(world), left(world)) == ([ALARM], ["release"])


def test_a_canary_whose_machine_is_gone_goes_back(world):
    promote(world)
    released(world)
    world.serve(OLD)
    sagemaker_backends[ACCOUNT][REGION].endpoints[MODEL].endpoint_status = "Updating"
    assert "it goes back" in hourly(detail=ended("ABORTED"))["reasons"][0]
    assert world.gauge("CanaryMisbehaviour") == [1]


def test_an_endpoint_that_is_changed_by_others_gets_no_gauge(world):
    promote(world)
    world.serve(OLD)
    sagemaker_backends[ACCOUNT][REGION].endpoints[MODEL].endpoint_status = "Updating"
    assert hourly()["reasons"] == []
    assert world.gauge("CanaryMisbehaviour") == []


def test_an_endpoint_that_broke_is_told_with_sagemakers_reason(world):
    released(world, previous=None)
    world.serve(NEW)
    endpoint = sagemaker_backends[ACCOUNT][REGION].endpoints[MODEL]
    endpoint.endpoint_status, endpoint.failure_reason = "Failed", "no capacity"
    assert at_the_end()["verdict"] == "BROKEN"
    ((_, body),) = world.mails()
    assert "no capacity" in body
    assert champion(world) is None


def test_captures_that_go_elsewhere_than_the_config_says_are_told(world):
    promote(world)
    released(world)
    world.serve(NEW, capture=f"capture/{MODEL}/2")
    backend = sagemaker_backends[ACCOUNT][REGION]
    backend.endpoints[MODEL].data_capture_config["DestinationS3Uri"] = f"s3://{BUCKET}/capture/{MODEL}/1"
    backend.endpoint_configs[NEW].data_capture_config = {
        "EnableCapture": True,
        "DestinationS3Uri": f"s3://{BUCKET}/capture/{MODEL}/2",
    }
    watched(world, "HEALTHY")
    answered_requests(50)
    assert at_the_end()["verdict"] == "PROMOTED"
    assert "capture_astray" in world.kinds()


def test_another_runs_release_is_left_to_its_machine(world):
    promote(world)
    released(world)
    world.serve(NEW)
    assert at_the_end("release-2")["verdict"] == "NOTHING"
    assert left(world) == ["release"]


def ended(status: str) -> dict:
    return {"executionArn": EXECUTION, "status": status, "input": json.dumps({"model": MODEL, "run": RUN})}


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT", "FAILED"])
def test_an_execution_that_ended_without_a_word_is_told_once_and_its_release_settled(world, status):
    promote(world)
    arn = released(world)
    world.serve(NEW)
    answered_requests(50)
    watched(world, "HEALTHY")
    for _ in range(2):
        hourly(detail=ended(status))
    assert (champion(world).package_arn, alarms(world), left(world)) == (arn, [], [])
    assert sorted(world.kinds()) == ["baseline_switched", "canary_promoted", "failed"]
    assert len(world.mails()) == 2


def test_a_failure_that_the_machine_told_is_not_told_again(world):
    promote(world)
    world.serve(OLD)
    world.dynamodb.put_item(TableName=TABLE, Item={"model": {"S": MODEL}, "item": {"S": f"told#failed#{RUN}"}})
    hourly(detail=ended("FAILED"))
    assert world.mails() == []


def test_an_execution_that_went_well_is_no_news(world):
    promote(world)
    world.serve(OLD)
    hourly(detail=ended("SUCCEEDED"))
    assert world.mails() == []


def test_a_model_that_a_machine_works_on_is_left_alone(world):
    promote(world)
    released(world)
    world.serve(NEW)
    holder = start_execution(world)
    item = {"holder": holder, "purpose": "release", "taken_at": to_text(NOW)}
    world.dynamodb.put_item(
        TableName=TABLE,
        Item={"model": {"S": MODEL}, "item": {"S": "lease"}} | {name: {"S": value} for name, value in item.items()},
    )
    assert hourly() == {"verdict": "AT_WORK", "holder": holder, "told_again": 0}
    assert champion(world).endpoint_config == OLD


def test_a_lease_whose_holder_has_ended_is_given_back(world):
    promote(world)
    world.serve(OLD)
    item = {"holder": EXECUTION, "purpose": "release", "taken_at": to_text(NOW - timedelta(hours=1))}
    world.dynamodb.put_item(
        TableName=TABLE,
        Item={"model": {"S": MODEL}, "item": {"S": "lease"}} | {name: {"S": value} for name, value in item.items()},
    )
    assert hourly(detail=ended("ABORTED"))["verdict"] == "agreed"
    assert left(world) == []


def start_execution(world) -> str:
    machine = boto3.client("stepfunctions").create_state_machine(
        name="kedge-release",
        definition=json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}),
        roleArn=ROLE,
    )["stateMachineArn"]
    return world.stepfunctions.start_execution(stateMachineArn=machine, name="r")["executionArn"]


def test_a_deleted_endpoint_is_told_once(world):
    promote(world)
    for _ in range(3):
        assert hourly()["verdict"] == "absent"
    ((subject, body),) = world.mails()
    assert "does not serve what Kedge released" in subject
    assert "does not exist any more" in body


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


def test_a_foreign_model_that_serves_is_told_and_not_followed(world):
    promote(world)
    by_hand(world, None)
    assert hourly()["verdict"].startswith("foreign")
    assert champion(world).endpoint_config == OLD
    assert "are not judged" in world.mails()[0][1]


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


def test_an_approval_that_waited_is_handed_to_start_release(world):
    promote(world)
    world.serve(OLD)
    item = {"package_arn": "arn:2", "package_version": "2", "decided_at": to_text(NOW)}
    world.dynamodb.put_item(
        TableName=TABLE,
        Item={"model": {"S": MODEL}, "item": {"S": "waiting_release"}}
        | {name: {"S": value} for name, value in item.items()},
    )
    hourly()
    (message,) = world.received("approvals")
    assert message["detail"] == {"ModelPackageArn": "arn:2"}


def test_what_could_not_be_told_is_told_within_the_hour(world):
    promote(world)
    world.serve(OLD)
    event = {"time": to_text(NOW - timedelta(hours=1)), "model": MODEL, "kind": "rejected", "detail": {"serving": True}}
    key = {"model": {"S": MODEL}, "item": {"S": "untold#people#abc"}}
    item = key | {"event": {"S": json.dumps(event)}, "audience": {"S": "people"}}
    world.dynamodb.put_item(TableName=TABLE, Item=item)
    assert hourly()["told_again"] == 1
    assert len(world.mails()) == 1


def test_a_topic_that_refuses_for_good_is_an_error_that_alarms_after_everything_else_was_done(world, monkeypatch):
    promote(world)
    released(world)
    world.serve(OLD)
    watched(world, "MISBEHAVING")
    event = {"time": to_text(NOW - timedelta(hours=1)), "model": MODEL, "kind": "rejected", "detail": {"serving": True}}
    key = {"model": {"S": MODEL}, "item": {"S": "untold#people#abc"}}
    item = key | {"event": {"S": json.dumps(event)}, "audience": {"S": "people"}}
    world.dynamodb.put_item(TableName=TABLE, Item=item)

    def refuse(**_):
        raise ClientError({"Error": {"Code": "AuthorizationError", "Message": "not allowed"}}, "Publish")

    monkeypatch.setattr(clients.sns(), "publish", refuse)
    with pytest.raises(MessagesUntoldError, match="could not be sent"):
        hourly()
    assert (alarms(world), left(world)) == ([], [])
    assert world.item("untold#people#abc") is not None


def test_a_champion_whose_package_was_deleted_in_the_registry_is_no_error(world):
    promote(world, package_arn=f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{MODEL}/9")
    world.serve(OLD)
    assert hourly()["verdict"] == "agreed"


def test_a_champion_that_comes_back_to_an_endpoint_of_its_own_is_not_its_own_predecessor(world):
    arn = released(world, previous=None)
    promote(world, package_arn=arn)
    world.serve(NEW)
    at_the_end()
    assert (champion(world).endpoint_config, champion(world).previous_package_arn) == (NEW, None)


@pytest.mark.parametrize("given", ["[]", '"x"', '{"model": [1]}', "{}", "no JSON"])
def test_an_execution_that_a_person_started_with_something_else_is_left_to_the_next_hour(world, given):
    event = {"time": to_text(NOW), "detail": {"executionArn": EXECUTION, "status": "FAILED", "input": given}}
    assert handler({"Records": [{"body": json.dumps(event)}]}, CONTEXT) == {"verdict": "UNNAMED"}


def test_an_hours_tick_sends_a_message_for_each_model(world):
    assert handler({"time": to_text(NOW)}, CONTEXT)["verdict"] == "SENT"
    assert {message["model"] for message in world.received("settle")} == set(load_models())


def test_an_event_without_its_input_waits_for_the_next_hour(world):
    event = {"time": to_text(NOW), "detail": {"executionArn": EXECUTION, "status": "FAILED"}}
    assert handler({"Records": [{"body": json.dumps(event)}]}, CONTEXT) == {"verdict": "UNNAMED"}


@pytest.mark.parametrize("call", ["describe_alarms", "delete_alarms"])
def test_alarms_that_cannot_be_deleted_leave_the_note_for_the_next_hour(world, monkeypatch, call):
    promote(world)
    released(world)
    world.serve(OLD)
    watched(world, "MISBEHAVING")

    def refuse(**_):
        raise ClientError({"Error": {"Code": "Throttling", "Message": "slow down"}}, call)

    with monkeypatch.context() as patched:
        patched.setattr(clients.cloudwatch(), call, refuse)
        with pytest.raises(ClientError):
            at_the_end()
    assert left(world) == ["canary", "release"]
    hourly()
    assert (alarms(world), left(world), len(world.mails())) == ([], [], 1)
