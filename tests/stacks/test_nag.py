import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam

from stacks.parts.access import allow, service_role
from tests.synthesised import example_models, models_in_rooms, reachable_models


@pytest.mark.parametrize("models", [example_models, reachable_models, models_in_rooms])
def test_nothing_is_open_under_cdk_nag(tmp_path, models):
    from app import build_app

    build_app(tmp_path, models(), nag=True).synth()


def test_cdk_nag_is_really_asked(tmp_path):
    from app import build_app

    app = build_app(tmp_path, example_models(), nag=True)
    stack = cdk.Stack(app, "Careless")
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    role.add_to_policy(iam.PolicyStatement(actions=["s3:GetObject"], resources=["*"]))
    with pytest.raises(RuntimeError, match="AwsSolutions-IAM5"):
        app.synth()


def test_a_wildcard_without_its_reason_is_refused():
    stack = cdk.Stack(cdk.App(), "Careless")
    role = service_role(stack, "Role", service="lambda.amazonaws.com", description="careless")
    with pytest.raises(ValueError, match="without its reason"):
        allow(role, "Everything", ["s3:GetObject"], ["*"])
