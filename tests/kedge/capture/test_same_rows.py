"""The same rows through Parquet, CSV, JSON and Data Capture are the same counts."""

import io
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kedge.capture.records import parse_capture
from kedge.columns.casting import columns_of
from kedge.config.reading import parse_model_config
from kedge.profile.counting import count_rows
from kedge.profile.freezing import freeze_baseline
from tests.builders import capture_record, json_lines

CONFIG = parse_model_config(
    """
model: parcels
endpoint: {name: parcels}
features:
  - {name: weight, kind: numeric}
  - {name: length, kind: numeric, dtype: float32}
  - {name: items, kind: numeric, dtype: int64}
  - {name: carrier, kind: categorical}
  - {name: zone, kind: categorical}
  - {name: paid, kind: boolean}
  - {name: bought, kind: timestamp}
""",
    source="parcels.yaml",
)
NOW = datetime(2016, 1, 4, 2, 3, 4, tzinfo=UTC)
TIMES = {"bought": NOW}


def make_rows(seed=0, rows=600):
    rng = np.random.default_rng(seed)
    absent = rng.random(rows) < 0.05
    return pa.table(
        {
            "weight": pa.array(rng.normal(10, 2, rows), mask=absent),
            "length": pa.array(rng.gamma(2, 3, rows).astype(np.float32)),
            "items": pa.array(rng.integers(0, 2**60, rows)),
            "carrier": pa.array(rng.choice(["sea", "road", "å", 'a "b", c', "1.0"], rows)),
            "zone": pa.array(rng.integers(0, 30, rows)),
            "paid": pa.array(rng.random(rows) < 0.3),
            "bought": pa.array(
                [NOW - timedelta(seconds=float(s)) for s in rng.exponential(1e6, rows)], pa.timestamp("us", "UTC")
            ),
            "prediction": rng.beta(2, 5, rows),
        }
    )


def from_csv(table):
    sink = io.BytesIO()
    pyarrow.csv.write_csv(table, sink)
    types = dict.fromkeys(table.column_names, pa.string())
    return pyarrow.csv.read_csv(
        io.BytesIO(sink.getvalue()), convert_options=pyarrow.csv.ConvertOptions(column_types=types)
    )


def from_inferred_csv(table):
    sink = io.BytesIO()
    pyarrow.csv.write_csv(table, sink)
    return pyarrow.csv.read_csv(io.BytesIO(sink.getvalue()))


def from_json(table):
    lines = "\n".join(json.dumps(row, default=str) for row in table.to_pylist())
    return pyarrow.json.read_json(io.BytesIO(lines.encode()))


def from_parquet(table):
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=100)
    return pq.read_table(io.BytesIO(sink.getvalue()), read_dictionary=["carrier"])


def from_capture(table):
    columns = CONFIG.feature_names
    records = [
        capture_record(
            json.dumps({name: row[name] for name in columns}, default=str),
            repr(row["prediction"]),
            eventId=str(i),
            inferenceTime=NOW.isoformat(),
        )
        for i, row in enumerate(table.to_pylist())
    ]
    for record in records:
        record["captureData"]["endpointInput"] |= {"encoding": "JSON", "observedContentType": "application/json"}
    return parse_capture(json_lines(*records), CONFIG, "parcels/AllTraffic/2016/01/04/02/a.jsonl").table


ROWS = make_rows()
BASELINE = freeze_baseline("parcels", "1", columns_of(CONFIG), ROWS, ROWS, times=TIMES)


@pytest.mark.parametrize("way", [from_csv, from_inferred_csv, from_json, from_parquet, from_capture])
@pytest.mark.parametrize("seed", [0, 7])
def test_the_same_rows_are_the_same_counts_whatever_carried_them(way, seed):
    rows = make_rows(seed)
    assert count_rows(BASELINE, way(rows), times=TIMES) == count_rows(BASELINE, rows, times=TIMES)


@pytest.mark.parametrize("way", [from_csv, from_inferred_csv, from_json, from_parquet])
def test_a_baseline_frozen_from_any_of_them_counts_the_same(way):
    frozen = freeze_baseline("parcels", "1", columns_of(CONFIG), way(ROWS), way(ROWS), times=TIMES)
    assert frozen.profile == BASELINE.profile


def test_capture_has_each_rows_own_time():
    rows = from_capture(ROWS)
    assert count_rows(BASELINE, rows, times="kedge_time") == BASELINE.profile


@settings(max_examples=15)
@given(order=st.permutations(range(6)), seed=st.integers(0, 99))
def test_shards_through_different_carriers_add_up_bit_for_bit_in_any_order(order, seed):
    rows = make_rows(seed, 300)
    ways = [from_csv, from_json, from_parquet, from_inferred_csv, from_capture, lambda table: table]
    shards = [way(rows.slice(50 * i, 50)) for i, way in enumerate(ways)]
    total = BASELINE.empty()
    for i in order:
        total = total + count_rows(BASELINE, shards[i], times=TIMES)
    assert total == count_rows(BASELINE, rows, times=TIMES)


def test_decimals_are_the_numbers_that_their_text_says():
    column = columns_of(CONFIG)[:1]
    texts = ["0.57", "0.07", "1234567.89", "0.1"]
    table = pa.table({"weight": texts})
    baseline = freeze_baseline("parcels", "1", column, table, table)
    exact = pa.table({"weight": pa.array(texts).cast(pa.decimal128(12, 2))})
    assert count_rows(baseline, exact) == baseline.profile
