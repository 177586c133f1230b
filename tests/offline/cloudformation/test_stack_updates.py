"""A stack that is deployed again changes where its template changed, and goes back where that fails."""

import json
from pathlib import Path

import pytest

from offline.cloudformation.deployment import DeployError
from tests.offline.assemblies import function, resource, role, write_assembly, write_code
from tests.offline.offline_world import messages

QUEUE = resource("AWS::SQS::Queue", VisibilityTimeout=120)
GROUP = resource("AWS::SageMaker::ModelPackageGroup", ModelPackageGroupName="fares", ModelPackageGroupDescription="one")
REFUSED = resource("AWS::CloudWatch::Alarm", ComparisonOperator="Sideways", EvaluationPeriods=1)


@pytest.fixture
def deploy(account, tmp_path):
    """Deploy templates by stack name; each call writes an assembly of its own."""
    count = iter(range(100))

    def deploy(needs=None, files=None, **templates):
        directory = tmp_path / f"cdk.out-{next(count)}"
        return account.deploy(write_assembly(directory, templates, needs=needs, files=files))

    return deploy


def stack(**resources):
    return {"Resources": resources, "Outputs": {name: {"Value": {"Ref": name}} for name in resources}}


def status(account, name="Stack"):
    return account.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]


def events(account, name="Stack"):
    told = account.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    return [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(told)]


def queues(account):
    return account.client("sqs").list_queues().get("QueueUrls", [])


def test_a_template_that_says_the_same_touches_nothing(account, deploy):
    deploy(Stack=stack(Queue=QUEUE))
    told = events(account)
    deploy(Stack=stack(Queue=QUEUE))
    assert events(account) == told
    assert status(account) == "CREATE_COMPLETE"


def test_a_changed_property_is_changed_in_place_and_the_data_stay(account, deploy):
    url = deploy(Stack=stack(Queue=QUEUE, Other=QUEUE))["Stack"]["Queue"]
    account.client("sqs").send_message(QueueUrl=url, MessageBody="kept")
    told = len(events(account))
    changed = resource("AWS::SQS::Queue", VisibilityTimeout=300)
    assert deploy(Stack=stack(Queue=changed, Other=QUEUE))["Stack"]["Queue"] == url
    attributes = account.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert attributes["Attributes"]["VisibilityTimeout"] == "300"
    assert [message["Body"] for message in messages(account, url)] == ["kept"]
    assert {logical_id for logical_id, _ in events(account)[told:]} == {"Stack", "Queue"}
    assert status(account) == "UPDATE_COMPLETE"


def test_a_property_that_cannot_change_makes_a_new_resource_and_the_old_goes_last(account, deploy):
    subscription = resource(
        "AWS::SNS::Subscription", TopicArn={"Ref": "Topic"}, Protocol="email", Endpoint="a@example.com"
    )
    topic = resource("AWS::SNS::Topic", TopicName="first")
    before = deploy(Stack=stack(Topic=topic, Mail=subscription))["Stack"]
    after = deploy(Stack=stack(Topic=resource("AWS::SNS::Topic", TopicName="second"), Mail=subscription))["Stack"]
    assert (before["Topic"][-5:], after["Topic"][-6:]) == ("first", "second")
    topics = [topic["TopicArn"] for topic in account.client("sns").list_topics()["Topics"]]
    assert topics == [after["Topic"]]
    (mail,) = account.client("sns").list_subscriptions()["Subscriptions"]
    assert mail["TopicArn"] == after["Topic"]  # what refers to a replaced resource follows it
    assert events(account)[-2:] == [("Topic", "DELETE_COMPLETE"), ("Stack", "UPDATE_COMPLETE")]


def test_a_custom_name_cannot_be_replaced_by_itself(account, deploy):
    deploy(Stack=stack(Group=GROUP))
    reworded = {**GROUP, "Properties": {**GROUP["Properties"], "ModelPackageGroupDescription": "two"}}
    with pytest.raises(DeployError, match=r"a custom-named resource requires replacing\. Rename fares"):
        deploy(Stack=stack(Group=reworded))
    assert status(account) == "UPDATE_ROLLBACK_COMPLETE"


def test_what_the_template_drops_is_deleted_or_retained_as_it_said(account, deploy):
    retained = {**QUEUE, "DeletionPolicy": "Retain"}
    kept = deploy(Stack=stack(Dropped=QUEUE, Retained=retained, Stays=QUEUE))["Stack"]
    deploy(Stack=stack(Stays=QUEUE))
    assert set(queues(account)) == {kept["Retained"], kept["Stays"]}
    assert ("Retained", "DELETE_SKIPPED") in events(account)


