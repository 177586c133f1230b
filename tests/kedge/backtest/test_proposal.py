import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.backtest.proposal import SMALLEST, STEP, Sounding, outcome_of, propose, sound_window
from kedge.backtest.window import HistoryWindow
from kedge.config.policies import DriftPolicy
from kedge.drift.report import judge_drift
from kedge.profile.counting import count_rows
from kedge.severity import Severity
from tests.builders import END, START, make_baseline, make_config, make_window

DAY = timedelta(days=1)
CONFIG = make_config()


def history(*moved, losses=(), otherwise=()):
    """Daily windows that moved so far, with what the labels say of them."""
    return [
        Sounding(
            START + n * DAY, START + (n + 1) * DAY, effect, 20 * effect, n in otherwise, dict(losses).get(n, False)
        )
        for n, effect in enumerate(moved)
    ]


@st.composite
def histories(draw):
    moved = draw(st.lists(st.floats(0, 1), max_size=40))
    losses = draw(st.lists(st.sampled_from([True, False, None]), min_size=len(moved), max_size=len(moved)))
    return history(*moved, losses=enumerate(losses), otherwise=draw(st.sets(st.integers(0, 39))))


@given(histories(), st.integers(0, 10), st.sampled_from(["effect", "psi"]))
def test_the_proposal_keeps_to_what_is_allowed_as_every_larger_one_does_and_no_smaller_one(found, allowed, rule):
    best = propose(found, rule, allowed=allowed, config=CONFIG)
    assert best.messages <= allowed
    # Where no window's value lies between two steps, they alarm in the same windows.
    steps = {math.floor(getattr(one, rule) / STEP) + more for one in found for more in (0, 1)}
    larger = [step * STEP for step in steps if step * STEP > best.threshold]
    assert all(outcome_of(found, rule, threshold, CONFIG).messages <= allowed for threshold in larger)
    if best.threshold > SMALLEST:
        assert outcome_of(found, rule, round(best.threshold - STEP, 10), CONFIG).messages > allowed


@given(histories(), st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_higher_threshold_alerts_no_more_and_misses_no_less(found, one, other):
    low, high = (outcome_of(found, "effect", threshold, CONFIG) for threshold in sorted((one, other)))
    assert low.alerts >= high.alerts
    assert low.drift_missed_losses <= high.drift_missed_losses
    assert low.drift_false_alerts >= high.drift_false_alerts


def test_outcomes_are_counted_by_hand():
    found = history(0.3, 0.3, 0.01, 0.3, losses={0: True, 3: None}.items(), otherwise={2})
    outcome = outcome_of(found, "effect", 0.1, CONFIG)
    assert (outcome.alerts, outcome.drift_alerts, outcome.drift_missed_losses, outcome.drift_false_alerts) == (
        4,
        3,
        0,
        1,
    )
    # The first episode begins with a window that was lost; the second with one of which nobody knows.
    assert outcome.messages == 1
    assert outcome.to_json()["field"] == "drift.effect_max"


def test_an_episode_is_one_message_until_people_are_reminded():
    reminded = CONFIG.alerts.reminder_days
    assert outcome_of(history(*[0.3] * reminded), "effect", 0.1, CONFIG).messages == 1
    assert outcome_of(history(*[0.3] * (reminded + 1)), "effect", 0.1, CONFIG).messages == 2
    assert outcome_of(history(*[0.3, 0.0] * 5), "effect", 0.1, CONFIG).messages == 5


def test_a_warning_keeps_the_episode_open():
    assert outcome_of(history(*[0.3, 0.06] * 5), "effect", 0.1, CONFIG).messages == 1


def test_alarms_without_end_are_no_proposal():
    found = history(*[0.3, 0.2] * 365)
    best = propose(found, "effect", allowed=2, config=CONFIG)
    assert (best.threshold, best.messages) == (0.31, 0)


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.5, 1.5])
def test_a_threshold_alarms_in_a_sounding_exactly_where_the_judge_does(shift):
    config, rows = make_config(), make_window(rows=4000, seed=3, shift=shift)
    baseline = make_baseline(config)
    window = HistoryWindow(START, END, count_rows(baseline, rows))
    sounding = sound_window(baseline, window, config, performance=None)
    for rule, field in (("effect", "effect_max"), ("psi", "psi_max")):
        for threshold in np.round(np.arange(0.02, 1.0, 0.07), 3).tolist():
            policy = DriftPolicy(rule=rule, **{field: threshold})
            judged = judge_drift(
                baseline, window.profile, config.model_copy(update={"drift": policy}), start=START, end=END
            )
            assert (judged.severity is Severity.CRITICAL) == (getattr(sounding, rule) >= threshold), (rule, threshold)


def test_what_alerts_for_another_reason_is_not_drift():
    config = make_config()
    baseline = make_baseline(config)
    rows = make_window(rows=4000)
    window = HistoryWindow(START, END, count_rows(baseline, rows))
    lost = sound_window(baseline, window, config, performance=Severity.CRITICAL)
    assert (lost.otherwise, lost.loss) == (True, True)
    balloons = rows.set_column(2, "carrier", [["balloon"] * 4000])
    strange = HistoryWindow(START, END, count_rows(baseline, balloons))
    found = sound_window(baseline, strange, config, performance=None)
    assert (found.otherwise, found.loss) == (True, None)
    assert sound_window(baseline, window, config, performance=Severity.OK).loss is False
