from dataclasses import replace
from datetime import UTC, datetime, timedelta

from kedge.backtest.replay import replay
from kedge.backtest.window import JudgedWindow
from kedge.performance.window import LabelledOutcomes, judge_performance
from kedge.quality.window import WindowQuality
from kedge.severity import Severity
from kedge.slices.concept_drift import ConceptDrift, ConceptShift
from kedge.slices.fairness import ColumnFairness
from kedge.slices.judgement import SliceFindings
from tests.builders import make_config
from tests.kedge.backtest.test_window import answered

OK, WARNING, CRITICAL, BLIND = Severity.OK, Severity.WARNING, Severity.CRITICAL, Severity.INSUFFICIENT_DATA
SINCE = datetime(2016, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)


class Measured:
    """A performance report of which a replay reads nothing but the severity."""

    def __init__(self, severity):
        self.severity = severity


def with_quality(window, **parts):
    return replace(window, quality=replace(window.quality, **parts))


def judged(number, drift, performance=None, learnable=1000):
    start = SINCE + number * WEEK
    quality = WindowQuality(None if performance is None else Measured(performance))
    data = {"column weight": drift}
    return JudgedWindow(start, start + WEEK, 1000, drift, drift, (), ("why",), quality, learnable, data=data)


def walk(windows, extra="", cost=2.5):
    return replay(windows, make_config(extra), since=SINCE, retraining_cost_usd=cost)


def test_a_loss_starts_a_retraining_and_the_cooldown_holds_the_next():
    found = walk([judged(0, OK, OK), judged(1, OK, CRITICAL), judged(2, OK, CRITICAL), judged(3, OK, CRITICAL)])
    assert [window.decision.action for window in found.windows] == ["NONE", "START", "HOLD", "START"]
    assert found.windows[2].decision.hold == "cooldown"
    totals = found.totals()
    assert (totals["retrainings"], totals["retrainings_held"], totals["cost_usd"]) == (2, 1, 5.0)
    assert (totals["alerts"], totals["alert_episodes"], totals["losses"], totals["missed_losses"]) == (3, 1, 3, 0)


def test_drift_without_labels_starts_a_retraining_once_labels_lag():
    windows = [judged(number, CRITICAL) for number in range(8)]
    actions = [window.decision.action for window in walk(windows).windows]
    assert actions.index("START") == 6  # the first window that ends more than 45 days after the beginning
    assert "losses" not in walk(windows).totals()


def test_drift_without_a_loss_starts_nothing():
    found = walk([judged(number, CRITICAL, OK) for number in range(20)])
    assert {window.decision.action for window in found.windows} == {"NONE"}
    totals = found.totals()
    assert (totals["alerts"], totals["false_alerts"], totals["drift_false_alerts"]) == (20, 20, 20)


def test_rows_to_learn_from_add_up_over_the_windows():
    found = walk([judged(number, OK, CRITICAL, learnable=200) for number in range(3)])
    assert [window.decision.hold for window in found.windows] == ["no_new_labels", "no_new_labels", None]


def test_losses_that_drift_would_have_missed_are_told_apart():
    totals = walk(
        [judged(0, OK, CRITICAL), judged(1, CRITICAL, CRITICAL), judged(2, CRITICAL, OK), judged(3, OK, BLIND)]
    ).totals()
    assert (totals["losses"], totals["missed_losses"], totals["drift_missed_losses"]) == (2, 0, 1)
    assert (totals["false_alerts"], totals["drift_false_alerts"], totals["drift_alerts"]) == (1, 1, 2)


def test_warnings_alert_where_the_yaml_asks_for_them():
    windows = [judged(0, WARNING), judged(1, OK), judged(2, WARNING)]
    assert walk(windows).totals()["alerts"] == 0
    totals = walk(windows, "alerts: {severity_from: WARNING}").totals()
    assert (totals["alerts"], totals["alert_episodes"], totals["drift_alerts"]) == (2, 2, 2)