def test_a_resource_that_was_replaced_stays_where_its_update_policy_says_so(account, deploy):
    def fifo(flag):
        return {**resource("AWS::SQS::Queue", FifoQueue=flag), "UpdateReplacePolicy": "Retain"}

    before = deploy(Stack=stack(Queue=fifo(False)))["Stack"]["Queue"]
    after = deploy(Stack=stack(Queue=fifo(True)))["Stack"]["Queue"]
    assert set(queues(account)) == {before, after}


def test_a_failed_update_puts_everything_back_and_says_why(account, deploy):
    url = deploy(Stack=stack(Queue=QUEUE, Gone=QUEUE))["Stack"]["Queue"]
    before = queues(account)
    changed = resource("AWS::SQS::Queue", VisibilityTimeout=300)
    new = {**resource("AWS::SQS::Queue"), "DependsOn": "Queue"}
    with pytest.raises(DeployError, match="stack Stack: Alarm"):
        deploy(Stack=stack(Queue=changed, New=new, Alarm={**REFUSED, "DependsOn": "New"}))
    assert status(account) == "UPDATE_ROLLBACK_COMPLETE"
    assert queues(account) == before
    attributes = account.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert attributes["Attributes"]["VisibilityTimeout"] == "120"
    told = events(account)
    assert told.index(("Alarm", "CREATE_FAILED")) < told.index(("New", "DELETE_COMPLETE"))
    described = account.client("cloudformation").describe_stack_events(StackName="Stack")["StackEvents"]
    (reason,) = [e["ResourceStatusReason"] for e in described if e["ResourceStatus"] == "CREATE_FAILED"]
    assert "Sideways" in reason or "ComparisonOperator" in reason
    deploy(Stack=stack(Queue=changed))
    assert status(account) == "UPDATE_COMPLETE"


def test_a_failed_creation_leaves_only_what_is_retained_and_that_blocks_the_next_one(account, deploy):
    retained = {**GROUP, "DeletionPolicy": "Retain"}
    broken = stack(Group=retained, Queue=QUEUE, Alarm={**REFUSED, "DependsOn": ["Group", "Queue"]})
    with pytest.raises(DeployError, match="Alarm"):
        deploy(Stack=broken)
    assert status(account) == "ROLLBACK_COMPLETE"
    assert queues(account) == []
    assert ("Group", "DELETE_SKIPPED") in events(account)
    with pytest.raises(DeployError, match=r"Group .*already exists"):
        deploy(Stack=stack(Group=retained, Queue=QUEUE))


def test_retain_except_on_create_leaves_nothing_behind_a_failed_creation(account, deploy):
    retained = {**GROUP, "DeletionPolicy": "RetainExceptOnCreate"}
    with pytest.raises(DeployError, match="Alarm"):
        deploy(Stack=stack(Group=retained, Alarm={**REFUSED, "DependsOn": "Group"}))
    deploy(Stack=stack(Group=retained))
    assert status(account) == "CREATE_COMPLETE"
    account.delete_stack("Stack")
    groups = account.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert [group["ModelPackageGroupName"] for group in groups] == ["fares"]


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("AWS::SQS::Queue", {"QueueName": "taken"}),
        ("AWS::SNS::Topic", {"TopicName": "taken"}),
        ("AWS::SSM::Parameter", {"Name": "taken", "Type": "String", "Value": "1"}),
        ("AWS::CloudWatch::Dashboard", {"DashboardName": "taken", "DashboardBody": '{"widgets": []}'}),
        ("AWS::Events::Rule", {"Name": "taken", "EventPattern": {"source": ["a"]}}),
    ],
)
def test_a_fixed_name_that_is_taken_fails_the_second_stack(account, deploy, kind, properties):
    deploy(First=stack(One=resource(kind, **properties)))
    with pytest.raises(DeployError, match=r"stack Second: Two .*already exists"):
        deploy(Second=stack(Two=resource(kind, **properties)))


def exporting(name, value):
    template = stack(Topic=resource("AWS::SNS::Topic"))
    template["Outputs"]["Shared"] = {"Value": value, "Export": {"Name": name}}
    return template


