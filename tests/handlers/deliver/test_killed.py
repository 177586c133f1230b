"""A function that dies at any of its calls, before or after it, loses no message and shows none twice without saying so."""

import contextlib
import json

import boto3
import pytest

from tests.handlers.deliver.deliver_world import CHANNELS, deliver_world, failed
from tests.synthesised import models_in_rooms


class Killed(BaseException):
    """The sandbox is gone."""


class Killing:
    """Kills at the call with this number, before it or after it."""

    def __init__(self, left: int, *, after: bool) -> None:
        self.left, self.after = left, after

    def at(self, call):
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Killed
        answer = call()
        if self.left == 0 and self.after:
            raise Killed
        return answer


class Client:
    """A client whose every call may be the last."""

    def __init__(self, client, killing):
        self._client, self._killing = client, killing

    def __getattr__(self, name):
        call = getattr(self._client, name)
        return lambda **given: self._killing.at(lambda: call(**given))


@pytest.fixture
def world(monkeypatch, tmp_path):
    with deliver_world(monkeypatch, tmp_path) as world:
        yield world


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_any_call_loses_nothing_and_shows_nothing_twice_unmarked(world, monkeypatch, channel, after):
    from lambdas.handlers import deliver
    from lambdas.steps import deliver_message

    send, clients = deliver_message.send, deliver.clients
    for number in range(1, 40):
        killing = Killing(number, after=after)

        class Clients:
            dynamodb = staticmethod(lambda killing=killing: Client(clients.dynamodb(), killing))
            secretsmanager = staticmethod(lambda killing=killing: Client(clients.secretsmanager(), killing))
            sns = staticmethod(lambda killing=killing: Client(clients.sns(), killing))
            sqs = staticmethod(lambda killing=killing: Client(clients.sqs(), killing))

        world.publish(failed(run=f"r{number}", cause=f"try {number}."), channel)
        with monkeypatch.context() as patched:
            patched.setattr(deliver, "clients", Clients)
            patched.setattr(deliver_message, "send", lambda *given, killing=killing: killing.at(lambda: send(*given)))
            with contextlib.suppress(Killed):
                world.turn(channel)
        world.drain(channel)
        found = [each for each in world.services.shown[channel] if f"try {number}." in json.dumps(each)]
        taken = [body for body in world.services.bodies if f"try {number}.".encode() in body]
        marked = ["received this message before" in json.dumps(e) or e.get("repeated") is True for e in found]
        assert taken, f"lost at call {number}"
        assert marked.count(False) <= 1, f"shown twice at call {number}"
        assert len(found) <= 2
        assert world.buried(channel) == []
        if killing.left > 0:
            assert number > 6
            return
    pytest.fail("it has more calls than this test walks")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_loses_nothing_of_a_room_of_amazon_qs_and_shows_nothing_twice_unmarked(monkeypatch, tmp_path, after):
    from lambdas.handlers import deliver

    clients = deliver.clients
    with deliver_world(monkeypatch, tmp_path, models_in_rooms) as world:
        boto3.client("sns").create_topic(Name="kedge-chat-slack-T07EA123LEP-C024BE91L")
        for number in range(1, 40):
            killing = Killing(number, after=after)

            class Clients:
                dynamodb = staticmethod(lambda killing=killing: Client(clients.dynamodb(), killing))
                secretsmanager = staticmethod(clients.secretsmanager)
                sns = staticmethod(lambda killing=killing: Client(clients.sns(), killing))
                sqs = staticmethod(lambda killing=killing: Client(clients.sqs(), killing))

            world.publish(failed(run=f"r{number}", cause=f"try {number}."), "slack")
            with monkeypatch.context() as patched:
                patched.setattr(deliver, "clients", Clients)
                with contextlib.suppress(Killed):
                    world.turn("slack")
            world.drain("slack")
            found = [json.dumps(each) for each in world.rooms("slack") if f"try {number}." in json.dumps(each)]
            assert found, f"lost at call {number}"
            assert sum("received this message before" not in each for each in found) <= 1, f"twice at call {number}"
            if killing.left > 0:
                assert number > 6
                return
    pytest.fail("it has more calls than this test walks")
