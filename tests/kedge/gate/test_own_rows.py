"""Rows of the gate about what no holdout row shows, and what an equal but newer model may do."""

import numpy as np
import pyarrow as pa
import pytest

from kedge.gate.every_check import judge_challenger
from kedge.gate.facts import Beside
from kedge.gate.holdout import Holdout
from tests.builders import make_config
from tests.kedge.gate.test_challenger import holdout


def judge(gate="", *, beside=None, rule=None, gain=0.5, seed=2, champion_too=True):
    labels, challenger, champion = holdout(seed, gain=gain)
    config = make_config(f"gate: {{{gate}}}")
    table = pa.table({"label": labels.astype(str)})
    found = Holdout(labels, challenger, champion if champion_too else None, config, table, beside=beside or Beside())
    return judge_challenger(found, rule)


def row_of(report, gate):
    (row,) = (row for row in report.rows if row.gate == gate)
    return row


@pytest.mark.parametrize(
    ("gate", "verdict"),
    [("limits: [{metric: auc, at_least: 0.6}]", "PASS"), ("limits: [{metric: auc, at_least: 0.99}]", "REFUSE")],
)
@pytest.mark.parametrize("champion_too", [True, False])
def test_an_absolute_limit_holds_whatever_the_champion_is(gate, verdict, champion_too):
    report = judge(gate, champion_too=champion_too)
    row = row_of(report, "limit auc")
    assert report.verdict == row.verdict == verdict
    assert row.low < row.value < row.high


def test_a_limit_of_recall_at_a_precision_is_measured_with_its_interval():
    report = judge("metric: recall_at_precision, precision_min: 0.6, minimum_effect: 0.0")
    row = row_of(report, "recall_at_precision_improvement")
    assert report.verdict == "PASS"
    assert 0 < row.low < row.value < row.high


def test_an_equal_but_newer_model_may_replace_the_champion_when_it_was_due_by_the_calendar():
    rule = "non_inferior: {margin: 0.02}"
    for triggers, verdict in (
        (("schedule",), "PASS"),
        (("performance",), "REFUSE"),
        (("schedule", "performance"), "REFUSE"),
    ):
        report = judge(rule, gain=0.0, seed=5, beside=Beside(triggers=triggers, fresher_days=30.0))
        assert report.verdict == verdict, triggers
    due = Beside(triggers=("schedule",), fresher_days=30.0)
    assert (
        "it passes as not inferior: its training rows are newer by 30 days"
        in judge(rule, gain=0.0, seed=5, beside=due).reasons[0]
    )
    assert judge(rule, gain=-0.3, beside=due).verdict == "REFUSE"
    older = Beside(triggers=("schedule",), fresher_days=0.0)
    assert judge(rule, gain=0.0, seed=5, beside=older).verdict == "REFUSE"


def test_drifted_training_rows_are_a_warning_that_refuses_nothing():
    report = judge(beside=Beside(drift={"worst": 0.4, "limit": 0.25, "sentences": ["training rows drifted: adr"]}))
    row = row_of(report, "training_drift")
    assert (report.verdict, row.verdict, row.value, row.limit) == ("PASS", "WARN", 0.4, 0.25)
    assert report.reasons[0].startswith("auc ")
    assert row.reason in report.reasons


@pytest.mark.parametrize(
    ("gate", "beside", "row"),
    [
        ("artefact_mib_max: 1", Beside(artefact_bytes=2**21), "artefact_mib"),
        (
            "importance_change_max: 0.2",
            Beside(importance={"a": 1.0}, importance_before={"b": 1.0}),
            "importance_change",
        ),
        ("skew_fraction_max: 0.01", Beside(served=np.full(3_000, 0.5)), "serving_skew"),
    ],
)
def test_what_lies_beyond_its_limit_refuses(gate, beside, row):
    report = judge(gate, beside=beside)
    assert [each.gate for each in report.rows if each.verdict == "REFUSE"] == [row]


def test_what_has_no_limit_is_told_and_refuses_nothing():
    champion = holdout(2, gain=0.5)[2]
    beside = Beside(artefact_bytes=2**21, importance={"a": 1.0}, importance_before={"b": 1.0}, served=champion)
    report = judge(beside=beside)
    told = {row.gate: (row.verdict, row.value) for row in report.rows}
    assert told["artefact_mib"] == ("PASS", 2.0)
    assert told["importance_change"] == ("PASS", 1.0)
    assert told["serving_skew"] == ("PASS", 0.0)
    assert report.verdict == "PASS"


@pytest.mark.parametrize("answer", [{"verdict": "REFUSE", "sentence": "no"}, {"verdict": "pass"}, {}, None])
def test_nothing_but_a_clear_word_of_the_own_rule_passes(answer):
    report = judge("rule_function: ours", rule=None if answer is None else lambda _rows: answer)
    assert report.verdict == "REFUSE"
    assert row_of(report, "own_rule").verdict == "REFUSE"


def test_the_own_rule_is_given_the_rows_so_far():
    given = []
    report = judge(
        "rule_function: ours",
        rule=lambda rows: given.extend(rows) or {"verdict": "PASS", "value": 3, "sentence": "yes"},
    )
    assert report.verdict == "PASS"
    assert "auc_improvement" in [row.gate for row in given]
    assert row_of(report, "own_rule").value == 3.0


def test_scores_that_come_off_the_rate_refuse_only_where_the_champions_keep_it():
    rng = np.random.default_rng(3)
    chance = rng.beta(2, 4, 4_000)
    labels = (rng.random(4_000) < chance).astype(np.int64)
    config, table = make_config(), pa.table({"label": labels.astype(str)})
    noisy = np.clip(chance + rng.normal(0, 0.2, 4_000), 0, 1)
    found = judge_challenger(Holdout(labels, np.sqrt(chance), noisy, config, table))
    assert row_of(found, "calibration").verdict == "REFUSE"
    found = judge_challenger(Holdout(labels, np.sqrt(chance), None, config, table))
    assert row_of(found, "calibration").verdict == "WARN"
