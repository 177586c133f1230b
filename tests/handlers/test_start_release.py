"""start_release acts once on each decision of a person, whatever events SageMaker sends."""

import json

import boto3
import pytest

from kedge.errors import LeaseHeldError, RegistryBehindError
from lambdas.handlers.start_release import handler
from tests.handlers.aws_world import ACCOUNT, CONTEXT, MODEL, REGION, ROLE, TABLE, aws_world
from tests.handlers.champions import promote

MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:kedge-release"
DEFINITION = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}


@pytest.fixture
def world(monkeypatch):
    topics = {f"{name}_TOPIC_ARN": f"arn:aws:sns:{REGION}:{ACCOUNT}:{name.lower()}" for name in ("ALERT", "EVENT")}
    with aws_world(monkeypatch, RELEASE_MACHINE_ARN=MACHINE, **topics) as world:
        boto3.client("stepfunctions").create_state_machine(
            name="kedge-release", definition=json.dumps(DEFINITION), roleArn=ROLE
        )
        for name in ("alert", "event"):
            boto3.client("sns").create_topic(Name=name)
        yield world


def hear(arn: str, *, time: str = "2016-02-11T12:00:00Z", deliveries: int = 1, **detail: object) -> dict:
    event = {
        "source": "aws.sagemaker", "detail-type": "SageMaker Model Package State Change", "time": time,
        "detail": {"ModelPackageArn": arn, **detail},
    }  # fmt: skip
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
        TableName=TABLE, Key={"model": {"S": MODEL}, "item": {"S": "approval#1"}},
        UpdateExpression="SET changed_at = :time", ExpressionAttributeValues={":time": {"S": time}},
    )  # fmt: skip


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


def test_a_package_that_serves_is_not_released_again(world):
    arn = world.register()
    promote(world, package_arn=arn)
    assert hear(arn)["verdict"] == "ALREADY_SERVING"
    assert executions() == []


def test_another_groups_package_is_none_of_our_business(world):
    world.sagemaker.create_model_package_group(ModelPackageGroupName="theirs")
    arn = world.sagemaker.create_model_package(ModelPackageGroupName="theirs", ModelApprovalStatus="Approved")[
        "ModelPackageArn"
    ]
    assert hear(arn)["verdict"] == "NOT_OURS"


def test_while_another_execution_holds_the_lease_the_event_is_retried(world):
    arn = world.register()
    machine = boto3.client("stepfunctions")
    other = machine.start_execution(stateMachineArn=MACHINE, name="other")["executionArn"]
    item = {"model": {"S": MODEL}, "item": {"S": "lease"}, "holder": {"S": other}, "purpose": {"S": "retraining"},
            "taken_at": {"S": "2016-02-11T11:00:00Z"}}  # fmt: skip
    world.dynamodb.put_item(TableName=TABLE, Item=item)
    with pytest.raises(LeaseHeldError):
        hear(arn)
    assert world.item("approval#1") is None


def test_a_rejection_is_written_down(world):
    arn = world.register(status="Rejected")
    assert hear(arn) == {"verdict": "REJECTED", "serving": False}
    assert world.timeline()[0]["kind"] == "rejected"


def test_a_rejection_of_the_serving_package_is_told(world):
    arn = world.register(status="Rejected")
    promote(world, package_arn=arn)
    assert hear(arn)["serving"] is True
    assert world.timeline()[0]["detail"]["serving"] is True


def test_a_package_that_was_deleted_is_no_error_and_nothing_to_act_on(world):
    deleted = world.register().rpartition("/")[0] + "/7"
    assert hear(deleted, ModelApprovalStatus="Approved")["verdict"] == "DELETED"
    assert executions() == []
    assert world.timeline() == []
