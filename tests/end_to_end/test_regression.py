"""A regression through the whole loop, on real prices: measured, lost, retrained, judged, registered, released."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from tests.end_to_end.other_problems import Watched, watch

pytestmark = pytest.mark.slow

# Winter's prices are learnt; in the second half of March they rise for Easter, and one guest is put down with 5,400.
LEARNT_FROM, FROM, END = (datetime(*day, tzinfo=UTC) for day in ((2015, 11, 1), (2016, 3, 1), (2016, 3, 29)))


@pytest.fixture(scope="module")
def watched(frame: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    directory = tmp_path_factory.mktemp("prices")
    with watch("hotel-prices", frame, "adr", directory, since=LEARNT_FROM, until=FROM, end=END) as watched:
        yield watched


def numbers(rows):
    """Answers and truths, an array each."""
    return np.array([[float(answer[0]), float(truth)] for answer, truth in rows]).T


def test_every_metric_of_every_window_is_scikit_learns_on_the_same_rows(watched):
    for entry in watched.measured():
        answers, truth = numbers(watched.rows_behind(entry))
        assert entry["detail"]["ripe_rows"] == len(truth)
        paid = truth != 0
        expected = {
            "mae": sk.mean_absolute_error(truth, answers),
            "rmse": sk.root_mean_squared_error(truth, answers),
            "r2": sk.r2_score(truth, answers),
            "quantile_loss": sk.mean_pinball_loss(truth, answers, alpha=0.5),
            "mape": sk.mean_absolute_percentage_error(truth[paid], answers[paid]),
            "bias": (answers - truth).mean(),
        }
        found = {metric["name"]: metric["value"] for metric in entry["detail"]["metrics"]}
        assert found == pytest.approx(expected, rel=1e-9)
    assert not paid.all(), "nights for nothing are among the rows"


def test_every_window_was_joined_by_athena(watched):
    hotel = watched.hotel
    found = hotel.account.client("s3").list_objects_v2(Bucket=hotel.bucket, Prefix="athena/hotel-prices/")["Contents"]
    # A schedule may fire twice, and then a window is joined twice.
    joined = {item["LastModified"].date() for item in found if "/joined/" in item["Key"]}
    assert joined == {datetime.fromisoformat(entry["time"]).date() for entry in watched.measured()}


def test_the_loss_is_found_when_it_is_certain_and_starts_a_retraining(watched):
    *before, lost = watched.measured()
    assert "CRITICAL" not in [entry["detail"]["severity"] for entry in before]
    assert lost["detail"]["severity"] == "CRITICAL"
    errors = np.abs(np.subtract(*numbers(watched.rows_behind(lost))))
    means = [np.random.default_rng(seed).choice(errors, len(errors)).mean() for seed in range(1000)]
    assert np.quantile(means, 0.025) > 1.1 * lost["detail"]["reference"]["mae"]["value"]
    started = watched.hotel.timeline("retraining_started")[-1]
    assert (started["detail"]["trigger"], started["time"]) == ("performance", lost["time"])


def test_the_estimate_says_what_error_these_answers_let_expect(watched):
    first = watched.measured()[0]["detail"]
    estimate, measured = ({row["name"]: row for row in part["metrics"]} for part in (first["estimate"], first))
    assert estimate["mae"]["low"] < measured["mae"]["value"] < estimate["mae"]["high"]


def test_whether_the_concept_moved_is_judged_by_the_errors(watched):
    last = watched.measured()[-1]["detail"]["concept_drift"]
    answers, truth = numbers(watched.rows_behind(watched.measured()[-1]))
    (everywhere,) = [shift for shift in last["shifts"] if shift["where"] == "all rows"]
    assert everywhere["observed"] == pytest.approx((truth - answers).mean(), rel=1e-9)


def test_the_gate_compared_both_models_errors_on_the_same_rows(watched):
    (passed,) = [e["detail"] for e in watched.hotel.timeline("gate_passed") if e["detail"]["champion"] == "1"]
    (row,) = [row for row in passed["rows"] if row["gate"] == "mae_improvement"]
    error = {w: np.abs(np.subtract(*numbers(watched.holdout(passed["run"], w)))) for w in ("challenger", "champion")}
    assert row["value"] == pytest.approx((error["champion"] - error["challenger"]).mean(), abs=1e-9)
    assert row["low"] > 0
    assert row["limit"] == pytest.approx(0.01 * error["champion"].mean())


def test_athena_selected_what_the_challenger_learnt_from(watched):
    (passed,) = [e["detail"] for e in watched.hotel.timeline("gate_passed") if e["detail"]["champion"] == "1"]
    unloaded = watched.hotel.objects(f"athena/{watched.hotel.model}/{passed['run']}-")
    assert {key.split("/")[2].rpartition("-")[2] for key in unloaded if "/joined/" in key} == {"hours", "hour", "rows"}


def test_shuffled_rows_were_scored_too_and_weigh_the_features_much_as_training_does(watched):
    (passed,) = [e["detail"] for e in watched.hotel.timeline("gate_passed") if e["detail"]["champion"] == "1"]
    shuffled, weights = watched.shuffled(passed["run"]), watched.importance("2")
    assert len({len(rows) for rows in shuffled.values()}) == 1
    cost = {}
    for name, rows in shuffled.items():
        before, after, truth = np.array(rows, float).T
        cost[name] = (np.abs(after - truth) - np.abs(before - truth)).mean()
    first = max(cost, key=cost.__getitem__)
    # The job's gains are another measure of the same: what one puts first, the other does not put last.
    assert cost[first] > 0
    assert first in sorted(weights, key=weights.__getitem__)[-4:]


def test_the_package_carries_its_metrics_and_was_released_as_a_canary(watched):
    (passed,) = [e["detail"] for e in watched.hotel.timeline("gate_passed") if e["detail"]["champion"] == "1"]
    answers, truth = numbers(watched.holdout(passed["run"], "challenger"))
    properties = watched.package("2")["CustomerMetadataProperties"]
    assert properties["kedge:mae"] == f"{sk.mean_absolute_error(truth, answers):.4f}"
    assert watched.reference("2")["metrics"]["r2"] == pytest.approx(sk.r2_score(truth, answers), rel=1e-9)
    (promoted,) = watched.hotel.timeline("canary_promoted")
    assert promoted["detail"]["package_version"] == "2"
    assert not watched.hotel.timeline("canary_rolled_back", "release_unproven", "failed")