def test_an_export_in_use_can_neither_change_nor_go_nor_can_its_stack(account, deploy):
    user = stack(Topic=resource("AWS::SNS::Topic", DisplayName={"Fn::ImportValue": "Shared"}))
    deploy(Giver=exporting("Shared", "one"), User=user, needs={"User": ["Giver"]})
    with pytest.raises(DeployError, match="Export Shared cannot be updated as it is in use by User"):
        deploy(Giver=exporting("Shared", "two"))
    with pytest.raises(DeployError, match="Export Shared cannot be deleted as it is in use by User"):
        deploy(Giver=exporting("Renamed", "one"))
    with pytest.raises(account.client("cloudformation").exceptions.ClientError, match="in use by User"):
        account.client("cloudformation").delete_stack(StackName="Giver")
    assert status(account, "Giver") == "UPDATE_ROLLBACK_COMPLETE"
    deploy(User=stack(Topic=resource("AWS::SNS::Topic")))
    deploy(Giver=exporting("Renamed", "one"))
    exports = account.client("cloudformation").list_exports()["Exports"]
    assert [export["Name"] for export in exports] == ["Renamed"]


def test_a_deleted_stack_takes_its_resources_along_in_reverse_order(account, deploy):
    dead = resource(
        "AWS::SQS::Queue", RedrivePolicy={"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3}
    )
    deploy(Stack=stack(Queue=dead, Dead=QUEUE))
    stack_id = account.client("cloudformation").describe_stacks()["Stacks"][0]["StackId"]
    account.client("cloudformation").delete_stack(StackName="Stack")
    assert queues(account) == []
    gone = [logical_id for logical_id, what in events(account, stack_id) if what == "DELETE_COMPLETE"]
    assert gone == ["Queue", "Dead", "Stack"]
    assert account.client("cloudformation").describe_stacks()["Stacks"] == []


def test_a_bucket_that_is_not_empty_keeps_its_stack_from_being_deleted(account, deploy):
    name = deploy(Stack=stack(Bucket=resource("AWS::S3::Bucket")))["Stack"]["Bucket"]
    account.client("s3").put_object(Bucket=name, Key="k", Body=b"")
    with pytest.raises(DeployError, match="could not be deleted: Bucket"):
        account.delete_stack("Stack")
    assert status(account) == "DELETE_FAILED"
    account.client("s3").delete_object(Bucket=name, Key="k")
    account.delete_stack("Stack")
    assert account.client("cloudformation").describe_stacks()["Stacks"] == []


def test_each_resource_shows_its_own_status(account, deploy):
    deploy(Stack=stack(Queue=QUEUE, Other=QUEUE))
    deploy(Stack=stack(Queue=resource("AWS::SQS::Queue", VisibilityTimeout=300), Other=QUEUE))
    listed = account.client("cloudformation").list_stack_resources(StackName="Stack")["StackResourceSummaries"]
    assert {item["LogicalResourceId"]: item["ResourceStatus"] for item in listed} == {
        "Queue": "UPDATE_COMPLETE",
        "Other": "CREATE_COMPLETE",
    }


def test_a_function_runs_its_new_code_and_after_a_rollback_its_old(account, deploy, tmp_path):
    def assets(answer: str, key: str) -> dict[str, Path]:
        return {key: write_code(tmp_path / key, app=f"def handler(event, context): return {answer!r}")}

    def template(key: str, **more):
        made = function("Role", "app.handler")
        made["Properties"]["Code"]["S3Key"] = key
        return stack(Function=made, Role=role("lambda"), **more)

    name = deploy(Stack=template("a.zip"), files=assets("old", "a.zip"))["Stack"]["Function"]
    assert account.invoke_function(name, {}) == "old"
    deploy(Stack=template("b.zip"), files=assets("new", "b.zip"))
    assert account.invoke_function(name, {}) == "new"
    with pytest.raises(DeployError):
        deploy(Stack=template("c.zip", Alarm={**REFUSED, "DependsOn": "Function"}), files=assets("bad", "c.zip"))
    assert account.invoke_function(name, {}) == "new"


def test_a_roles_policies_follow_its_template(account, deploy):
    def allowing(*actions):
        return role("lambda", *({"Effect": "Allow", "Action": action, "Resource": "*"} for action in actions))

    name = deploy(Stack=stack(Role=allowing("s3:GetObject")))["Stack"]["Role"]
    deploy(Stack=stack(Role=allowing("s3:PutObject")))
    policy = account.client("iam").get_role_policy(RoleName=name, PolicyName="may")["PolicyDocument"]
    policy = json.loads(policy) if isinstance(policy, str) else policy
    assert [statement["Action"] for statement in policy["Statement"]] == ["s3:PutObject"]
    deploy(Stack=stack(Role=allowing()))
    assert account.client("iam").list_role_policies(RoleName=name)["PolicyNames"] == []


def test_a_deletion_policy_that_is_not_imitated_is_refused(account, deploy):
    with pytest.raises(DeployError, match="DeletionPolicy is 'Snapshot' and may be Delete, Retain"):
        deploy(Stack=stack(Queue={**QUEUE, "DeletionPolicy": "Snapshot"}))
