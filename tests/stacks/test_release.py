import aws_cdk as cdk
import pytest

from kedge.config.reading import parse_model_config
from stacks.parts.naming import NAMED_ENDPOINTS, endpoint_arns
from tests.synthesised import resources


def test_only_decisions_on_model_packages_start_a_release_and_undelivered_ones_are_kept():
    (rule,) = (rule for path, rule in resources("AWS::Events::Rule", "KedgeRelease").items() if "Decisions" in path)
    assert rule["Properties"]["EventPattern"] == {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelApprovalStatus": ["Approved", "Rejected", "PendingManualApproval"]},
    }
    (target,) = rule["Properties"]["Targets"]
    assert "Arn" in target["DeadLetterConfig"]
    assert target["Arn"]["Fn::GetAtt"][0].startswith("Approvals")


def test_every_execution_that_ends_is_settled_whoever_ended_it():
    (rule,) = (rule for path, rule in resources("AWS::Events::Rule", "KedgeMonitoring").items() if "Ended" in path)
    pattern, (target,) = rule["Properties"]["EventPattern"], rule["Properties"]["Targets"]
    assert set(pattern["detail"]["status"]) == {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
    assert len(pattern["detail"]["stateMachineArn"]) == 2
    assert target["Arn"]["Fn::GetAtt"][0].startswith("Settlements")
    assert "Arn" in target["DeadLetterConfig"]


def test_only_the_release_machine_may_change_an_endpoint():
    changing = {
        path
        for path, policy in resources("AWS::IAM::Policy").items()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow" and "sagemaker:UpdateEndpoint" in statement["Action"]
    }
    assert [path.split("/")[1].startswith("KedgeReleaseRole") for path in changing] == [True]


def test_only_what_plans_and_what_settles_may_show_stages_and_neither_may_touch_an_approval():
    showing = {
        path.split("/")[1]: statement
        for path, policy in resources("AWS::IAM::Policy").items()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow" and "sagemaker:UpdateModelPackage" in statement["Action"]
    }
    assert sorted(name.partition("Role")[0] for name in showing) == ["PlanRelease", "Settle"]
    for statement in showing.values():
        assert statement["Condition"] == {
            "StringEquals": {"sagemaker:ModelLifeCycle:stage": ["Staging", "Production", "Retired"]},
            "Null": {"sagemaker:ModelApprovalStatus": "true"},
        }


@pytest.mark.parametrize(("models", "named"), [(1, True), (NAMED_ENDPOINTS, True), (NAMED_ENDPOINTS + 1, False)])
def test_endpoints_are_named_in_the_machines_policy_as_long_as_their_names_fit(models, named):
    text = "{{model: m{0}, endpoint: {{name: Endpoint-{0}}}, features: [{{name: x, kind: numeric}}]}}"
    configs = [parse_model_config(text.format(number), source="m.yaml") for number in range(models)]
    arns = endpoint_arns(cdk.Stack(cdk.App(), "Stack"), configs)
    assert len(arns) == (models if named else 1)
    # ARNs of SageMaker hold names in lower case.
    assert arns[0].endswith(":endpoint/endpoint-0" if named else ":endpoint/*")
