"""settle brings endpoint, champion item, alarms, lease and messages in line, whoever was interrupted where."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.cloudtrail.responses import CloudTrailResponse
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from kedge.errors import EndpointBusyError, MessagesUntoldError
from kedge.instants import to_text
from kedge.release.proof import LastWatch
from kedge.release.rung_alarms import NONE_KNOWN, UNKNOWN
from lambdas.adapters import clients
from lambdas.adapters.models import load_models
from lambdas.adapters.release import approval_requests, staged_baselines
from lambdas.adapters.state import canary_watch, champions, under_way
from lambdas.adapters.state.canary_watch import CanaryWatch
from lambdas.adapters.state.under_way import ReleaseUnderWay
from lambdas.handlers import tell
from lambdas.handlers.settle import handler
from lambdas.steps import run_sweep
from tests.handlers import champions as champion_items
from tests.handlers.aws_world import ACCOUNT, BUCKET, CONTEXT, MODEL, REGION, ROLE, TABLE, moto_backend, set_endpoint
from tests.handlers.monitor_world import monitor_world

OLD, NEW, RUN = f"{MODEL}-v1-aaaa", f"{MODEL}-v2-bbbbbbbb", "release-1"
# moto stamps what it makes with the machine's clock.
NOW = datetime.now(UTC).replace(microsecond=0)
# Far from the hour of the daily sweep.
NOON = (NOW + timedelta(days=1)).replace(hour=12)
ALARM = f"kedge-{NEW}-behaviour"
EXECUTION = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:kedge-release:{RUN}"
PROPERTIES = {"kedge:training_end": "2016-02-01T00:00:00Z", "kedge:staged": "retraining/r/baseline"}


def promote(world, **more):
    """Let a registered package be the champion."""
    return champion_items.promote(world, **({"package_arn": world.register(properties=PROPERTIES)} | more))


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        yield world


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


def test_an_endpoint_that_was_made_anew_is_not_said_to_be_the_first(world):
    promote(world)
    released(world, previous=None)
    note = under_way.load(world.dynamodb, TABLE, MODEL)
    under_way.save(world.dynamodb, TABLE, MODEL, replace(note, replaces="1"))
    world.serve(NEW)
    at_the_end()
    ((_, body),) = world.mails()
    assert "Version 1 served before" in body
    assert "somebody had deleted it" in " ".join(body.split())
    assert "It is the first" not in body


def test_a_config_that_somebody_else_put_into_service_meanwhile_is_no_canary_that_went_back(world):
    promote(world)
    released(world)
    config = by_hand(world, None)
    answer = at_the_end()
    assert (answer["verdict"], champion(world).endpoint_config) == ("OVERTAKEN", OLD)
    assert (world.kinds(), alarms(world), left(world)) == (["release_unproven"], [], [])
    ((_, body),) = world.mails()
    assert f"serves {config}: somebody else put it into service" in " ".join(body.split())
    assert "untouched" not in body


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
    set_endpoint(endpoint_status="Updating")
    with pytest.raises(EndpointBusyError):
        at_the_end()
    assert hourly()["verdict"] == "CHANGING"
    assert (alarms(world), left(world)) == ([ALARM], ["release"])


def test_a_canary_whose_machine_is_gone_goes_back(world):
    promote(world)
    released(world)
    world.serve(OLD)
    set_endpoint(endpoint_status="Updating")
    assert "it goes back" in hourly(detail=ended("ABORTED"))["reasons"][0]
    assert world.gauge("CanaryMisbehaviour") == [1]


def test_an_endpoint_that_is_changed_by_others_gets_no_gauge(world):
    promote(world)
    world.serve(OLD)
    set_endpoint(endpoint_status="Updating")
    assert hourly()["reasons"] == []
    assert world.gauge("CanaryMisbehaviour") == []


def test_an_endpoint_that_broke_is_told_with_sagemakers_reason(world):
    released(world, previous=None)
    world.serve(NEW)
    set_endpoint(endpoint_status="Failed", failure_reason="no capacity")
    assert at_the_end()["verdict"] == "BROKEN"
    ((_, body),) = world.mails()
    assert "no capacity" in body
    assert champion(world) is None


def test_captures_that_go_elsewhere_than_the_config_says_are_told(world):
    promote(world)
    released(world)
    world.serve(NEW, capture=f"capture/{MODEL}/2")
    backend = moto_backend("sagemaker")
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


def held_by(world, holder: str) -> None:
    item = {"holder": holder, "purpose": "release", "taken_at": to_text(NOW)}
    world.dynamodb.put_item(
        TableName=TABLE,
        Item={"model": {"S": MODEL}, "item": {"S": "lease"}} | {name: {"S": value} for name, value in item.items()},
    )


def test_a_model_that_a_machine_works_on_is_left_alone(world):
    promote(world)
    released(world)
    world.serve(NEW)
    holder = start_execution(world)
    held_by(world, holder)
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


def test_an_endpoint_that_came_back_and_is_deleted_again_is_told_again(world):
    promote(world, package_arn=world.register(properties=PROPERTIES))
    for hour in range(2):
        at = to_text(NOW + timedelta(hours=hour))
        world.serve(OLD)
        # Moto dates both in the same second.
        set_endpoint(last_modified_time=at)
        assert hourly(time=at)["verdict"] == "agreed"
        world.sagemaker.delete_endpoint(EndpointName=MODEL)
        world.sagemaker.delete_endpoint_config(EndpointConfigName=OLD)
        world.sagemaker.delete_model(ModelName=OLD)
        assert [hourly(time=at)["verdict"] for _ in range(2)] == ["absent", "absent"]
    assert len(world.mails()) == 2


def test_an_endpoint_with_several_variants_is_told_once_and_all_else_is_settled(world):
    promote(world)
    world.serve(OLD)
    (variant,) = set_endpoint().production_variants
    set_endpoint(production_variants=[{**variant, "VariantName": name} for name in ("A", "B")])
    assert [hourly()["verdict"] for _ in range(2)] == ["several variants", "several variants"]
    ((subject, body),) = world.mails()
    assert "does not serve what Kedge released" in subject
    assert f"--endpoint-config-name {OLD}" in " ".join(body.split())


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


def test_a_version_whose_artefact_is_not_the_one_that_was_judged_is_told_and_not_followed(world):
    promote(world)
    world.put("model.tar.gz", b"a backdoor")
    by_hand(world, world.register(properties=PROPERTIES | {"kedge:artefact_sha256": "c2hhMjU2"}))
    assert hourly()["verdict"].startswith("changed")
    assert champion(world).endpoint_config == OLD
    ((subject, body),) = world.mails()
    assert "does not serve what Kedge released" in subject
    assert "it is not followed: the artefact at" in body
    assert world.keys("baselines/") == []


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


QUIET = ["dynamodb Query", "dynamodb Query", "sagemaker DescribeEndpoint"]


@contextmanager
def calls() -> Iterator[list[str]]:
    """The AWS calls that the function makes."""
    made = []
    heard = [
        (client.meta.events, lambda model, **_: made.append(f"{model.service_model.service_name} {model.name}"))
        for client in (getattr(clients, name)() for name in ("dynamodb", "sagemaker", "cloudwatch", "s3", "sns", "sqs"))
    ]
    for events, hear in heard:
        events.register("provide-client-params", hear)
    try:
        yield made
    finally:
        for events, hear in heard:
            events.unregister("provide-client-params", hear)


def test_a_quiet_hour_costs_three_calls(world):
    promote(world)
    world.serve(OLD)
    assert hourly(time=to_text(NOON))["verdict"] == "agreed"
    with calls() as made:
        for hours in range(1, 24):
            assert hourly(time=to_text(NOON + timedelta(hours=hours)))["verdict"] == "agreed"
    once_a_day = ["sagemaker ListModels", "sagemaker ListModelPackages", "dynamodb GetItem"]
    assert sorted(made) == sorted([*QUIET * 23, *once_a_day])


def test_a_model_that_was_never_deployed_costs_no_more(world):
    with calls() as made:
        assert hourly(time=to_text(NOON))["verdict"] == "not deployed"
    assert sorted(made) == QUIET


def leave_alarm(world) -> None:
    """An alarm of an earlier release that no note names."""
    released(world)
    under_way.forget(world.dynamodb, TABLE, MODEL, RUN)


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


def test_a_serving_package_that_is_rejected_is_told_within_a_day(world):
    arn = world.register(properties=PROPERTIES)
    promote(world, package_arn=arn)
    world.serve(OLD)
    hourly()
    world.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    assert hourly(time=to_text(NOW + timedelta(hours=24)))["verdict"].startswith("rejected")
    assert len(world.mails()) == 1


@pytest.mark.parametrize("change", ["deleted", "broken", "touched", "another config", "champion"])
def test_whatever_an_endpoint_tells_is_looked_into_within_the_hour(world, change):
    promote(world)
    world.serve(OLD)
    hourly()
    endpoint = set_endpoint()
    if change == "deleted":
        world.sagemaker.delete_endpoint(EndpointName=MODEL)
    elif change == "broken":
        endpoint.endpoint_status, endpoint.failure_reason = "Failed", "no capacity"
    elif change == "touched":
        endpoint.last_modified_time = NOW + timedelta(minutes=30)
    elif change == "another config":
        world.sagemaker.delete_endpoint(EndpointName=MODEL)
        by_hand(world, None)
    else:
        champions.save(world.dynamodb, TABLE, MODEL, replace(champion(world), endpoint_config="other"))
    leave_alarm(world)
    verdict = hourly(time=to_text(NOW + timedelta(hours=1)))["verdict"].split()[0]
    wanted = {"deleted": "absent", "broken": "broken", "touched": "agreed"}
    assert (verdict, alarms(world)) == (wanted.get(change, "foreign"), [])


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


def test_a_champion_whose_package_was_deleted_in_the_registry_is_told_once(world):
    promote(world, package_arn=f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{MODEL}/9")
    world.serve(OLD)
    for hours in range(3):
        assert hourly(time=to_text(NOON + timedelta(hours=hours)))["verdict"] == f"unregistered {OLD}"
    ((subject, body),) = world.mails()
    assert subject.endswith("the version that serves was deleted in the registry")
    assert "what still works: it answers requests" in body
    assert "CloudTrail" not in body


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


RETRAINING = f"{MODEL}-performance-1-0a1b2c3d"
RETRAIN_ARN = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:kedge-retrain:{RETRAINING}"
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


def test_a_followed_config_that_captures_nothing_is_told_with_what_to_do(world):
    promote(world)
    world.freeze()
    beside = ("reference.json", "slices.npz", "statistics.json", "constraints.json")
    files = {"baseline.npz": world.read(f"baselines/{MODEL}/1.npz")} | dict.fromkeys(beside, b"{}")
    for name, content in files.items():
        world.put(f"retraining/r/baseline/{name}", content)
    wrote = world.s3.put_object(Bucket=BUCKET, Key="model.tar.gz", Body=b"weights", ChecksumAlgorithm="SHA256")
    digests = {
        "kedge:artefact_sha256": wrote["ChecksumSHA256"],
        "kedge:baseline_sha256": staged_baselines.digest(files),
    }
    by_hand(world, world.register(properties=PROPERTIES | digests))
    hourly()
    ((_, body),) = [mail for mail in world.mails() if "is not captured where it should be" in mail[0]]
    assert "the endpoint captures nothing, where Kedge says" in body
    assert f"captures 100 % of input and output to s3://{BUCKET}/capture/{MODEL}/2" in " ".join(body.split())
    assert champion(world).endpoint_config.endswith("by-hand")


def trail_says(monkeypatch, *events: dict) -> None:
    """Let CloudTrail hold these events."""
    answer = json.dumps({"Events": list(events)})
    monkeypatch.setattr(CloudTrailResponse, "lookup_events", lambda _: answer)


def refuse_lookup(*_):
    raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "LookupEvents")


def trail_event(call: str, by: str, *, endpoint: str = MODEL, **record) -> dict:
    found = {"requestParameters": {"endpointName": endpoint}, "userIdentity": {"arn": by}} | record
    return {"EventName": call, "EventTime": NOW.timestamp(), "CloudTrailEvent": json.dumps(found)}


def test_who_deleted_the_endpoint_is_told_where_cloudtrail_says_it(world, monkeypatch):
    promote(world)
    trail_says(
        monkeypatch,
        trail_event("DeleteEndpoint", "arn:refused", errorCode="AccessDenied"),
        trail_event("DeleteEndpoint", "arn:another", endpoint="another"),
        trail_event("DeleteEndpoint", "arn:aws:sts::1:assumed-role/ops/lisa", eventVersion="1"),
    )
    hourly()
    ((_, body),) = world.mails()
    assert f"Changed at {to_text(NOW)} by arn:aws:sts::1:assumed-role/ops/lisa (DeleteEndpoint)." in body


@pytest.mark.parametrize("call", ["UpdateEndpoint", "DeleteEndpoint"])
def test_a_call_that_did_not_make_the_change_is_not_blamed_for_it(world, monkeypatch, call):
    promote(world)
    config = by_hand(world, None) if call == "UpdateEndpoint" else None
    ours = {"endpointName": MODEL, "endpointConfigName": NEW}
    theirs = {"endpointName": MODEL} | ({"endpointConfigName": config} if config else {})
    trail_says(
        monkeypatch,
        trail_event("UpdateEndpoint", "arn:kedge", requestParameters=ours),
        trail_event(call, "arn:lisa", requestParameters=theirs),
    )
    hourly()
    ((_, body),) = world.mails()
    assert f"by arn:lisa ({call})" in body


@pytest.mark.parametrize("denied", [False, True])
def test_where_cloudtrail_answers_nothing_or_denies_the_change_is_told_all_the_same(world, monkeypatch, denied):
    promote(world)
    if denied:
        monkeypatch.setattr(clients.cloudtrail(), "get_paginator", refuse_lookup)
    hourly()
    ((_, body),) = world.mails()
    assert "does not exist any more" in body
    assert "CloudTrail did not show who did it" in body


SHORT_OF_INSTANCES = "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error."


def short(reason: str = SHORT_OF_INSTANCES, *, status: str = "InService") -> None:
    set_endpoint(endpoint_status=status, failure_reason=reason)


def test_an_update_that_found_no_instances_is_left_to_its_machine_which_waits(world):
    promote(world)
    released(world)
    world.serve(OLD)
    short()
    answer = at_the_end()
    assert answer["verdict"] == "SHORT"
    assert SHORT_OF_INSTANCES in answer["shortage"]
    assert "failed_endpoint" not in answer
    # The note stays: where this answer is lost, the next one is the same.
    assert (world.mails(), alarms(world), left(world)) == ([], [], ["release"])
    assert at_the_end() == answer


def test_a_first_endpoint_that_found_no_instances_is_named_for_its_deletion(world):
    released(world, previous=None)
    world.serve(NEW)
    short(status="Failed")
    assert at_the_end()["failed_endpoint"] == MODEL


@pytest.mark.parametrize("config", [NEW, OLD])
def test_an_endpoint_that_served_before_or_that_another_made_is_never_named_for_deletion(world, config):
    released(world, previous=OLD if config == NEW else None)
    world.serve(config)
    short(status="Failed")
    answer = at_the_end()
    assert (answer["verdict"], "failed_endpoint" in answer) == ("BROKEN", False)
    ((_, body),) = world.mails()
    assert "Choose another instance type" in body


@pytest.mark.parametrize("told_by_machine", [False, True])
def test_a_wait_for_instances_whose_machine_is_gone_is_told_once_and_settled(world, told_by_machine):
    promote(world)
    released(world)
    world.serve(OLD)
    short()
    if told_by_machine:
        hourly(detail=ended("ABORTED"))
    hourly()
    hourly()
    ((subject, _),) = world.mails()
    assert "the release" in subject
    assert left(world) == []


def rang(monkeypatch, kind: str, state: str = "ALARM", *, at: datetime = NOW - timedelta(minutes=5)) -> list[dict]:
    """Let CloudWatch's history say that an alarm changed; return what it was asked."""
    asked: list[dict] = []

    def describe(response):
        params = response._get_params()
        asked.append(params)
        data = {"newState": {"stateValue": state, "stateReason": "Threshold Crossed: 0.4 is above 0.05"}}
        item = {
            "AlarmName": params["AlarmName"],
            "Timestamp": at,
            "HistoryItemType": "StateUpdate",
            "HistoryData": json.dumps(data),
        }
        return ActionResult({"AlarmHistoryItems": [item] if params["AlarmName"].endswith(kind) else []})

    monkeypatch.setattr(CloudWatchResponse, "describe_alarm_history", describe)
    return asked


