"""The metric of each slice, against scikit-learn on the slice's rows."""

import numpy as np
import pytest
from sklearn import metrics as sk

from kedge.outcomes.outcomes import Outcomes
from kedge.slices.counts import SliceTable, count_singles
from kedge.slices.quality import slice_quality, worse_by, worse_z
from kedge.slices.ruler import freeze_ruler
from tests.builders import make_baseline, make_config, make_window
from tests.kedge.sliced_rows import batches, make_rows, ruler_of


def carrier_masks(table, names):
    carriers = np.array(table.column("carrier").to_pylist())
    return [carriers == name for (name,) in names]


def test_auc_of_a_slice_is_scikit_learns_to_the_width_of_a_cell():
    rows, outcomes = make_rows(3, 20_000)
    table = count_singles(ruler_of(rows), batches(rows, outcomes)).tables[("carrier",)]
    found = slice_quality("binary_classification", table)
    for place, chosen in enumerate(carrier_masks(rows, table.names)):
        if chosen.any():
            expected = sk.roc_auc_score(outcomes.labels[chosen], outcomes.answers[chosen])
            assert found.values[place] == pytest.approx(expected, abs=1.5e-3)


def test_auc_is_exact_where_every_score_has_a_cell_of_its_own():
    labels, scores = np.array([0, 1, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    counts = np.array([np.stack([1 - labels, labels], axis=1)])
    found = slice_quality("binary_classification", SliceTable((("all",),), counts, np.zeros((1, 5, 1))))
    assert found.values[0] == pytest.approx(sk.roc_auc_score(labels, scores), abs=1e-12)


def test_a_slice_of_one_class_has_no_auc():
    counts = np.array([[[5, 0], [3, 0]]])
    found = slice_quality("binary_classification", SliceTable((("all",),), counts, np.zeros((1, 2, 1))))
    assert np.isnan(found.values[0])
    assert found.smaller_class[0] == 0


def test_a_slice_without_a_mistake_is_not_believed_without_doubt():
    counts = np.array([[[40, 0], [0, 40]], [[40, 5], [5, 40]]])
    found = slice_quality("binary_classification", SliceTable((("a",), ("b",)), counts, np.zeros((2, 2, 1))))
    low, high = found.interval(1.96)
    assert found.values[0] == 1.0
    assert low[0] < 0.999
    assert 0 < low[1] < found.values[1] < high[1] < 1


def test_accuracy_and_mean_absolute_error_are_scikit_learns():
    rows = make_window(rows=2000)
    rng = np.random.default_rng(5)
    labels, answers = rng.integers(0, 3, 2000), rng.integers(0, 3, 2000)
    table = count_singles(
        freeze_ruler(make_baseline(make_config(), rows), "multiclass_classification", classes=("a", "b", "c")),
        batches(rows, Outcomes("multiclass_classification", answers, labels, ("a", "b", "c"))),
    ).tables[("carrier",)]
    numbers = rows.column("prediction").to_numpy()
    truth = numbers + rng.normal(0, 0.1, 2000)
    errors = count_singles(
        freeze_ruler(make_baseline(make_config(), rows), "regression"),
        batches(rows, Outcomes("regression", numbers, truth)),
    ).tables[("carrier",)]
    accuracy, mae = slice_quality("multiclass_classification", table), slice_quality("regression", errors)
    for place, chosen in enumerate(carrier_masks(rows, table.names)):
        if chosen.any():
            assert accuracy.values[place] == pytest.approx(
                sk.accuracy_score(labels[chosen], answers[chosen]), abs=1e-12
            )
            assert mae.values[place] == pytest.approx(sk.mean_absolute_error(truth[chosen], numbers[chosen]), abs=1e-12)


def test_worse_is_positive_for_a_lower_accuracy_and_for_a_larger_error():
    good = SliceTable((("x",),), np.array([[[10, 90]]]), np.zeros((1, 1, 0)))
    bad = SliceTable((("x",),), np.array([[[30, 70]]]), np.zeros((1, 1, 0)))
    left, right = (slice_quality("multiclass_classification", table) for table in (bad, good))
    assert worse_by(left, right)[0] == pytest.approx(0.2)
    assert worse_z(left, right)[0] > 3
    small, large = (
        slice_quality(
            "regression", SliceTable((("x",),), np.array([[[100]]]), np.array([[[0.0, mae * 100, mae**2 * 150]]]))
        )
        for mae in (1.0, 1.5)
    )
    assert worse_by(large, small)[0] == pytest.approx(0.5)
    assert worse_z(large, small)[0] > 3


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_of_a_slices_auc_covers_as_it_promises(seed):
    rng = np.random.default_rng(seed)
    truth, covered = 0.7602, 0  # Phi(1 / sqrt 2) for scores a standard deviation apart
    for _ in range(200):
        scores = np.concatenate([rng.normal(0, 1, 150), rng.normal(1, 1, 60)])
        cells = np.searchsorted(np.linspace(-2, 3, 64), scores)
        counts = np.stack([np.bincount(cells[:150], minlength=65), np.bincount(cells[150:], minlength=65)], axis=1)
        found = slice_quality("binary_classification", SliceTable((("all",),), counts[None], np.zeros((1, 65, 1))))
        low, high = found.interval(1.96)
        covered += low[0] <= truth <= high[0]
    assert covered >= 180
