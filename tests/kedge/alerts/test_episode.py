from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.alerts.episode import AlertWindow, News, as_told, follow_episode
from kedge.config.policies import Alerts
from kedge.severity import Severity

OK, WARNING, CRITICAL, BLIND = Severity.OK, Severity.WARNING, Severity.CRITICAL, Severity.INSUFFICIENT_DATA
FIRST = datetime(2016, 1, 4, tzinfo=UTC)
WEEK = timedelta(days=7)


def window(number, verdicts=None, *, weeks=1, package="1", **columns):
    end = FIRST + number * WEEK
    return AlertWindow(end - weeks * WEEK, end, package, {**(verdicts or {}), **columns})


def follow(windows, policy=None, episode=None):
    """What is told with each window, and the episode after the last."""
    told = []
    for one in windows:
        episode = follow_episode(episode, one, policy or Alerts())
        news = episode and episode.untold
        told.append(news and (news.kind, *news.fresh))
        episode = episode and as_told(episode)
    return told, episode


def test_an_episode_is_told_as_it_begins_and_ends_and_not_between():
    told, episode = follow(
        [window(0, x=OK), window(1, x=CRITICAL), window(2, x=CRITICAL), window(3, x=OK), window(4, x=OK)]
    )
    assert told == [None, ("begins", "x"), None, ("ends",), None]
    assert (episode.since, episode.ended) == (FIRST + WEEK, FIRST + 3 * WEEK)


def test_another_column_makes_it_worse_once():
    told, _ = follow([window(0, x=CRITICAL, y=OK), *(window(n, x=CRITICAL, y=CRITICAL) for n in (1, 2))])
    assert told == [("begins", "x"), ("worse", "y"), None]


def test_a_higher_severity_makes_it_worse_and_a_lower_one_is_not_told():
    policy = Alerts(severity_from="WARNING")
    told, _ = follow([window(n, x=found) for n, found in enumerate((WARNING, CRITICAL, WARNING, WARNING))], policy)
    assert told == [("begins", "x"), ("worse", "x"), None, None]


def test_what_is_below_the_severity_that_is_told_is_no_news():
    told, episode = follow([window(0, x=WARNING), window(1, x=CRITICAL, y=WARNING), window(2, x=CRITICAL, y=WARNING)])
    assert told == [None, ("begins", "x"), None]
    assert follow([window(3, x=OK, y=WARNING)], episode=episode)[0] == [("ends",)]


def test_a_value_at_its_limit_begins_and_ends_one_episode():
    found = [CRITICAL, WARNING, CRITICAL, WARNING, WARNING, CRITICAL, WARNING, OK]
    told, _ = follow([window(n, x=one) for n, one in enumerate(found)], Alerts(reminder_days=365))
    assert told == [("begins", "x"), None, None, None, None, None, None, ("ends",)]


def test_a_part_that_is_a_warning_still_when_it_alarms_again_is_told_as_a_reminder():
    told, _ = follow([window(0, x=CRITICAL), *(window(n, x=WARNING) for n in range(1, 9)), window(9, x=CRITICAL)])
    assert told == [("begins", "x"), *[None] * 8, ("lasts",)]


def test_lost_quality_is_news_in_an_episode_of_drift_and_again_after_it_held():
    quality = "measured quality"
    lost = [BLIND, CRITICAL, BLIND, CRITICAL, OK, CRITICAL]
    told, _ = follow([window(n, {quality: found}, x=CRITICAL) for n, found in enumerate(lost)])
    assert told == [("begins", "x"), ("worse", quality), None, None, None, ("worse", quality)]


def test_a_column_that_was_back_in_other_rows_is_news_again_and_in_the_same_rows_is_not():
    found = [CRITICAL, OK, CRITICAL, OK, OK, CRITICAL]
    windows = [window(n, weeks=2, x=CRITICAL, y=one) for n, one in enumerate(found)]
    told, _ = follow(windows, Alerts(reminder_days=365))
    # The windows to weeks 1 and 3 share rows with those to 0 and 2; the one to week 4 does not.
    assert told == [("begins", "x", "y"), None, None, None, None, ("worse", "y")]


def test_a_reminder_comes_as_often_as_the_yaml_says_counted_from_the_last_mail():
    windows = [window(n, x=CRITICAL, y=CRITICAL if n >= 3 else OK) for n in range(12)]
    told, _ = follow(windows)
    assert [(n, one[0]) for n, one in enumerate(told) if one] == [
        (0, "begins"),
        (3, "worse"),
        (7, "lasts"),
        (11, "lasts"),
    ]
    daily, _ = follow(windows, Alerts(reminder_days=1))
    assert [one[0] for one in daily] == ["begins", "lasts", "lasts", "worse", *["lasts"] * 8]


def test_a_window_that_could_not_be_judged_neither_begins_nor_ends_an_episode():
    found = [BLIND, CRITICAL, BLIND, CRITICAL, BLIND, OK, BLIND]
    told, _ = follow([window(n, x=one) for n, one in enumerate(found)])
    assert told == [None, ("begins", "x"), None, None, None, ("ends",), None]


def test_a_part_that_cannot_be_judged_any_more_keeps_its_episode_open():
    told, episode = follow([window(0, x=CRITICAL, y=OK), window(1, x=BLIND, y=OK)])
    assert told == [("begins", "x"), None]
    assert follow([window(2, x=OK, y=OK)], episode=episode)[0] == [("ends",)]
    # A column that is not watched any more is no longer asked for.
    assert follow([window(2, y=OK)], episode=episode)[0] == [("ends",)]


