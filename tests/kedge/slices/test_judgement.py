"""The parts that slices add to the report's "performance", from a table of answers and labels."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from kedge.slices.counts import slice_reference
from kedge.slices.fairness import WindowRows
from kedge.slices.judgement import window_slices
from tests.builders import make_baseline, make_config, make_window

START = datetime(2026, 1, 5, tzinfo=UTC)


def labelled(seed, rows=6000):
    table = make_window(rows=rows, seed=seed)
    labels = np.random.default_rng(seed).random(rows) < table.column("prediction").to_numpy()
    return table.append_column("label", pa.array(labels.astype(int)))


def parts(table, config, *, ripe=None, reference=True):
    before = slice_reference(make_baseline(config, labelled(1)), labelled(1), config) if reference else None
    ripe = np.ones(table.num_rows, bool) if ripe is None else ripe
    return window_slices(WindowRows(table, "prediction", "label", ripe), before, config, start=START)


def test_a_window_like_the_reference_has_empty_segments_and_no_shift():
    found = parts(labelled(2), make_config("segments: {p_value_min: 0.0001}"))
    assert found.keys() == {"segments", "concept_drift"}
    assert [s for s in found["segments"] if s["severity"] == "CRITICAL"] == []
    assert (found["concept_drift"]["severity"], found["concept_drift"]["shifts"]) == ("OK", [])


def test_without_a_reference_and_sensitive_columns_every_part_is_absent():
    assert parts(labelled(2), make_config(), reference=False) == {}


def test_labels_that_are_not_ripe_judge_nothing_but_their_rows_decisions_count():
    table, config = labelled(2), make_config("fairness: {columns: [carrier]}")
    young = parts(table, config, ripe=np.zeros(table.num_rows, bool))
    assert (young["segments"], young["concept_drift"]["severity"]) == ([], "INSUFFICIENT_DATA")
    (column,) = young["fairness"]["columns"]
    assert sum(group["rows"] for group in column["groups"]) == table.num_rows
    assert not [group for group in column["groups"] if "true_positive_rate" in group]
    (ripe,) = parts(table, config)["fairness"]["columns"]
    assert [group for group in ripe["groups"] if "true_positive_rate" in group]


def test_a_sensitive_column_that_is_not_there_is_not_judged():
    config = make_config("labels: {fields: [sex]}\nfairness: {columns: [sex]}")
    assert "fairness" not in parts(labelled(2), config)
