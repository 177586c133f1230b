"""All messages of one episode, one run or one package have one name."""

from datetime import UTC, datetime, timedelta

import pytest

from kedge.alerts.episode import AlertWindow, as_told, follow_episode
from kedge.alerts.incident import acknowledges, incident_of
from kedge.config.policies import Alerts
from kedge.instants import to_text
from kedge.severity import Severity

NOON = datetime(2016, 1, 4, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


def window(end, verdict, **verdicts):
    return AlertWindow(end - WEEK, end, "1", {"column adr": Severity(verdict), **verdicts})


def test_an_episode_keeps_its_name_when_an_older_window_is_judged_late():
    episode = as_told(follow_episode(None, window(NOON, "CRITICAL"), Alerts()))
    older = window(NOON - timedelta(days=2), "CRITICAL", quality=Severity.CRITICAL)
    late = follow_episode(episode, older, Alerts())
    assert (late.since, late.name) == (NOON - timedelta(days=2), episode.name)


def test_an_episode_of_an_earlier_version_is_named_by_its_beginning():
    told = {"alarm_episode": {"news": "worse", "since": to_text(NOON)}}
    assert incident_of("m", "window_judged", NOON + WEEK, told).name == f"m/episode/{to_text(NOON)}"


@pytest.mark.parametrize(
    ("kind", "resolved"),
    [("failed", False), ("canary_rolled_back", False), ("canary_promoted", True), ("baseline_switched", True)],
)
def test_a_run_is_over_when_its_package_serves(kind, resolved):
    incident = incident_of("m", kind, NOON, {"run": "m-r1", "package_arn": "arn:1"})
    assert (incident.name, incident.resolved) == ("m/run/m-r1", resolved)


def test_what_belongs_to_no_episode_run_or_package_stands_alone():
    names = {incident_of("m", "labels_lost", NOON + n * WEEK, {}).name for n in range(3)}
    assert len(names) == 3


def test_what_people_did_acknowledges_and_what_kedge_did_does_not():
    assert acknowledges("approved")
    assert not acknowledges("canary_promoted")
