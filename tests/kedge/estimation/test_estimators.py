"""Quality estimated without labels: right where P(y given x) holds, and with intervals that hold what they promise."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sk
from sklearn.isotonic import IsotonicRegression

from kedge.config.model import ModelConfig
from kedge.config.policies import PerformanceLimit, PerformancePolicy
from kedge.config.sections import Endpoint, Feature
from kedge.errors import EmptySampleError
from kedge.estimation.calibration import calibration_map, pool_adjacent_violators
from kedge.estimation.estimators import decode_estimator, estimate_answers, fit_estimator
from kedge.estimation.expected_metrics import AnswerCounts, count_answers
from kedge.estimation.report import WindowEstimates, judge_estimate
from kedge.estimation.track_record import Comparison, TrackRecord, compare
from kedge.intervals import Estimate
from kedge.outcomes.binary import BinaryCounts, count_binary
from kedge.outcomes.outcomes import Outcomes
from kedge.severity import Severity

DAY = datetime(2016, 1, 1, tzinfo=UTC)
CONFIG = ModelConfig(model="m", endpoint=Endpoint(name="m"), features=(Feature(name="x", kind="numeric"),))
AUC_LIMIT = PerformanceLimit(metric="auc", tolerance=0.02)


def drawn(rng, rows, *, centre=0.0, sharpness=2.0, distorted=False):
    """Scores with labels that come true with the score's own chance, or with a distortion of it."""
    chance = 1 / (1 + np.exp(-(centre + sharpness * rng.normal(size=rows))))
    labels = (rng.random(rows) < chance).astype(np.int64)
    return (chance**2 if distorted else chance), labels


def binary(scores, labels):
    return Outcomes("binary_classification", scores, labels, ("0", "1"))


def estimated(estimator, scores):
    return estimator.estimate(estimator.count(scores), 0.95)


def realised(scores, labels):
    decided = scores >= 0.5
    return {
        "auc": sk.roc_auc_score(labels, scores),
        "accuracy": sk.accuracy_score(labels, decided),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, decided),
        "precision": sk.precision_score(labels, decided),
        "recall": sk.recall_score(labels, decided),
        "specificity": sk.recall_score(1 - labels, ~decided),
        "f1": sk.f1_score(labels, decided),
        "brier": sk.brier_score_loss(labels, scores),
        "log_loss": sk.log_loss(labels, scores),
        "base_rate": labels.mean(),
    }


@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(-5, 5)), st.integers(0, 1000))
def test_pooling_adjacent_violators_is_scikit_learns_isotonic_regression(values, seed):
    weights = np.random.default_rng(seed).integers(1, 9, len(values)).astype(float)
    expected = IsotonicRegression().fit_transform(np.arange(len(values)), values, sample_weight=weights)
    fitted, blocks = pool_adjacent_violators(values, weights)
    assert fitted == pytest.approx(expected, abs=1e-9)
    assert (np.diff(blocks) >= 0).all()


@pytest.mark.parametrize("distorted", [False, True])
def test_the_map_gives_back_the_chance_that_scores_hide(distorted):
    rng = np.random.default_rng(1)
    scores, labels = drawn(rng, 60_000, distorted=distorted)
    found = calibration_map(count_binary(scores, labels, threshold=0.5))
    asked = np.linspace(0.05, 0.9, 30)
    truth = np.sqrt(asked) if distorted else asked
    assert np.abs(found(asked) - truth).max() < 0.03
    assert (np.diff(found(asked)) >= -1e-12).all()


def test_calibrated_scores_are_left_as_they_are_and_distorted_ones_are_not():
    rng = np.random.default_rng(2)
    weights = [
        calibration_map(count_binary(*drawn(rng, 3_000, distorted=distorted), threshold=0.5)).weight
        for distorted in (False, True)
    ]
    assert weights == [0.0, 1.0]


