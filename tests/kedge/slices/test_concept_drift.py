"""P(y given x): what moved is told with its place, and a harmless shift or a model that never was calibrated is not."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from scipy import stats

from kedge.columns.casting import Column
from kedge.config.policies import SegmentPolicy
from kedge.outcomes.outcomes import Outcomes
from kedge.profile.freezing import freeze_baseline
from kedge.severity import Severity
from kedge.slices.concept_drift import judge_concept, with_since
from kedge.slices.counts import count_singles
from kedge.slices.ruler import freeze_ruler
from tests.kedge.sliced_rows import COLUMNS, batches, make_classes, make_rows, ruler_of

POLICY = SegmentPolicy()
# Tells of every group: what is seen is what was counted.
LENIENT = SegmentPolicy(p_value_min=1.0, gap_min=0.0, shown=100)


def judged(window, before, policy=POLICY):
    ruler = ruler_of(before[0])
    return judge_concept(count_singles(ruler, batches(*window)), count_singles(ruler, batches(*before)), policy)


def test_a_group_on_which_more_comes_true_is_told_with_how_much():
    found = judged(make_rows(1, 8000, riskier="rail"), make_rows(2, 8000))
    moved = {shift.group: shift for shift in found.shifts}
    rail = moved["carrier=rail"]
    assert found.severity is Severity.CRITICAL
    assert rail.where == "segment"
    assert rail.shift == pytest.approx(0.18, abs=0.04)
    assert not {"carrier=sea", "carrier=road"} & moved.keys()


def test_the_observed_rate_is_that_of_the_rows():
    table, outcomes = make_rows(1, 8000, riskier="rail")
    found = judged((table, outcomes), make_rows(2, 8000))
    rail = next(s for s in found.shifts if s.group == "carrier=rail")
    chosen = np.array(table.column("carrier").to_pylist()) == "rail"
    assert (rail.rows, rail.observed) == (chosen.sum(), pytest.approx(outcomes.labels[chosen].mean()))


def test_a_harmless_shift_of_the_inputs_is_no_concept_drift_even_for_an_uncalibrated_model():
    # Ten windows whose mean rate differs from the reference's by 0.2: the scores of make_rows are too flat and too low.
    claims = 0
    for seed in range(10):
        window, before = make_rows(seed, 5000, shift=1.0), make_rows(100 + seed, 5000)
        assert window[1].labels.mean() > before[1].labels.mean() + 0.15
        claims += bool(judged(window, before).shifts)
    assert claims == 0


def test_answers_that_ceased_to_mean_anything_show_in_the_score_bands():
    table, outcomes = make_rows(1, 8000)
    shuffled = Outcomes(
        outcomes.problem, outcomes.answers, np.random.default_rng(3).permutation(outcomes.labels), outcomes.classes
    )
    found = judged((table, shuffled), make_rows(2, 8000), SegmentPolicy(shown=30))
    bands = [shift for shift in found.shifts if shift.where == "score band"]
    assert min(b.shift for b in bands) < -0.3
    assert max(b.shift for b in bands) > 0.2


def test_a_segment_that_keeps_its_rate_and_loses_its_meaning_is_told_by_its_halves():
    found = judged(make_rows(1, 12_000, blind="road"), make_rows(2, 12_000), SegmentPolicy(shown=30))
    moved = {shift.group: shift.shift for shift in found.shifts}
    assert "carrier=road" not in moved
    assert moved["carrier=road with high answers"] < -0.1
    assert moved["carrier=road with low answers"] > 0.1
    assert not [group for group in moved if "carrier" in group and "road" not in group]


def test_a_shift_without_drift_is_claimed_no_more_often_than_the_level_says():
    policy, runs, claims = SegmentPolicy(p_value_min=0.05, gap_min=0.0), 150, 0
    for seed in range(runs):
        claims += bool(judged(make_rows(2 * seed, 2500), make_rows(2 * seed + 1, 2500), policy).shifts)
    assert claims <= stats.binom.ppf(0.999, runs, 0.05)


def test_few_rows_are_insufficient_and_say_what_is_needed():
    found = judged(make_rows(1, 150), make_rows(2, 5000))
    assert found.severity is Severity.INSUFFICIENT_DATA
    assert "200" in found.reason


def test_a_regression_that_is_off_by_a_constant_is_told():
    table, _ = make_rows(1, 4000)
    rng = np.random.default_rng(3)
    numbers = table.column("score").to_numpy()
    ruler = freeze_ruler(freeze_baseline("m", "1", COLUMNS, table, table), "regression")
    reference, window = (
        count_singles(ruler, batches(table, Outcomes("regression", numbers, numbers + rng.normal(mean, 1, 4000))))
        for mean in (0.3, 0.8)
    )
    found = judge_concept(window, reference, POLICY)
    assert (found.shifts[0].where, found.severity) == ("all rows", Severity.CRITICAL)
    assert (found.shifts[0].observed, found.shifts[0].expected) == pytest.approx((0.8, 0.3), abs=0.07)
    assert judge_concept(reference, reference, POLICY).shifts == ()


def judged_classes(window, before, policy=POLICY):
    columns = (*COLUMNS[:1], Column("items", "feature", "numeric", "float64"), COLUMNS[2])
    columns = (*columns, Column("answer", "prediction", "categorical", "string"))
    frozen = freeze_baseline("m", "1", columns, before[0], before[0])
    ruler = freeze_ruler(frozen, "multiclass_classification", classes=("a", "b", "c", "d"))
    return judge_concept(count_singles(ruler, batches(*window)), count_singles(ruler, batches(*before)), policy)


@pytest.mark.parametrize("certainty", [1.0, 2.0], ids=["calibrated", "overconfident"])
def test_several_classes_under_a_harmless_shift_are_claimed_no_more_often_than_the_level_says(certainty):
    runs, claims = 60, 0
    for seed in range(runs):
        window = make_classes(seed, 2500, shift=0.5, certainty=certainty)
        claims += bool(judged_classes(window, make_classes(1000 + seed, 2500, certainty=certainty)).shifts)
    assert claims <= stats.binom.ppf(0.999, runs, POLICY.p_value_min)


@pytest.mark.parametrize("shift", [0.0, 0.5], ids=["alone", "with a harmless shift"])
def test_a_group_on_which_several_classes_lost_their_meaning_is_told(shift):
    window, before = make_classes(1, 5000, shift=shift, mislabelled="rail"), make_classes(2, 5000)
    found = judged_classes(window, before)
    moved = {s.group: s for s in found.shifts}
    rail = np.array(window[0].column("carrier").to_pylist()) == "rail"
    right = window[1].answers[rail] == window[1].labels[rail]
    assert found.severity is Severity.CRITICAL
    assert (moved["carrier=rail"].rows, moved["carrier=rail"].observed) == (rail.sum(), pytest.approx(right.mean()))
    # Of a calibrated model's answers as many are expected to be right as their own probabilities add up to.
    own = window[1].probabilities[rail].max(axis=1)
    assert moved["carrier=rail"].expected == pytest.approx(own.mean(), abs=0.05)
    assert not {"carrier=sea", "carrier=road"} & moved.keys()


def test_classes_without_probabilities_are_not_judged_and_it_is_said_why():
    window, before = make_classes(1, 5000, mislabelled="rail", scored=False), make_classes(2, 5000)
    for pair in ((window, before), (before, window)):
        found = judged_classes(*pair)
        assert (found.severity, found.shifts) == (Severity.INSUFFICIENT_DATA, ())
        assert "without probabilities" in found.reason


def test_answers_without_a_probability_of_their_own_are_left_out():
    table, outcomes = make_classes(1, 4000, mislabelled="rail")
    torn = outcomes.probabilities.copy()
    torn[:1000], torn[1000:1500] = np.nan, 1.7
    found = judged_classes((table, replace(outcomes, probabilities=torn)), make_classes(2, 4000), LENIENT)
    whole = judged_classes((table.slice(1500), outcomes.take(np.arange(4000) >= 1500)), make_classes(2, 4000), LENIENT)
    assert found.shifts
    assert [(s.group, s.rows, s.shift) for s in found.shifts] == [(s.group, s.rows, s.shift) for s in whole.shifts]


def test_of_many_classes_the_probabilities_are_counted_together():
    classes = tuple(f"c{i:02d}" for i in range(40))
    table, outcomes = make_classes(1, 4000)
    wide = np.column_stack([outcomes.probabilities, np.zeros((4000, 36))])
    columns = (COLUMNS[0], Column("answer", "prediction", "categorical", "string"))
    ruler = freeze_ruler(freeze_baseline("m", "1", columns, table, table), "multiclass_classification", classes=classes)
    assert ruler.cells < 20
    counted = count_singles(
        ruler, batches(table, Outcomes("multiclass_classification", outcomes.answers, outcomes.labels, classes, wide))
    )
    assert judge_concept(counted, counted, POLICY).severity is Severity.OK


def test_a_shift_is_dated_by_the_first_window_in_a_row_that_told_of_it():
    found = judged(make_rows(1, 8000, riskier="rail"), make_rows(2, 8000))
    first = with_since(found, None, start=datetime(2026, 1, 1, tzinfo=UTC))
    second = with_since(found, first, start=datetime(2026, 2, 1, tzinfo=UTC))
    assert {s.since for s in second.shifts} == {"2026-01-01T00:00:00Z"}
    turned = replace(first, shifts=tuple(replace(shift, shift=-shift.shift) for shift in first.shifts))
    assert {s.since for s in with_since(found, turned, start=datetime(2026, 2, 1, tzinfo=UTC)).shifts} == {
        "2026-02-01T00:00:00Z"
    }
