"""What a mute or quiet hours hold is kept, and told when they are over."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from kedge.alerts.episode import Alarm, AlertEpisode
from kedge.alerts.holding import Mute
from kedge.config.policies import QuietHours
from kedge.instants import to_text
from kedge.severity import Severity
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.state import alert_episodes, mutes, standing
from lambdas.adapters.telling import record_and_tell, tell_again
from tests import deployed_models
from tests.adapters.test_telling import desk, kept
from tests.handlers.aws_world import MODEL, TABLE
from tests.handlers.settle_world import hourly, settle_world

NIGHT = datetime(2016, 2, 11, 23, 30, tzinfo=UTC)
NOON = datetime(2016, 2, 12, 12, tzinfo=UTC)
UNTIL = NOON + timedelta(days=7)
OVER = {"alarm": "a", "says": "s", "state": "OK", "reason": "r"}


@pytest.fixture
def world(monkeypatch):
    with settle_world(monkeypatch) as world:
        yield world


@pytest.fixture
def quiet(monkeypatch):
    config = deployed_models.config_of(MODEL)
    alerts = config.alerts.model_copy(update={"quiet_hours": QuietHours(start=22, end=6)})
    changed = {MODEL: config.model_copy(update={"alerts": alerts})}
    monkeypatch.setattr("lambdas.adapters.telling.find_model", lambda name, _bucket: changed.get(name))


def tell(world, kind, time, detail=None):
    record_and_tell(desk(world), Entry(MODEL, kind, time, detail or {"reasons": [str(time)]}))


def again(world, time):
    stands = standing.load(world.dynamodb, TABLE, MODEL)
    return tell_again(desk(world), stands.untold, mute=stands.mute, now=time)


def mute(world, until=UNTIL):
    mutes.save(world.dynamodb, TABLE, MODEL, Mute(until, "a campaign", "ann"))


def test_in_quiet_hours_a_warning_waits_for_their_end_and_a_failure_does_not(world, quiet):
    tell(world, "labels_lost", NIGHT)
    tell(world, "failed", NIGHT, {"machine": "m", "state": "S", "error": "e", "cause": "c"})
    ((subject, _),) = world.mails()
    assert "failed" in subject
    assert again(world, NIGHT + timedelta(hours=6)) == (0, 0)
    assert len(list(kept(world))) == 2
    assert again(world, NIGHT + timedelta(hours=7)) == (2, 0)
    late = [body for subject, body in world.mails() if "labels" in subject]
    assert len(late) == 1
    assert "received this message before" not in late[0]
    assert list(kept(world)) == []
    assert world.kinds() == ["failed", "labels_lost"]


def test_a_message_that_comes_twice_in_quiet_hours_is_told_once(world, quiet):
    for _ in range(2):
        tell(world, "labels_lost", NIGHT)
    assert again(world, NOON) == (2, 0)
    assert len(world.mails()) == 1


def test_a_muted_model_is_recorded_and_says_nothing_until_the_mute_ends(world):
    mute(world)
    tell(world, "labels_lost", NOON)
    tell(world, "failed", NOON, {"machine": "kedge-release", "state": "S", "error": "e", "cause": "c"})
    hourly(time=to_text(NOON + timedelta(days=1)))
    assert (world.mails(), sorted(world.kinds())) == ([], ["failed", "labels_lost"])
    episode = AlertEpisode(NOON, NOON, "1", {"column adr": Alarm(Severity.CRITICAL, NOON)}, NOON, NOON)
    alert_episodes.save(world.dynamodb, TABLE, MODEL, episode, revision=0)
    for hours in (1, 2):
        hourly(time=to_text(UNTIL + timedelta(hours=hours)))
    ((subject, body),) = world.mails()
    assert subject == f"[Kedge] {MODEL}: the mute has ended; column adr (CRITICAL) still alarms"
    assert "It was muted by ann until 2016-02-19 12:00 UTC: a campaign" in body
    assert "- 2016-02-12 12:00: labels arrive that cannot be used" in body
    assert "- 2016-02-12 12:00: the release failed at S" in body
    assert (list(kept(world)), mutes.load(world.dynamodb, TABLE, MODEL)) == ([], None)


def test_the_end_of_a_mute_belongs_to_the_episode_that_lasts_so_that_its_end_resolves_both(world):
    mute(world)
    episode = AlertEpisode(NOON, NOON, "1", {"column adr": Alarm(Severity.CRITICAL, NOON)}, NOON, NOON, opened=NOON)
    alert_episodes.save(world.dynamodb, TABLE, MODEL, episode, revision=0)
    hourly(time=to_text(UNTIL))
    events = [json.loads(each["Message"]) for each in world.received("programs")]
    (event,) = [each for each in events if each["kind"] == "mute_ended"]
    assert (event["episode"], event["resolved"]) == (f"{MODEL}/episode/{to_text(NOON)}", False)


def test_a_mute_in_which_nothing_happened_says_so_at_its_end(world):
    mute(world)
    hourly(time=to_text(UNTIL))
    ((subject, body),) = world.mails()
    assert subject.endswith("the mute has ended; nothing alarms")
    assert "no message was held back" in body


def test_programs_hear_in_a_mute_that_an_alarm_is_over_so_that_no_incident_stays_open(world):
    mute(world)
    tell(world, "alarm", NOON, OVER)
    assert (world.mails(), len(world.received("programs"))) == ([], 1)
