"""What an account has already: subnets, a boundary, a bucket and a key that Kedge uses instead of its own."""

import json

import pytest

from app import build_app
from cli.operator.deployment import Deployment
from kedge.errors import ModelConfigError
from offline.account import Account
from offline.cloudformation.deployment import DeployError
from tests.faults.world import BEGIN
from tests.stacks.names import leaves, templates
from tests.synthesised import ROOT, assembly, example_models

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SUBNETS, GROUPS = ["subnet-0a1b2c3d", "subnet-1a1b2c3d"], ["sg-0a1b2c3d"]
GIVEN = {
    "vpc": {"subnets": SUBNETS, "security_groups": GROUPS},
    "permissions_boundary": "developers-boundary",
    "bucket": "our-data",
    "key": KEY,
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    directory = tmp_path_factory.mktemp("surroundings")
    build_app(directory, example_models(), nag=True, package_takers="333333333333", **GIVEN).synth()
    return templates(directory)


def of_kind(found, kind):
    """Stack, logical id and properties of each resource of a type."""
    return [
        (stack, name, each["Properties"])
        for stack, template in found.items()
        for name, each in template["Resources"].items()
        if each["Type"] == kind
    ]


def test_every_function_runs_in_the_subnets_and_its_role_may_make_its_interfaces(found):
    functions = of_kind(found, "AWS::Lambda::Function")
    assert len(functions) > 20
    for _, name, function in functions:
        assert function["VpcConfig"] == {"SubnetIds": SUBNETS, "SecurityGroupIds": GROUPS}, name
    joining = {
        policy["Roles"][0]["Ref"]
        for _, _, policy in of_kind(found, "AWS::IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
        if statement.get("Sid") == "JoinVpc"
    }
    assert joining == {function["Role"]["Fn::GetAtt"][0] for _, _, function in functions}


def test_a_function_is_made_after_the_policy_that_lambda_tries(found):
    for template in found.values():
        for name, each in template["Resources"].items():
            if each["Type"] == "AWS::Lambda::Function":
                assert any("DefaultPolicy" in needed for needed in each["DependsOn"]), name


def test_every_role_has_the_boundary(found):
    roles = of_kind(found, "AWS::IAM::Role")
    assert len(roles) > 25
    for _, name, role in roles:
        assert ":policy/developers-boundary" in json.dumps(role["PermissionsBoundary"]), name


def test_a_boundary_may_be_an_arn(tmp_path):
    arn = "arn:aws:iam::123456789012:policy/teams/ml"
    build_app(tmp_path, example_models(), permissions_boundary=arn).synth()
    boundaries = {
        json.dumps(role["PermissionsBoundary"]) for _, _, role in of_kind(templates(tmp_path), "AWS::IAM::Role")
    }
    assert boundaries == {json.dumps(arn)}


def test_the_bucket_and_the_key_that_are_there_are_used_everywhere_and_none_is_made(found):
    assert not {"AWS::S3::Bucket", "AWS::KMS::Key", "AWS::KMS::Alias"} & {
        each["Type"] for template in found.values() for each in template["Resources"].values()
    }
    for _, name, function in of_kind(found, "AWS::Lambda::Function"):
        assert function["Environment"]["Variables"].get("DATA_BUCKET", "our-data") == "our-data", name
    texts = {text for template in found.values() for _, text in leaves(template["Resources"])}
    assert any(text.endswith(":s3:::our-data/audit/*") for text in texts)
    (table,) = [each for _, _, each in of_kind(found, "AWS::DynamoDB::Table")]
    assert table["SSESpecification"]["KMSMasterKeyId"] == KEY


def test_without_them_nothing_is_said_of_them():
    text = json.dumps(templates(assembly()))
    assert not any(word in text for word in ('"VpcConfig":', "PermissionsBoundary", "JoinVpc", 'DataBucket"'))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"vpc": "subnet-0a1b2c3d"}, r"vpc is 'subnet-0a1b2c3d': an object with subnets and security_groups"),
        ({"vpc": {"subnets": SUBNETS}}, "an object with subnets and security_groups is needed, like"),
        ({"vpc": {"subnets": [], "security_groups": GROUPS}}, "vpc.subnets is .*: a list of 1 to 16 IDs"),
        ({"vpc": {"subnets": ["sg-0a1b2c3d"], "security_groups": GROUPS}}, "vpc.subnets is .*: a list of 1 to 16 IDs"),
        ({"vpc": {"subnets": SUBNETS, "security_groups": GROUPS * 6}}, "vpc.security_groups is .*: a list of 1 to 5 IDs"),
        ({"permissions_boundary": "arn:aws:iam::1:role/x"}, "permissions_boundary is .*: the name or the ARN of a managed"),
        ({"permissions_boundary": 7}, "permissions_boundary is 7"),
        ({"bucket": "s3://our-data", "key": KEY}, "bucket is 's3://our-data': the name of a bucket"),
        ({"bucket": "our-data"}, "bucket is there without key"),
        ({"key": "alias/ours"}, "key is 'alias/ours': the ARN of a KMS key"),
    ],
)  # fmt: skip
def test_what_the_context_says_wrongly_is_refused_with_its_place(tmp_path, given, said):
    with pytest.raises(ModelConfigError, match=said):
        build_app(tmp_path, example_models(), **given)


@pytest.fixture
def account(tmp_path):
    with Account(start=BEGIN, directory=tmp_path / "account") as account:
        account.client("s3").create_bucket(
            Bucket="our-data", CreateBucketConfiguration={"LocationConstraint": account.region}
        )
        yield account


def prepared(account, boundary):
    """The context of an account with subnets, a key and a boundary of its own."""
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": boundary, "Resource": "*"}]}
    account.client("iam").create_policy(PolicyName="developers-boundary", PolicyDocument=json.dumps(document))
    ec2 = account.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]
    group = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [subnet["VpcId"]]}])["SecurityGroups"][0]
    vpc = {"subnets": [subnet["SubnetId"]], "security_groups": [group["GroupId"]]}
    return GIVEN | {"vpc": vpc, "key": key_as_documented(account)}


def key_as_documented(account):
    """A key whose policy lets in its account, and the services that docs/stages.md names."""
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    text = (
        (ROOT / "docs" / "stages.md")
        .read_text()
        .partition("cannot be made, and alarms reach nobody:")[2]
        .split("```")[1]
    )
    said = json.loads(
        text.removeprefix("json").replace("REGION", account.region).replace("ACCOUNT", account.account_id)
    )
    own = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account.account_id}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [own, *said]})
    account.client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    return key


def test_kedge_runs_in_the_surroundings_that_it_was_given_and_the_command_finds_its_bucket(account, tmp_path):
    build_app(tmp_path / "assembly", example_models(), **prepared(account, "*")).synth()
    account.deploy(tmp_path / "assembly")
    account.clock.advance_to(BEGIN.replace(hour=4))
    assert [call for call in account.calls if not call.allowed] == []
    deployment = Deployment(region=account.region, endpoint_url=account.serve(0).url)
    assert deployment.bucket == "our-data"


def test_a_boundary_that_forbids_the_interfaces_keeps_functions_out_of_the_vpc(account, tmp_path):
    build_app(tmp_path / "assembly", example_models(), **prepared(account, ["s3:*", "logs:*"])).synth()
    with pytest.raises(DeployError, match="role does not have permissions to call CreateNetworkInterface on EC2"):
        account.deploy(tmp_path / "assembly")