def test_the_alarm_that_rang_is_named_with_its_sentence(world, monkeypatch):
    promote(world)
    released(world)
    world.serve(OLD)
    asked = rang(monkeypatch, "behaviour")
    assert at_the_end()["verdict"] == "ROLLED_BACK"
    ((_, body),) = world.mails()
    words = " ".join(body.split())
    assert f"alarm behaviour rang at {NOW - timedelta(minutes=5):%H:%M} UTC: the canary answers differently" in words
    assert "Threshold Crossed: 0.4 is above 0.05" in words
    assert f"describe-alarm-history --alarm-name {ALARM}" in words
    assert [each["AlarmName"] for each in asked] == [ALARM]


def test_an_alarm_that_only_became_ok_did_not_ring(world, monkeypatch):
    promote(world)
    released(world)
    world.serve(OLD)
    rang(monkeypatch, "behaviour", "OK")
    assert NONE_KNOWN in at_the_end()["reasons"]


def test_where_cloudwatch_does_not_answer_the_mail_says_so(world, monkeypatch):
    promote(world)
    released(world)
    world.serve(OLD)
    paginator = clients.cloudwatch().get_paginator

    def denied(name):
        if name == "describe_alarm_history":
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeAlarmHistory")
        return paginator(name)

    monkeypatch.setattr(clients.cloudwatch(), "get_paginator", denied)
    assert at_the_end()["verdict"] == "ROLLED_BACK"
    ((_, body),) = world.mails()
    assert UNKNOWN in body


