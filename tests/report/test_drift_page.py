import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from kedge.config.policies import PerformancePolicy
from kedge.drift.column_quality import QualityCheck
from kedge.outcomes.binary import count_binary
from kedge.performance.window import LabelledOutcomes, judge_performance, not_measured
from kedge.severity import Severity
from report.drift_page import render_drift_page
from tests.builders import judged, make_baseline, make_config, make_window


class Page(HTMLParser):
    """What a browser would load and show."""

    VOID = {"meta", "br", "line", "rect"}  # noqa: RUF012

    def __init__(self, text):
        super().__init__()
        self.open, self.loaded, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.loaded += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_data(self, data):
        self.texts.append(data)


def shown(text):
    return " ".join(" ".join(Page(text).texts).split())


def test_a_page_is_well_formed_and_loads_nothing():
    page = Page(render_drift_page(judged(make_window(shift=1.0)).to_page()))
    assert page.open == []
    assert page.loaded == []


def test_the_verdict_and_its_reasons_come_first_and_the_worst_column_on_top():
    report = judged(make_window(shift=1.0)).to_page()
    text = shown(render_drift_page(report))
    assert text.index("CRITICAL") < text.index(report["reasons"][0]) < text.index("Columns")
    assert text.index("weight", text.index("Columns")) < text.index("carrier", text.index("Columns"))


def test_histograms_are_drawn_where_the_report_carries_them():
    report = judged(make_window(shift=1.0))
    assert render_drift_page(report.to_page()).count("<svg") == 4
    assert "<svg" not in render_drift_page(report.to_json())


def test_names_and_levels_cannot_write_markup():
    window = make_window()
    report = judged(window).to_page()
    report["columns"][0]["name"] = "<script>alert(1)</script>"
    report["reasons"] = ["<b>bold</b>"]
    text = render_drift_page(report)
    assert "<script>" not in text
    assert "<b>bold" not in text
    assert "&lt;b&gt;bold" in text


def test_a_window_too_small_says_how_many_rows_are_needed():
    text = shown(render_drift_page(judged(make_window(rows=50)).to_page()))
    assert "the window has 50 rows; 200 are needed to judge drift" in text


def test_quality_that_is_broken_is_told_and_else_that_nothing_was_found():
    assert "checks of missing values, types, ranges and levels found nothing" in shown(
        render_drift_page(judged(make_window()).to_page())
    )
    window = make_window().set_column(2, "carrier", [["balloon"] * 1000])
    assert "have a level never seen before" in shown(render_drift_page(judged(window).to_page()))


def test_what_the_labels_say_stands_beside_the_drift():
    rows = make_window(rows=1000)
    scores = rows.column("prediction").to_numpy()
    counts = count_binary(scores, (scores > 0.3).astype(int), threshold=0.5)
    performance = judge_performance(
        LabelledOutcomes(counts, 0, "two weeks", provisional_rows=7), counts, PerformancePolicy()
    ).to_json()
    text = shown(render_drift_page(judged(rows).to_page() | {"performance": performance}))
    assert "quality holds: auc 1 -> 1 (unchanged)" in text
    assert "7 provisional" in text


def test_an_estimate_its_record_and_the_business_stand_beside_the_metrics():
    counts = count_binary(np.tile([0.2, 0.8], 400), np.tile([0, 1], 400), threshold=0.5)
    performance = judge_performance(LabelledOutcomes(counts, 0, "two weeks"), counts, PerformancePolicy()).to_json()
    auc = {
        "name": "auc",
        "value": 0.7123,
        "low": 0.69,
        "high": 0.73,
        "weight": 0.25,
        "limit": 0.81,
        "severity": "WARNING",
    }
    known = {
        "start": "2015-12-01T00:00:00Z",
        "end": "2015-12-29T00:00:00Z",
        "metric": "auc",
        "estimate": 0.84,
        "truth": 0.69,
    }
    revenue = {
        "name": "<revenue>",
        "value": 81.5,
        "low": 80.0,
        "high": 83.0,
        "total": 81500.0,
        "rows": 1000,
        "severity": "OK",
        "reason": "",
        "unit": "EUR",
        "reference": 90.25,
    }
    performance |= {
        "estimate": {
            "severity": "WARNING",
            "reasons": ["quality may be lost"],
            "rows": 900,
            "metrics": [auc],
            "record": [known],
        },
        "business": [revenue],
    }
    page = render_drift_page(judged(make_window(rows=1000)).to_page() | {"performance": performance})
    text = shown(page)
    for words in ("0.7123", "0.25", "0.8400", "0.6900", "2015-12-29", "90.25", "EUR", "quality may be lost"):
        assert words in text, words
    assert "<revenue>" not in page
    del performance["estimate"]["severity"], performance["estimate"]["record"], revenue["unit"], revenue["reference"]
    assert "0.7123" in render_drift_page(judged(make_window(rows=1000)).to_page() | {"performance": performance})


