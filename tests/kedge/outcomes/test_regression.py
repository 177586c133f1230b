"""Metrics of a regression from sums, against scikit-learn on the rows themselves."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from kedge.outcomes.regression import ErrorCounts, count_errors


def answered(seed, rows, *, tail=None, offset=50.0):
    rng = np.random.default_rng(seed)
    labels = offset + 10 * rng.normal(size=rows)
    noise = rng.normal(size=rows) if tail is None else rng.standard_t(tail, size=rows)
    return labels + 1 + 3 * noise, labels


def test_metrics_equal_scikit_learns():
    answers, labels = answered(1, 4_000)
    found = count_errors(answers, labels, quantile=0.8).metrics()
    expected = {
        "mae": sk.mean_absolute_error(labels, answers),
        "rmse": sk.root_mean_squared_error(labels, answers),
        "mape": sk.mean_absolute_percentage_error(labels, answers),
        "r2": sk.r2_score(labels, answers),
        "quantile_loss": sk.mean_pinball_loss(labels, answers, alpha=0.8),
        "bias": (answers - labels).mean(),
    }
    assert {name: e.value for name, e in found.items()} == pytest.approx(expected, rel=1e-12)


def test_r2_keeps_its_digits_far_from_zero():
    answers, labels = answered(2, 2_000, offset=1e9)
    parts = [count_errors(answers[n::4], labels[n::4]) for n in range(4)]
    added = parts[0] + parts[1] + parts[2] + parts[3]
    assert added.metrics()["r2"].value == pytest.approx(sk.r2_score(labels, answers), rel=1e-9)


def test_errors_are_the_bootstraps():
    answers, labels = answered(3, 800)
    rng, draws = np.random.default_rng(0), []
    for _ in range(600):
        rows = rng.integers(0, 800, 800)
        draws.append([m(labels[rows], answers[rows]) for m in (sk.root_mean_squared_error, sk.r2_score)])
    found = count_errors(answers, labels).metrics()
    for name, error in zip(("rmse", "r2"), np.std(draws, axis=0), strict=True):
        assert found[name].standard_error == pytest.approx(error, rel=0.12), name


@pytest.mark.parametrize(("tail", "least"), [(None, 362), (5, 350)])
def test_intervals_cover_the_truth_as_often_as_they_promise(tail, least):
    truth = count_errors(*answered(100, 2_000_000, tail=tail)).metrics()
    names = ["mae", "bias", "quantile_loss", *(["rmse", "r2", "mape"] if tail is None else [])]
    covered = dict.fromkeys(names, 0)
    for seed in range(400):
        found = count_errors(*answered(seed, 700, tail=tail)).metrics()
        for name in names:
            covered[name] += found[name].low <= truth[name].value <= found[name].high
    assert {name: hits for name, hits in covered.items() if not least <= hits <= 396} == {}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100), st.integers(0, 10_000))
def test_parts_add_up_to_the_whole(cut, seed):
    answers, labels = answered(seed, 100)
    whole = count_errors(answers, labels, costs=np.ones(100)).metrics()
    one, two = (
        count_errors(answers[rows], labels[rows], costs=np.ones(len(labels[rows])))
        for rows in (slice(None, cut), slice(cut, None))
    )
    for added in (one + two, two + one):
        found = added.metrics()
        assert {n: e.value for n, e in found.items()} == pytest.approx({n: e.value for n, e in whole.items()}, rel=1e-9)
        for name in whole:
            assert found[name].standard_error == pytest.approx(whole[name].standard_error, rel=1e-6), name


def test_counts_survive_json():
    counts = count_errors(*answered(4, 50))
    assert ErrorCounts.from_json(json.loads(json.dumps(counts.to_json()))) == counts


def test_what_is_undefined_is_absent():
    assert ErrorCounts().metrics() == {}
    same = count_errors(np.array([1.0, 2.0]), np.array([0.0, 0.0])).metrics()
    assert "r2" not in same
    assert "mape" not in same
    assert same["mae"].value == 1.5


def test_numbers_too_large_to_square_leave_out_what_overflows():
    found = count_errors(np.array([1e308, 0.0]), np.array([0.0, 1.0])).metrics()
    assert all(np.isfinite([e.value, e.standard_error]).all() for e in found.values())
