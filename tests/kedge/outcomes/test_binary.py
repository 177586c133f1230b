"""Two-class metrics from counts, against scikit-learn on the rows themselves."""

import json
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from kedge.errors import EmptySampleError
from kedge.outcomes.binary import BinaryCounts, auc, average_precision, count_binary
from kedge.outcomes.score_cells import CELL_OF_ONE, CELL_OF_ZERO, cells_of, middles_of


def scored(seed, rows, strength=1.5):
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < 0.3).astype(np.int64)
    scores = 1 / (1 + np.exp(-(rng.normal(size=rows) + strength * (labels - 0.5) - 0.8)))
    return scores, labels


def counted(scores, labels, threshold=0.5):
    return count_binary(scores, labels, threshold=threshold)


def test_metrics_equal_scikit_learns():
    scores, labels = scored(1, 5_000)
    found = counted(scores, labels).metrics()
    decided = scores >= 0.5
    expected = {
        "accuracy": sk.accuracy_score(labels, decided),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, decided),
        "precision": sk.precision_score(labels, decided),
        "recall": sk.recall_score(labels, decided),
        "f1": sk.f1_score(labels, decided),
        "brier": sk.brier_score_loss(labels, scores),
        "log_loss": sk.log_loss(labels, scores),
        "base_rate": labels.mean(),
        "calibration_in_the_large": scores.mean() - labels.mean(),
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, rel=1e-12), name
    assert found["auc"].value == pytest.approx(sk.roc_auc_score(labels, scores), rel=1e-12)
    assert found["average_precision"].value == pytest.approx(sk.average_precision_score(labels, scores), rel=1e-12)


def test_certain_answers_cost_what_scikit_learn_says():
    scores, labels = np.array([0.0, 1.0, 1.0, 0.5, 1e-300]), np.array([0, 1, 0, 1, 1])
    assert counted(scores, labels).metrics()["log_loss"].value == pytest.approx(sk.log_loss(labels, scores), rel=1e-12)


def test_calibration_error_is_that_of_ten_bins_counted_by_hand():
    scores, labels = scored(9, 3_000)
    edges, total = np.linspace(0, 1, 11), 0.0
    for low, high in pairwise(edges):
        rows = (scores > low) & (scores <= high)
        total += abs(scores[rows].sum() - labels[rows].sum()) / len(scores)
    assert counted(scores, labels).metrics()["expected_calibration_error"].value == pytest.approx(total, rel=1e-12)


def crowded(kind, rows):
    rng = np.random.default_rng(11)
    labels = (rng.random(rows) < 0.02).astype(np.int64)
    signal = rng.normal(size=rows) + 1.2 * labels
    return {
        "spread over all odds": 1 / (1 + np.exp(-3 * signal)),
        "in float32": (1 / (1 + np.exp(-signal))).astype(np.float32).astype(np.float64),
        "next to zero": np.exp(signal - 30),
        "next to one": 1 - np.exp(signal - 30),
        "within a thousandth of 0.3": 0.3 + 1e-4 * signal.clip(-8, 8),
        "two decimals": np.round(1 / (1 + np.exp(-signal)), 2),
        "mostly one value": np.where(rng.random(rows) < 0.95, 0.01, 1 / (1 + np.exp(-signal))),
        "with many certain": np.where(signal > 1, 1.0, np.where(signal < -1, 0.0, 0.5)),
    }[kind], labels


@pytest.mark.parametrize(
    "kind",
    ["spread over all odds", "in float32", "next to zero", "next to one", "within a thousandth of 0.3", "two decimals",
     "mostly one value", "with many certain"],
)  # fmt: skip
def test_ranking_of_crowded_scores_is_scikit_learns_on_many_rows(kind):
    scores, labels = crowded(kind, 200_000)
    found = counted(scores, labels).metrics()
    assert found["auc"].value == pytest.approx(sk.roc_auc_score(labels, scores), abs=1e-6)
    assert found["average_precision"].value == pytest.approx(sk.average_precision_score(labels, scores), abs=1e-6)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=60))
def test_cells_keep_the_order_of_scores_and_their_middles_lie_beside_them(scores):
    ordered = np.sort(np.array(scores))
    cells = cells_of(ordered)
    assert (np.diff(cells) >= 0).all()
    assert ((cells >= CELL_OF_ZERO) & (cells <= CELL_OF_ONE)).all()
    away = np.minimum(ordered, 1 - ordered)
    assert (np.abs(middles_of(cells) - ordered) <= away / 2e8 + 1e-300).all()


