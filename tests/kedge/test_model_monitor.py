import json
import re

import numpy as np
import pyarrow as pa
import pytest

from kedge.config.reading import parse_model_config
from kedge.model_monitor import BUCKETS, constraint_violations, window_statistics
from kedge.profile.counting import count_rows
from tests.builders import YAML, judged, make_baseline, make_config, make_window

CHECKS = {
    "data_type_check", "completeness_check", "baseline_drift_check", "missing_column_check", "extra_column_check",
    "categorical_values_check",
}  # fmt: skip


def statistics_of(table):
    baseline = make_baseline(make_config())
    return window_statistics(baseline, count_rows(baseline, table))


def broken_window():
    """A third of the weights is no number, a third of the carriers is missing, the others are unknown; the items moved."""
    table = make_window(rows=900)
    weight = pa.array(["heavy" if i % 3 == 0 else str(w) for i, w in enumerate(table.column("weight").to_pylist())])
    carrier = pa.array([None if i % 3 == 0 else "balloon" for i in range(900)], pa.string())
    items = pa.array(table.column("items").to_numpy() + 2)
    return pa.table({"weight": weight, "items": items, "carrier": carrier, "prediction": table.column("prediction")})


def test_a_windows_statistics_are_those_of_its_rows():
    table = make_window(rows=4000, shift=0.3, seed=3)
    found = statistics_of(table)
    assert (found["version"], found["dataset"]) == (0, {"item_count": 4000})
    weight = found["features"][0]
    values, told = table.column("weight").to_numpy(), weight["numerical_statistics"]
    assert (weight["name"], weight["inferred_type"]) == ("weight", "Fractional")
    assert told["mean"] == pytest.approx(values.mean(), rel=1e-4)
    assert told["sum"] == pytest.approx(values.sum(), rel=1e-4)
    assert told["std_dev"] == pytest.approx(values.std(), rel=2e-3)
    assert values.min() - 1e-6 <= told["min"] < told["max"] <= values.max() + 1e-6
    assert found["features"][1]["inferred_type"] == "Integral"


def test_a_distribution_has_ten_buckets_that_hold_every_value():
    told = statistics_of(make_window(rows=3000))["features"][1]["numerical_statistics"]
    buckets = told["distribution"]["kll"]["buckets"]
    assert len(buckets) == BUCKETS
    assert sum(bucket["count"] for bucket in buckets) == 3000
    assert (buckets[0]["lower_bound"], buckets[-1]["upper_bound"]) == (told["min"], told["max"])


def test_what_has_no_value_is_missing_and_levels_are_counted_the_unknown_together():
    found = {f["name"]: f for f in statistics_of(broken_window())["features"]}
    assert found["weight"]["numerical_statistics"]["common"] == {"num_present": 600, "num_missing": 300}
    told = found["carrier"]["string_statistics"]
    assert told["common"] == {"num_present": 600, "num_missing": 300}
    assert told["distribution"]["categorical"]["buckets"] == [{"value": "levels unknown to the baseline", "count": 600}]


def test_an_empty_column_has_no_moments():
    table = make_window(rows=5).set_column(0, "weight", pa.array([None] * 5, pa.float64()))
    assert statistics_of(table)["features"][0]["numerical_statistics"] == {
        "common": {"num_present": 0, "num_missing": 5}
    }


def test_statistics_are_json():
    table = make_window(rows=300).set_column(0, "weight", pa.array(np.array([1e308, -1e308, 5e-324] * 100)))
    json.dumps(statistics_of(table), allow_nan=False)


def test_each_fault_is_a_violation_of_the_kind_that_model_monitor_knows():
    found = constraint_violations(judged(broken_window()), make_config())["violations"]
    assert {(v["feature_name"], v["constraint_check_type"]) for v in found} == {
        ("weight", "data_type_check"),
        ("carrier", "completeness_check"),
        ("carrier", "categorical_values_check"),
        ("items", "baseline_drift_check"),
        ("carrier", "baseline_drift_check"),
    }
    assert {v["constraint_check_type"] for v in found} <= CHECKS
    assert {tuple(v) for v in found} == {("feature_name", "constraint_check_type", "description")}


def test_pipelines_that_take_descriptions_apart_find_the_distance_and_its_limit():
    report = judged(make_window(shift=1.0))
    (violation,) = constraint_violations(report, make_config())["violations"]
    distance, threshold = re.search("distance: (.+) exceeds threshold: (.+)", violation["description"]).groups()
    weight = report.drifted[0]
    assert float(distance) == pytest.approx(weight.effect - weight.effect_without_drift, rel=1e-4)
    assert float(threshold) == 0.1
    assert float(distance) > float(threshold)


def test_under_the_psi_rule_the_distance_is_the_psi():
    config = parse_model_config(YAML + "drift: {rule: psi, psi_max: 0.3}", source="parcels.yaml")
    report = judged(make_window(shift=1.0), config=config)
    (violation,) = constraint_violations(report, config)["violations"]
    psi = report.drifted[0].statistics["psi"]
    assert violation["description"] == f"Baseline drift distance: {psi:.6g} exceeds threshold: 0.3"


def test_a_column_that_is_gone_is_missing_as_a_column_too():
    table = make_window(rows=400).set_column(0, "weight", pa.array([None] * 400, pa.float64()))
    found = constraint_violations(judged(table), make_config())["violations"]
    assert found == [
        {
            "feature_name": "weight",
            "constraint_check_type": "completeness_check",
            "description": found[0]["description"],
        },
        {
            "feature_name": "weight",
            "constraint_check_type": "missing_column_check",
            "description": "There are missing columns in current dataset. Number of columns in current dataset: 3, "
            "Number of columns in baseline constraints: 4",
        },
    ]


def test_a_healthy_window_violates_nothing():
    assert constraint_violations(judged(make_window()), make_config()) == {"violations": []}
