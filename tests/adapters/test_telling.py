"""What is told is kept until it was told."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from lambdas.adapters import clients, telling
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.channels.channel import Topics
from lambdas.adapters.state import standing
from lambdas.adapters.telling import Desk, record_and_tell, tell_again, tell_once
from tests.handlers.aws_world import BUCKET, MODEL, TABLE
from tests.handlers.monitor_world import monitor_world

NOON = datetime(2016, 2, 11, 12, tzinfo=UTC)
DETAIL = {"machine": "kedge-release", "state": "UpdateEndpoint", "error": "Throttled", "cause": "slow down"}


class BrokenSns:
    """SNS that refuses the first messages of one topic."""

    def __init__(self, sns, topic: str, refusals: int) -> None:
        self._sns, self._topic, self._refusals = sns, topic, refusals

    def publish(self, **message):
        if message["TopicArn"] == self._topic and self._refusals:
            self._refusals -= 1
            raise ClientError({"Error": {"Code": "InternalError", "Message": "again later"}}, "Publish")
        return self._sns.publish(**message)


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        yield world


def desk(world, sns=None) -> Desk:
    topics = {arn["TopicArn"].rpartition(":")[2]: arn["TopicArn"] for arn in world.sns.list_topics()["Topics"]}
    return Desk(
        world.dynamodb,
        world.s3,
        sns or boto3.client("sns"),
        TABLE,
        BUCKET,
        Topics(topics["people"], topics["programs"]),
    )


def untold(world) -> list[str]:
    items = world.dynamodb.scan(TableName=TABLE)["Items"]
    return [item["item"]["S"] for item in items if item["item"]["S"].startswith("untold#")]


def kept(world):
    return standing.load(world.dynamodb, TABLE, MODEL).untold


def tell(world, desk) -> None:
    record_and_tell(desk, Entry(MODEL, "failed", NOON, DETAIL))


def test_a_message_that_went_out_leaves_nothing_behind(world):
    tell(world, desk(world))
    assert (len(world.mails()), world.kinds(), untold(world)) == (1, ["failed"], [])
    assert json.loads(world.received("programs")[0]["Message"])["detail"] == DETAIL


def test_both_topics_get_what_subscriptions_filter_by(world):
    tell(world, desk(world))
    for topic in ("people", "programs"):
        given = {name: said["Value"] for name, said in world.received(topic)[0]["MessageAttributes"].items()}
        assert {**given, "channels": json.loads(given["channels"])} == {
            "model": MODEL, "kind": "failed", "severity": "CRITICAL", "team": "none", "channels": ["email"],
        }  # fmt: skip


@pytest.mark.parametrize(("audience", "mails", "events"), [("people", 0, 1), ("programs", 1, 0)])
def test_a_topic_that_refuses_keeps_its_own_message_and_no_other(world, audience, mails, events):
    at = desk(world)
    broken = BrokenSns(boto3.client("sns"), getattr(at.topics, audience), refusals=telling.ATTEMPTS)
    tell(world, desk(world, broken))
    assert (len(world.mails()), len(world.received("programs")), len(untold(world))) == (mails, events, 1)
    assert tell_again(at, kept(world), now=NOON + timedelta(hours=1)) == (1, 0)
    assert (len(world.mails()), len(world.received("programs")), untold(world)) == (1 - mails, 1 - events, [])


def test_a_topic_that_refuses_once_is_asked_again(world):
    at = desk(world)
    tell(world, desk(world, BrokenSns(boto3.client("sns"), at.topics.people, refusals=1)))
    assert (len(world.mails()), untold(world)) == (1, [])


def test_a_message_whose_answer_is_lost_is_not_sent_again_without_a_word(world):
    at = desk(world, clients.sns())

    # Behind moto, which has sent it by then.
    def lost(request, **_):
        if at.topics.people.rpartition(":")[2] in str(request.body):
            raise ReadTimeoutError(endpoint_url=request.url)

    clients.sns().meta.events.register_last("before-send", lost)
    tell(world, at)
    clients.sns().meta.events.unregister("before-send", lost)
    tell_again(at, kept(world), now=NOON + timedelta(hours=1))
    first, second = (body for _, body in world.mails())
    assert ("received this message before" in first, "received this message before" in second) == (False, True)


def test_a_repeated_message_says_so(world):
    at = desk(world)
    tell(world, desk(world, BrokenSns(boto3.client("sns"), at.topics.people, refusals=telling.ATTEMPTS)))
    tell_again(at, kept(world), now=NOON + timedelta(hours=1))
    ((_, body),) = world.mails()
    assert "You may have received this message before" in body


def test_a_message_that_is_being_sent_just_now_is_left_to_its_sender(world):
    at = desk(world)
    tell(world, desk(world, BrokenSns(boto3.client("sns"), at.topics.people, refusals=telling.ATTEMPTS)))
    assert tell_again(at, kept(world), now=NOON + timedelta(minutes=1)) == (0, 0)


def test_a_topic_that_still_refuses_keeps_the_message_for_the_next_hour(world):
    at = desk(world)
    sns = BrokenSns(boto3.client("sns"), at.topics.people, refusals=2 * telling.ATTEMPTS)
    tell(world, desk(world, sns))
    assert tell_again(desk(world, sns), kept(world), now=NOON + timedelta(hours=1)) == (0, 1)
    assert tell_again(desk(world, sns), kept(world), now=NOON + timedelta(hours=2)) == (1, 0)


class DiedError(Exception):
    """The process is gone."""


class Mortal:
    """Clients whose process dies at one of their calls, before it or after it."""

    def __init__(self, dies_at: int, *, after: bool) -> None:
        self.left, self.after = dies_at, after

    def client(self, real):
        mortal = self

        class Client:
            def __getattr__(self, name):
                call = getattr(real, name)

                def made(**arguments):
                    mortal.left -= 1
                    if mortal.left == 0 and not mortal.after:
                        raise DiedError
                    answer = call(**arguments)
                    if mortal.left == 0:
                        raise DiedError
                    return answer

                return made

        return Client()


@pytest.mark.parametrize("after", [False, True])
def test_a_process_that_dies_at_any_call_loses_nothing_and_what_comes_twice_says_so(world, after):
    at = desk(world)
    for dies_at in range(1, 20):
        mortal, what = Mortal(dies_at, after=after), f"failed#{dies_at}"
        dying = replace(at, dynamodb=mortal.client(at.dynamodb), s3=mortal.client(at.s3), sns=mortal.client(at.sns))
        entry = Entry(MODEL, "failed", NOON, DETAIL | {"run": what})
        try:
            tell_once(dying, what, entry)
        except DiedError:
            tell_once(at, what, replace(entry, time=NOON + timedelta(hours=1)))
        tell_again(at, kept(world), now=NOON + timedelta(hours=2))
        for sent in ([body for _, body in world.mails()], [item["Message"] for item in world.received("programs")]):
            marked = ["received this message before" in body or '"repeated": true' in body for body in sent]
            assert len(sent) in (1, 2), (dies_at, sent)
            assert marked.count(False) <= 1, (dies_at, sent)
        assert untold(world) == []
        if mortal.left > 0:
            return
    pytest.fail("it has more calls than this test walks")


class DyingSns:
    """SNS whose caller is killed after its message to programs went out."""

    def __init__(self, sns) -> None:
        self._sns = sns

    def publish(self, **message):
        answer = self._sns.publish(**message)
        if message["TopicArn"].endswith("programs"):
            raise KeyboardInterrupt
        return answer


def test_a_message_whose_teller_died_while_sending_is_sent_again_and_says_so(world):
    with pytest.raises(KeyboardInterrupt):
        tell(world, desk(world, DyingSns(boto3.client("sns"))))
    tell(world, desk(world))
    first, second = (body for _, body in world.mails())
    assert "received this message before" not in first
    assert "received this message before" in second
    assert (untold(world), len(world.timeline())) == ([], 1)


def test_a_message_that_was_told_whole_is_not_told_again_to_a_caller_whose_answer_was_lost(world):
    tell(world, desk(world))
    tell(world, desk(world))
    assert (len(world.mails()), len(world.received("programs")), untold(world)) == (1, 1, [])


def test_the_same_words_of_another_time_are_another_message(world):
    for hours in (0, 1):
        record_and_tell(desk(world), Entry(MODEL, "failed", NOON + timedelta(hours=hours), DETAIL))
    assert [("received this message before" in body) for _, body in world.mails()] == [False, False]


class Interrupted:
    """A table at one of whose calls the same message is told by another one."""

    def __init__(self, dynamodb, at_call: int, meanwhile) -> None:
        self.dynamodb, self.left, self.meanwhile = dynamodb, at_call, meanwhile

    def __getattr__(self, name):
        call = getattr(self.dynamodb, name)

        def made(**arguments):
            self.left -= 1
            if self.left == 0:
                self.meanwhile()
            return call(**arguments)

        return made


def test_of_two_tellers_of_one_message_at_most_one_does_not_say_that_it_may_come_twice(world):
    for at_call in range(1, 20):
        at, time = desk(world), NOON + timedelta(days=at_call)
        entry = Entry(MODEL, "failed", time, DETAIL)
        dynamodb = Interrupted(at.dynamodb, at_call, lambda at=at, entry=entry: record_and_tell(at, entry))
        record_and_tell(replace(at, dynamodb=dynamodb), entry)
        marked = ["received this message before" in body for _, body in world.mails()]
        assert (marked.count(False) <= 1, len(marked) in (1, 2), untold(world)) == (True, True, []), at_call
        if dynamodb.left > 0:
            return
    pytest.fail("it has more calls than this test walks")


def test_an_added_channel_is_told_and_one_taken_away_is_forgotten(world, monkeypatch):
    heard = []

    def chat(sns, topics, alert):
        heard.append(alert.entry.kind)
        raise ClientError({"Error": {"Code": "InternalError", "Message": "again later"}}, "Publish")

    with monkeypatch.context() as patched:
        patched.setattr(telling, "CHANNELS", {**telling.CHANNELS, "chat": chat})
        tell(world, desk(world))
    assert (heard, len(world.mails()), len(untold(world))) == (["failed"] * telling.ATTEMPTS, 1, 1)
    assert tell_again(desk(world), kept(world), now=NOON + timedelta(hours=1)) == (1, 0)
    assert untold(world) == []
