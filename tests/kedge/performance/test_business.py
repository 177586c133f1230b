"""Business figures: what counts for them, what waits for a label, and what a worse model costs."""

import numpy as np
import pyarrow as pa
import pytest

from kedge.config.policies import BusinessFigure
from kedge.config.reading import parse_model_config
from kedge.errors import ModelConfigError
from kedge.gate.business import business_rows
from kedge.gate.holdout import Holdout
from kedge.performance.business import (
    FigureSums,
    decode_figures,
    encode_figures,
    figure_values,
    judge_figures,
    window_figures,
)
from kedge.release.canary import CanaryVerdict, judge_canary_figures
from kedge.severity import Severity

YAML = """
model: hotel
endpoint: {name: hotel}
features: [{name: adr, kind: numeric}]
labels: {fields: [refund]}
"""
ROWS = pa.table(
    {
        "adr": ["100", "80", "60", "", "40"],
        "prediction": [0.9, 0.8, 0.2, 0.7, 0.1],
        "label": ["1", "0", "1", "1", None],
        "refund": ["10", "0", "30", "5", "99"],
    }
)


DECISIONS = ("decided_positive", "decided_negative")


def config(figures: str):
    return parse_model_config(f"{YAML}business: [{figures}]", source="hotel.yaml")


def sums(figures: str, ripe=(True,) * 5):
    found = config(figures)
    return window_figures(ROWS, "prediction", found, label="label", ripe=np.array(ripe))


@pytest.mark.parametrize(
    ("over", "total", "rows"),
    [
        ("all", 100 + 80 + 60 + 40, 4),
        ("decided_positive", 100 + 80, 4),
        ("decided_negative", 60 + 40, 5),
        ("true_positive", 100, 4),
        ("false_positive", 80, 5),
        # The last row was decided negative, and whether rightly is not known yet.
        ("false_negative", 60, 4),
        ("true_negative", 0, 4),
    ],
)
def test_a_figure_counts_the_rows_that_it_is_about(over, total, rows):
    """A row that the figure is not about counts as nothing, even where its own value is missing (the fourth)."""
    found = sums(f"{{name: revenue, column: adr, over: {over}}}")["revenue"]
    assert (found.total, found.rows) == (total, rows)


def test_a_value_of_a_label_record_waits_for_a_ripe_label():
    figure = "{name: refunds, label_field: refund}"
    assert sums(figure)["refunds"] == FigureSums(4, 45.0, 100.0 + 900.0 + 25.0)
    assert sums(figure, ripe=(True, False, False, False, True))["refunds"] == FigureSums(1, 10.0, 100.0)


def test_a_value_of_a_label_record_counts_whatever_came_true_of_the_decisions_that_it_is_about():
    labelled = sums("{name: refunds, label_field: refund}")["refunds"]
    of_decisions = [sums(f"{{name: refunds, label_field: refund, over: {each}}}")["refunds"] for each in DECISIONS]
    assert labelled.total
    assert sum(found.total for found in of_decisions) == labelled.total


def test_figures_of_parts_add_up_and_survive_json():
    figure = BusinessFigure(name="revenue", column="adr")
    whole = window_figures(
        ROWS, "prediction", config("{name: revenue, column: adr}"), label="label", ripe=np.ones(5, bool)
    )
    parts = [
        window_figures(
            part, "prediction", config("{name: revenue, column: adr}"), label="label", ripe=np.ones(part.num_rows, bool)
        )
        for part in (ROWS.slice(0, 2), ROWS.slice(2))
    ]
    assert parts[0]["revenue"] + parts[1]["revenue"] == whole["revenue"]
    assert decode_figures(encode_figures(whole)) == whole
    assert figure_values(figure, pa.table({"other": [1]})) is None


def test_the_mean_has_the_interval_of_the_central_limit():
    values = np.random.default_rng(0).normal(50, 10, 400)
    found = FigureSums(400, values.sum(), (values**2).sum()).mean("revenue", 0.95)
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.value == pytest.approx(1.959964 * values.std(ddof=1) / 20, rel=1e-6)


@pytest.mark.parametrize(("mean", "severity"), [(50, Severity.OK), (39.9, Severity.WARNING), (30, Severity.CRITICAL)])
def test_a_bound_is_broken_for_certain_or_perhaps(mean, severity):
    figure = BusinessFigure(name="revenue", column="adr", at_least=40.0, unit="EUR")
    spread = FigureSums(100, mean * 100.0, (mean**2 + 25.0) * 100)
    before = {"revenue": FigureSums(10, 450.0, 30000.0)}
    (report,) = judge_figures((figure,), {"revenue": spread}, before, confidence=0.95)
    assert report.severity is severity
    row = report.to_json()
    assert (row["unit"], row["reference"], row["total"]) == ("EUR", 45.0, mean * 100.0)
    assert judge_figures((figure,), {}, before, confidence=0.95) == ()


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ("{name: a, column: adrr}", "did you mean adr?"),
        ("{name: a, label_field: refnd}", "not among labels.fields; did you mean refund?"),
        ("{name: a}", "either column or label_field"),
        ("{name: a, column: adr, gate: true}", "both models answer the same rows"),
        ("{name: a, label_field: refund, canary: true}", "waits for labels"),
        ("{name: a, column: adr}, {name: a, column: adr}", "business has a twice"),
    ],
)
def test_a_figure_that_could_never_be_known_is_refused(figures, words):
    with pytest.raises(ModelConfigError, match=words):
        config(figures)