def test_how_sure_the_answers_are_stands_in_the_page():
    report = judged(make_window(rows=1000)).to_page()
    text = shown(render_drift_page(report))
    assert f"{report['confidence']['mean_margin']['window']:.3f}" in text
    del report["confidence"]
    assert "How sure" not in render_drift_page(report)


@pytest.mark.parametrize("missing", [{"start", "end"}, set()])
def test_two_files_have_no_times(missing):
    report = judged(make_window()).to_page()
    report["window"] = {name: value for name, value in report["window"].items() if name not in missing}
    assert bool(re.search("2016-01-04", render_drift_page(report))) == (not missing)


def test_segments_moved_concepts_and_unlike_groups_stand_in_tables():
    metric = {
        "name": "disparate_impact",
        "value": 0.5,
        "low": 0.4,
        "high": 0.6,
        "groups": ["<f>", "m"],
        "limit": 0.8,
        "severity": "CRITICAL",
    }
    rate = {"value": 0.2, "low": 0.1, "high": 0.3}
    slices = {
        "segments": [
            {
                "group": "meal=BB & adr=at most 5",
                "severity": "CRITICAL",
                "rows": 440,
                "rows_fraction": 0.22,
                "metric": "auc",
                "value": 0.61,
                "low": 0.58,
                "high": 0.64,
                "rest": 0.8,
            }
        ],
        "concept_drift": {
            "severity": "WARNING",
            "shifts": [
                {
                    "where": "segment",
                    "group": "meal=BB",
                    "severity": "WARNING",
                    "rows": 300,
                    "observed": 0.41,
                    "expected": 0.25,
                    "shift": 0.16,
                    "low": 0.1,
                    "high": 0.22,
                    "since": "2016-01-04T00:00:00Z",
                }
            ],
        },
        "fairness": {
            "severity": "CRITICAL",
            "columns": [
                {
                    "column": "sex",
                    "severity": "CRITICAL",
                    "reason": "sex: disparate impact is 0.5",
                    "metrics": [metric],
                    "groups": [{"group": "<f>", "rows": 500, "selection_rate": rate}, {"group": "x", "rows": 3}],
                }
            ],
        },
    }
    counts = count_binary(np.linspace(0, 1, 400), np.arange(400) % 2, threshold=0.5)
    performance = judge_performance(LabelledOutcomes(counts, 0, "given"), counts, PerformancePolicy()).to_json()
    page = render_drift_page({**judged(make_window()).to_json(), "performance": performance | slices})
    text = shown(page)
    for words in (
        "meal=BB & adr=at most 5",
        "22 %",
        "0.58 to 0.64",
        "+0.16 (+0.1 to +0.22)",
        "2016-01-04",
        "disparate impact",
        "0.200",
    ):
        assert words in text
    assert "<f>" not in page
    assert "Where is it worst?" not in shown(
        render_drift_page({**judged(make_window()).to_json(), "performance": performance})
    )


def ranked(importance):
    baseline = replace(make_baseline(make_config()), importance=importance)
    return judged(make_window(rows=3000, shift=0.5, air=0.5), baseline=baseline).to_page()


def test_what_matters_stands_above_what_moved_more():
    text = shown(render_drift_page(ranked({"weight": 0.9, "carrier": 0.1})))
    table = text[text.index("Columns") :]
    assert table.index("weight") < table.index("carrier")
    assert "importance" in table
    assert "90 %" in table
    unknown = shown(render_drift_page(ranked({})))
    table = unknown[unknown.index("Columns") :]
    assert table.index("carrier") < table.index("weight")
    assert "importance" not in table


def test_a_fault_of_the_whole_window_names_no_column():
    check = QualityCheck("captured", "", Severity.CRITICAL, 0.0, 0.9, "0 of 1000 requests were captured")
    report = judged(make_window()).to_page()
    report["quality"].append(check.to_json())
    assert "captured the window CRITICAL 0 of 1000 requests were captured" in shown(render_drift_page(report))


def test_what_a_column_was_judged_against_is_said_where_it_is_not_the_training_data():
    report = judged(make_window()).judged_against(
        {"weight": "trailing", "items": "same_hours"}, ["carrier has few rows"]
    )
    text = shown(render_drift_page(report.to_page()))
    assert "weight (against the days before)" in text
    assert "items (against the same hours of earlier weeks)" in text
    assert "carrier has few rows." in text


def test_clear_concept_drift_stands_in_the_headline():
    moved = {"severity": "CRITICAL", "reason": "P(y given x) moved on <b>", "shifts": []}
    report = judged(make_window()).to_page()
    quiet = render_drift_page(report)
    assert "P(y given x)" not in quiet
    performance = not_measured("no time").to_json() | {"concept_drift": moved, "segments": []}
    page = render_drift_page(report | {"performance": performance})
    headline = page.partition("<h1>")[2].partition("</h1>")[0]
    assert "CRITICAL" in headline
    assert "P(y given x) moved on" in headline
    assert "<b>P(y given x) moved on &lt;b&gt;</b>" in page
