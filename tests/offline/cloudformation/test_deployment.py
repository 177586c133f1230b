"""Templates become resources through their own APIs, and what is unknown makes nothing."""

import json
from pathlib import Path

import pytest

from offline.cloudformation.deployment import DeployError
from tests.offline.assemblies import DEPLOYED_BUCKET, function, resource, role, write_assembly, write_code

QUEUE = resource("AWS::SQS::Queue", VisibilityTimeout=120)


def deploy_one(account, tmp_path: Path, resources, **sections):
    template = {"Resources": resources, **sections}
    return account.deploy(write_assembly(tmp_path / "cdk.out", {"Stack": template}))["Stack"]


def test_an_unknown_type_fails_the_deploy_and_makes_nothing(account, tmp_path):
    with pytest.raises(DeployError, match="stack Stack: Thing: unknown resource type AWS::Glue::Crawler"):
        deploy_one(account, tmp_path, {"Queue": QUEUE, "Thing": resource("AWS::Glue::Crawler")})
    assert "QueueUrls" not in account.client("sqs").list_queues()


def test_an_unknown_property_deep_inside_a_known_type_fails_the_deploy(account, tmp_path):
    target = {"Arn": "arn:aws:sqs:eu-west-1:123456789012:q", "RoleArn": "arn", "EcsParameters": {}}
    schedule = resource("AWS::Scheduler::Schedule", ScheduleExpression="rate(1 hour)", Target=target)
    with pytest.raises(DeployError, match=r"Tick: AWS::Scheduler::Schedule has no known property Target.EcsParameters"):
        deploy_one(account, tmp_path, {"Tick": schedule})


def test_an_unknown_property_inside_a_list_or_a_condition_is_found_too(account, tmp_path):
    bucket = resource(
        "AWS::S3::Bucket",
        LifecycleConfiguration={"Rules": [{"Status": "Enabled"}, {"Fn::If": ["Odd", {"Strange": 1}, {}]}]},
    )
    with pytest.raises(DeployError, match=r"LifecycleConfiguration\.Rules\.Strange"):
        deploy_one(account, tmp_path, {"Bucket": bucket}, Conditions={"Odd": {"Fn::Equals": [1, 2]}})


def test_an_unknown_resource_attribute_and_function_fail_the_deploy(account, tmp_path):
    with pytest.raises(DeployError, match="unknown attribute UpdatePolicy"):
        deploy_one(account, tmp_path, {"Queue": {**QUEUE, "UpdatePolicy": {}}})
    with pytest.raises(DeployError, match="Fn::Cidr is not imitated"):
        deploy_one(account, tmp_path, {"Queue": resource("AWS::SQS::Queue", QueueName={"Fn::Cidr": []})})


def test_a_service_that_refuses_its_resource_fails_the_deploy_by_name(account, tmp_path):
    alarm = resource("AWS::CloudWatch::Alarm", ComparisonOperator="Sideways", EvaluationPeriods=1)
    with pytest.raises(DeployError, match=r"stack Stack: Alarm \(AWS::CloudWatch::Alarm\)"):
        deploy_one(account, tmp_path, {"Alarm": alarm})


def test_resources_are_made_after_what_they_name_and_before_nothing_else(account, tmp_path):
    queue = resource(
        "AWS::SQS::Queue",
        RedrivePolicy={"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3},
    )
    outputs = deploy_one(
        account, tmp_path, {"Queue": queue, "Dead": QUEUE}, Outputs={"Url": {"Value": {"Ref": "Queue"}}}
    )
    attributes = account.client("sqs").get_queue_attributes(QueueUrl=outputs["Url"], AttributeNames=["All"])
    assert json.loads(attributes["Attributes"]["RedrivePolicy"])["maxReceiveCount"] == 3


def test_stacks_follow_those_they_depend_on_and_import_their_exports(account, tmp_path):
    storage = {
        "Resources": {"Topic": resource("AWS::SNS::Topic", DisplayName="Kedge")},
        "Outputs": {"TopicArn": {"Value": {"Ref": "Topic"}, "Export": {"Name": "Storage:Topic"}}},
    }
    watching = {
        "Resources": {
            "Mail": resource(
                "AWS::SNS::Subscription",
                TopicArn={"Fn::ImportValue": "Storage:Topic"},
                Protocol="email",
                Endpoint="a@example.com",
            )
        }
    }
    account.deploy(
        write_assembly(tmp_path / "out", {"Watching": watching, "Storage": storage}, needs={"Watching": ["Storage"]})
    )
    (subscription,) = account.client("sns").list_subscriptions()["Subscriptions"]
    assert subscription["Endpoint"] == "a@example.com"
    exports = account.client("cloudformation").list_exports()["Exports"]
    assert [export["Name"] for export in exports] == ["Storage:Topic"]


def test_an_import_that_nobody_exports_fails_the_deploy(account, tmp_path):
    topic = resource("AWS::SNS::Topic", DisplayName={"Fn::ImportValue": "Nowhere"})
    with pytest.raises(DeployError, match="no deployed stack exports 'Nowhere'"):
        deploy_one(account, tmp_path, {"Topic": topic})


def test_a_deployed_stack_can_be_read_through_cloudformations_api(account, tmp_path):
    deploy_one(account, tmp_path, {"Queue": QUEUE}, Outputs={"Url": {"Value": {"Ref": "Queue"}}})
    cloudformation = account.client("cloudformation")
    (stack,) = cloudformation.describe_stacks(StackName="Stack")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    (resource_,) = cloudformation.describe_stack_resources(StackName="Stack")["StackResources"]
    assert resource_["ResourceType"] == "AWS::SQS::Queue"
    assert stack["Outputs"][0]["OutputValue"] == resource_["PhysicalResourceId"]


def test_conditions_choose_resources_and_no_value_removes_a_property(account, tmp_path):
    resources = {
        "Never": {**QUEUE, "Condition": "No"},
        "Queue": resource("AWS::SQS::Queue", DelaySeconds={"Fn::If": ["No", 5, {"Ref": "AWS::NoValue"}]}),
    }
    deploy_one(account, tmp_path, resources, Conditions={"No": {"Fn::Equals": [{"Ref": "AWS::Region"}, "nowhere"]}})
    (url,) = account.client("sqs").list_queues()["QueueUrls"]
    attributes = account.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])
    assert attributes["Attributes"]["DelaySeconds"] == "0"


