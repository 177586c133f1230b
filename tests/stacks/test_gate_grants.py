"""Whom a model's YAML lets call a rule, and approve: nobody by default, and by name alone."""

import json

import pytest

from app import build_app
from tests.synthesised import EXAMPLE, ROOT


def policies(directory, extra, stack="KedgeRetraining"):
    models = directory / "models"
    models.mkdir()
    (models / EXAMPLE).write_text((ROOT / "models" / EXAMPLE).read_text() + extra)
    build_app(directory / "assembly", models, nag=True).synth()
    template = json.loads((directory / "assembly" / f"{stack}.template.json").read_text())
    return {
        (name.partition("Role")[0], each.get("Sid")): each
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::IAM::Policy"
        for each in resource["Properties"]["PolicyDocument"]["Statement"]
    }


@pytest.fixture(scope="module")
def wanting(tmp_path_factory):
    return policies(
        tmp_path_factory.mktemp("wanting"),
        "approval: automatic\ngate: {rule_function: house-rule, minimum_effect: 0.0}\n",
    )


def test_the_gate_may_call_the_named_function_and_no_other(wanting):
    statement = wanting["CompareModels", "AskOwnRules"]
    assert statement["Action"] == "lambda:InvokeFunction"
    assert json.dumps(statement["Resource"]).endswith('":function:house-rule"]]}')
    callers = {role for (role, _), each in wanting.items() if "house-rule" in json.dumps(each)}
    assert callers == {"CompareModels"}


def test_one_role_may_approve_packages_of_that_group_and_only_approve(wanting):
    approving = {
        role
        for (role, _), each in wanting.items()
        if each["Effect"] == "Allow" and "UpdateModelPackage" in json.dumps(each["Action"])
    }
    assert approving == {"ApprovePackage"}
    statement = wanting["ApprovePackage", "Approve"]
    assert json.dumps(statement["Resource"]).endswith(':model-package/hotel-cancellations/*"]]}')
    assert statement["Condition"] == {"StringEquals": {"sagemaker:ModelApprovalStatus": "Approved"}}


def test_without_such_a_model_nobody_may_do_either(tmp_path):
    found = policies(tmp_path, "")
    assert ("CompareModels", "AskOwnRules") not in found
    assert ("ApprovePackage", "Approve") not in found
