"""A year of answers: Athena selects, and the function's memory and calls follow what is wanted, not what there is."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from kedge.config.reading import parse_model_config
from offline.account import Account
from tests.adapters.state_table import make_state_table
from tests.handlers.aws_world import BUCKET, MODEL, SNAPSHOT_ENVIRONMENT, TABLE
from tests.handlers.large_history import write_history
from tests.handlers.memory_watch import run_apart
from tests.synthesised import EXAMPLE, example_models

DAYS, WANTED = 365, 20_000
YEAR = date(2016, 1, 1)
EVENT = {"model": MODEL, "run": "run-1", "time": "2017-01-03T00:00:00Z"}
MORE = f"""
labels: {{label_horizon_days: 3, athena_from_bytes: 0}}
training: {{window_days: 400, class_ratio_max: 1, maximum_rows: {WANTED}, maximum_holdout_rows: 5000}}
"""
# Athena selects the model's rows.
YAML = (example_models() / EXAMPLE).read_text() + MORE
ENVIRONMENT = SNAPSHOT_ENVIRONMENT | {
    "DATA_BUCKET": BUCKET,
    "STATE_TABLE": TABLE,
    "POWERTOOLS_TRACE_DISABLED": "true",
}


@pytest.fixture
def account(monkeypatch, tmp_path):
    """An account with an Athena, served to functions in processes of their own."""
    with Account(start=datetime(2017, 1, 3, tzinfo=UTC), directory=tmp_path / "account") as account:
        place = {"LocationConstraint": account.region}
        account.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
        account.client("s3").put_object(Bucket=BUCKET, Key=f"deployed/{EXAMPLE}", Body=YAML.encode())
        make_state_table(account.client("dynamodb"), TABLE)
        result = {"ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/athena/queries/"}}
        account.client("athena").create_work_group(Name="kedge", Configuration=result)
        account.client("glue").create_database(DatabaseInput={"Name": "kedge"})
        server = account.serve(0)
        for name, value in (ENVIRONMENT | {"KEDGE_TEST_ENDPOINT": server.url}).items():
            monkeypatch.setenv(name, value)
        yield account
        server.close()


def snapshot(account: Account, rows_a_day: int) -> dict[str, Any]:
    """The answer and the peak of a retraining over a year of so many rows a day."""
    s3, config = account.client("s3"), parse_model_config(YAML, source="m")
    put = lambda key, body: s3.put_object(Bucket=BUCKET, Key=key, Body=body)  # noqa: E731
    write_history(put, config, first=YEAR, days=DAYS, rows_a_day=rows_a_day)
    found = run_apart("snapshot_data", EVENT | {"run": f"run-{rows_a_day}"})
    assert found["error"] is None, found["error"]
    assert found["answer"]["verdict"] == "READY", found["answer"]["reasons"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("few", "many"), [(500, 2500)])
def test_a_year_takes_no_more_memory_the_more_rows_it_has(account, few, many):
    peaks = []
    for rows_a_day in (few, many):
        found = snapshot(account, rows_a_day)
        taken = found["answer"]["snapshot"]
        assert (taken["train_rows"], taken["holdout_rows"]) == (WANTED, 5000)
        peaks.append(found["mib"])
    print(peaks)
    assert peaks[1] < peaks[0] + 40, peaks
    key = f"retraining/{MODEL}/run-{many}/training.parquet"
    body = account.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    rows = pq.read_table(pa.BufferReader(body))
    assert Counter(rows.column("label").to_pylist()) == {"0": WANTED // 2, "1": WANTED // 2}
    assert len(pc.unique(rows.column("kedge_row_id"))) == WANTED
