"""The deployed models' definitions: one custom resource, last of all, and one function that may write them."""

import json
from fnmatch import fnmatch

from app import build_app
from tests.synthesised import assembly, example_models, functions, resources, statements_of, template


def definitions():
    return template("KedgeModels-1")["Resources"]["Definitions"]


def test_the_definitions_come_after_everything_else_of_the_models_stack_and_after_every_other_stack():
    others = template("KedgeModels-1")["Resources"].keys() - {"Definitions"}
    assert set(definitions()["DependsOn"]) == others
    manifest = json.loads((assembly() / "manifest.json").read_text())["artifacts"]
    assert {"KedgeMonitoring", "KedgeRelease", "KedgeStorage"} <= set(manifest["KedgeModels-1"]["dependencies"])


def test_of_several_models_stacks_one_has_the_definitions_of_all_and_is_the_last(tmp_path):
    build_app(tmp_path, example_models(), model_stacks=3).synth()
    templates = {
        number: json.loads((tmp_path / f"KedgeModels-{number}.template.json").read_text()) for number in (1, 2, 3)
    }
    assert [n for n, each in templates.items() if "Definitions" in each["Resources"]] == [1]
    needs = json.loads((tmp_path / "manifest.json").read_text())["artifacts"]["KedgeModels-1"]["dependencies"]
    assert {"KedgeModels-2", "KedgeModels-3", "KedgeRelease"} <= set(needs)


def test_cloudformation_gives_up_soon_after_the_function_and_the_function_is_never_tried_twice():
    (function,) = [each for path, each in functions().items() if path.endswith("/define_models")]
    patience = int(definitions()["Properties"]["ServiceTimeout"])
    assert patience <= 600
    (events,) = [
        each["Properties"]
        for each in resources("AWS::Lambda::EventInvokeConfig").values()
        if "DefineModels" in json.dumps(each["Properties"]["FunctionName"])
    ]
    # None is at work any more when CloudFormation has given up: it goes back by another.
    assert events["MaximumRetryAttempts"] == 0
    assert events["MaximumEventAgeInSeconds"] + function["Properties"]["Timeout"] <= patience


def test_no_other_role_may_write_or_delete_what_is_deployed():
    may = {}
    for path in resources("AWS::IAM::Role"):
        for statement in statements_of(*path.split("/")):
            actions = {*([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])}
            writes = actions & {"s3:PutObject", "s3:DeleteObject", "s3:*"} and statement["Effect"] == "Allow"
            if writes and any(fnmatch("/deployed/a.yaml", place) for place in places_of(statement)):
                may.setdefault(path.split("/")[1], set()).update(actions)
    ((role, actions),) = may.items()
    assert role.startswith("DefineModelsRole")
    assert actions == {"s3:PutObject", "s3:DeleteObject"}


def places_of(statement):
    """What a statement says behind a bucket's ARN."""
    for place in statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]:
        text = place["Fn::Join"][1][-1] if isinstance(place, dict) and "Fn::Join" in place else place
        yield text if text == "*" else f"/{text.partition('/')[2]}" if isinstance(text, str) else ""


def test_of_the_assets_the_function_reads_json_alone():
    (role,) = [path for path in resources("AWS::IAM::Role") if "/DefineModelsRole" in path]
    (read,) = [each for each in statements_of(*role.split("/")) if each.get("Sid") == "ReadAssets"]
    assert read["Action"] == "s3:GetObject"
    assert ":s3:::cdk-hnb659fds-assets-" in json.dumps(read["Resource"])
    assert json.dumps(read["Resource"]).count("/*.json") == 1


def test_nothing_stands_in_the_way_of_a_version_without_the_resource():
    assert (definitions()["DeletionPolicy"], definitions()["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    (function,) = [each for path, each in functions().items() if path.endswith("/define_models")]
    assert function["Properties"]["FunctionName"] == "kedge-define-models"
    token = json.dumps(definitions()["Properties"]["ServiceToken"])
    assert "Fn::ImportValue" not in token
    assert token.endswith(':function:kedge-define-models"]]}')
