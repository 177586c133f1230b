import re
from dataclasses import replace
from datetime import timedelta

import pytest

from report.alert_text import MESSAGES
from report.pages.marks import marks_of, waiting_for_people
from report.pages.model_facts import WINDOWS_SHOWN
from report.pages.model_page import render_model_page
from tests.report.pages.histories import FIRST, column, decision, drifted, facts, metric, report, window
from tests.report.test_drift_page import Page, shown

HOSTILE = '<script>alert(1)</script>"&'


def page(**known):
    return render_model_page(facts(**known))


def test_a_page_is_well_formed_and_loads_nothing():
    found = Page(page())
    assert found.open == []
    assert {href for href in found.loaded if "/" in href} == {"../index.html", "1/6/drift-r1.html"}
    assert "<script" not in page()


def test_what_waits_leads_then_quality_then_drift_then_answers_then_figures_then_what_happened():
    text = page()
    places = [text.index(f">{title}") for title in ("Waits for you", "Quality over time", "Drift of the columns")]
    places += [text.index(f">{title}") for title in ("Predicted probabilities", "Business figures", "What happened")]
    assert places == sorted(places)


def test_the_newest_quality_is_said_with_interval_limit_and_what_it_was_when_released():
    assert "AUC 0.78 (0.76 to 0.8), limit 0.82, was 0.84 when released" in shown(page())


def test_a_window_that_was_only_estimated_has_a_ring_and_a_gap_in_the_measured_line():
    text = page()
    wide = text[text.index('<div class="wide">') : text.index('<div class="narrow">')]
    assert wide.count('class="estimate"') == 1
    assert wide.count('class="value-line"') == 2


def test_releases_retrainings_refusals_and_alerts_are_marked_and_a_release_once():
    lanes = [mark.lane for mark in marks_of(facts().decisions)]
    assert sorted(lanes) == ["alert", "refusal", "release", "retraining"]
    text = page()
    assert "released: version 2" in text
    assert "refused by the gate: not better" in text


# These say what is to come, or come beside a mark: the trend has no place for them.
WITHOUT_A_MARK = {
    # The charts show what was judged; `alert_sent` is the mark of what people heard.
    "window_judged", "mute_ended", "test_alert", "digest", "muted", "paused",
    # A step on the way to a release or a refusal, which has the mark.
    *("package_registered", "gate_passed", "approved", "approved_automatically", "approved_absent", "approval_waits"),
    *("approval_expired", "second_approval_awaited", "canary_started", "decision_overtaken", "release_superseded"),
    *("capacity_awaited", "retrain_event_refused", "package_found", "experiment_started", "experiment_proved"),
    "mlflow_failed",
    # An old baseline is no event, and CloudWatch's alarms have a widget of their own.
    *("baseline_stale", "alarm"),
}  # fmt: skip


def test_every_kind_that_is_told_has_a_mark_or_a_reason_for_none():
    marked = {kind for kind in MESSAGES if marks_of([decision(kind, 1)])}
    assert marked | WITHOUT_A_MARK == {*MESSAGES}
    assert not marked & WITHOUT_A_MARK


def test_each_picture_has_a_name_and_a_table_of_its_numbers():
    text = page()
    assert len(re.findall(r"<svg[^>]*(aria-label=\"[^\"]+\"|aria-hidden)", text)) == text.count("<svg")
    assert "The numbers of AUC" in text
    assert "The numbers of the bars" in text


def test_a_column_that_moved_much_and_is_ok_says_why():
    row = next(row for row in page().split("<tr>") if "<td>adr" in row)
    assert "In order: 0.38 beyond what chance moves is within the limit" in row
    few = column("adr", effect=0.41, p_value_adjusted=0.2)
    text = shown(page(report=report(columns=[few], decision={"level": 0.01})))
    assert "In order: chance alone moves so few independent rows as far (p 0.2, above 0.01)" in text
    assert "In order" not in shown(page(report=report(columns=[column("adr", "WARNING", 0.41), column("new")])))


def test_what_was_done_about_the_newest_window_is_on_the_axis_too():
    late = [decision("retraining_started", 60, reasons=["quality was lost in the newest window"])]
    assert "quality was lost in the newest window</title>" in page(decisions=late)


@pytest.mark.parametrize("problem", ["regression", "multiclass_classification", "binary_classification"])
def test_the_words_fit_the_problem(problem):
    name = {"regression": "mae", "multiclass_classification": "accuracy"}.get(problem, "auc")
    known = [metric(n, 0.5, metric=name) for n in range(7)]
    quality = {"severity": "OK", "reasons": [], "metrics": [], "reference": {}}
    text = shown(page(problem=problem, metrics=known, report=report(performance=quality)))
    assert ("class" in text) == (problem != "regression")
    assert ("probabilit" in text) == (problem == "binary_classification")


def test_intervals_never_leave_what_the_metric_can_be():
    known = [metric(n, 0.99, low=0.9, high=1.07) for n in range(7)]
    text = page(metrics=known)
    assert "1.07" not in text
    assert "0.9 to 1" in text
    known = [metric(n, 2.0, metric="mae", low=-1.0, high=5.0, limit=None) for n in range(7)]
    text = shown(page(problem="regression", metrics=known))
    assert "0 to 5" in text
    assert "-1 to" not in text


def test_everything_that_others_wrote_is_escaped():
    known = {
        "decisions": [decision("failed", 5, HOSTILE, reasons=[HOSTILE]), decision("canary_promoted", 6, HOSTILE)],
        "report": report(reasons=[HOSTILE], columns=[column(HOSTILE)], histograms={}),
        "columns": [drifted(n, HOSTILE, 0.3, "CRITICAL") for n in range(7)],
        "metrics": [metric(n, 0.8, metric=HOSTILE, limit=0.7) for n in range(7)],
        "team": HOSTILE,
        "endpoint": HOSTILE,
    }
    assert "<script" not in page(**known)


def test_a_model_without_a_window_says_so():
    assert "No window has been judged yet" in page(
        windows=[], metrics=[], columns=[], decisions=[], report={}, report_href=""
    )


def test_a_single_window_and_windows_without_labels_are_drawn_too():
    assert 'class="estimate"' in page(windows=[window(0)], metrics=[metric(0, 0.8, kind="estimated")])
    assert "not measured" in page(metrics=[], report=report(performance={}))


def test_of_too_many_windows_the_worst_of_each_stretch_stays_and_the_page_says_so():
    hours = [
        window(0) | {"window_end": FIRST + timedelta(hours=n), "performance": "CRITICAL" if n == 501 else "OK"}
        for n in range(2 * WINDOWS_SHOWN + 200)
    ]
    measured = [metric(0, 0.8) | {"window_end": hour["window_end"]} for hour in hours]
    known = replace(facts(), windows=hours, metrics=measured)
    assert len(known.shown) <= WINDOWS_SHOWN
    assert any(row["performance"] == "CRITICAL" for row in known.shown)
    assert "600 windows were judged" in render_model_page(known)


def test_a_package_waits_until_it_is_decided_and_a_held_retraining_until_the_next():
    registered = decision("package_registered", 1, "4")
    held = decision("retraining_held", 2, reasons=["3 attempts failed"])
    assert waiting_for_people([registered, held]) == [
        "version 4 waits for approval since 2016-01-05",
        "retraining is held since 2016-01-06: 3 attempts failed",
    ]
    assert waiting_for_people([registered, held, decision("approved", 3, "4"), decision("retraining_started", 4)]) == []