def test_few_rows_follow_a_curve_and_not_chance():
    """On 60 rows the isotonic curve alone jumps from 0 to 1; the mixed one is nearer to the truth."""
    rng, asked = np.random.default_rng(3), np.linspace(0.1, 0.9, 17)
    ours, isotonic = [], []
    for _ in range(40):
        scores, labels = drawn(rng, 60, distorted=True)
        found = calibration_map(count_binary(scores, labels, threshold=0.5))
        ours.append(np.abs(np.interp(asked, found.scores, found.probabilities) - np.sqrt(asked)).mean())
        plain = IsotonicRegression(out_of_bounds="clip").fit(scores, labels)
        isotonic.append(np.abs(plain.predict(asked) - np.sqrt(asked)).mean())
    assert np.mean(ours) < 0.9 * np.mean(isotonic)


def test_no_reference_teaches_no_map():
    with pytest.raises(EmptySampleError):
        calibration_map(BinaryCounts())


@pytest.mark.parametrize("distorted", [False, True])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(distorted):
    """Inputs move (the window's scores have another centre), P(y given x) does not."""
    rng = np.random.default_rng(4)
    held: dict[str, list[bool]] = {}
    for _ in range(150):
        estimator = fit_estimator(binary(*drawn(rng, 2_000, distorted=distorted)), threshold=0.5)
        scores, labels = drawn(rng, 600, centre=-0.8, sharpness=1.2, distorted=distorted)
        truth = realised(scores, labels)
        for name, found in estimated(estimator, scores).items():
            held.setdefault(name, []).append(found.low <= truth[name] <= found.high)
    shares = {name: np.mean(hits) for name, hits in held.items()}
    assert set(shares) == set(realised(np.array([0.2, 0.8]), np.array([0, 1])))
    assert min(shares.values()) > 0.88, shares


def test_the_estimate_follows_inputs_that_become_harder():
    rng = np.random.default_rng(5)
    estimator = fit_estimator(binary(*drawn(rng, 20_000, distorted=True)), threshold=0.5)
    easy, hard = (drawn(rng, 20_000, sharpness=s, distorted=True) for s in (3.0, 0.5))
    for scores, labels in (easy, hard):
        found, truth = estimated(estimator, scores), realised(scores, labels)
        for name in ("auc", "accuracy", "f1"):
            assert found[name].value == pytest.approx(truth[name], abs=0.02), name


def test_counts_of_parts_estimate_as_the_whole_does():
    rng = np.random.default_rng(6)
    estimator = fit_estimator(binary(*drawn(rng, 1_000)), threshold=0.5)
    scores, _ = drawn(rng, 900)
    parts = [count_answers(scores[a:b], scores[a:b] >= 0.5) for a, b in ((500, 900), (0, 100), (100, 500))]
    added = sum(parts, AnswerCounts())
    assert added.rows == 900
    assert estimator.estimate(added, 0.95) == estimated(estimator, scores)


def test_an_estimator_survives_json():
    rng = np.random.default_rng(7)
    scores, labels = drawn(rng, 800)
    numbers = rng.normal(10, 3, 500)
    three = rng.dirichlet([1, 1, 1], 900)
    classes = np.array([rng.choice(3, p=p) for p in three])
    references = (
        binary(scores, labels),
        Outcomes("regression", numbers, numbers + rng.normal(0, 1, 500)),
        Outcomes("multiclass_classification", three.argmax(axis=1), classes, ("a", "b", "c"), three),
    )
    for reference in references:
        estimator = fit_estimator(reference, threshold=0.5)
        again = decode_estimator(json.loads(json.dumps(estimator.to_json())))
        counted = estimator.count(reference.answers, reference.probabilities)
        assert again.estimate(counted, 0.95) == estimator.estimate(counted, 0.95)


def test_classes_without_probabilities_teach_nothing():
    decided = np.tile([0.0, 1.0], 200)
    assert fit_estimator(binary(decided, decided.astype(np.int64)), threshold=0.5) is None
    codes = np.tile([0, 1, 2], 100)
    assert fit_estimator(Outcomes("multiclass_classification", codes, codes, ("a", "b", "c")), threshold=0.5) is None
    rare = np.concatenate([np.ones(5, np.int64), np.zeros(500, np.int64)])
    assert fit_estimator(binary(np.linspace(0, 1, 505), rare), threshold=0.5) is None