def test_the_bootstrap_rule_of_cdk_is_evaluated(account, tmp_path):
    parameters = {
        "BootstrapVersion": {
            "Type": "AWS::SSM::Parameter::Value<String>",
            "Default": "/cdk-bootstrap/hnb659fds/version",
        }
    }
    too_old = {"Fn::Not": [{"Fn::Contains": [["1", "2", "30"], {"Ref": "BootstrapVersion"}]}]}
    rules = {"Check": {"Assertions": [{"Assert": too_old, "AssertDescription": "bootstrap again"}]}}
    with pytest.raises(DeployError, match="bootstrap again"):
        deploy_one(account, tmp_path, {"Queue": QUEUE}, Parameters=parameters, Rules=rules)


def test_a_state_machine_gets_every_substitution_and_lands_where_machines_run(account, tmp_path):
    definition = tmp_path / "machine.asl.json"
    definition.write_text('{"StartAt": "Done", "States": {"Done": {"Type": "Pass", "Result": "${Word}", "End": true}}}')
    machine = resource(
        "AWS::StepFunctions::StateMachine",
        StateMachineName="kedge-test",
        RoleArn={"Fn::GetAtt": ["Role", "Arn"]},
        DefinitionS3Location={"Bucket": {"Fn::Sub": DEPLOYED_BUCKET}, "Key": "machine.json"},
        DefinitionSubstitutions={"Word": "hello"},
    )
    template = {"Resources": {"Machine": machine, "Role": role("states")}}
    out = write_assembly(tmp_path / "out", {"Stack": template}, files={"machine.json": definition})
    account.deploy(out)
    (found,) = account.client("stepfunctions").list_state_machines()["stateMachines"]
    described = account.client("stepfunctions").describe_state_machine(stateMachineArn=found["stateMachineArn"])
    assert json.loads(described["definition"])["States"]["Done"]["Result"] == "hello"


def test_a_substitution_that_is_not_supplied_fails_the_deploy(account, tmp_path):
    machine = resource(
        "AWS::StepFunctions::StateMachine",
        RoleArn={"Fn::GetAtt": ["Role", "Arn"]},
        DefinitionString='{"Comment": "${Missing}"}',
    )
    with pytest.raises(DeployError, match=r"asks for \$\{Missing\}"):
        deploy_one(account, tmp_path, {"Machine": machine, "Role": role("states")})


def test_a_function_whose_role_does_not_trust_lambda_fails_the_deploy(account, tmp_path):
    code = write_code(tmp_path / "code", app="def handler(event, context): ...")
    template = {"Resources": {"Function": function("Role", "app.handler"), "Role": role("states")}}
    out = write_assembly(tmp_path / "out", {"Stack": template}, files={"code.zip": code})
    with pytest.raises(DeployError, match=r"cannot be assumed by lambda\.amazonaws\.com"):
        account.deploy(out)


def test_generated_names_are_the_same_in_every_run_and_short_enough(account, tmp_path):
    long = "AVeryLongLogicalIdThatGoesOnAndOnUntilNoServiceWouldTakeItAsANameAnyMore0123456789"
    deploy_one(account, tmp_path, {long: resource("AWS::S3::Bucket"), f"{long}Q": QUEUE})
    (bucket,) = [b["Name"] for b in account.client("s3").list_buckets()["Buckets"]]
    assert len(bucket) <= 63
    assert bucket == bucket.lower()
    assert bucket.startswith("stack-")