def gate(challenger, champion, better="higher"):
    rng = np.random.default_rng(1)
    labels = (rng.random(2_000) < 0.4).astype(np.int64)
    holdout = pa.table({"adr": rng.gamma(4, 25, 2_000)})
    sides = {
        name: np.where(rng.random(2_000) < skill, labels, 1 - labels).astype(float)
        for name, skill in (("challenger", challenger), ("champion", champion))
    }
    found = config(f"{{name: saved, column: adr, over: true_positive, better: {better}, gate: true}}")
    (row,) = business_rows(Holdout(labels, sides["challenger"], sides["champion"], found, holdout))
    gains = holdout["adr"].to_numpy() * labels * (sides["challenger"] - sides["champion"])
    assert row.value == pytest.approx(gains.mean() * (1 if better == "higher" else -1))
    return row.verdict


def test_the_gate_refuses_a_challenger_that_saves_less_on_the_same_rows():
    assert gate(0.9, 0.7) == "PASS"
    assert gate(0.8, 0.8) == "PASS"
    assert gate(0.7, 0.9) == "REFUSE"
    assert gate(0.9, 0.7, better="lower") == "REFUSE"


def test_without_a_champion_or_without_the_gate_there_is_no_row():
    labels, holdout = np.array([1, 0]), pa.table({"adr": [1.0, 2.0]})
    asked = config("{name: saved, column: adr, over: true_positive, gate: true}")
    challenger, champion = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert business_rows(Holdout(labels, challenger, None, asked, holdout)) == []
    unasked = config("{name: saved, column: adr, over: true_positive}")
    assert business_rows(Holdout(labels, challenger, champion, unasked, holdout)) == []


def fleet(rows, mean, seed):
    rng = np.random.default_rng(seed)
    return pa.table({"adr": rng.normal(mean, 10, rows).astype(str), "prediction": rng.random(rows)})


@pytest.mark.parametrize(
    ("mean", "verdict"), [(100, "HEALTHY"), (99, "HEALTHY"), (85, "MISBEHAVING"), (115, "HEALTHY")]
)
def test_a_canary_that_costs_the_business_goes_back(mean, verdict):
    asked = config("{name: revenue, column: adr, canary: true}")
    healthy = CanaryVerdict("HEALTHY", ("fine",))
    found = judge_canary_figures(fleet(200, mean, 1), fleet(200, 100, 2), asked, healthy, released=asked)
    assert found.verdict == verdict
    if verdict == "MISBEHAVING":
        assert found.reasons[0].startswith("revenue is 8")


def test_a_figure_of_a_column_that_the_champion_does_not_have_is_not_compared():
    asked = config("{name: revenue, column: adr, canary: true}")
    healthy = CanaryVerdict("HEALTHY", ("fine",))
    champion = fleet(200, 100, 2).rename_columns(["price", "prediction"])
    assert judge_canary_figures(fleet(200, 50, 1), champion, asked, healthy, released=asked) == healthy


def test_a_canary_that_misbehaves_already_keeps_its_reason():
    bad = CanaryVerdict("MISBEHAVING", ("its answers are no numbers",))
    asked = config("{name: revenue, column: adr, canary: true}")
    assert judge_canary_figures(fleet(200, 50, 1), fleet(200, 100, 2), asked, bad, released=asked) == bad


def test_a_figure_alarms_where_the_yaml_says_so_and_has_enough_rows():
    figure = BusinessFigure(name="revenue", column="adr", at_least=40.0, alert="WARNING")
    spread = {"revenue": FigureSums(100, 3000.0, (900.0 + 25.0) * 100)}
    (report,) = judge_figures((figure,), spread, {}, confidence=0.95, minimum_rows=100)
    assert (report.severity, report.alert, report.to_json()["alert"]) == (
        Severity.CRITICAL,
        Severity.WARNING,
        "WARNING",
    )
    assert report.reason == "revenue is beyond its limit: 30 per prediction (29.02 to 30.98), limit at least 40"
    (few,) = judge_figures((figure,), spread, {}, confidence=0.95, minimum_rows=101)
    assert few.alert is Severity.INSUFFICIENT_DATA
    (silent,) = judge_figures((figure.model_copy(update={"alert": None}),), spread, {}, confidence=0.95)
    assert (silent.alert, "alert" in silent.to_json()) == (None, False)


def test_the_more_figures_may_alarm_the_more_certain_each_must_be():
    # The mean is 2.1 standard errors below its bound: enough for one figure, too little among five.
    sums = FigureSums(1000, 1000 * (40.0 - 2.1), 1000 * ((40.0 - 2.1) ** 2 + 999.0))
    figures = tuple(BusinessFigure(name=f"f{n}", column="adr", at_least=40.0, alert="CRITICAL") for n in range(5))
    fine = {figure.name: FigureSums(1000, 50_000.0, 2_600_000.0) for figure in figures}
    (alone,) = judge_figures(figures[:1], {"f0": sums}, {}, confidence=0.95)
    among = judge_figures(figures, fine | {"f0": sums}, {}, confidence=0.95)
    assert alone.alert is Severity.CRITICAL
    assert {report.alert for report in among} == {Severity.OK}
    assert among[0].severity is Severity.CRITICAL