def decide(world, arn: str, status: str) -> None:
    world.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status)


@pytest.mark.parametrize("status", ["Rejected", "PendingManualApproval"])
@pytest.mark.parametrize(("watch", "requests"), [("HEALTHY", 50), ("UNPROVEN", 50)])
def test_a_decision_that_came_too_late_is_told_with_the_exact_way_back(world, status, watch, requests):
    promote(world, package_arn=f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{MODEL}/7")
    arn = released(world)
    world.serve(NEW)
    watched(world, watch)
    answered_requests(requests)
    decide(world, arn, status)
    at_the_end()
    ((_, body),) = world.mails()
    words = " ".join(body.split())
    assert "THE DECISION CAME TOO LATE" in words
    assert f"The version is {status} in the registry" in words
    assert f'kedge rollback {MODEL} --to 7 --reason "why"' in words


def test_a_first_endpoint_that_was_rejected_meanwhile_has_no_version_to_go_back_to(world):
    arn = released(world, previous=None)
    world.serve(NEW)
    decide(world, arn, "Rejected")
    at_the_end()
    ((subject, body),) = world.mails()
    assert "serves, although it is Rejected" in subject
    assert "No version served before it" in body


def test_the_rollback_that_a_person_started_is_told_with_both_versions_and_the_reason(world):
    promote(world)
    released(world)
    note = under_way.load(world.dynamodb, TABLE, MODEL)
    back = {"from": "3", "to": "2", "by": "ann", "reason": "guests complain"}
    under_way.save(world.dynamodb, TABLE, MODEL, replace(note, rollback=back))
    world.serve(NEW)
    watched(world, "HEALTHY")
    answered_requests(50)
    at_the_end()
    ((subject, body),) = world.mails()
    assert subject.endswith("package version 2 serves again, in place of version 3")
    assert "Started by ann: guests complain" in " ".join(body.split())


def waits(world, *, run: str = RETRAINING, kept: bool = True) -> str:
    """Register a package that waits for a decision, with what its retraining kept for the approver; return its ARN."""
    if kept:
        detail = {"run": run, "reasons": ["auc is better by +0.07"], "trigger": {"reasons": ["quality was lost"]}}
        approval_requests.save(world.s3, BUCKET, MODEL, run, detail)
    return world.register(status="PendingManualApproval", properties={"kedge:run": run})


@pytest.mark.parametrize("told", ["after a retraining", "once a day", "by a person"])
def test_a_package_that_waits_and_that_nobody_was_told_of_is_told_once(world, told):
    promote(world)
    world.serve(OLD)
    arn = waits(world)
    assert hourly(time=to_text(NOON))["verdict"] == "agreed"
    assert world.mails() == []
    events = {
        "after a retraining": {"hourly": False, "detail": {"executionArn": RETRAIN_ARN, "status": "SUCCEEDED"}},
        "once a day": {"time": to_text(NOON.replace(hour=3))},
        "by a person": {"hourly": False},
    }
    for _ in range(2):
        hourly(**events[told])
    ((subject, body),) = world.mails()
    assert subject.endswith("please decide about package version 2")
    assert "auc is better by +0.07" in body
    assert "quality was lost" in body
    assert f"--model-package-arn {arn} " in body
    assert world.kinds() == ["package_registered"]


def test_a_package_that_its_machine_has_told_is_not_told_again(world):
    promote(world)
    world.serve(OLD)
    arn = waits(world)
    detail = {"run": RETRAINING, "package_arn": arn, "reasons": []}
    tell.handler({"model": MODEL, "kind": "package_registered", "time": to_text(NOW), "detail": detail}, CONTEXT)
    hourly(hourly=False)
    assert len(world.mails()) == 1


@pytest.mark.parametrize("what", ["older than the champion", "made by hand", "decided already"])
def test_a_package_that_nobody_needs_to_decide_about_is_not_told(world, what):
    arn = waits(world, kept=what != "made by hand")
    if what == "older than the champion":
        promote(world)
        world.serve(OLD)
    if what == "decided already":
        world.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    hourly(hourly=False)
    assert world.mails() == []


def test_a_package_that_a_running_retraining_has_just_registered_is_left_to_it(world):
    waits(world)
    held_by(world, start_execution(world))
    assert hourly(hourly=False)["verdict"] == "AT_WORK"
    assert world.mails() == []
