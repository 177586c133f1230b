"""A team's own script on two spot instances that are taken away once, with images, variables, a folder and a VPC of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app import build_app
from kedge.config.reading import parse_model_config
from offline.account import Account
from tests.end_to_end.hotel import DAY, Hotel
from tests.synthesised import EXAMPLE, brisk_models

pytestmark = pytest.mark.slow

LEARNT_FROM, FROM = datetime(2015, 9, 1, tzinfo=UTC), datetime(2016, 2, 1, tzinfo=UTC)
YAML = brisk_models() / EXAMPLE
IMAGES = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
TRAINING = f"""
training:
  source_dir: tests/end_to_end/own_training
  entry_point: learn.py
  image: {IMAGES}/learning:1
  serving_image: {IMAGES}/answering:1
  environment: {{CHECKPOINTS: /opt/ml/checkpoints}}
  serving_environment: {{DEPOSIT_PLACE: "5"}}
  instance_count: 2
  spot: true
  max_runtime_seconds: 1200
  permuted_rows: 0
  network_isolation: false
"""


@pytest.fixture(scope="module")
def hotel(frame: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotel]:
    directory = tmp_path_factory.mktemp("own")
    text = YAML.read_text().replace("endpoint:\n", "endpoint:\n  network_isolation: false\n", 1) + TRAINING
    (directory / "models").mkdir()
    (directory / "models" / YAML.name).write_text(text)
    with Account(start=FROM - DAY / 2, directory=directory / "account") as account:
        subnet, group = default_vpc(account)
        vpc = {"subnets": [subnet], "security_groups": [group]}
        build_app(directory / "assembly", directory / "models", jobs_vpc=vpc).synth()
        account.deploy(directory / "assembly")
        account.capacity.interruptions = 1
        hotel = Hotel(account, parse_model_config(text, source=YAML.name), frame)
        hotel.release_first_champion(since=LEARNT_FROM, until=FROM)
        yield hotel


def default_vpc(account: Account) -> tuple[str, str]:
    ec2 = account.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]
    of_vpc = [{"Name": "vpc-id", "Values": [subnet["VpcId"]]}]
    (group,) = ec2.describe_security_groups(Filters=of_vpc)["SecurityGroups"]
    return subnet["SubnetId"], group["GroupId"]


def test_jobs_and_endpoint_are_in_the_deployments_vpc_with_a_network_and_roles_of_their_own(hotel):
    (summary,) = hotel.registry.list_training_jobs()["TrainingJobSummaries"]
    job = hotel.registry.describe_training_job(TrainingJobName=summary["TrainingJobName"])
    config = hotel.registry.describe_endpoint(EndpointName=hotel.endpoint)["EndpointConfigName"]
    served = hotel.registry.describe_model(ModelName=config)
    for made in (job, served):
        assert made["VpcConfig"]["Subnets"]
        assert made["EnableNetworkIsolation"] is False
    assert len({job["RoleArn"], served["ExecutionRoleArn"]}) == 2


def test_the_job_lost_its_instances_and_went_on_from_its_checkpoint(hotel):
    (job,) = hotel.registry.list_training_jobs()["TrainingJobSummaries"]
    found = hotel.registry.describe_training_job(TrainingJobName=job["TrainingJobName"])
    assert "Interrupted" in [step["Status"] for step in found["SecondaryStatusTransitions"]]
    assert (found["ResourceConfig"]["InstanceCount"], found["EnableManagedSpotTraining"]) == (2, True)
    run = job["TrainingJobName"].rpartition("-")[0]
    assert hotel.objects(f"trained/{hotel.model}/{run}/checkpoints/").popitem()[1] == b"3"


def test_what_the_script_learnt_serves_in_another_image_with_its_variables(hotel):
    (package,) = hotel.registry.list_model_packages(ModelPackageGroupName=hotel.model)["ModelPackageSummaryList"]
    described = hotel.registry.describe_model_package(ModelPackageName=package["ModelPackageArn"])
    (container,) = described["InferenceSpecification"]["Containers"]
    assert container["Image"].endswith("/answering:1")
    properties = described["CustomerMetadataProperties"]
    assert (properties["kedge:spot"], properties["kedge:instance_count"]) == ("yes", "2")
    assert properties["kedge:training_image"].endswith("/learning:1")
    assert properties["kedge:source"].startswith("s3://")
    card = json.loads(described["ModelCard"]["ModelCardContent"])
    job = card["training_details"]["training_job_details"]
    assert job["training_arn"].endswith(f":training-job/{properties['kedge:training_job']}")
    lineage = json.loads(hotel.objects(f"retraining/{hotel.model}/{properties['kedge:run']}/lineage.json").popitem()[1])
    assert len(lineage["scoring_job_arns"]) == 1
    assert hotel.mails_saying(
        "please decide", "WHAT THE RETRAINING COST", "instance minutes of ml.m5.xlarge cost about"
    )
    booking = hotel.bookings(FROM, FROM + DAY)[0]
    assert 0 < hotel.ask(booking.payload, "guest-1") < 1
