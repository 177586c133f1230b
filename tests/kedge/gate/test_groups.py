"""The holdout by group: slices for the gate, and its rows on fairness."""

import numpy as np
import pyarrow as pa
import pytest

from kedge.gate.groups import fairness_rows, holdout_groupings, holdout_slices
from kedge.gate.holdout import Holdout
from tests.builders import make_config, make_window

FAIR = "fairness: {columns: [carrier], disparate_impact_min: 0.8}"


def holdout(rows=4000):
    rng = np.random.default_rng(2)
    return (
        make_window(rows=rows, air=0.0)
        .append_column("label", pa.array(rng.integers(0, 2, rows).astype(str)))
        .drop_columns(["prediction"])
    )


def scores_for(table, rates):
    """Scores that select each carrier at its rate."""
    carriers = np.array(table.column("carrier").to_pylist())
    chance = np.array([rates.get(carrier, rates["sea"]) for carrier in carriers])
    return np.where(np.random.default_rng(3).random(len(carriers)) < chance, 0.9, 0.1)


def rows_of(table, config, **answers):
    given = Holdout(
        np.zeros(table.num_rows),
        answers["challenger"],
        answers.get("champion"),
        config,
        table,
        holdout_groupings(table, config),
    )
    return fairness_rows(given)


def test_slices_are_the_rows_of_each_group_and_nothing_is_lost():
    table, config = holdout(), make_config()
    slices = holdout_slices(table, holdout_groupings(table, config))
    assert {name.split("=")[0] for name in slices} == {"weight", "items", "carrier"}
    for name in ("weight", "carrier"):
        parts = [rows for key, rows in slices.items() if key.startswith(f"{name}=")]
        assert (np.sum(parts, axis=0) == 1).all()
    assert slices["carrier=sea"].sum() == table.column("carrier").to_pylist().count("sea")


def test_only_the_named_columns_are_slices():
    config = make_config("segments: {columns: [items]}")
    assert list(holdout_groupings(holdout(), config)) == ["items"]


def test_a_challenger_that_breaks_a_limit_is_refused_with_both_groups_named():
    table = holdout()
    (row,) = rows_of(table, make_config(FAIR), challenger=scores_for(table, {"sea": 0.6, "road": 0.2, "rail": 0.6}))
    assert (row.gate, row.verdict, row.limit) == ("fairness carrier disparate_impact", "REFUSE", 0.8)
    assert row.value == pytest.approx(1 / 3, abs=0.06)
    assert "between road and" in row.reason


def test_a_fairer_challenger_may_replace_a_champion_that_is_worse():
    table = holdout()
    answers = {
        "challenger": scores_for(table, {"sea": 0.6, "road": 0.3, "rail": 0.6}),
        "champion": scores_for(table, {"sea": 0.6, "road": 0.1, "rail": 0.6}),
    }
    (row,) = rows_of(table, make_config(FAIR), **answers)
    assert row.verdict == "PASS"
    assert "0.19 -> 0.539 (better)" in row.reason
    (turned,) = rows_of(table, make_config(FAIR), challenger=answers["champion"], champion=answers["challenger"])
    assert turned.verdict == "REFUSE"


def test_equal_treatment_passes_and_without_sensitive_columns_there_is_no_row():
    table = holdout()
    scores = scores_for(table, {"sea": 0.5, "road": 0.5, "rail": 0.5})
    (row,) = rows_of(table, make_config(FAIR), challenger=scores)
    assert row.verdict == "PASS"
    assert rows_of(table, make_config(), challenger=scores) == ()


def test_codes_of_classes_are_judged_as_the_classes_that_they_stand_for():
    table = holdout().drop_columns(["label"])
    labels = np.random.default_rng(4).choice(["a", "b", "c"], table.num_rows)
    table = table.append_column("label", pa.array(labels))
    config = make_config(
        "problem: multiclass_classification\nlabels: {classes: [a, b, c]}\nfairness: {columns: [carrier], favourable: b}"
    )
    road = np.array(table.column("carrier").to_pylist()) == "road"
    (row,) = rows_of(table, config, challenger=np.where(road, -1, 1))
    assert (row.verdict, row.value) == ("PASS", 1.0)
    codes = np.where(road & (np.arange(len(road)) % 2 == 0), 0, 1)
    (row,) = rows_of(table, config, challenger=codes)
    assert (row.verdict, round(row.value, 1)) == ("REFUSE", 0.5)
