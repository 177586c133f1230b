"""A VPC is joined as the execution role, once the instances start; what is wrong with it shows then, not at the request."""

import pytest
from botocore.exceptions import ClientError

from offline.account import Account
from tests.offline.sagemaker.test_jobs import describe, training_request
from tests.offline.sagemaker_world import OWN, START, World

EC2 = {
    "Effect": "Allow",
    "Action": [
        "ec2:CreateNetworkInterface*",
        "ec2:DeleteNetworkInterface*",
        *(f"ec2:Describe{name}" for name in ("NetworkInterfaces", "Vpcs", "DhcpOptions", "Subnets", "SecurityGroups")),
    ],
    "Resource": "*",
}
JOINING = {**OWN, "Statement": [*OWN["Statement"], EC2]}


@pytest.fixture
def world(tmp_path):
    with Account(start=START, directory=tmp_path) as account:
        made = World(account)
        made.put("train/train.csv", b"1,2\n3,4\n")
        ec2 = account.client("ec2")
        subnet = ec2.describe_subnets()["Subnets"][0]
        groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [subnet["VpcId"]]}])
        made.vpc = {"Subnets": [subnet["SubnetId"]], "SecurityGroupIds": [groups["SecurityGroups"][0]["GroupId"]]}
        yield made


def train(world, **more):
    world.sagemaker.create_training_job(**training_request(world, **more))
    world.pass_minutes(10)
    return describe(world)


def test_a_job_in_a_vpc_trains_where_its_role_may_join_it(world):
    job = train(world, VpcConfig=world.vpc, RoleArn=world.make_role("joining", JOINING))
    assert (job["TrainingJobStatus"], job["VpcConfig"]) == ("Completed", world.vpc)


def test_a_role_that_may_not_join_it_fails_the_job_later_with_no_more_than_an_internal_error(world):
    job = train(world, VpcConfig=world.vpc)
    assert job["TrainingJobStatus"] == "Failed"
    assert "We encountered an internal error" in job["FailureReason"]


def test_a_subnet_that_is_not_there_fails_the_job(world):
    vpc = world.vpc | {"Subnets": ["subnet-0123"]}
    job = train(world, VpcConfig=vpc, RoleArn=world.make_role("joining", JOINING))
    assert (job["TrainingJobStatus"], "subnet-0123" in job["FailureReason"]) == ("Failed", True)


def test_an_endpoint_whose_model_may_not_join_its_vpc_fails(world):
    uri = world.make_model("isolated")
    container = {"Image": "image", "ModelDataUrl": uri}
    world.sagemaker.create_model(
        ModelName="model", ExecutionRoleArn=world.role, PrimaryContainer=container, VpcConfig=world.vpc
    )
    world.make_config("config-1", "model")
    world.sagemaker.create_endpoint(EndpointName="endpoint", EndpointConfigName="config-1")
    world.pass_minutes(20)
    assert world.sagemaker.describe_endpoint(EndpointName="endpoint")["EndpointStatus"] == "Failed"


def test_six_security_groups_are_refused_at_once(world):
    vpc = world.vpc | {"SecurityGroupIds": [f"sg-{number}" for number in range(6)]}
    with pytest.raises(ClientError, match=r"vpcConfig\.securityGroupIds"):
        world.sagemaker.create_training_job(**training_request(world, VpcConfig=vpc))
