import copy

from report.backtest_page import render_backtest_page
from report.charts import strip_svg
from tests.report.test_drift_page import Page, shown


def window(number, *, drift="OK", loss=None, alert=False, action="NONE", auc=None):
    start, end = (f"2016-01-{1 + 7 * n:02}T00:00:00Z" for n in (number, number + 1))
    found = {
        "start": start,
        "end": end,
        "rows": 1234,
        "severity": drift,
        "drift": drift,
        "loss": loss,
        "alert": alert,
        "action": action,
        "drifted": [],
        "reasons": [f"reason {number}", "another"],
    }
    if auc is None:
        return found
    metric = {"name": "auc", "value": auc, "low": auc - 0.02, "high": auc + 0.02, "limit": 0.7, "severity": "OK"}
    return found | {
        "performance": {"severity": "OK", "metrics": [metric, {"name": "f1", "value": 1, "low": 1, "high": 1}]}
    }


def totals(**more):
    return {
        "windows": 3,
        "alerts": 1,
        "alert_episodes": 1,
        "messages": 2,
        "drift_alerts": 1,
        "retrainings": 1,
        "retrainings_held": 0,
        "cost_usd": 2.5,
        **more,
    }


LABELLED = {"losses": 1, "missed_losses": 0, "false_alerts": 0, "drift_missed_losses": 1, "drift_false_alerts": 0}


def make_document(*, labelled=True):
    windows = [
        window(0, auc=0.8, loss=False),
        window(1),
        window(2, drift="CRITICAL", loss=True, alert=True, action="START", auc=0.6),
    ]
    counts = totals(**(LABELLED if labelled else {}))
    compared = [
        {"severity": w["severity"], "drift": w["drift"], "alert": w["alert"], "action": w["action"]} for w in windows
    ]
    threshold = {
        "rule": "effect",
        "field": "drift.effect_max",
        "threshold": 0.2,
        "messages": 0,
        "alerts": 1,
        "drift_alerts": 0,
        "drift_missed_losses": 1,
        "drift_false_alerts": 0,
    }
    return {
        "settings": {
            "name": "default",
            "model": "parcels",
            "problem": "binary_classification",
            "baseline_until": "2016-01-01T00:00:00Z",
            "window": "7d",
            "retraining_cost_usd": 2.5,
            "assumptions": ["nothing is trained"],
        },
        "windows": windows,
        "totals": counts,
        "comparison": [{"name": name, "totals": counts, "windows": compared} for name in ("default", "psi")],
        "proposal": {
            "alerts_per_year": 1.0,
            "years": 0.06,
            "alerts_allowed": 0,
            "thresholds": [threshold],
            "considered": [threshold | {"threshold": 0.1}, threshold],
        },
        "baseline": {"start": "2015-01-01T00:00:00Z", "end": "2016-01-01T00:00:00Z", "rows": 9876},
        "rest": {"rows": 0},
        "notes": ["id is not judged: an identifier"],
    }


def test_a_page_is_well_formed_and_loads_nothing():
    page = Page(render_backtest_page(make_document()))
    assert page.open == []
    assert page.loaded == []


def test_the_totals_stand_before_the_windows_and_what_it_rests_on_last():
    text = shown(render_backtest_page(make_document()))
    places = ["2.50 USD for them", "Settings side by side", "drift.effect_max", "reason 2", "id is not judged"]
    assert sorted(places, key=text.index) == places


def test_without_labels_nothing_is_said_of_losses():
    text = shown(render_backtest_page(make_document(labelled=False)))
    assert "drift, not lost" not in text
    assert "real loss of quality" not in text


def test_the_proposed_threshold_is_marked_once():
    assert shown(render_backtest_page(make_document())).count("proposed") == 1


def test_each_strip_has_a_cell_for_each_window_with_its_words():
    page = render_backtest_page(make_document())
    assert page.count('<svg class="strip"') == 3 + 2
    assert page.count("<title>2016-01-15 to 2016-01-22: a retraining would have started</title>") == 1
    assert page.count("2016-01-08 to 2016-01-15: quality not measured") == 1


def test_fairness_has_a_strip_where_it_was_judged():
    document = make_document()
    document["windows"][2]["performance"]["fairness"] = {"severity": "CRITICAL", "columns": []}
    page = render_backtest_page(document)
    assert page.count('<svg class="strip"') == 4 + 2
    assert page.count("2016-01-15 to 2016-01-22: equal treatment CRITICAL") == 1


def test_a_metric_with_a_limit_is_drawn_where_it_was_measured():
    page = render_backtest_page(make_document())
    assert page.count('<g class="v-') == 2
    assert page.count('aria-label="auc over ') == 1
    assert "f1 over" not in page


def test_an_estimate_is_a_broken_line_and_a_ring_where_labels_are_out():
    document = copy.deepcopy(make_document())
    estimate = {"metrics": [{"name": "auc", "value": 0.75, "low": 0.7, "high": 0.8}]}
    document["windows"][0]["performance"]["estimate"] = estimate
    document["windows"][1]["performance"] = {
        "severity": "INSUFFICIENT_DATA",
        "metrics": [],
        "estimate": estimate | {"severity": "CRITICAL"},
    }
    page = render_backtest_page(document)
    assert page.count('<circle class="estimate"') == 1
    assert page.count('class="estimate-line"') == 1
    assert page.count("auc estimated at 0.7500") >= 2
    assert "estimated: lost" in shown(page)


def test_without_a_window_a_strip_is_empty():
    assert strip_svg("s", []).count("<rect") == 0


def test_names_cannot_write_markup():
    document = copy.deepcopy(make_document())
    document["settings"]["model"] = document["comparison"][0]["name"] = "<script>alert(1)</script>"
    document["windows"][0]["reasons"] = ["<b>bold</b>"]
    page = render_backtest_page(document)
    assert "<script>" not in page
    assert "<b>bold" not in page
