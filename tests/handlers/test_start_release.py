"""start_release acts once on each decision of a person, whatever events SageMaker sends."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import boto3
import pytest
import time_machine

from kedge.errors import RegistryBehindError
from lambdas.adapters.state import approvals, champions, under_way
from lambdas.adapters.state.approvals import Approval, Waiting
from lambdas.adapters.state.under_way import ReleaseUnderWay
from lambdas.handlers.start_release import handler
from tests.handlers.aws_world import ACCOUNT, CONTEXT, MODEL, REGION, ROLE, TABLE, aws_world, moto_backend
from tests.handlers.champions import promote

MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:kedge-release"
RETRAIN = MACHINE.replace("kedge-release", "kedge-retrain")
DEFINITION = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}


@pytest.fixture
def world(monkeypatch):
    topics = {f"{name}_TOPIC_ARN": f"arn:aws:sns:{REGION}:{ACCOUNT}:{name.lower()}" for name in ("ALERT", "EVENT")}
    with aws_world(monkeypatch, RELEASE_MACHINE_ARN=MACHINE, RETRAIN_MACHINE_ARN=RETRAIN, **topics) as world:
        for machine in ("kedge-release", "kedge-retrain"):
            boto3.client("stepfunctions").create_state_machine(
                name=machine, definition=json.dumps(DEFINITION), roleArn=ROLE
            )
        for name in ("alert", "event"):
            boto3.client("sns").create_topic(Name=name)
        yield world


def hear(arn: str, *, time: str = "2016-02-11T12:00:00Z", deliveries: int = 1, **detail: object) -> dict:
    event = {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Model Package State Change",
        "time": time,
        "detail": {"ModelPackageArn": arn, **detail},
    }
    record = {"body": json.dumps(event), "attributes": {"ApproximateReceiveCount": str(deliveries)}}
    return handler({"Records": [record]}, CONTEXT)


def executions() -> list[str]:
    listed = boto3.client("stepfunctions").list_executions(stateMachineArn=MACHINE)["executions"]
    return [execution["name"] for execution in listed]


def decide(world, arn: str, status: str) -> None:
    world.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status)


def test_an_approval_starts_the_release_with_the_lease_taken(world):
    arn = world.register()
    answered = hear(arn)
    assert answered["verdict"] == "STARTED"
    assert executions() == [answered["run"]]
    assert world.item("lease")["holder"]["S"].endswith(answered["run"])
    assert [entry["kind"] for entry in world.timeline()] == ["approved"]


def test_a_registry_that_answers_what_was_before_the_event_is_asked_again(world):
    arn = world.register(status="PendingManualApproval")
    with pytest.raises(RegistryBehindError, match="the event says Approved, the registry still answers Pending"):
        hear(arn, ModelApprovalStatus="Approved")
    assert (executions(), world.item("approval#1"), world.timeline()) == ([], None, [])
    decide(world, arn, "Approved")
    assert hear(arn, ModelApprovalStatus="Approved", deliveries=2)["verdict"] == "STARTED"


@pytest.mark.parametrize("told", ["Approved", "Rejected"])
def test_a_decision_that_was_taken_back_ends_in_words_and_not_in_the_queue_for_ever(world, told):
    arn = world.register(status="PendingManualApproval")
    assert hear(arn, ModelApprovalStatus=told, deliveries=3)["verdict"] == "OVERTAKEN"
    assert executions() == []
    (entry,) = world.timeline()
    assert entry["kind"] == "decision_overtaken"
    assert f"the event said {told}; when it was read, the registry said Pending" in entry["detail"]["reasons"][0]


def test_an_old_answer_never_undoes_what_was_heard(world):
    arn = world.register()
    hear(arn, ModelApprovalStatus="Approved")
    decide(world, arn, "Rejected")
    with pytest.raises(RegistryBehindError):
        hear(arn, ModelApprovalStatus="Approved", LastModifiedTime="4102444800000")
    assert world.item("approval#1")["status"]["S"] == "Approved"


@pytest.mark.parametrize("time", [1455192000000, "1455192000000", "2016-02-11T12:00:00Z", "yesterday", None])
def test_any_spelling_of_the_events_time_is_taken(world, time):
    arn = world.register()
    assert hear(arn, ModelApprovalStatus="Approved", LastModifiedTime=time)["verdict"] == "STARTED"


def test_the_same_approval_told_twice_or_stamped_starts_one_release(world):
    arn = world.register()
    hear(arn)
    assert hear(arn)["verdict"] == "ALREADY_HEARD"
    assert (
        hear(arn, time="2016-02-12T12:00:00Z", UpdatedModelPackageFields=["CustomerMetadataProperties"])["verdict"]
        == "ALREADY_HEARD"
    )
    assert len(executions()) == 1


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        (["CustomerMetadataProperties", "ModelLifeCycle"], "STAGE_SHOWN"),
        (["ModelLifeCycle"], "STAGE_SHOWN"),
        (["ModelApprovalStatus", "ModelLifeCycle"], "STARTED"),
        (["ApprovalDescription", "ModelLifeCycle"], "STARTED"),
        ([], "STARTED"),
        (None, "STARTED"),
    ],
)
def test_a_change_of_the_stage_alone_is_not_heard(world, fields, verdict):
    arn = world.register()
    assert hear(arn, ModelApprovalStatus="Approved", UpdatedModelPackageFields=fields)["verdict"] == verdict
    assert len(executions()) == (verdict == "STARTED")


def test_an_approval_after_a_rejection_is_a_new_release(world):
    arn = world.register()
    first = hear(arn)["run"]
    boto3.client("stepfunctions").stop_execution(executionArn=f"{MACHINE.replace('stateMachine', 'execution')}:{first}")
    decide(world, arn, "Rejected")
    hear(arn)
    decide(world, arn, "Approved")
    second = hear(arn, time="2016-03-01T12:00:00Z")["run"]
    assert first != second


def heard_at(world, time):
    """Let the decision that was heard last be of this time."""
    world.dynamodb.update_item(
        TableName=TABLE,
        Key={"model": {"S": MODEL}, "item": {"S": "approval#1"}},
        UpdateExpression="SET decided_at = :time",
        ExpressionAttributeValues={":time": {"S": time}},
    )


@pytest.mark.parametrize("between", ["Rejected", "PendingManualApproval"])
def test_an_approval_that_followed_a_rejection_before_that_was_read_is_a_new_release_once(world, between):
    arn = world.register(status="PendingManualApproval")
    decide(world, arn, "Approved")
    first = hear(arn, ModelApprovalStatus="Approved")["run"]
    boto3.client("stepfunctions").stop_execution(executionArn=f"{MACHINE.replace('stateMachine', 'execution')}:{first}")
    heard_at(world, "2016-02-11T12:00:00Z")
    decide(world, arn, between)
    decide(world, arn, "Approved")
    # The events may come in any order, and each of them again.
    assert hear(arn, ModelApprovalStatus="Approved")["verdict"] == "ALREADY_HEARD"
    told = {"ModelApprovalStatus": between, "LastModifiedTime": "2016-02-11T13:00:00Z"}
    second = hear(arn, **told)
    assert (second["verdict"], second["run"] != first) == ("STARTED", True)
    assert hear(arn, **told)["verdict"] == hear(arn, ModelApprovalStatus="Approved")["verdict"] == "ALREADY_HEARD"
    assert len(executions()) == 2


@pytest.mark.parametrize("time", [None, "2016-02-11T12:00:01Z", "2016-02-11T11:00:00Z"])
def test_an_event_from_before_the_decision_that_was_heard_releases_nothing_again(world, time):
    arn = world.register(status="PendingManualApproval")
    decide(world, arn, "Approved")
    hear(arn, ModelApprovalStatus="Approved")
    heard_at(world, "2016-02-11T12:00:00Z")
    told = {"ModelApprovalStatus": "Rejected", "LastModifiedTime": time}
    assert hear(arn, **told, deliveries=3)["verdict"] == "ALREADY_HEARD"
    assert len(executions()) == 1


def test_a_registry_that_stays_behind_a_rejection_releases_nothing_again(world):
    arn = world.register(status="PendingManualApproval")
    decide(world, arn, "Approved")
    hear(arn, ModelApprovalStatus="Approved")
    told = {"ModelApprovalStatus": "Rejected", "LastModifiedTime": "4102444800000"}
    assert hear(arn, **told, deliveries=3)["verdict"] == "ALREADY_HEARD"
    assert len(executions()) == 1


def test_a_crash_before_it_was_remembered_starts_nothing_twice(world):
    arn = world.register()
    hear(arn)
    world.dynamodb.delete_item(TableName=TABLE, Key={"model": {"S": MODEL}, "item": {"S": "approval#1"}})
    assert hear(arn)["verdict"] in ("STARTED", "ALREADY_STARTED")
    assert len(executions()) == 1


def test_a_package_that_serves_is_not_released_again_and_the_answer_is_told(world):
    arn = world.register()
    world.serve(promote(world, package_arn=arn).endpoint_config)
    assert hear(arn)["verdict"] == "ALREADY_SERVING"
    assert executions() == []
    assert world.timeline()[0]["detail"]["reasons"] == ["version 1 serves already: nothing was changed"]


def test_the_champion_is_released_again_where_its_endpoint_was_deleted_or_changed_by_hand(world):
    arn = world.register()
    promote(world, package_arn=arn)
    assert hear(arn)["verdict"] == "STARTED"


def test_another_groups_package_is_none_of_our_business(world):
    world.sagemaker.create_model_package_group(ModelPackageGroupName="theirs")
    arn = world.sagemaker.create_model_package(ModelPackageGroupName="theirs", ModelApprovalStatus="Approved")[
        "ModelPackageArn"
    ]
    assert hear(arn)["verdict"] == "NOT_OURS"


def hold_lease(world) -> None:
    """Let another execution work on the model."""
    other = boto3.client("stepfunctions").start_execution(stateMachineArn=MACHINE, name="other")["executionArn"]
    item = {"holder": other, "purpose": "retraining", "taken_at": "2016-02-11T11:00:00Z"}
    key = {"model": {"S": MODEL}, "item": {"S": "lease"}}
    world.dynamodb.put_item(TableName=TABLE, Item=key | {name: {"S": value} for name, value in item.items()})


def end_the_other() -> None:
    arn = MACHINE.replace("stateMachine", "execution") + ":other"
    boto3.client("stepfunctions").stop_execution(executionArn=arn)


def test_while_another_execution_holds_the_lease_an_approval_waits_and_is_released_after_it(world):
    arn = world.register()
    hold_lease(world)
    assert hear(arn)["verdict"] == "WAITING"
    assert (executions(), world.item("waiting_release")["package_version"]["S"]) == (["other"], "1")
    end_the_other()
    assert hand_over(arn)["verdict"] == "STARTED"
    assert world.item("waiting_release") is None
    assert len(executions()) == 2


def test_of_several_approvals_that_wait_the_newest_is_released_and_the_others_are_told(world):
    versions = [world.register() for _ in range(3)]
    hold_lease(world)
    for arn in (versions[0], versions[2], versions[1]):
        decide(world, arn, "Rejected")
    for minute, arn in enumerate((versions[0], versions[2], versions[1])):
        with time_machine.travel(datetime(2016, 2, 11, 12, minute, tzinfo=UTC), tick=False):
            decide(world, arn, "Approved")
    # Events come in any order.
    verdicts = [hear(versions[place])["verdict"] for place in (1, 0, 2)]
    assert verdicts == ["WAITING", "SUPERSEDED", "SUPERSEDED"]
    assert world.item("waiting_release")["package_version"]["S"] == "2"
    superseded = [e["detail"] for e in world.timeline() if e["kind"] == "release_superseded"]
    assert [(detail["package_version"], detail["newer_version"]) for detail in superseded] == [("1", "2"), ("3", "2")]


def test_a_newer_approval_takes_the_place_of_one_that_waits(world):
    first, second = world.register(), world.register()
    hold_lease(world)
    for minute, arn in enumerate((first, second)):
        with time_machine.travel(datetime(2016, 2, 11, 12, minute, tzinfo=UTC), tick=False):
            decide(world, arn, "Rejected")
            decide(world, arn, "Approved")
    assert [hear(first)["verdict"], hear(second)["verdict"]] == ["WAITING", "WAITING"]
    assert world.item("waiting_release")["package_version"]["S"] == "2"
    assert [e["detail"]["package_version"] for e in world.timeline() if e["kind"] == "release_superseded"] == ["1"]


def test_an_approval_that_is_older_than_the_champions_is_superseded(world):
    older, newer = world.register(), world.register()
    with time_machine.travel(datetime(2016, 2, 11, 12, tzinfo=UTC), tick=False):
        decide(world, older, "Rejected")
        decide(world, older, "Approved")
    approvals.save(world.dynamodb, TABLE, MODEL, "1", Approval("PendingManualApproval", 0))
    champions.save(world.dynamodb, TABLE, MODEL, replace(promote(world, package_arn=newer), package_version="2"))
    heard = Approval("Approved", 1, datetime(2016, 2, 11, 13, tzinfo=UTC))
    approvals.save(world.dynamodb, TABLE, MODEL, "2", heard)
    assert hear(older) == {"verdict": "SUPERSEDED", "newer": "2"}
    assert executions() == []


def test_a_rejected_package_waits_no_more(world):
    arn = world.register()
    hold_lease(world)
    hear(arn)
    decide(world, arn, "Rejected")
    hear(arn)
    assert world.item("waiting_release") is None


def note_release(world, arn: str, *, previous: str | None, run: str = "r") -> None:
    note = ReleaseUnderWay(run, arn, "1", "config", previous, (), datetime(2016, 2, 11, tzinfo=UTC))
    under_way.save(world.dynamodb, TABLE, MODEL, note)


def test_a_first_release_that_is_rejected_is_not_said_to_go_back(world):
    arn = world.register(status="Rejected")
    note_release(world, arn, previous=None)
    assert hear(arn)["releasing"] is False


def test_a_release_that_was_never_settled_keeps_its_note_and_the_next_one_waits(world):
    note_release(world, "arn:earlier", previous="config-1", run="earlier")
    assert hear(world.register())["verdict"] == "WAITING"
    assert under_way.load(world.dynamodb, TABLE, MODEL).run == "earlier"
    assert executions() == []


def hand_over(arn: str) -> dict:
    """As `settle` does each hour for what waits."""
    body = {"time": "2016-02-11T13:00:00Z", "detail": {"ModelPackageArn": arn}}
    return handler({"Records": [{"body": json.dumps(body)}]}, CONTEXT)


@pytest.mark.parametrize("ending", ["serves", "superseded", "pending", "deleted"])
def test_what_waited_and_was_answered_otherwise_waits_no_more_and_is_told_once(world, ending):
    arn = world.register()
    hold_lease(world)
    hear(arn)
    end_the_other()
    if ending == "serves":
        world.serve(promote(world, package_arn=arn).endpoint_config)
    if ending == "superseded":
        champions.save(world.dynamodb, TABLE, MODEL, replace(promote(world), package_version="2"))
        approvals.save(world.dynamodb, TABLE, MODEL, "2", Approval("Approved", 1, datetime(2100, 1, 1, tzinfo=UTC)))
    if ending == "pending":
        decide(world, arn, "PendingManualApproval")
    if ending == "deleted":
        del moto_backend("sagemaker").model_packages[arn]
    hand_over(arn)
    told = len(world.timeline())
    assert world.item("waiting_release") is None
    hand_over(arn)
    assert len(world.timeline()) == told


def test_of_two_approvals_that_are_heard_at_once_the_newer_one_waits(world):
    older, newer = (Waiting(f"arn:{day}", str(day), datetime(2016, 1, day, tzinfo=UTC)) for day in (1, 2))
    assert approvals.wait(world.dynamodb, TABLE, MODEL, newer) == (newer, None)
    assert approvals.wait(world.dynamodb, TABLE, MODEL, older) == (newer, older)
    assert approvals.load_waiting(world.dynamodb, TABLE, MODEL) == newer


def test_a_rejection_of_a_package_on_its_way_is_told(world):
    arn = world.register(status="Rejected")
    note_release(world, arn, previous="the config before")
    assert hear(arn)["releasing"] is True
    assert world.timeline()[0]["detail"]["releasing"] is True


def test_a_rejection_is_written_down(world):
    arn = world.register(status="Rejected")
    assert hear(arn) == {"verdict": "REJECTED", "serving": False, "releasing": False}
    assert world.timeline()[0]["kind"] == "rejected"


def test_a_rejection_of_the_serving_package_is_told(world):
    arn = world.register(status="Rejected")
    world.serve(promote(world, package_arn=arn).endpoint_config)
    assert hear(arn)["serving"] is True
    assert world.timeline()[0]["detail"]["serving"] is True


def test_a_package_that_was_deleted_is_no_error_and_nothing_to_act_on(world):
    deleted = world.register().rpartition("/")[0] + "/7"
    assert hear(deleted, ModelApprovalStatus="Approved")["verdict"] == "DELETED"
    assert executions() == []
    assert world.timeline() == []


def bodies() -> list[str]:
    sent = moto_backend("sns").topics[f"arn:aws:sns:{REGION}:{ACCOUNT}:alert"].sent_notifications
    return [" ".join(message.split()) for _, message, *_ in sent]


def approved_before(world, **champion) -> str:
    """A champion whose approval was acted on."""
    arn = world.register()
    promote(world, package_arn=arn)
    champion_before = champions.load(world.dynamodb, TABLE, MODEL)
    champions.save(world.dynamodb, TABLE, MODEL, replace(champion_before, **champion))
    approvals.save(world.dynamodb, TABLE, MODEL, "1", Approval("Approved", 1, datetime(2016, 1, 1, tzinfo=UTC)))
    return arn


def test_a_champion_that_waits_for_approval_again_is_told_and_what_serves_stays(world):
    arn = approved_before(world, previous_package_arn=f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{MODEL}/7")
    world.serve(champions.load(world.dynamodb, TABLE, MODEL).endpoint_config)
    decide(world, arn, "PendingManualApproval")
    assert hear(arn, ModelApprovalStatus="PendingManualApproval")["serving"] is True
    assert [entry["kind"] for entry in world.timeline()] == ["approval_taken_back"]
    assert "it serves on" in bodies()[0]
    assert f'kedge rollback {MODEL} --to 7 --reason "why"' in bodies()[0]
    assert hear(arn, ModelApprovalStatus="PendingManualApproval")["verdict"] == "ALREADY_HEARD"
    decide(world, arn, "Approved")
    assert hear(arn, ModelApprovalStatus="Approved")["verdict"] == "ALREADY_SERVING"
    assert (executions(), len(bodies())) == ([], 2)


def test_a_package_that_waits_for_its_first_decision_is_no_news(world):
    arn = world.register(status="PendingManualApproval")
    assert hear(arn, ModelApprovalStatus="PendingManualApproval")["verdict"] == "ALREADY_HEARD"
    assert (world.timeline(), bodies()) == ([], [])


def test_an_approval_that_is_taken_back_before_its_release_is_told_and_waits_no_more(world):
    arn = world.register()
    hold_lease(world)
    assert hear(arn)["verdict"] == "WAITING"
    approvals.save(world.dynamodb, TABLE, MODEL, "1", Approval("Approved", 1))
    decide(world, arn, "PendingManualApproval")
    assert hear(arn, ModelApprovalStatus="PendingManualApproval")["serving"] is False
    assert (world.item("waiting_release"), len(bodies())) == (None, 1)
    assert "It will not be released" in bodies()[0]


def test_a_champion_without_an_endpoint_that_is_approved_once_more_is_told_with_the_command_once(world):
    arn = approved_before(world)
    decide(world, arn, "Approved")
    for _ in range(2):
        assert hear(arn, ModelApprovalStatus="Approved")["verdict"] == "ABSENT"
    (body,) = bodies()
    assert f'kedge rollback {MODEL} --to 1 --reason "why"' in body
    assert executions() == []


def test_a_champion_without_an_endpoint_whose_approval_is_told_twice_is_no_news(world):
    arn = approved_before(world)
    later = datetime(2099, 1, 1, tzinfo=UTC)
    approvals.save(world.dynamodb, TABLE, MODEL, "1", Approval("Approved", 1, later))
    assert hear(arn, ModelApprovalStatus="Approved")["verdict"] == "ALREADY_HEARD"
    assert bodies() == []


def test_a_champion_without_an_endpoint_that_was_set_to_pending_and_approved_is_released(world):
    arn = approved_before(world)
    decide(world, arn, "PendingManualApproval")
    hear(arn, ModelApprovalStatus="PendingManualApproval")
    decide(world, arn, "Approved")
    assert hear(arn, ModelApprovalStatus="Approved")["verdict"] == "STARTED"


@pytest.mark.parametrize("status", ["Rejected", "PendingManualApproval"])
def test_a_decision_against_a_canary_names_the_version_to_go_back_to(world, status):
    promote(world)
    arn = world.register()
    note_release(world, arn, previous="the config before")
    approvals.save(world.dynamodb, TABLE, MODEL, "1", Approval("Approved", 1))
    decide(world, arn, status)
    assert hear(arn, ModelApprovalStatus=status)["releasing"] is True
    assert f'kedge rollback {MODEL} --to 1 --reason "why"' in bodies()[0]
