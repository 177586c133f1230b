"""The recipes in docs/recipes: workflows of GitHub's by their rules, and the stacks of AWS's under cdk-nag."""

import importlib.util
import json
import re
from pathlib import Path

import aws_cdk as cdk
import pytest
import yaml
from cdk_nag import AwsSolutionsChecks

from tests.stacks.names import leaves, templates
from tests.synthesised import ROOT

RECIPES = ROOT / "docs" / "recipes"
WORKFLOWS = ("github-actions.yml", "github-deploy-stage.yml")
CONNECTION = "arn:aws:codeconnections:eu-west-1:123456789012:connection/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"
JOB_KEYS = {"if", "needs", "runs-on", "environment", "permissions", "strategy", "steps", "uses", "with", "env", "name"}
STEP_KEYS = {"name", "run", "uses", "with", "env", "if", "id"}
# What an expression may begin with; `event` only where no shell reads it.
CONTEXTS = {"github", "inputs", "vars", "env", "matrix"}


def workflow(name):
    # YAML 1.1 reads the key `on` as true.
    found = yaml.safe_load((RECIPES / name).read_text())
    return {("on" if key is True else key): value for key, value in found.items()}


def jobs(name):
    return workflow(name)["jobs"]


def steps(name):
    return [(job, step) for job, said in jobs(name).items() for step in said.get("steps", ())]


def commands():
    ours = [text for name in WORKFLOWS for _, step in steps(name) if (text := step.get("run"))]
    pipeline = (RECIPES / "codepipeline.py").read_text()
    return [*ours, *re.findall(r'"(make [^"]*)"', pipeline)]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_has_what_github_knows_and_nothing_else(name):
    found = workflow(name)
    assert set(found) <= {"name", "on", "permissions", "concurrency", "env", "jobs"}
    for job, said in found["jobs"].items():
        assert set(said) <= JOB_KEYS, job
        assert ("runs-on" in said) != ("uses" in said), job
        needed = said.get("needs", [])
        assert {needed} if isinstance(needed, str) else {*needed} <= set(found["jobs"]), job
        for step in said.get("steps", ()):
            assert set(step) <= STEP_KEYS, job
            assert ("run" in step) != ("uses" in step), job


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_job_may_no_more_than_it_says_and_takes_a_token_only_where_it_takes_a_role(name):
    assert workflow(name)["permissions"] == {}
    for job, said in jobs(name).items():
        takes = "uses" in said or any("configure-aws-credentials" in step.get("uses", "") for step in said["steps"])
        assert said["permissions"] == {"contents": "read", **({"id-token": "write"} if takes else {})}, job


@pytest.mark.parametrize("name", WORKFLOWS)
def test_expressions_use_known_contexts_and_no_shell_reads_one(name):
    for path, text in leaves(workflow(name)):
        for expression in re.findall(r"\$\{\{(.*?)\}\}", text):
            assert expression.strip().partition(".")[0] in CONTEXTS, (path, expression)
            assert not path.endswith("/run"), expression
        assert "secrets." not in text, path


def test_a_pull_request_only_looks_and_a_merge_deploys_one_stage_after_the_other():
    found = jobs("github-actions.yml")
    assert "pull_request' && github.event.pull_request.head.repo.full_name == github.repository" in found["diff"]["if"]
    assert [step["run"].split()[1] for step in found["diff"]["steps"] if "$CDK" in step.get("run", "")] == ["diff"]
    assert found["diff"]["strategy"]["matrix"]["stage"] == ["dev", "staging", "production"]
    assert found["dev"]["if"] == "github.event_name == 'push'"
    order = [(found[stage]["needs"], found[stage]["with"]["stage"]) for stage in ("dev", "staging", "production")]
    assert order == [("check", "dev"), ("dev", "staging"), ("staging", "production")]
    assert workflow("github-actions.yml")["on"]["push"] == {"branches": ["main"]}


