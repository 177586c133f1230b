from datetime import timedelta

from report.pages.portfolio_page import by_urgency, is_late, needs_a_person, render_portfolio_page
from tests.report.pages.histories import NOW, facts
from tests.report.test_drift_page import Page, shown


def calm(model, **known):
    line = facts(decisions=[]).summary() | {"severity": "OK", "urgency": 0.0, "lost_fraction": 0.0}
    return line | {"model": model, "judged_until": "2016-02-29T00:00:00Z"} | known


def test_urgency_is_lost_quality_times_traffic():
    found = facts().summary()
    assert found["rows_a_day"] == 100
    assert found["urgency"] == found["lost_fraction"] * 100
    assert abs(found["lost_fraction"] - 0.06 / 0.84) < 1e-9


def test_a_small_loss_of_a_busy_model_stands_before_a_large_loss_of_a_quiet_one():
    busy, quiet = (
        calm("busy", urgency=0.02 * 9000, severity="WARNING"),
        calm("quiet", urgency=0.3 * 10, severity="CRITICAL"),
    )
    drifted, fine = calm("drifted", severity="CRITICAL"), calm("fine")
    assert [line["model"] for line in by_urgency([fine, drifted, quiet, busy])] == ["busy", "quiet", "drifted", "fine"]


def test_one_of_forty_that_matters_stands_first_and_the_others_are_folded():
    lines = [calm(f"model-{n:02d}") for n in range(40)] + [facts().summary()]
    text = render_portfolio_page(lines, now=NOW)
    assert Page(text).open == []
    assert text.index("m/index.html") < text.index("40 in order") < text.index("model-00/index.html")
    assert "7.1% lost on 100 rows a day" in shown(text)
    assert "waits for approval" in shown(text)


def test_a_model_that_is_judged_late_needs_a_person():
    line = calm("late", judged_until="2016-02-01T00:00:00Z")
    assert is_late(line, NOW)
    assert needs_a_person(line, NOW)
    assert not needs_a_person(calm("fine"), NOW)
    assert not is_late(calm("new", judged_until=None), NOW + timedelta(days=300))


def test_no_model_and_names_of_others_do_no_harm():
    assert "No model has been judged yet" in render_portfolio_page([], now=NOW)
    assert "<b>x" not in render_portfolio_page([calm("<b>x", team="<b>x", severity="CRITICAL")], now=NOW)
