"""A release that is under way is settled by what the endpoint serves: champion item, messages, alarms, notes."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from kedge.errors import EndpointBusyError
from kedge.release.rung_alarms import NONE_KNOWN, UNKNOWN
from lambdas.adapters import clients
from lambdas.adapters.state import under_way
from tests.handlers.aws_world import ACCOUNT, BUCKET, MODEL, REGION, TABLE, moto_backend, set_endpoint
from tests.handlers.settle_world import (
    ALARM,
    NEW,
    NOW,
    OLD,
    alarms,
    answered_requests,
    at_the_end,
    by_hand,
    champion,
    ended,
    hourly,
    left,
    promote,
    released,
    settle_world,
    watched,
)


@pytest.fixture
def world(monkeypatch):
    with settle_world(monkeypatch) as world:
        yield world


def subjects(world) -> list[str]:
    return [subject.split(": ", 1)[1] for subject, _ in world.mails()]


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