def test_several_classes_are_estimated_from_their_probabilities():
    rng = np.random.default_rng(8)

    def draw(rows, strength):
        logits = strength * rng.normal(size=(rows, 3)) + [0.5, 0.0, -0.5]
        chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        labels = (rng.random((rows, 1)) > np.cumsum(chance, axis=1)).sum(axis=1)
        return Outcomes("multiclass_classification", chance.argmax(axis=1), labels, ("a", "b", "c"), chance)

    estimator = fit_estimator(draw(6_000, 2.0), threshold=0.5)
    window = draw(4_000, 0.8)
    found = estimator.estimate(estimator.count(window.answers, window.probabilities), 0.95)
    assert found["accuracy"].value == pytest.approx(sk.accuracy_score(window.labels, window.answers), abs=0.02)
    expected = sk.f1_score(window.labels, window.answers, average="macro")
    assert found["macro_f1"].value == pytest.approx(expected, abs=0.02)
    recalls = sk.recall_score(window.labels, window.answers, average=None)
    for name, recall in zip("abc", recalls, strict=True):
        assert found[f"recall_{name}"].value == pytest.approx(recall, abs=0.04)


def test_a_class_of_next_to_no_rows_is_taken_at_its_word_and_not_averaged():
    rng = np.random.default_rng(11)
    chance = rng.dirichlet([4, 3, 0.01], 4_000)
    labels = (rng.random((4_000, 1)) > np.cumsum(chance, axis=1)).sum(axis=1)
    kept = (labels != 2) | (np.cumsum(labels == 2) <= 3)
    names = ("a", "b", "never")
    reference = Outcomes("multiclass_classification", chance.argmax(axis=1), labels, names, chance).take(kept)
    estimator = fit_estimator(reference, threshold=0.5)
    found = estimator.estimate(estimator.count(reference.answers, reference.probabilities), 0.95)
    assert found["accuracy"].value == pytest.approx((reference.answers == reference.labels).mean(), abs=0.02)
    assert not {"macro_f1", "recall_never"} & found.keys()
    assert {"recall_a", "recall_b"} <= found.keys()
    assert (
        decode_estimator(json.loads(json.dumps(estimator.to_json()))).estimate(
            estimator.count(reference.answers, reference.probabilities), 0.95
        )
        == found
    )
    alone = reference.take(reference.labels == 0)
    assert fit_estimator(alone, threshold=0.5) is None


def test_a_regressions_loss_is_estimated_from_where_its_answers_lie():
    rng = np.random.default_rng(9)

    def draw(rows, centre):
        answers = rng.normal(centre, 2, rows)
        return answers, answers - rng.normal(0.3, 0.2 + 0.1 * np.abs(answers))

    estimator = fit_estimator(Outcomes("regression", *draw(20_000, 10)), threshold=0.5)
    answers, truth = draw(4_000, 12)
    found = estimator.estimate(estimator.count(answers), 0.95)
    assert found["mae"].value == pytest.approx(sk.mean_absolute_error(truth, answers), rel=0.05)
    assert found["rmse"].value == pytest.approx(sk.root_mean_squared_error(truth, answers), rel=0.05)
    assert found["bias"].low < np.mean(answers - truth) < found["bias"].high
    unmoved = sk.mean_absolute_error(*draw(20_000, 10))
    assert found["mae"].low > unmoved


def test_answers_are_read_from_a_table_and_what_cannot_be_read_is_left_out():
    rng = np.random.default_rng(10)
    estimator = fit_estimator(binary(*drawn(rng, 1_000)), threshold=0.5)
    table = pa.table({"prediction": ["0.9", "0.2", "none of it", None, "1.7"]})
    found, rows = estimate_answers(estimator, [table.slice(0, 1), table.slice(1)], "prediction", CONFIG)
    assert rows == 2
    assert found == estimated(estimator, np.array([0.9, 0.2]))


def auc_of(value, error=0.01):
    return {"auc": Estimate("auc", value, error, value - 1.96 * error, value + 1.96 * error)}


