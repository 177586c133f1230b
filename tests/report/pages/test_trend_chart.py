import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest

from report.pages.time_frame import Span
from report.pages.trend_chart import NARROW, WIDE, Mark, Point, Trend, lanes_svg

FIRST = datetime(2016, 1, 4, tzinfo=UTC)
WEEKS = [FIRST + timedelta(weeks=n) for n in range(5)]


def drawn(values, width=WIDE, **facts):
    points = [
        Point(time, f"w{n}", "OK", value, value, value, package="1")
        for n, (time, value) in enumerate(zip(WEEKS, values, strict=False))
    ]
    return ET.fromstring(str(Trend("m", points, Span.of(WEEKS), **facts).drawn(width)))  # noqa: S314  # our own text


@pytest.mark.parametrize("value", [0.0, 0.5, -1e300, 1e300, 1e-300])
def test_a_metric_that_never_moves_still_has_a_place(value):
    svg = drawn([value] * 5)
    places = [float(circle.attrib["cy"]) for circle in svg.iter("circle")]
    assert len(places) == 5
    assert all(0 < place < 230 for place in places)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_everything_stays_inside_the_picture(width):
    svg = drawn([0.1, 0.9, 0.5, 1.0, 0.0], width, bounds=(0.0, 1.0))
    assert all(0 <= float(circle.attrib["cx"]) <= width for circle in svg.iter("circle"))
    assert all(0 <= float(text.attrib["x"]) <= width for text in svg.iter("text"))


def test_without_a_number_there_is_no_picture():
    assert Trend("m", [Point(FIRST, "w")], Span.of(WEEKS)).drawn() == ""
    assert lanes_svg([], Span.of(WEEKS)) == ""


def test_two_releases_close_together_share_the_room_of_one_label_but_have_a_line_each():
    marks = [Mark(FIRST + timedelta(days=14, hours=n), "release", f"r{n}", f"v{n}") for n in range(2)]
    svg = drawn([0.5] * 5, NARROW, marks=marks)
    assert len([line for line in svg.iter("line") if line.attrib["class"] == "release"]) == 2
    assert [text.text for text in svg.iter("text") if text.attrib.get("class") == "release"] == ["v0", None]


def test_a_mark_outside_of_the_span_is_not_drawn():
    marks = [Mark(FIRST - timedelta(days=1), "alert", "before"), Mark(WEEKS[1], "alert", "inside")]
    assert [title.text for title in ET.fromstring(str(lanes_svg(marks, Span.of(WEEKS)))).iter("title")] == ["inside"]  # noqa: S314  # our own text


def test_two_packages_are_not_one_line():
    points = [Point(time, "w", "OK", 0.5, 0.4, 0.6, package=str(n // 3)) for n, time in enumerate(WEEKS)]
    svg = ET.fromstring(str(Trend("m", points, Span.of(WEEKS)).drawn()))  # noqa: S314  # our own text
    assert len([line for line in svg.iter("polyline") if line.attrib["class"] == "value-line"]) == 2