def test_every_command_is_one_that_the_repository_has():
    makefile = (ROOT / "Makefile").read_text()
    targets = {target for line in commands() if line.startswith("make ") for target in line.split()[1:]}
    assert targets
    assert {target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()
    (version,) = set(re.findall(r"aws-cdk@[\d.]+", makefile))
    for path in RECIPES.iterdir():
        assert set(re.findall(r"aws-cdk@[\d.]+", path.read_text() if path.is_file() else "")) <= {version}, path


def recipe(name):
    spec = importlib.util.spec_from_file_location(f"recipe_{name}", RECIPES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def synthesised(app):
    (found,) = templates(Path(app.synth().directory)).values()
    return found["Resources"]


def statements(resources):
    return [
        statement
        for each in resources.values()
        if each["Type"] == "AWS::IAM::Policy"
        for statement in each["Properties"]["PolicyDocument"]["Statement"]
    ]


def test_githubs_roles_let_in_one_repository_and_only_become_what_cdk_made():
    resources = synthesised(recipe("github_roles").main("acme/kedge", "dev", "diff"))
    roles = {name: each["Properties"] for name, each in resources.items() if each["Type"] == "AWS::IAM::Role"}
    subjects = set()
    for role in roles.values():
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
        said = trust["Condition"]["StringEquals"]
        assert said["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
        subjects.add(said["token.actions.githubusercontent.com:sub"])
    assert subjects == {"repo:acme/kedge:environment:dev", "repo:acme/kedge:pull_request"}
    assert {statement["Action"] for statement in statements(resources)} == {"sts:AssumeRole"}
    assert all("role/cdk-" in json.dumps(statement["Resource"]) for statement in statements(resources))
    assert not [each for each in resources.values() if each["Type"] in ("AWS::Lambda::Function", "AWS::IAM::User")]


def test_the_pipeline_deploys_in_order_and_a_person_lets_it_into_production():
    resources = synthesised(recipe("codepipeline").main("acme/kedge", CONNECTION))
    (pipeline,) = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::CodePipeline::Pipeline"]
    stages = {
        stage["Name"]: [action["ActionTypeId"]["Provider"] for action in stage["Actions"]]
        for stage in pipeline["Stages"]
    }
    assert stages == {
        "source": ["CodeStarSourceConnection"],
        "check": ["CodeBuild"],
        "dev": ["CodeBuild"],
        "staging": ["CodeBuild"],
        "production": ["Manual", "CodeBuild"],
    }
    assert "role/cdk-*-lookup-role-*" in json.dumps([s for s in statements(resources) if s.get("Sid") == "BecomeCdk"])


def test_a_pull_requests_project_can_look_and_not_deploy():
    resources = synthesised(recipe("codepipeline").main("acme/kedge", CONNECTION))
    (diff,) = [
        each
        for name, each in resources.items()
        if name.startswith("Diff") and each["Type"] == "AWS::CodeBuild::Project"
    ]
    assert "cdk diff" not in diff["Properties"]["Source"]["BuildSpec"]
    assert " diff --method template " in diff["Properties"]["Source"]["BuildSpec"]
    assert {f["Pattern"] for group in diff["Properties"]["Triggers"]["FilterGroups"] for f in group} >= {
        "PULL_REQUEST_CREATED, PULL_REQUEST_UPDATED"
    }
    role = diff["Properties"]["ServiceRole"]["Fn::GetAtt"][0]
    becomes = [
        statement["Resource"]
        for each in resources.values()
        if each["Type"] == "AWS::IAM::Policy" and {"Ref": role} in each["Properties"]["Roles"]
        for statement in each["Properties"]["PolicyDocument"]["Statement"]
        if statement["Action"] == "sts:AssumeRole"
    ]
    assert becomes == ["arn:aws:iam::*:role/cdk-*-lookup-role-*"]


def findings(app):
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    try:
        app.synth()
    except RuntimeError as error:
        return {rule for rule in re.findall(r"AwsSolutions-[A-Z]+\d+", str(error))}
    return set()


def test_cdk_nag_finds_only_what_the_recipes_explain():
    # Roles that `cdk bootstrap` made have names of their own, and your house decides where access logs go.
    assert findings(recipe("github_roles").main("acme/kedge", "dev", "diff")) == {"AwsSolutions-IAM5"}
    assert findings(recipe("codepipeline").main("acme/kedge", CONNECTION)) == {"AwsSolutions-IAM5", "AwsSolutions-S1"}
