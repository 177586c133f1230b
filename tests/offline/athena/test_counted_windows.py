"""A window that Athena has counted gets the report that the function writes of its rows, and the function reads no row."""

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from kedge.columns.casting import columns_of
from kedge.estimation.estimators import fit_estimator
from kedge.outcomes.counts import count_outcomes
from kedge.outcomes.outcomes import read_outcomes
from kedge.profile.encoding import encode_baseline
from kedge.profile.freezing import freeze_baseline
from kedge.slices.counts import slice_reference
from kedge.slices.encoding import encode_slices
from tests.label_joins import answered
from tests.offline.athena.deployed import CONFIG, MODEL

FIRST, DAYS, ROWS = date(2016, 1, 5), 14, 150
NOW = datetime(2016, 1, 25, 2, tzinfo=UTC)
WINDOW = {"start": "2016-01-05T00:00:00Z", "end": "2016-01-19T00:00:00Z"}
SEGMENTS = ["Groups", "Online TA", "Direct", None]


def rows_of(rng, day, rows):
    """Bookings with a score and what came of them."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    found = []
    for n in range(rows):
        segment, lead = SEGMENTS[rng.integers(0, 4)], float(rng.integers(0, 300))
        score = float(np.round(rng.beta(2, 3) * (1.5 if segment == "Groups" else 1.0), 3).clip(0, 1))
        time = begin + timedelta(milliseconds=int(rng.integers(0, 86_400_000)))
        others = {f.name: float(rng.integers(0, 5)) for f in CONFIG.features if f.kind == "numeric"}
        row = others | {"kedge_row_id": f"{day}-{n}", "kedge_time": time, "market_segment": segment, "lead_time": lead}
        found.append(row | {"prediction": score, "label": str(int(rng.random() < score))})
    return found


def arrange(deployed):
    """A champion with its baseline, and days that were answered and mostly labelled."""
    rng = np.random.default_rng(3)
    holdout = rows_of(rng, date(2015, 12, 1), 2000)
    table = answered(holdout, CONFIG).append_column("label", pa.array([row["label"] for row in holdout]))
    baseline = freeze_baseline(MODEL, "3", columns_of(CONFIG), table, table)
    outcomes, _ = read_outcomes(table, "prediction", "label", CONFIG)
    reference = {
        "counts": count_outcomes(outcomes, CONFIG).to_json(),
        "metrics": {},
        "estimator": fit_estimator(outcomes, threshold=0.5).to_json(),
    }
    below = f"baselines/{MODEL}/3"
    for name, content in (
        (".npz", encode_baseline(baseline)),
        ("/reference.json", json.dumps(reference).encode()),
        ("/slices.npz", encode_slices(slice_reference(baseline, table, CONFIG))),
    ):
        deployed.s3.put_object(Bucket=deployed.bucket, Key=below + name, Body=content)
    for day in (FIRST + timedelta(days=n) for n in range(DAYS)):
        rows = rows_of(rng, day, ROWS)
        deployed.vouch(day, deployed.part(day, "aa", rows))
        known = [row for row in rows if rng.random() < 0.9]
        late = {row["kedge_row_id"]: row["kedge_time"] + timedelta(hours=int(rng.integers(1, 60))) for row in known}
        labels = [
            {"kedge_row_id": row["kedge_row_id"], "label": row["label"], "kedge_collected": late[row["kedge_row_id"]]}
            for row in known
        ]
        deployed.label({day: labels})


def call(deployed, name, event):
    return deployed.account.invoke_function(deployed.physical("KedgeMonitoring", name), event)


def report(deployed, answer):
    found = deployed.s3.get_object(Bucket=deployed.bucket, Key=answer["performance_key"])
    return json.loads(found["Body"].read())


def flat(document, place=""):
    """A report's numbers by place, and everything else."""
    if isinstance(document, dict):
        return {k: v for key, value in document.items() for k, v in flat(value, f"{place}.{key}").items()}
    if isinstance(document, list):
        return {k: v for n, value in enumerate(document) for k, v in flat(value, f"{place}[{n}]").items()}
    return {place: document}


@pytest.fixture
def deployed(world):
    arrange(world)
    return world


def test_the_report_of_a_window_that_athena_counted_is_that_of_its_rows(deployed):
    event = {"model": MODEL, "time": NOW.isoformat(), "window": WINDOW, "tell": False}
    measured = call(deployed, "MeasurePerformance", event)
    by_rows = report(deployed, measured)
    joined = call(deployed, "JoinLabels", {**event, "start": WINDOW["start"]})
    before = len(deployed.account.calls)
    counted = call(deployed, "MeasurePerformance", joined)
    by_counts = report(deployed, counted)

    assert flat(by_counts) == pytest.approx(flat(by_rows), rel=1e-9)
    assert counted["new_labelled_rows"] == measured["new_labelled_rows"]
    # The test can fail: there is something to compare.
    assert by_rows["ripe_rows"] > 1000
    assert {"segments", "estimate", "concept_drift"} <= by_rows.keys()
    read = [str(made.resources) for made in deployed.account.calls[before:] if made.operation == "GetObject"]
    assert [key for key in read if "predictions/" in key or "labelled/" in key or "/joined/" in key] == []
    assert any("/counts/" in key for key in read)


def test_counts_that_another_question_asked_for_are_asked_for_again(deployed):
    event = {"model": MODEL, "time": NOW.isoformat(), "window": WINDOW, "tell": False}
    asked_before = f"athena/{MODEL}/2-000000000000-r1/"
    by_rows = call(deployed, "MeasurePerformance", event)
    answer = call(deployed, "MeasurePerformance", {**event, "joined_prefix": asked_before})
    assert report(deployed, answer) == report(deployed, by_rows)
