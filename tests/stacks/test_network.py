"""Networks: interfaces only in the VPCs that are named, and a role of its own for a model whose containers reach one."""

import json

import pytest

from app import build_app
from kedge.errors import ModelConfigError
from stacks.parts.catalogue import load_models
from stacks.parts.workshop import require_no_downloads
from stacks.surroundings import read_vpc
from tests.synthesised import ROOT, example_models, resources

OWN = """
training:
  network_isolation: false
  vpc: {subnets: [subnet-0a0a0a0a], security_groups: [sg-0a0a0a0a]}
"""
EVERYBODYS = {"subnets": ["subnet-0c0c0c0c"], "security_groups": ["sg-0c0c0c0c"]}


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    """The templates of a model whose training reaches a network, in a deployment with a VPC."""
    directory = tmp_path_factory.mktemp("network")
    text = (ROOT / "models" / "hotel-cancellations.yaml").read_text()
    serving = text.replace("endpoint:\n", "endpoint:\n  network_isolation: false\n", 1) + OWN
    (directory / "models").mkdir()
    (directory / "models" / "hotel-cancellations.yaml").write_text(serving)
    build_app(directory / "assembly", directory / "models", nag=True, jobs_vpc=json.dumps(EVERYBODYS)).synth()
    return {
        path.name.partition(".")[0]: json.loads(path.read_text())["Resources"]
        for path in (directory / "assembly").glob("*.template.json")
    }


def statements(templates, sid):
    """The statements of this name, by the policy that holds them."""
    return {
        name: each
        for resources in templates.values()
        for name, resource in resources.items()
        if resource["Type"] == "AWS::IAM::Policy"
        for each in resource["Properties"]["PolicyDocument"]["Statement"]
        if each.get("Sid") == sid
    }


def test_the_jobs_role_joins_the_vpc_of_its_model_and_the_endpoints_the_deployments(templates):
    joined = {
        name.partition("ExecutionRole")[0]: json.dumps(each["Resource"])
        for name, each in statements(templates, "JoinVpc").items()
    }
    assert {name: "subnet/subnet-0a0a0a0a" in text for name, text in joined.items()} == {
        "WorkshopTraining": True,
        "WorkshopScoring": False,
        "WorkshopServing": False,
    }
    assert {name: "subnet/subnet-0c0c0c0c" in text for name, text in joined.items()} == {
        "WorkshopTraining": False,
        "WorkshopScoring": True,
        "WorkshopServing": True,
    }


def test_a_role_of_the_models_own_reaches_that_models_objects_alone(templates):
    for sid in ("ReadObjects", "WriteObjects"):
        found = {
            name: json.dumps(each["Resource"])
            for name, each in statements(templates, sid).items()
            if name.startswith("Workshop") and "RoleDefault" not in name
        }
        assert len(found) == 3
        for text in found.values():
            assert "hotel-cancellations/" in text
            assert "retraining/*/" not in text


def test_only_this_models_jobs_may_be_made_with_a_network(templates):
    for sid, names in (
        ("TrainWithNetwork", "training-job/hotel-cancellations-*"),
        ("MakeScoringModelsWithNetwork", "model/hotel-cancellations-*"),
        ("MakeModelsWithNetwork", "model/hotel-cancellations-v*"),
    ):
        (statement,) = statements(templates, sid).values()
        assert json.dumps(statement["Resource"]).endswith(f'{names}"]]}}')
    for sid in ("Train", "MakeScoringModels", "MakeModels"):
        (statement,) = statements(templates, sid).values()
        assert statement["Condition"] == {"Bool": {"sagemaker:NetworkIsolation": "true"}}


def test_functions_are_told_of_the_deployments_vpc(templates):
    told = [
        json.loads(variables["VPC"])
        for resources in templates.values()
        for resource in resources.values()
        if resource["Type"] == "AWS::Lambda::Function"
        and "VPC" in (variables := resource["Properties"].get("Environment", {}).get("Variables", {}))
    ]
    assert told == [EVERYBODYS, EVERYBODYS]


def test_without_a_vpc_no_role_may_touch_ec2():
    for stack in ("KedgeRetraining", "KedgeRelease"):
        assert "ec2:" not in json.dumps(resources("AWS::IAM::Policy", stack))


@pytest.mark.parametrize(
    "given", ["subnet-0a0a0a0a", {"subnets": ["subnet-0a0a0a0a"]}, '{"subnets": []}', ["subnet-0a0a0a0a"]]
)
def test_a_context_that_is_no_vpc_is_a_sentence(given):
    with pytest.raises(ModelConfigError, match="security_groups"):
        read_vpc("jobs_vpc", given)


def test_requirements_are_downloaded_only_where_both_containers_have_a_network(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "requirements.txt").write_text("lightgbm\n")
    (hotel,) = load_models(example_models())
    training = hotel.training.model_copy(update={"source_dir": "mine", "network_isolation": False})
    hotel = hotel.model_copy(update={"training": training})
    with pytest.raises(ModelConfigError, match=r"endpoint\.network_isolation: false"):
        require_no_downloads([hotel], tmp_path)
    endpoint = hotel.endpoint.model_copy(update={"network_isolation": False})
    require_no_downloads([hotel.model_copy(update={"endpoint": endpoint})], tmp_path)
