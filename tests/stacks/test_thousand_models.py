import json
from collections import Counter

import pytest
import yaml

from kedge.errors import ModelConfigError
from stacks.models import shard_of
from tests.synthesised import ROOT, assembly

pytestmark = pytest.mark.slow

MODELS, STACKS = 1_000, 5
RESOURCES_MAX = 450
BYTES_MAX = 1_000_000


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    from app import build_app

    models, assembly = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("assembly")
    model = yaml.safe_load((ROOT / "models" / "hotel-cancellations.yaml").read_text())
    for number in range(MODELS):
        name = f"model-{number:04d}"
        model |= {"model": name, "endpoint": {"name": name}}
        (models / f"{name}.yaml").write_text(yaml.safe_dump(model, sort_keys=False))
    with pytest.raises(
        ModelConfigError,
        match="1000 models with 1000 resources fall into KedgeModels-1, and 480 fit: set model_stacks, which is 1, to 5",
    ):
        build_app(tmp_path_factory.mktemp("one"), models)
    build_app(assembly, models, model_stacks=STACKS).synth()
    return {path.name: path.read_text() for path in assembly.glob("*.template.json")}


def test_no_stack_outgrows_cloudformation(templates):
    for name, text in templates.items():
        assert len(json.loads(text)["Resources"]) < RESOURCES_MAX, name
        assert len(text.encode()) < BYTES_MAX, name


def test_every_model_has_its_package_group_once(templates):
    groups = [
        resource["Properties"]["ModelPackageGroupName"]
        for text in templates.values()
        for resource in json.loads(text)["Resources"].values()
        if resource["Type"] == "AWS::SageMaker::ModelPackageGroup"
    ]
    assert len(groups) == len(set(groups)) == MODELS


def test_one_more_model_moves_no_other(templates):
    for number in range(STACKS):
        for resource in json.loads(templates[f"KedgeModels-{number + 1}.template.json"])["Resources"].values():
            if resource["Type"] == "AWS::SageMaker::ModelPackageGroup":
                # The name alone decides, not the models beside it.
                assert shard_of(resource["Properties"]["ModelPackageGroupName"], STACKS) == number + 1


def test_schedules_and_functions_do_not_grow_with_the_models(templates):
    of_one = {path.name: path.read_text() for path in assembly().glob("*.template.json")}
    for kind in ("AWS::Scheduler::Schedule", "AWS::Lambda::Function"):
        assert kinds_of(templates)[kind] == kinds_of(of_one)[kind] > 0


def kinds_of(templates):
    return Counter(
        resource["Type"] for text in templates.values() for resource in json.loads(text)["Resources"].values()
    )
