"""Confidence is derived from the prediction's histogram, and judged like any other column."""

import numpy as np
import pyarrow as pa
import pytest

from kedge.columns.margins import with_margins
from kedge.drift.confidence import entropy_bits, margins
from kedge.severity import Severity
from tests.builders import judged, make_baseline, make_config, make_window

THRESHOLD = 0.4
CONFIG = make_config("prediction: {threshold: 0.4}")


def answered(scores, *, seed=0):
    rows = make_window(rows=len(scores), seed=seed)
    return rows.set_column(rows.column_names.index("prediction"), "prediction", pa.array(scores))


def report_of(before, now, config=CONFIG):
    return judged(answered(now, seed=1), config, make_baseline(config, answered(before)))


def sure(rows, seed, *, width=0.08):
    """Scores near both ends: `width` is how far from them they scatter."""
    rng = np.random.default_rng(seed)
    near = np.abs(rng.normal(0, width, rows))
    return np.clip(np.where(rng.random(rows) < 0.4, 1 - near, near), 0, 1)


def test_the_reported_means_are_those_of_the_rows():
    """To within the cells: where the baseline has no rows, about the threshold, one cell is wide."""
    before, now = sure(5_000, 1), sure(2_000, 2, width=0.25)
    found = report_of(before, now).to_json()["confidence"]
    for side, scores, near_enough in (("baseline", before, 0.002), ("window", now, 0.035)):
        assert found["mean_margin"][side] == pytest.approx(margins(scores, THRESHOLD).mean(), abs=near_enough)
        assert found["mean_entropy"][side] == pytest.approx(entropy_bits(scores).mean(), abs=near_enough)
        near = (np.abs(scores - THRESHOLD) <= 0.1).mean()
        assert found["near_threshold_fraction"][side] == pytest.approx(near, abs=near_enough)


def test_falling_confidence_is_critical_and_is_told():
    report = report_of(sure(5_000, 3), sure(2_000, 4, width=0.3))
    assert report.less_confident is Severity.CRITICAL
    assert any(reason.startswith("confidence: the mean margin moved from") for reason in report.reasons)
    assert report.to_json()["confidence"]["p_value_adjusted"] < 1e-6


def test_rising_confidence_raises_no_alarm_of_its_own():
    report = report_of(sure(5_000, 5, width=0.3), sure(2_000, 6))
    assert report.confidence.column.drift is Severity.CRITICAL
    assert report.less_confident is Severity.OK
    assert not any(reason.startswith("confidence") for reason in report.reasons)


def test_a_shift_that_leaves_every_margin_is_none_of_confidence():
    """Half of the scores change sides at the same distance from the threshold: the prediction drifts, not its confidence."""
    rng = np.random.default_rng(7)
    config = make_config()
    distance = rng.random(6_000) / 2
    before = 0.5 + distance * np.where(rng.random(6_000) < 0.7, 1, -1)
    now = (0.5 - distance * np.where(rng.random(6_000) < 0.7, 1, -1))[:2_000]
    report = report_of(before, now, config)
    prediction = next(c for c in report.columns if c.column.role == "prediction")
    assert prediction.severity is Severity.CRITICAL
    assert report.less_confident is Severity.OK


def test_undrifted_confidence_seldom_alarms():
    baseline = make_baseline(CONFIG, answered(sure(5_000, 8)))
    found = [judged(answered(sure(800, seed), seed=seed), CONFIG, baseline).less_confident for seed in range(60)]
    assert sum(severity >= Severity.WARNING for severity in found) == 0


def test_too_few_rows_say_so():
    assert report_of(sure(5_000, 9), sure(20, 10)).less_confident is Severity.INSUFFICIENT_DATA


@pytest.mark.parametrize(
    ("scores", "extra"),
    [
        (np.tile([0.0, 1.0], 1_000), ""),
        (np.random.default_rng(1).normal(100, 10, 2_000), ""),
        (np.random.default_rng(1).random(2_000), "problem: regression"),
    ],
    ids=["classes", "no probabilities", "a regression"],
)
def test_what_is_no_probability_has_no_confidence(scores, extra):
    config = make_config(extra)
    report = report_of(scores, scores[:500], config)
    assert report.confidence is None
    assert "confidence" not in report.to_json()


CLASSES = ("sea", "road", "rail")
SEVERAL = """
problem: multiclass_classification
labels: {classes: [sea, road, rail]}
prediction: {name: answer, probabilities: [p_sea, p_road, p_rail]}
"""


def several_answers(rows, seed, *, sharpness=4.0):
    """Softmax answers: the smaller the sharpness, the less sure the model, of the same classes in the same shares."""
    rng = np.random.default_rng(seed)
    logits = sharpness * rng.normal(0, 1, (rows, 3))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    table = make_window(rows=rows, seed=seed).drop_columns(["prediction"])
    table = table.append_column("answer", pa.array(np.array(CLASSES)[chances.argmax(axis=1)]))
    for name, column in zip(CLASSES, chances.T, strict=True):
        table = table.append_column(f"p_{name}", pa.array(column))
    return table


def of_several(before, now):
    config = make_config(SEVERAL)
    return judged(with_margins(now, config), config, make_baseline(config, with_margins(before, config)))


def test_of_several_classes_the_two_likeliest_say_how_sure_an_answer_is():
    config = make_config(SEVERAL)
    rows = pa.table(
        {"p_sea": [0.5, 0.2, 1.0, None, 0.4], "p_road": ["0.3", "0.2", "0", "1", "1.4"], "p_rail": [0.2, 0.6, 0, 0, 0]}
    )
    assert with_margins(rows, config).column("answer_margin").to_pylist() == pytest.approx([0.2, 0.4, 1.0, None, None])


def test_several_classes_answered_less_surely_are_critical_and_nothing_else_is():
    report = of_several(several_answers(5_000, 1), several_answers(2_000, 2, sharpness=2.0))
    assert report.less_confident is Severity.CRITICAL
    assert {column.severity for column in report.columns} == {Severity.OK}
    assert [reason for reason in report.reasons if reason.startswith("confidence: the mean margin")]
    found = report.to_json()["confidence"]
    assert found["mean_margin"]["baseline"] > found["mean_margin"]["window"] + 0.1
    assert "mean_entropy" not in found


def test_several_classes_answered_as_surely_or_more_raise_no_alarm():
    before = several_answers(5_000, 3)
    assert of_several(before, several_answers(2_000, 4)).less_confident is Severity.OK
    assert of_several(before, several_answers(2_000, 5, sharpness=9.0)).less_confident is Severity.OK


def test_probabilities_that_a_window_lacks_leave_confidence_unjudged():
    report = of_several(several_answers(5_000, 6), several_answers(2_000, 7).drop_columns(["p_rail"]))
    assert report.less_confident is Severity.INSUFFICIENT_DATA


def test_the_means_of_several_classes_are_those_of_the_rows():
    now = several_answers(2_000, 9, sharpness=2.0)
    chances = np.sort(np.column_stack([now.column(f"p_{name}").to_numpy() for name in CLASSES]), axis=1)
    margin = chances[:, -1] - chances[:, -2]
    found = of_several(several_answers(5_000, 8), now).to_json()["confidence"]
    assert found["mean_margin"]["window"] == pytest.approx(margin.mean(), abs=0.01)
    assert found["near_threshold_fraction"]["window"] == pytest.approx((margin <= 0.1).mean(), abs=0.01)
