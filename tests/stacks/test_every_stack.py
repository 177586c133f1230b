import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.synthesised import STACKS, assembly, functions, resources, statements_of, template

CUSTOM = ("Custom::", "AWS::CloudFormation::CustomResource")


@pytest.mark.parametrize("stack", STACKS)
def test_the_one_custom_resource_is_our_own(stack):
    """CDK's helpers bring functions and roles of their own, which nobody here has read."""
    kinds = [resource["Type"] for resource in template(stack)["Resources"].values()]
    expected = ["Custom::KedgeDefinitions"] if stack == "KedgeModels-1" else []
    assert [kind for kind in kinds if kind.startswith(CUSTOM)] == expected


def test_cdks_own_validation_of_the_templates_has_nothing_to_tell_whoever_deploys_them():
    reports = json.loads((assembly() / "validation-report.json").read_text("utf-8"))["pluginReports"]
    found = [each["description"] for report in reports for each in report["violations"]]
    assert reports
    assert found == []


@pytest.mark.parametrize("stack", STACKS)
def test_what_outlives_its_stack_does_not_outlive_a_deployment_that_failed_to_make_it(stack):
    """A retained resource of a fixed name would make each later deployment fail: it exists already."""
    for name, resource in template(stack)["Resources"].items():
        policies = resource.get("DeletionPolicy", "Delete"), resource.get("UpdateReplacePolicy", "Delete")
        assert policies in {("Delete", "Delete"), ("RetainExceptOnCreate", "Retain")}, name


@pytest.mark.parametrize("stack", STACKS)
def test_no_template_needs_a_parameter(stack):
    assert "Parameters" not in template(stack)


def test_every_function_runs_as_a_traced_zip_on_arm64_with_python_3_14():
    for name, function in functions().items():
        properties = function["Properties"]
        assert properties["Runtime"] == "python3.14", name
        assert properties["Architectures"] == ["arm64"], name
        assert properties["TracingConfig"] == {"Mode": "Active"}, name
        assert "S3Key" in properties["Code"], name
        assert "ReservedConcurrentExecutions" not in properties, name


