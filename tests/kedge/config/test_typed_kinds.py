"""Booleans and timestamps in the training rows and in Model Monitor's files."""

import pyarrow as pa

from kedge.columns.casting import Column
from kedge.columns.row_batches import RowBatches
from kedge.config.reading import parse_model_config
from kedge.model_monitor import baseline_constraints, baseline_statistics
from kedge.profile.feature_facts import read_facts
from kedge.retraining.rows import column_description, training_csv, typed_rows

CONFIG = parse_model_config(
    "{model: m, endpoint: {name: m}, features: [{name: paid, kind: boolean}, {name: bought, kind: timestamp}]}",
    source="m.yaml",
)
ROWS = pa.table(
    {
        "kedge_row_id": ["a", "b"],
        "kedge_time": pa.array([86_400_000_000, 86_400_000_000], pa.timestamp("us", "UTC")),
        "paid": ["1", "FALSE"],
        "bought": ["1970-01-01", ""],
        "label": ["1", "0"],
    }
)


def test_training_rows_hold_words_and_instants():
    rows = typed_rows(ROWS, CONFIG)
    assert rows.column("paid").to_pylist() == ["true", "false"]
    assert b"".join(training_csv(rows)).splitlines()[1] == b"a,1970-01-02T00:00:00Z,true,1970-01-01T00:00:00Z,1"
    assert [f["kind"] for f in column_description(CONFIG)["features"]] == ["boolean", "timestamp"]


def test_model_monitors_files_hold_levels_and_ages():
    columns = [Column(f.name, "feature", f.kind, f.declared_dtype) for f in CONFIG.features]
    facts = read_facts(columns, RowBatches.of(typed_rows(ROWS, CONFIG)), times="kedge_time")
    paid, bought = baseline_statistics(facts, rows=2)["features"]
    assert paid["string_statistics"]["distinct_count"] == 2
    assert bought["numerical_statistics"]["mean"] == 1.0
    assert bought["numerical_statistics"]["common"] == {"num_present": 1, "num_missing": 1}
    constraints = baseline_constraints(facts, CONFIG)["features"]
    assert constraints[0]["string_constraints"]["domains"] == ["false", "true"]
    assert constraints[1]["num_constraints"] == {"is_non_negative": True}
