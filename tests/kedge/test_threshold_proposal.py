import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.backtest import HistoryWindow
from kedge.drift import judge_drift
from kedge.model_policies import DriftPolicy
from kedge.profile import count_rows
from kedge.severity import Severity
from kedge.threshold_proposal import SMALLEST, Sounding, outcome_of, propose, sound_window
from tests.builders import END, START, make_baseline, make_config, make_window

soundings = st.lists(
    st.builds(Sounding, st.floats(0, 1), st.floats(0, 20), st.booleans(), st.sampled_from([True, False, None])),
    max_size=40,
)


@given(soundings, st.integers(0, 10), st.sampled_from(["effect", "psi"]))
def test_the_proposal_keeps_to_what_is_allowed_and_no_smaller_one_does(found, allowed, rule):
    best = propose(found, rule, allowed=allowed)
    idle = [getattr(one, rule) for one in found if one.loss is not True]
    assert sum(value >= best.threshold for value in idle) <= allowed
    if best.threshold > SMALLEST:
        assert sum(value >= best.threshold - 0.01 - 1e-9 for value in idle) > allowed


@given(soundings, st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_higher_threshold_alerts_no_more_and_misses_no_less(found, one, other):
    low, high = (outcome_of(found, "effect", threshold) for threshold in sorted((one, other)))
    assert low.alerts >= high.alerts
    assert low.drift_missed_losses <= high.drift_missed_losses
    assert low.drift_false_alerts >= high.drift_false_alerts


def test_outcomes_are_counted_by_hand():
    found = [
        Sounding(0.3, 0, False, True),
        Sounding(0.3, 0, False, False),
        Sounding(0.01, 0, True, True),
        Sounding(0.3, 0, False, None),
    ]
    outcome = outcome_of(found, "effect", 0.1)
    assert (outcome.alerts, outcome.drift_alerts, outcome.drift_missed_losses, outcome.drift_false_alerts) == (
        4,
        3,
        1,
        1,
    )
    assert outcome.to_json()["field"] == "drift.effect_max"


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
