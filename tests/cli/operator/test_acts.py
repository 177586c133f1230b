"""What a person types is written down, and told to pagers where a route leads to one."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from cli.operator import operations
from lambdas.adapters import clients
from lambdas.adapters.bucket.timeline import load_timeline
from tests import deployed_models
from tests.handlers.aws_world import BUCKET, MODEL, aws_world
from tests.synthesised import example_models, reachable_models

NOW = datetime(2016, 1, 4, tzinfo=UTC)
ACT = {"by": "ann", "reason": "seen"}


@pytest.fixture
def deployment(monkeypatch):
    deployed_models.choose(monkeypatch, reachable_models())
    with aws_world(monkeypatch):
        called = []
        caller = SimpleNamespace(name="ann", time=NOW)
        yield SimpleNamespace(
            client=lambda _: clients.s3(),
            bucket=BUCKET,
            caller=caller,
            tell_function="tell",
            called=called,
            call=lambda name, event: called.append((name, event)),
        )


@pytest.mark.parametrize(
    ("kind", "told"), [("paused", 1), ("muted", 1), ("approved", 1), ("resumed", 0), ("unmuted", 0)]
)
def test_an_act_that_takes_care_of_the_model_is_told(deployment, kind, told):
    operations._record(deployment, MODEL, kind, ACT)
    event = {"model": MODEL, "kind": kind, "time": "2016-01-04T00:00:00Z", "detail": ACT, "acted": True}
    assert deployment.called == [("tell", event)] * told
    assert [entry["kind"] for entry in load_timeline(clients.s3(), BUCKET, MODEL)] == [kind]


def test_where_only_mail_is_used_nobody_is_called(deployment, monkeypatch):
    deployed_models.choose(monkeypatch, example_models())
    operations._record(deployment, MODEL, "paused", ACT)
    assert deployment.called == []


def test_an_act_that_cannot_be_told_is_done_all_the_same_and_says_so(deployment, capsys):
    def refuse(*_):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Invoke")

    deployment.call = refuse
    operations._record(deployment, MODEL, "paused", ACT)
    assert "chats and pagers do not know of it" in capsys.readouterr().err
    assert [entry["kind"] for entry in load_timeline(clients.s3(), BUCKET, MODEL)] == ["paused"]