def judged(value, *, record=None, measured=Severity.INSUFFICIENT_DATA, rows=900):
    found = WindowEstimates("confidence_based", auc_of(value), rows, DAY, DAY + timedelta(weeks=1))
    return judge_estimate(
        found, auc_of(0.80), [AUC_LIMIT], PerformancePolicy(), record=record or TrackRecord(), measured=measured
    )


def past(*misses):
    """A record of windows of a week, each estimated with an error of 0.01 and wrong by `miss`."""
    weeks = [DAY + timedelta(weeks=n) for n in range(len(misses) + 1)]
    spans = zip(weeks[:-1], weeks[1:], misses, strict=True)
    return TrackRecord(tuple(Comparison(start, end, "auc", 0.8, 0.01, 0.8 - miss) for start, end, miss in spans))


def test_an_estimator_that_has_been_right_may_raise_the_alarm_that_labels_cannot():
    report = judged(0.70, record=past(0.005, -0.01))
    assert report.severity is Severity.CRITICAL
    assert report.reasons[0].startswith("estimated while labels are out: quality is lost: auc 0.8 -> 0.7 (worse)")
    assert report.to_json()["metrics"][0]["limit"] == pytest.approx(0.78)


def test_without_any_record_an_estimate_warns_at_most():
    assert judged(0.70).severity is Severity.WARNING


def test_an_estimator_that_has_been_wrong_clears_no_limit():
    """Errors of 0.08 where 0.01 was claimed: the interval becomes eight times as wide, and the loss is not certain."""
    blinded = past(0.08, 0.08, 0.08, 0.08, 0.08, 0.08)
    report = judged(0.70, record=blinded)
    assert report.severity is Severity.OK
    assert report.metrics["auc"].high - report.metrics["auc"].value == pytest.approx(
        1.96 * 0.01 * blinded.scale("auc"), rel=1e-4
    )
    assert blinded.weight("auc") < 0.05
    assert "because 6 earlier estimates were that wrong" in report.reasons[0]


def test_weight_falls_with_each_miss_and_comes_back_with_hits():
    weights = [past(*misses).weight("auc") for misses in ((), (0.05,), (0.05, 0.05), (0.05, 0.05, *[0.0] * 10))]
    assert weights[0] == 1.0 > weights[1] > weights[2]
    assert weights[3] == 1.0


@pytest.mark.parametrize("measured", [Severity.OK, Severity.WARNING, Severity.CRITICAL])
def test_where_labels_have_judged_an_estimate_has_no_verdict(measured):
    for value in (0.60, 0.95):
        report = judged(value, record=past(0.0), measured=measured)
        assert report.severity is None
        assert "severity" not in report.to_json()
        assert report.reasons == (f"auc was estimated as {value:.3g} ({value - 0.0196:.2g} to {value + 0.0196:.2g})",)


def test_too_few_answers_estimate_nothing():
    report = judged(0.60, rows=12)
    assert (report.severity, report.reasons) == (
        Severity.INSUFFICIENT_DATA,
        ("12 answers; 100 are needed for an estimate",),
    )


def test_windows_that_share_rows_count_once_in_the_record():
    month = timedelta(days=28)
    weekly = [
        Comparison(DAY + timedelta(weeks=n), DAY + timedelta(weeks=n) + month, "auc", 0.8, 0.01, 0.7) for n in range(8)
    ]
    record = TrackRecord().with_new(weekly[::-1])
    assert [one.end for one in record.independent("auc")] == [weekly[7].end, weekly[3].end]


def test_a_window_judged_again_replaces_itself_in_the_record():
    first, second = (Comparison(DAY, DAY + timedelta(days=7), "auc", 0.8, 0.01, truth) for truth in (0.7, 0.8))
    record = TrackRecord().with_new([first]).with_new([second])
    assert record.comparisons == (second,)
    assert TrackRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_only_what_was_both_estimated_and_measured_is_compared():
    found = compare(auc_of(0.8), auc_of(0.7) | {"mae": auc_of(0.1)["auc"]}, start=DAY, end=DAY + timedelta(days=7))
    assert [(one.metric, one.estimate, one.truth) for one in found] == [("auc", 0.8, 0.7)]
    assert json.loads(json.dumps(found[0].to_json()))["end"] == "2016-01-08T00:00:00Z"
