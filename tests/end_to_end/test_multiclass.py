"""A model of eight classes through the whole loop, on real guests: measured, lost, retrained, judged, registered, released."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from demo.bookings import CHAMPION_FROM, REPLAY_FROM
from tests.end_to_end.other_problems import Watched, watch

pytestmark = pytest.mark.slow

# Summer's guests book otherwise than October's: nobody of the first months came with an airline.
END = datetime(2015, 10, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def watched(frame: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    directory = tmp_path_factory.mktemp("segments")
    with watch(
        "hotel-segments", frame, "market_segment", directory, since=CHAMPION_FROM, until=REPLAY_FROM, end=END
    ) as watched:
        yield watched


def classes(watched):
    return list(watched.hotel.config.labels.classes)


def test_every_metric_of_every_window_is_scikit_learns_on_the_same_rows(watched):
    names = classes(watched)
    for entry in watched.measured():
        report = entry["detail"]
        answers, truth = zip(*watched.rows_behind(entry), strict=True)
        said = [answer[0] for answer in answers]
        chances = np.array([answer[1:] for answer in answers], float)
        found = {metric["name"]: metric["value"] for metric in report["metrics"]}
        assert report["ripe_rows"] == len(truth)
        expected = {
            "accuracy": sk.accuracy_score(truth, said),
            "macro_f1": sk.f1_score(truth, said, average="macro"),
            "weighted_f1": sk.f1_score(truth, said, average="weighted"),
            # Single precision does not add up to one; the row's own probability is what counts.
            "log_loss": -np.log(chances[np.arange(len(truth)), [names.index(t) for t in truth]]).mean(),
        }
        recalls = sk.recall_score(truth, said, labels=names, average=None, zero_division=np.nan)
        expected |= {f"recall_{n}": r for n, r in zip(names, recalls, strict=True) if np.isfinite(r)}
        assert found == pytest.approx(expected, rel=1e-9)


def test_the_loss_is_found_when_it_is_certain_and_starts_a_retraining(watched):
    *before, lost = watched.measured()
    assert "CRITICAL" not in [entry["detail"]["severity"] for entry in before]
    assert lost["detail"]["severity"] == "CRITICAL"
    reference, right = lost["detail"]["reference"]["accuracy"]["value"], hits(watched.rows_behind(lost))
    means = [np.random.default_rng(seed).choice(right, len(right)).mean() for seed in range(1000)]
    assert np.quantile(means, 0.975) < reference - 0.02
    started = watched.hotel.timeline("retraining_started")[-1]
    assert (started["detail"]["trigger"], started["time"]) == ("performance", lost["time"])


def test_classes_that_the_champion_never_saw_are_part_of_the_account(watched):
    document = watched.reference("1")
    assert document["counts"]["classes"] == classes(watched)
    assert np.array(document["counts"]["confusion"]).shape == (8, 8)
    assert "recall_Aviation" not in document["metrics"]


def test_the_estimate_comes_near_the_accuracy_that_the_labels_show(watched):
    checked = 0
    for entry in watched.measured():
        estimate = {row["name"]: row for row in entry["detail"]["estimate"]["metrics"]}
        measured = {row["name"]: row for row in entry["detail"]["metrics"]}
        checked += (
            estimate["accuracy"]["low"] - 0.05 < measured["accuracy"]["value"] < estimate["accuracy"]["high"] + 0.05
        )
    assert checked == len(watched.measured())


def test_whether_the_concept_moved_is_judged_by_the_captured_probabilities(watched):
    last = watched.measured()[-1]["detail"]["concept_drift"]
    assert last["severity"] != "INSUFFICIENT_DATA"
    assert last["shifts"]


def test_the_answers_confidence_is_counted_from_the_captured_probabilities(watched):
    for entry in watched.measured():
        (report,) = watched.drift_reports(entry)
        chances = np.array([answer[1:] for answer in watched.answers_in(entry)], float)
        first, second = np.sort(chances, axis=1)[:, :-3:-1].T
        assert report["window"]["rows"] == len(chances)
        assert report["confidence"]["mean_margin"]["window"] == pytest.approx((first - second).mean(), abs=1e-3)


def test_the_gate_compared_both_models_accuracy_on_the_same_rows(watched):
    (passed,) = [e["detail"] for e in watched.hotel.timeline("gate_passed") if e["detail"]["champion"] == "1"]
    (row,) = [row for row in passed["rows"] if row["gate"] == "accuracy_improvement"]
    right = {who: hits(watched.holdout(passed["run"], who)) for who in ("challenger", "champion")}
    assert row["value"] == pytest.approx(right["challenger"].mean() - right["champion"].mean(), abs=1e-12)
    assert row["low"] > 0
    assert row["value"] >= row["limit"] == 0.01


def test_the_package_carries_its_metrics_and_was_released_as_a_canary(watched):
    (passed,) = [e["detail"] for e in watched.hotel.timeline("gate_passed") if e["detail"]["champion"] == "1"]
    properties = watched.package("2")["CustomerMetadataProperties"]
    assert properties["kedge:accuracy"] == f"{hits(watched.holdout(passed['run'], 'challenger')).mean():.4f}"
    assert properties["kedge:run"] == passed["run"]
    (promoted,) = watched.hotel.timeline("canary_promoted")
    assert promoted["detail"]["package_version"] == "2"
    assert not watched.hotel.timeline("canary_rolled_back", "release_unproven", "failed")


def hits(rows):
    return np.array([answer[0] == truth for answer, truth in rows])
