"""Chats by Amazon Q Developer: what a room shows, in which thread, and what happens where SNS does not take it."""

import json
from hashlib import sha256

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from lambdas.adapters import clients
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.models import load_model
from stacks.chat_rooms import ROOM
from tests.handlers.aws_world import BUCKET, MODEL, REGION
from tests.handlers.deliver.deliver_world import MONDAY, deliver_world, failed, window
from tests.synthesised import models_in_rooms

EPISODE = f"{sha256(BUCKET.encode()).hexdigest()[:8]}/{MODEL}/episode/2016-01-04T03:00:00Z"
SLACK = f"{ROOM}slack-T07EA123LEP-C024BE91L"
CHATS = ("slack", "teams")


@pytest.fixture
def world(monkeypatch, tmp_path):
    with deliver_world(monkeypatch, tmp_path, models_in_rooms) as world:
        for channel in CHATS:
            boto3.client("sns").create_topic(Name=ROOM + load_model(MODEL, BUCKET).owner.room(channel))
        yield world


def failing(monkeypatch, *errors):
    """Have the next publishes fail so; those of None work."""
    publish, left = clients.sns().publish, list(errors)

    def publish_or_fail(**given):
        if left and (error := left.pop(0)) is not None:
            raise error
        return publish(**given)

    monkeypatch.setattr(clients.sns(), "publish", publish_or_fail)


def refusal(code, status=400):
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Publish")


def test_a_room_shows_a_message_once_in_the_schema_that_amazon_q_takes(world):
    for _ in range(2):
        world.publish(window("begins"), *CHATS)
        world.drain(*CHATS)
    for channel in CHATS:
        (shown,) = world.rooms(channel)
        assert shown["content"]["title"].startswith(f"CRITICAL: {MODEL}: adr drifted")
        assert shown["content"]["keywords"] == [MODEL, "CRITICAL", "window_judged"]
        assert shown["metadata"]["threadId"] == EPISODE
        assert shown["metadata"]["additionalContext"] == {"model": MODEL, "team": "risk", "severity": "CRITICAL"}
        assert f"kedge mute {MODEL}" in shown["content"]["nextSteps"][-1]
    assert world.services.requests == []


def test_each_client_gets_its_own_markdown_in_which_a_name_is_only_a_name(world):
    world.publish(window("begins"), *CHATS)
    world.drain(*CHATS)
    ((slack,), (teams,)) = (world.rooms(channel) for channel in CHATS)
    assert "*What moved*\n- adr: KS" in slack["content"]["description"]
    assert "&amp; &lt;rising&gt;" in slack["content"]["description"]
    assert "**What moved**\n\n- adr: KS" in teams["content"]["description"]
    assert "& \\<rising\\>" in teams["content"]["description"]


def test_a_message_links_to_the_models_page_and_dashboard(world):
    world.publish(window("begins"), "slack")
    world.drain("slack")
    description = world.rooms("slack")[0]["content"]["description"]
    assert f"kedge report {MODEL} --page --open" in description
    assert f"prefix=reports/{MODEL}/index.html" in description
    assert f"dashboards/dashboard/Kedge-one-model-{REGION}" in description


def test_a_step_and_its_command_are_one_and_no_command_is_left_out(world):
    runs = {"runs": ["r1", "r2", "r3"], "statuses": ["FAILED"] * 3}
    world.publish(Entry(MODEL, "retrainings_failing", MONDAY, runs), "slack")
    world.drain("slack")
    steps = world.rooms("slack")[0]["content"]["nextSteps"]
    commands = ("history", "retrain", "pause")
    assert [step.partition(": kedge ")[2].split()[0] for step in steps] == list(commands)


def test_all_messages_of_an_episode_are_in_one_thread(world):
    for news, weeks in (("begins", 0), ("worse", 1), ("ends", 2)):
        world.publish(window(news, weeks=weeks), "slack")
        world.drain("slack")
    assert [each["metadata"]["threadId"] for each in world.rooms("slack")] == [EPISODE] * 3


def test_what_is_too_long_is_cut_between_paragraphs_and_says_so(world):
    world.publish(failed(cause="why " * 2_000, error="E" * 700), *CHATS)
    world.publish(window("begins", reasons=["x" * 590] * 5, owner={"runbook": "https://x/" + "y" * 2_900}), *CHATS)
    world.drain(*CHATS)
    for channel in CHATS:
        texts = [each["content"]["description"] for each in world.rooms(channel)]
        assert len(texts) == 2
        assert max(map(len, texts)) <= 3_000
        assert texts[1].endswith("The rest is in the mail and in the report.")


def test_what_sns_refuses_lies_with_the_dead_letters_and_what_may_pass_is_tried_again(world, monkeypatch):
    failing(monkeypatch, refusal("Throttling"), refusal("InternalError", 500), None, refusal("NotFound", 404))
    world.publish(window("begins"), "slack")
    world.drain("slack")
    assert (len(world.rooms("slack")), world.buried("slack")) == (1, [])
    world.publish(window("worse", weeks=1), "slack")
    world.drain("slack")
    assert [why for why, _ in world.buried("slack")] == ["SNS: NotFound"]


def test_a_message_whose_answer_was_lost_says_that_it_may_be_a_repetition(world, monkeypatch):
    failing(monkeypatch, ReadTimeoutError(endpoint_url="https://sns"))
    world.publish(window("begins"), "slack")
    world.drain("slack")
    (shown,) = world.rooms("slack")
    assert "received this message before" in json.dumps(shown)
