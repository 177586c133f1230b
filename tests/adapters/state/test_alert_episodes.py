"""The episode of alarms is replaced only as it was read."""

from datetime import UTC, datetime, timedelta

import pytest

from kedge.alerts.episode import Alarm, AlertEpisode, News
from kedge.severity import Severity
from lambdas.adapters.state import alert_episodes
from tests.adapters.state_table import TABLE, state_table

END = datetime(2016, 1, 4, tzinfo=UTC)
EPISODE = AlertEpisode(
    END - timedelta(days=28),
    END,
    "1",
    {"column adr": Alarm(Severity.CRITICAL, END)},
    END,
    END,
    untold=News("begins", ("column adr",)),
)
ENDED = AlertEpisode(
    END,
    END,
    "2",
    {"x": Alarm(Severity.WARNING, END), "y": Alarm(Severity.OK, END)},
    END,
    END,
    ended=END + timedelta(days=7),
    resumed=True,
)


@pytest.fixture
def dynamodb():
    with state_table() as client:
        yield client


@pytest.mark.parametrize("episode", [EPISODE, ENDED], ids=["untold", "ended"])
def test_an_episode_comes_back_as_it_was(dynamodb, episode):
    assert alert_episodes.load(dynamodb, TABLE, "m") == (None, 0)
    assert alert_episodes.save(dynamodb, TABLE, "m", episode, revision=0)
    assert alert_episodes.load(dynamodb, TABLE, "m") == (episode, 1)
    assert alert_episodes.load(dynamodb, TABLE, "other") == (None, 0)


def test_of_two_that_read_the_same_one_is_refused(dynamodb):
    alert_episodes.save(dynamodb, TABLE, "m", EPISODE, revision=0)
    assert not alert_episodes.save(dynamodb, TABLE, "m", ENDED, revision=0)
    assert alert_episodes.save(dynamodb, TABLE, "m", ENDED, revision=1)
    assert not alert_episodes.save(dynamodb, TABLE, "m", EPISODE, revision=1)
    assert alert_episodes.load(dynamodb, TABLE, "m") == (ENDED, 2)
