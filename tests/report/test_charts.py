import xml.etree.ElementTree as ET

from report.charts import HEIGHT, WIDTH, histogram_svg

BARS = {"labels": ["0", "1", "2 & more"], "baseline": [0.5, 0.5, 0.0], "window": [0.0, 0.25, 0.75]}


def drawn(bars, name="lead_time"):
    return ET.fromstring(str(histogram_svg(name, bars)))  # noqa: S314  # our own text


def test_a_histogram_is_well_formed_and_says_its_numbers():
    svg = drawn(BARS, name='<a "b">')
    assert svg.attrib["aria-label"] == '<a "b">: baseline and window'
    assert [title.text for title in svg.iter("title")][2] == "2 & more: baseline 0.0%, window 75.0%"


def test_bars_stay_inside_the_picture_and_are_as_tall_as_their_share():
    heights = [float(rect.attrib["height"]) for rect in drawn(BARS).iter("rect")]
    for rect in drawn(BARS).iter("rect"):
        assert 0 <= float(rect.attrib["x"]) <= WIDTH - float(rect.attrib["width"])
        assert 0 <= float(rect.attrib["y"]) <= HEIGHT - float(rect.attrib["height"])
    assert heights[1] == 0
    assert heights[5] == max(heights)


def test_a_rare_bar_can_still_be_seen():
    bars = {"labels": ["a", "b"], "baseline": [0.9999, 0.0001], "window": [1.0, 0.0]}
    assert float(list(drawn(bars).iter("rect"))[2].attrib["height"]) == 1.0


def test_one_bar_and_none_are_drawn_too():
    assert len(list(drawn({"labels": ["a"], "baseline": [1.0], "window": [1.0]}).iter("rect"))) == 2
    assert not list(drawn({"labels": [], "baseline": [], "window": []}).iter("rect"))