def test_a_loss_that_must_last_is_a_warning_until_it_has():
    windows = [judged(number, OK, severity) for number, severity in enumerate((OK, CRITICAL, OK, CRITICAL, CRITICAL))]
    found = walk(windows, "performance: {breaches: 2, of_windows: 2}")
    assert [window.severity for window in found.windows] == [OK, WARNING, OK, WARNING, CRITICAL]
    assert [window.decision.action for window in found.windows] == ["NONE"] * 4 + ["START"]
    assert found.totals()["missed_losses"] == 2


def test_drift_that_must_last_alarms_once_it_has():
    windows = [judged(number, severity) for number, severity in enumerate((CRITICAL, OK, CRITICAL, CRITICAL))]
    found = walk(windows, "drift: {breaches: 2, of_windows: 2}")
    assert [window.alert for window in found.windows] == [False, False, False, True]
    assert found.totals()["alert_episodes"] == 1


def test_fallen_confidence_starts_a_retraining_where_the_yaml_asks_for_it():
    windows = [replace(judged(number, OK, OK), less_confident=CRITICAL) for number in range(2)]
    assert walk(windows).windows[0].decision.action == "NONE"
    asked = walk(windows, "retraining: {on_confidence: always}").windows[0].decision
    assert (asked.action, asked.kind) == ("START", "confidence")


def test_a_decision_waits_for_the_label_horizon():
    windows = [judged(0, OK, OK), judged(1, OK, CRITICAL)]
    late = walk(windows, "labels: {label_horizon_days: 60}\nretraining: {every_days: 70, on_performance: false}")
    assert [window.decision.action for window in late.windows] == ["NONE", "START"]  # 14 + 60 days are more than 70


def test_a_blind_stretch_alerts_once():
    assert [w.alert for w in walk([judged(n, BLIND) for n in range(4)]).windows] == [False, True, False, False]


def test_the_document_of_a_window_is_the_designs():
    lost = judge_performance(
        LabelledOutcomes(answered(noise=3.0), 0, ""), answered(rows=5000), make_config().performance
    )
    told = walk([with_quality(judged(0, OK), measured=lost)]).windows[0].to_json()
    assert {name: told[name] for name in ("start", "end", "rows", "severity", "drift", "loss", "alert", "action")} == {
        "start": "2016-01-01T00:00:00Z",
        "end": "2016-01-08T00:00:00Z",
        "rows": 1000,
        "severity": "CRITICAL",
        "drift": "OK",
        "loss": True,
        "alert": True,
        "action": "START",
    }
    assert told["performance"]["severity"] == "CRITICAL"
    assert told["reasons"][-1].startswith("retraining: quality has been lost since")
    assert "hold" not in told


def told_of(windows, extra=""):
    return [window.told for window in walk(windows, extra).windows]


def test_people_hear_of_an_episode_and_not_of_each_of_its_windows():
    windows = [judged(number, severity) for number, severity in enumerate((OK, *[CRITICAL] * 6, OK, OK, CRITICAL))]
    assert told_of(windows) == [None, "begins", None, None, None, "lasts", None, "ends", None, "begins"]
    totals = walk(windows).totals()
    assert (totals["alerts"], totals["alert_episodes"], totals["messages"]) == (7, 2, 4)


def test_another_part_that_alarms_makes_an_episode_worse():
    windows = [judged(0, CRITICAL, OK), judged(1, CRITICAL, CRITICAL)]
    assert told_of(windows) == ["begins", "worse"]


def test_groups_that_are_treated_unlike_alarm_by_themselves():
    unlike = ColumnFairness("sex", CRITICAL, "sex: disparate impact is 0.5", (), ())
    found = walk([with_quality(judged(0, OK, OK), fairness=(unlike,))])
    assert (found.windows[0].severity, found.windows[0].told) == (CRITICAL, "begins")


def test_what_moved_is_dated_by_the_window_that_first_told_of_it():
    shift = ConceptShift("segment", "carrier", "carrier=road", 300, 0.3, 0.6, 0.4, 0.2, 0.1, 0.3, 0.001, CRITICAL)
    moved = SliceFindings((), ConceptDrift(CRITICAL, "P(y given x) moved", (shift,)))
    windows = [with_quality(judged(number, OK, OK), slices=moved) for number in range(3)]
    told = [window.judged.quality.slices.concept_drift.shifts[0].since for window in walk(windows).windows]
    assert told == ["2016-01-01T00:00:00Z"] * 3
