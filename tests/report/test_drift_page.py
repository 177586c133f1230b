import re
from html.parser import HTMLParser

import pytest

from kedge.model_config import PerformancePolicy
from kedge.performance import count_scores, judge_performance
from report.drift_page import render_drift_page
from tests.builders import judged, make_window


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
    assert "the window has 50 rows, 200 are needed to judge drift" in text


def test_quality_that_is_broken_is_told_and_else_that_nothing_was_found():
    assert "checks of missing values, types, ranges and levels found nothing" in shown(
        render_drift_page(judged(make_window()).to_page())
    )
    window = make_window().set_column(2, "carrier", [["balloon"] * 1000])
    assert "have a level never seen before" in shown(render_drift_page(judged(window).to_page()))


def test_what_the_labels_say_stands_beside_the_drift():
    rows = make_window(rows=1000)
    scores = rows.column("prediction").to_numpy()
    counts = count_scores(scores, (scores > 0.3).astype(int), threshold=0.5)
    performance = judge_performance(
        counts, counts, PerformancePolicy(), provisional_rows=7, unlabelled_rows=0, horizon_reason="two weeks"
    ).to_json()
    text = shown(render_drift_page(judged(rows).to_page() | {"performance": performance}))
    assert "quality holds: auc 1.000" in text
    assert "7 provisional" in text


@pytest.mark.parametrize("missing", [{"start", "end"}, set()])
def test_two_files_have_no_times(missing):
    report = judged(make_window()).to_page()
    report["window"] = {name: value for name, value in report["window"].items() if name not in missing}
    assert bool(re.search("2016-01-04", render_drift_page(report))) == (not missing)