def test_every_function_logs_into_its_own_group_and_every_group_forgets():
    named = [function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"] for function in functions().values()]
    assert len({*zip(functions(), named, strict=True)}) == len(functions())
    for name, group in resources("AWS::Logs::LogGroup").items():
        assert group["Properties"]["RetentionInDays"] == 90, name


def test_every_queue_is_encrypted_and_is_or_has_a_dead_letter_queue():
    queues = resources("AWS::SQS::Queue")
    buried = {
        f"{path.split('/')[0]}/{queue['Properties']['RedrivePolicy']['deadLetterTargetArn']['Fn::GetAtt'][0]}"
        for path, queue in queues.items()
        if "RedrivePolicy" in queue["Properties"]
    }
    for path, queue in queues.items():
        assert queue["Properties"]["SqsManagedSseEnabled"] is True, path
        if "RedrivePolicy" in queue["Properties"]:
            # A decision outlives an outage, and a message the outage of a chat.
            expected = 100 if "Approvals" in path else 20 if "/To" in path else 3
            assert queue["Properties"]["RedrivePolicy"]["maxReceiveCount"] == expected, path
        elif path not in buried:
            assert "Undelivered" in path, path


def test_every_queue_topic_and_bucket_refuses_what_does_not_come_over_tls():
    for kind, policy_kind in (
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy"),
        ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy"),
        ("AWS::S3::Bucket", "AWS::S3::BucketPolicy"),
    ):
        guarded = resources(policy_kind)
        assert len(guarded) == len(resources(kind))
        for path, policy in guarded.items():
            denied = [s for s in policy["Properties"]["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
            assert {"Bool": {"aws:SecureTransport": "false"}} in [s.get("Condition") for s in denied], path


def test_every_message_has_time_for_six_attempts_of_its_function():
    timeouts = {
        json.dumps(function["Properties"]["Handler"]): function["Properties"]["Timeout"]
        for function in functions().values()
    }
    queues = resources("AWS::SQS::Queue")
    consumers = {"profile_logs": "Profiles", "measure_performance": "Performances", "detect_drift": "Drifts"}
    consumers["join_labels"] = "Joins"
    for handler, queue_name in consumers.items():
        queue = next(
            q for path, q in queues.items() if path.startswith(f"KedgeMonitoring/{queue_name}") and "Dead" not in path
        )
        timeout = timeouts[json.dumps(f"lambdas.handlers.{handler}.handler")]
        assert queue["Properties"]["VisibilityTimeout"] == 6 * timeout


def test_every_role_of_kedge_but_one_is_denied_approval():
    for path in resources("AWS::IAM::Role"):
        stack, role = path.split("/")
        denied = {s["Sid"]: s for s in statements_of(stack, role) if s["Effect"] == "Deny"}
        never = denied["NeverApprove"]
        assert never["Action"] == "sagemaker:UpdateModelPackage", path
        statuses = ["Approved", "Rejected"]
        if path.startswith("KedgeRetraining/ApprovePackageRole"):
            statuses = ["Rejected", "PendingManualApproval"]
        assert never["Condition"] == {"StringEquals": {"sagemaker:ModelApprovalStatus": statuses}}, path
        pending = denied["OnlyPending"]
        assert pending["Action"] == "sagemaker:CreateModelPackage", path
        wanted = {"StringNotEqualsIfExists": {"sagemaker:ModelApprovalStatus": "PendingManualApproval"}}
        assert pending["Condition"] == wanted, path


def test_no_role_is_allowed_every_action_of_a_service():
    for path in resources("AWS::IAM::Role"):
        stack, role = path.split("/")
        for statement in statements_of(stack, role):
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert not [action for action in actions if "*" in action], (path, statement)
        assert not resources("AWS::IAM::Role")[path]["Properties"].get("ManagedPolicyArns"), path


def test_every_machine_is_logged_in_full_and_traced():
    for path, machine in resources("AWS::StepFunctions::StateMachine").items():
        logging = machine["Properties"]["LoggingConfiguration"]
        # A champion's environment, which may hold secrets, is among the data of an execution.
        assert (logging["Level"], logging["IncludeExecutionData"]) == ("ALL", False), path
        assert machine["Properties"]["TracingConfiguration"] == {"Enabled": True}, path


def test_every_alarm_tells_the_people_and_the_pagers_and_says_what_is_wrong():
    for path, alarm in resources("AWS::CloudWatch::Alarm").items():
        assert len(alarm["Properties"]["AlarmActions"]) == 2, path
        assert alarm["Properties"]["AlarmDescription"].startswith("Kedge: "), path


def test_templates_pass_cfn_lint():
    templates = [str(path) for path in sorted(assembly().glob("*.template.json"))]
    cfn_lint = Path(sys.executable).with_name("cfn-lint")
    # W3005: CDK makes a function wait for its role's policy, and says so although the role is referred to anyway.
    command = [cfn_lint, "--regions", "eu-west-1", "--ignore-checks", "W3005", "--", *templates]
    linted = subprocess.run(command, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout


def test_every_log_group_is_encrypted_with_our_key_and_the_key_knows_for_which_group():
    for path, group in resources("AWS::Logs::LogGroup").items():
        assert "Key" in json.dumps(group["Properties"]["KmsKeyId"]), path
    (key,) = resources("AWS::KMS::Key").values()
    (logs,) = [s for s in key["Properties"]["KeyPolicy"]["Statement"] if s.get("Sid") == "LogsEncrypted"]
    assert logs["Principal"] == {"Service": "logs.eu-west-1.amazonaws.com"}
    assert "log-group:*" in json.dumps(logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"])


def test_services_take_their_roles_for_this_account_alone_where_they_say_for_which():
    services = set()
    for path, role in resources("AWS::IAM::Role").items():
        (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        service = trust["Principal"]["Service"]
        services.add(service)
        says = "aws:SourceAccount" in trust.get("Condition", {}).get("StringEquals", {})
        # Lambda does not say for whom it takes a function's role: with the condition no function could be made.
        assert says == (service != "lambda.amazonaws.com"), path
    assert services == {f"{name}.amazonaws.com" for name in ("lambda", "states", "sagemaker", "scheduler")}


def test_no_resource_lets_a_service_in_without_saying_for_whom():
    kinds = ("AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy")
    policies = {path: p["Properties"]["PolicyDocument"] for kind in kinds for path, p in resources(kind).items()}
    policies |= {path: key["Properties"]["KeyPolicy"] for path, key in resources("AWS::KMS::Key").items()}
    for path, policy in policies.items():
        for statement in policy["Statement"]:
            if "Service" in (statement["Principal"] if isinstance(statement["Principal"], dict) else {}):
                keys = {key for lines in statement["Condition"].values() for key in lines}
                assert keys & {"aws:SourceAccount", "aws:SourceArn", "kms:EncryptionContext:aws:logs:arn"}, path


def statements_with(action):
    return [
        (path, statement)
        for path in resources("AWS::IAM::Role")
        for statement in statements_of(*path.split("/"))
        if statement["Effect"] == "Allow" and action in statement["Action"]
    ]


@pytest.mark.parametrize("action", ["PutMetricAlarm", "DeleteAlarms", "DescribeAlarms"])
def test_no_role_touches_an_alarm_whose_name_does_not_begin_with_kedge(action):
    found = statements_with(f"cloudwatch:{action}")
    assert found
    for path, statement in found:
        if statement.get("Sid") == "ListAlarms":
            continue  # settle lists what a release has left: a listing is allowed on all alarms or on none
        assert ":alarm:kedge-*" in json.dumps(statement["Resource"]), path


def test_the_execution_role_sees_the_alarms_and_encrypts_what_its_jobs_write():
    for action in ("cloudwatch:DescribeAlarms", "kms:Encrypt"):
        assert [path for path, _ in statements_with(action) if "ExecutionRole" in path], action


def test_a_package_is_registered_with_the_group_the_artefact_and_the_image_allowed():
    registering = statements_with("sagemaker:CreateModelPackage")
    assert len(registering) == 2
    for name, (path, register) in zip(("KedgeRetrainRole", "TakePackageRole"), registering, strict=True):
        assert name in path
        for kind in ("model-package/*", "model-package-group/*"):
            assert f":{kind}" in json.dumps(register["Resource"])
        for action in ("ecr:BatchGetImage", "ecr:DescribeImages", "s3:GetObject"):
            assert [each for each, _ in statements_with(action) if name in each], action