def test_a_column_that_is_back_while_another_cannot_be_judged_is_news_when_it_alarms_again():
    found = [{"x": CRITICAL, "y": CRITICAL}, {"x": OK, "y": BLIND}, {"x": CRITICAL, "y": BLIND}]
    told, _ = follow([window(n, one) for n, one in enumerate(found)])
    assert told == [("begins", "x", "y"), None, ("worse", "x")]


def test_another_package_ends_it_without_showing_again_all_that_was_wrong():
    _, episode = follow([window(0, {"measured quality": CRITICAL}, x=CRITICAL)])
    unmeasured = window(1, {"measured quality": BLIND}, x=OK)
    assert follow([unmeasured], episode=episode)[0] == [None]
    new = window(1, {"measured quality": BLIND}, x=OK, package="2")
    assert follow([new], episode=episode)[0] == [("ends",)]
    nothing_of_it = window(1, {"measured quality": BLIND}, x=BLIND, y=OK, package="2")
    assert follow([nothing_of_it], episode=episode)[0] == [None]


def test_an_alarm_that_comes_and_goes_in_the_same_rows_is_told_three_times():
    found = [CRITICAL, OK, CRITICAL, OK, CRITICAL, OK, OK, OK, OK, OK]
    told, episode = follow([window(n, weeks=4, x=one) for n, one in enumerate(found)])
    # The window to week 8 is the first that shares no row with the one to week 4.
    assert told == [("begins", "x"), ("ends",), ("back",), None, None, None, None, None, ("ends",), None]
    assert episode.since == FIRST


def test_alarms_in_other_rows_are_an_episode_of_their_own():
    told, episode = follow([window(n, x=one) for n, one in enumerate((CRITICAL, OK, CRITICAL))])
    assert told == [("begins", "x"), ("ends",), ("begins", "x")]
    assert episode.since == FIRST + 2 * WEEK


@pytest.mark.parametrize("found", [CRITICAL, WARNING, OK, BLIND])
def test_the_same_window_again_tells_nothing(found):
    before = [window(0, x=CRITICAL), window(1, x=CRITICAL, y=CRITICAL)]
    _, episode = follow([*before, window(2, x=found, y=found)])
    told, again = follow([window(2, x=found, y=found)] * 2, episode=episode)
    assert told == [None, None]
    assert again == episode


def test_a_window_judged_again_with_late_rows_is_told_what_they_change():
    told, episode = follow([window(0, x=OK), window(0, x=CRITICAL), window(0, x=CRITICAL, y=CRITICAL), window(0, x=OK)])
    assert told == [None, ("begins", "x"), ("worse", "y"), ("ends",)]
    assert follow([window(0, x=CRITICAL)], episode=episode)[0] == [("back",)]


def test_an_older_window_judged_late_leaves_the_episode_whole():
    _, episode = follow([window(n, x=CRITICAL) for n in (3, 4, 5)])
    for late in (window(4, x=OK), window(1, x=CRITICAL), window(4, x=BLIND), window(4, x=CRITICAL)):
        assert follow([late], episode=episode) == ([None], episode)
    told, found = follow([window(2, x=CRITICAL)], episode=episode)
    assert (told, found.since, found.until) == ([None], FIRST + 2 * WEEK, FIRST + 5 * WEEK)
    told, found = follow([window(4, x=CRITICAL, y=CRITICAL)], episode=episode)
    assert told == [("worse", "y")]
    assert follow([window(4, x=CRITICAL, y=CRITICAL)], episode=found)[0] == [None]


def test_an_older_window_of_an_episode_that_is_over_is_not_told():
    _, episode = follow([window(0, x=CRITICAL), window(1, x=OK), window(2, x=OK)])
    for late in (window(0, x=CRITICAL, y=CRITICAL), window(1, x=CRITICAL)):
        assert follow([late], episode=episode) == ([None], episode)


def test_what_was_not_told_is_told_with_the_next_window():
    begun = follow_episode(None, window(0, x=CRITICAL), Alerts())
    assert follow_episode(begun, window(0, x=CRITICAL), Alerts()).untold == News("begins", ("x",))
    worse = follow_episode(begun, window(1, x=CRITICAL, y=CRITICAL), Alerts())
    assert worse.untold == News("begins", ("x", "y"))
    assert follow_episode(worse, window(2, x=OK, y=OK), Alerts()).untold == News("ends")


verdicts = st.dictionaries(st.sampled_from("xyz"), st.sampled_from(Severity), min_size=1)


@given(st.lists(verdicts, max_size=30), st.integers(1, 5), st.data())
def test_whatever_comes_a_rerun_is_silent_and_begins_and_ends_take_turns(found, weeks, data):
    windows = [window(n, one, weeks=weeks) for n, one in enumerate(found)]
    told, episode = [], None
    for n, one in enumerate(windows):
        news, episode = follow([one], episode=episode)
        told += [kind for kind, *_ in filter(None, news)]
        assert follow([one], episode=episode) == ([None], episode)
        late = windows[data.draw(st.integers(0, n))]
        again, after = follow([late], episode=episode)
        assert again == [None]
        assert (after is None) == (episode is None)
    lasting = False
    for kind in told:
        assert lasting == (kind in ("worse", "lasts", "ends"))
        lasting = kind != "ends"
