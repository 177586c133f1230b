import functools
import json
import re
import tempfile
from pathlib import Path

import pytest

from app import build_app
from kedge.config.stage import Stage
from kedge.errors import ModelConfigError, StageNameError
from tests.stacks.names import given_names, leaves, templates
from tests.synthesised import (
    EXAMPLE,
    ROOT,
    assembly_in_rooms,
    assembly_with_channels,
    example_models,
    models_in_rooms,
    reachable_models,
)

KINESIS = "arn:aws:kinesis:eu-west-1:123456789012:stream/answers"
# Words for people, and what stands within something that has a name of its own.
WITHIN = re.compile(
    r"Description$|/DefinitionString|/Columns/|/PartitionKeys/|/Ref$|/Fn::GetAtt|/PolicyName|/Parameters/"
)


@functools.cache
def staged(stage):
    """All that a deployment may hold, in a stage: chat rooms in one assembly, secrets of channels in the other."""
    found = {}
    for models in (models_in_rooms(), reachable_models()):
        directory = Path(tempfile.mkdtemp(prefix="kedge-assembly-"))
        groups = {"customers": "s3://their-features/groups"}
        build_app(directory, models, nag=True, stage=stage, firehose_stream=KINESIS, feature_groups=groups).synth()
        for stack, template in templates(directory).items():
            for logical_id, resource in template["Resources"].items():
                found[f"{stack.removeprefix(f'{stage}-')}/{logical_id}"] = resource
    return found


def test_without_a_stage_nothing_that_was_deployed_has_another_name():
    deployed = json.loads((ROOT / "tests" / "data" / "deployed_names.json").read_text())
    now = [templates(assembly) for assembly in (assembly_in_rooms(), assembly_with_channels())]
    for stack, resources in deployed.items():
        found = {name: given_names(each) for every in now for name, each in every[stack]["Resources"].items()}
        assert {name: found.get(name) for name in resources} == resources


def test_a_stage_changes_no_logical_id():
    deployed = json.loads((ROOT / "tests" / "data" / "deployed_names.json").read_text())
    assert {f"{stack}/{name}" for stack, resources in deployed.items() for name in resources} <= staged("dev").keys()


def test_two_stages_share_no_name_and_no_pattern_of_names():
    texts = [
        {(each["Type"], *leaf) for each in staged(stage).values() for leaf in leaves(each.get("Properties", {}))}
        for stage in ("dev", "production")
    ]
    shared = {
        (kind, path, text)
        for kind, path, text in texts[0] & texts[1]
        if any(word in text.lower() for word in ("kedge", "hotel-cancellations")) and not WITHIN.search(path)
    }
    # Within a dashboard a token stands for the model that is chosen; within a stage's namespace its dimension is the model.
    within = ("AWS::CloudWatch::Dashboard", "/Dimensions/")
    assert {each for each in shared if not any(word in str(each) for word in within)} == set()


@pytest.mark.parametrize("other", ["", "production"])
def test_no_pattern_of_a_stage_covers_a_name_of_another_kedge(other):
    ours, theirs = Stage("dev"), Stage(other)
    for name in ("kedge-", "KedgeModels-", "kedge/pager", "kedge-chat-", "hotel-cancellations"):
        assert not theirs.named(name).startswith(ours.named(name))
        assert not ours.named(name).startswith(theirs.named(name))


def resource(kind, name, stage="dev"):
    (found,) = [each for path, each in staged(stage).items() if each["Type"] == kind and name in path]
    return found["Properties"]


def test_a_stage_hears_of_its_own_packages_executions_alarms_and_wishes():
    decisions = resource("AWS::Events::Rule", "KedgeRelease/Decisions")["EventPattern"]["detail"]
    assert decisions["ModelPackageGroupName"] == [{"prefix": "dev-"}]
    ended = json.dumps(resource("AWS::Events::Rule", "KedgeMonitoring/Ended")["EventPattern"])
    assert ":stateMachine:dev-kedge-retrain" in ended
    assert ":stateMachine:dev-kedge-release" in ended
    alarms = resource("AWS::Events::Rule", "KedgeRelease/Alarms")["EventPattern"]["detail"]
    assert alarms["alarmName"] == [{"prefix": "dev-KedgeModels-"}]
    assert resource("AWS::Events::Rule", "KedgeMonitoring/Wishes")["EventPattern"] == {
        "detail-type": ["dev-kedge.retrain"]
    }


def test_a_stage_makes_stops_and_deletes_only_what_is_called_after_it():
    changing = re.compile(r"sagemaker:(Create|Stop|Delete(?!Tags|Endpoint))")
    for path, each in staged("dev").items():
        for statement in (
            each["Properties"]["PolicyDocument"]["Statement"] if each["Type"] == "AWS::IAM::Policy" else ()
        ):
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            if statement["Effect"] == "Allow" and any(changing.match(action) for action in actions):
                texts = [text for _, text in leaves(statement["Resource"]) if re.search(r":[a-z-]+/", text)]
                assert texts, path
                assert all(re.search(r":[a-z-]+/dev-", text) for text in texts), (path, texts)


def test_every_function_of_a_stage_is_told_its_stage():
    functions = [each for each in staged("dev").values() if each["Type"] == "AWS::Lambda::Function"]
    assert {each["Properties"]["Environment"]["Variables"]["KEDGE_STAGE"] for each in functions} == {"dev"}


@pytest.mark.parametrize("name", ["Dev", "a-b", "1st", "thirteenchars", "über"])
def test_a_stage_that_names_cannot_begin_with_is_refused(tmp_path, name):
    with pytest.raises(StageNameError, match="small letters and digits"):
        build_app(tmp_path, example_models(), stage=name)


def test_a_model_whose_name_becomes_too_long_is_refused_when_it_is_synthesised(tmp_path):
    models, name = tmp_path / "models", "a-model-with-a-name-of-forty-characters1"
    models.mkdir()
    text = (example_models() / EXAMPLE).read_text().replace("model: hotel-cancellations", f"model: {name}")
    (models / f"{name}.yaml").write_text(text)
    build_app(tmp_path / "short", models, stage="staging")
    with pytest.raises(ModelConfigError, match=rf"production-{name} has more than 48 characters: shorten"):
        build_app(tmp_path / "long", models, stage="production")