def test_more_scores_than_cells_are_counted_coarser_in_any_order():
    scores, labels = scored(12, 3 * 2**19)
    parts = [counted(scores[n::3], labels[n::3]) for n in range(3)]
    whole = counted(scores, labels)
    assert parts[0].cleared_bits == 0 < whole.cleared_bits
    assert len(whole.cells) <= 2**20
    for added in (parts[0] + parts[1] + parts[2], parts[2] + (parts[1] + parts[0])):
        assert (added.cells == whole.cells).all()
        assert (added.positive == whole.positive).all()
        assert added.cleared_bits == whole.cleared_bits
    assert whole.metrics()["auc"].value == pytest.approx(sk.roc_auc_score(labels, scores), abs=1e-6)


def test_errors_of_auc_and_average_precision_are_the_bootstraps():
    scores, labels = scored(2, 1_000)
    counts, rng, draws = counted(scores, labels), np.random.default_rng(0), []
    for _ in range(400):
        rows = rng.integers(0, len(labels), len(labels))
        draws.append(
            [measure(labels[rows], scores[rows]) for measure in (sk.roc_auc_score, sk.average_precision_score)]
        )
    by_bootstrap = np.std(draws, axis=0)
    assert auc(counts)[1] == pytest.approx(by_bootstrap[0], rel=0.12)
    assert average_precision(counts)[1] == pytest.approx(by_bootstrap[1], rel=0.12)


def test_intervals_cover_the_truth_as_often_as_they_promise():
    truth = counted(*scored(100, 1_000_000)).metrics()
    names = [name for name in truth if name != "expected_calibration_error"]
    covered = dict.fromkeys(names, 0)
    for seed in range(400):
        found = counted(*scored(seed, 800)).metrics()
        for name in names:
            covered[name] += found[name].low <= truth[name].value <= found[name].high
    # 400 repeats at 95 %: 366 is four standard errors low, 394 as many high.
    assert {name: hits for name, hits in covered.items() if not 362 <= hits <= 396} == {}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 200), st.integers(0, 10_000))
def test_counts_of_parts_add_up_to_the_counts_of_the_whole(cut, seed):
    scores, labels = scored(seed, 200)
    costs = np.arange(200.0)
    whole = count_binary(scores, labels, threshold=0.5, costs=costs)
    one, two = (
        count_binary(scores[part], labels[part], threshold=0.5, costs=costs[part])
        for part in (slice(None, cut), slice(cut, None))
    )
    for added in (one + two, two + one, BinaryCounts() + one + two):
        for name in ("cells", "positive", "negative", "confusion"):
            assert (getattr(added, name) == getattr(whole, name)).all(), name
        assert added.squared_error == pytest.approx(whole.squared_error)
        assert added.bins == pytest.approx(whole.bins)
        assert added.costs.lost == pytest.approx(whole.costs.lost)


def test_counts_survive_json():
    counts = counted(*scored(3, 300), threshold=0.4)
    again = BinaryCounts.from_json(json.loads(json.dumps(counts.to_json())))
    assert again.metrics() == counts.metrics()


def test_a_stored_reference_stays_small():
    assert len(json.dumps(counted(*scored(4, 20_000)).to_json())) < 20_000 * 8


def test_one_class_leaves_ranking_undefined_and_says_so():
    counts = counted(np.full(500, 0.2), np.zeros(500, np.int64))
    assert {"auc", "average_precision", "balanced_accuracy"}.isdisjoint(counts.metrics())
    assert counts.metrics()["base_rate"].value == 0
    with pytest.raises(EmptySampleError, match="positive class"):
        auc(counts)


def test_decisions_in_a_probabilitys_place_define_only_metrics_of_decisions():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 400)
    decided = np.where(rng.random(400) < 0.8, labels, 1 - labels).astype(float)
    found = counted(decided, labels).metrics()
    assert {"auc", "brier", "log_loss", "expected_calibration_error"}.isdisjoint(found)
    assert found["balanced_accuracy"].value == pytest.approx(sk.roc_auc_score(labels, decided))


def test_no_rows_define_nothing():
    assert BinaryCounts().metrics() == {}


def test_a_million_rows_cost_less_than_a_second():
    scores, labels = scored(6, 1_000_000)
    began = time.process_time()
    counted(scores, labels).metrics()
    assert time.process_time() - began < 1.0
