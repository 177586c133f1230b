"""A room of Amazon Q Developer's has a topic of its own, and nothing that is typed there can do anything."""

import json

import pytest

from kedge.errors import ModelConfigError
from tests.synthesised import assembly_in_rooms, assembly_with_channels, models_in_rooms

SLACK, TEAMS = "AWS::Chatbot::SlackChannelConfiguration", "AWS::Chatbot::MicrosoftTeamsChannelConfiguration"


@pytest.fixture(scope="module")
def template():
    return json.loads((assembly_in_rooms() / "KedgeMonitoring.template.json").read_text())["Resources"]


def of_type(template, kind):
    return {name: each["Properties"] for name, each in template.items() if each["Type"] == kind}


def test_each_room_has_its_channel_its_own_topic_and_a_guardrail_that_only_reads(template):
    (slack,), (teams,) = of_type(template, SLACK).values(), of_type(template, TEAMS).values()
    assert (slack["SlackWorkspaceId"], slack["SlackChannelId"]) == ("T07EA123LEP", "C024BE91L")
    assert teams["TeamsChannelId"] == "19%3a0a1b2c3d4e5f60718293a4b5c6d7e8f9%40thread.tacv2"
    assert slack["SnsTopicArns"] != teams["SnsTopicArns"]
    for each in (slack, teams):
        (guardrail,) = each["GuardrailPolicies"]
        assert json.dumps(guardrail).endswith(':iam::aws:policy/CloudWatchReadOnlyAccess"]]}')


def test_the_role_of_the_rooms_may_do_nothing(template):
    (name,) = {
        each["IamRoleArn"]["Fn::GetAtt"][0] for kind in (SLACK, TEAMS) for each in of_type(template, kind).values()
    }
    assert "ManagedPolicyArns" not in template[name]["Properties"]
    said = [
        statement
        for policy in of_type(template, "AWS::IAM::Policy").values()
        if {"Ref": name} in policy["Roles"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    assert {statement["Effect"] for statement in said} == {"Deny"}


def test_no_room_is_made_for_a_bot_of_ones_own():
    text = (assembly_with_channels() / "KedgeMonitoring.template.json").read_text()
    assert "AWS::Chatbot" not in text
    assert "chatbot.amazonaws.com" not in (assembly_with_channels() / "KedgeStorage.template.json").read_text()


def test_a_room_that_several_models_share_is_one_room_and_too_many_rooms_are_refused(tmp_path):
    from app import build_app

    folder, yaml = tmp_path / "models", (models_in_rooms() / "hotel-cancellations.yaml").read_text()
    folder.mkdir()
    (tmp_path / "teams.yaml").write_text((models_in_rooms().parent / "teams.yaml").read_text())
    for number in range(2):
        text = yaml.replace("hotel-cancellations", f"model-{number}")
        (folder / f"model-{number}.yaml").write_text(text)
    build_app(tmp_path / "out", folder).synth()
    assert (tmp_path / "out" / "KedgeMonitoring.template.json").read_text().count(SLACK) == 1
    for number in range(60):
        text = yaml.replace("hotel-cancellations", f"model-{number}")
        place = f"\nowner: {{slack: {{channel: C0{number:02}ABCDEF, workspace: T07EA123LEP}}}}\n"
        (folder / f"model-{number}.yaml").write_text(text + place)
    with pytest.raises(ModelConfigError, match="let teams share rooms"):
        build_app(tmp_path / "many", folder)
