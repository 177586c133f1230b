"""Two triggers fire at once, a held retraining starts when what held it is over, and bad rows are rejected before a job starts."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kedge.retraining.state import WindowVerdict
from kedge.severity import Severity
from lambdas.adapters.state import windows
from lambdas.adapters.state.windows import StoredWindow
from tests.end_to_end.hotel import DAY, HOUR, Hotel

pytestmark = pytest.mark.slow


def judged(hotel: Hotel, *, new_labelled_rows: int) -> None:
    """A window of the champion whose measured quality is lost, as the judge leaves it."""
    promoted = hotel.item("champion")
    assert promoted is not None
    end = hotel.now.replace(minute=0, second=0, microsecond=0)
    verdict = WindowVerdict(end - DAY, end, Severity.OK, Severity.CRITICAL)
    stored = StoredWindow(verdict, promoted["package_version"], "d", 1, new_labelled_rows)
    windows.save_window(hotel.dynamodb, hotel.table, hotel.model, stored)


def forget_first_start(hotel: Hotel) -> None:
    """As if the first champion had been trained long ago: its cooldown of two weeks would take the account hours to live through."""
    for run, start in windows.load_starts(hotel.dynamodb, hotel.table, hotel.model).items():
        key = {"model": {"S": hotel.model}, "item": {"S": f"start#{start.time:%Y-%m-%dT%H:%M:%SZ}#{run}"}}
        hotel.dynamodb.delete_item(TableName=hotel.table, Key=key)


def request(hotel: Hotel, **detail: str) -> None:
    entry = {"Source": "pricing", "DetailType": "kedge.retrain", "Detail": json.dumps(detail), "Time": hotel.now}
    answer = hotel.account.client("events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0


def training_jobs(hotel: Hotel) -> list[str]:
    return [job["TrainingJobName"] for job in hotel.registry.list_training_jobs()["TrainingJobSummaries"]]


@pytest.fixture(scope="module")
def told(hotel: Hotel) -> dict[str, Any]:
    """A loss and another program's event at once, held for want of labels; then labels, and an hour; then rows that leak."""
    jobs = training_jobs(hotel)
    forget_first_start(hotel)
    hotel.wait(2 * HOUR)
    judged(hotel, new_labelled_rows=10)
    request(hotel, model=hotel.model, reason="a new catalogue")
    request(hotel, model="hotel-cancelations", reason="misspelt")
    hotel.wait(HOUR / 6)
    held = hotel.timeline("retraining_held")
    waits = hotel.item("held")

    key = f"initial/{hotel.model}/training.parquet"
    rows = pq.read_table(io.BytesIO(hotel.s3.get_object(Bucket=hotel.bucket, Key=key)["Body"].read()))
    place = rows.column_names.index("adr")
    leaking = rows.set_column(place, "adr", rows.column("label").cast(pa.float64()))
    sink = io.BytesIO()
    pq.write_table(leaking, sink)
    hotel.put(key, sink.getvalue())
    judged(hotel, new_labelled_rows=5000)
    hotel.wait(2 * HOUR)
    return {"jobs": jobs, "held": held, "waits": waits}


def test_both_triggers_are_named_and_what_would_lift_the_hold(hotel: Hotel, told: dict[str, Any]) -> None:
    (entry,) = told["held"]
    assert entry["detail"]["triggers"] == ["performance", "event"]
    assert entry["detail"]["hold"] == told["waits"]["hold"] == "no_new_labels"
    assert entry["detail"]["lifts"] == ["490 more labelled rows (retraining.min_new_labelled_rows)"]
    (mail,) = hotel.mails_saying("a wanted retraining is held", "490 more labelled rows")
    assert "pricing requested it at" in mail.body


def test_an_event_for_a_model_that_is_not_there_is_refused_in_words(hotel: Hotel, told: dict[str, Any]) -> None:
    (mail,) = hotel.mails_saying("an event kedge.retrain was refused")
    assert "no model is named hotel-cancelations; deployed models are: hotel-cancellations" in mail.body


def test_the_held_retraining_starts_within_an_hour_of_the_labels(hotel: Hotel, told: dict[str, Any]) -> None:
    # The first of all is that of the first champion.
    (started,) = [e for e in hotel.timeline("retraining_started") if e["detail"]["trigger"] != "initial"]
    assert started["detail"]["triggers"] == ["performance", "event"]
    assert hotel.item("held") is None


def test_rows_with_a_feature_that_gives_the_label_away_are_rejected_before_a_job_starts(
    hotel: Hotel, told: dict[str, Any]
) -> None:
    (rejected,) = hotel.timeline("data_rejected")
    assert rejected["detail"]["reasons"] == [
        "leakage: feature adr alone predicts the label with an AUC of 1.0000; training.validation.single_feature_max is 0.995. Take it "
        "out of the features, or say training.validation.columns.adr.may_predict_alone: true"
    ]
    assert hotel.mails_saying("the rows for a retraining were rejected", "feature adr alone predicts the label")
    assert training_jobs(hotel) == told["jobs"]
    assert hotel.item("lease") is None
