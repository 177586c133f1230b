import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from kedge.columns.casting import columns_of
from kedge.config.reading import parse_model_config
from kedge.drift.report import judge_drift
from kedge.errors import BaselineMismatchError
from kedge.profile.counting import count_rows
from kedge.profile.freezing import freeze_baseline
from kedge.severity import Severity
from kedge.statistics.every_statistic import DISTANCES, TESTS_OF_LEVELS, TESTS_OF_NUMBERS
from tests.builders import END, START, YAML, judged, make_baseline, make_config, make_window

ROOT = Path(__file__).parents[3]
# Of every statistic of the list; a numeric column's distance in its own unit is not one of them.
NUMERIC = {
    "wasserstein_distance",
    *(f"{name}_{part}" for name in TESTS_OF_NUMBERS for part in ("statistic", "p_value")),
}
CATEGORICAL = {f"{name}_{part}" for name in TESTS_OF_LEVELS for part in ("statistic", "p_value")}


def column_of(report, name):
    return next(column for column in report.columns if column.column.name == name)


def test_an_undrifted_window_is_ok_and_says_so():
    report = judged(make_window())
    assert report.severity is Severity.OK
    assert report.reasons == ("no column of 4 moved beyond its limits",)


def test_a_shifted_feature_is_critical_with_the_reason_in_words():
    report = judged(make_window(shift=1.0))
    assert report.severity is Severity.CRITICAL
    assert [c.column.name for c in report.drifted] == ["weight"]
    (reason,) = report.reasons
    assert reason.startswith("weight: KS 0.")
    assert "without drift; limit 0.1), PSI " in reason
    assert "the median moved from 9.9" in reason or "the median moved from 10" in reason


def test_a_moved_share_is_critical_and_names_the_level():
    report = judged(make_window(air=0.35))
    assert [c.column.name for c in report.drifted] == ["carrier"]
    assert "the share of 'air' moved from 9.6% to 3" in report.reasons[0]


def test_drift_of_the_prediction_is_found_as_that_of_a_feature():
    window = make_window()
    window = window.set_column(3, "prediction", pc.multiply(window.column("prediction"), 0.5))
    report = judged(window)
    assert [(c.column.name, c.column.role) for c in report.drifted] == [("prediction", "prediction")]


def test_a_small_shift_is_a_warning():
    report = judged(make_window(rows=8000, shift=0.22, seed=5))
    assert column_of(report, "weight").severity is Severity.WARNING
    assert "without drift; limit 0.05), PSI" in report.reasons[0]


@pytest.mark.parametrize("rows", [200, 1000, 5000])
def test_undrifted_windows_do_not_alarm(rows):
    config = make_config()
    baseline = make_baseline(config)
    alarms = [judged(make_window(rows=rows, seed=seed), config, baseline).severity for seed in range(60)]
    assert alarms.count(Severity.OK) == 60


def test_a_large_window_with_a_certain_but_tiny_shift_is_ok():
    report = judged(
        make_window(rows=100_000, shift=0.06, seed=6), baseline=make_baseline(make_config(), make_window(rows=100_000))
    )
    assert column_of(report, "weight").p_value_adjusted < 1e-6
    assert report.severity is Severity.OK


def test_too_few_rows_say_how_many_are_needed():
    report = judged(make_window(rows=50, shift=5))
    assert report.severity is not Severity.CRITICAL
    assert column_of(report, "carrier").drift is Severity.INSUFFICIENT_DATA
    quiet = judged(make_window(rows=50))
    assert quiet.severity is Severity.INSUFFICIENT_DATA
    assert quiet.reasons == ("the window has 50 rows; 200 are needed to judge drift",)
    assert {c["rows_needed"] for c in quiet.to_json()["columns"]} == {200}


def test_an_empty_window_is_insufficient_data():
    report = judged(make_window(rows=1).slice(1))
    assert report.severity is Severity.INSUFFICIENT_DATA
    assert report.reasons == ("the window has 0 rows; 200 are needed to judge drift",)


def test_a_column_without_values_is_insufficient_by_itself():
    window = make_window().set_column(0, "weight", pa.nulls(1000, pa.float64()))
    report = judged(window)
    assert column_of(report, "weight").drift is Severity.INSUFFICIENT_DATA
    assert column_of(report, "weight").severity is Severity.CRITICAL
    assert "weight: 1,000 of 1,000 rows (100%) have no value" in report.reasons[0]


@pytest.mark.parametrize(
    ("rule", "own"), [("effect", "effect_max: 0.03"), ("sensitive", "effect_max: 0.03"), ("psi", "psi_max: 0.01")]
)
def test_a_columns_own_limit_overrides_the_models(rule, own):
    window, policy = make_window(rows=5000, shift=0.16, seed=7), f"drift: {{rule: {rule}}}\n"
    plain = make_config(policy)
    strict = parse_model_config(
        YAML.replace("{name: weight, kind: numeric}", f"{{name: weight, kind: numeric, {own}}}") + policy, source="own"
    )
    assert column_of(judged(window, plain), "weight").severity < Severity.CRITICAL
    assert column_of(judged(window, strict), "weight").severity is Severity.CRITICAL


def test_the_sensitive_rule_finds_what_the_default_lets_pass():
    window, baseline = make_window(rows=5000, shift=0.1, seed=3), make_baseline(make_config(), make_window(rows=50_000))
    found = {
        rule: column_of(judged(window, make_config(f"drift: {{rule: {rule}}}"), baseline), "weight").severity
        for rule in ("effect", "sensitive", "psi")
    }
    assert found == {"effect": Severity.OK, "sensitive": Severity.WARNING, "psi": Severity.OK}


def test_the_psi_rule_is_the_raw_psi_against_its_limits_whatever_chance_says():
    config = make_config("drift: {rule: psi, psi_warning: 0.05, psi_max: 0.1, minimum_rows: 20}")
    column = column_of(judged(make_window(rows=40, seed=3), config), "weight")
    assert column.statistics["psi"] > 0.1
    assert column.drift is Severity.CRITICAL
    assert column.p_value_adjusted > 0.1
    assert column.smallest_detectable_effect is None
    assert column.reason.startswith(f"weight: PSI {column.statistics['psi']:.3f} (limit 0.1);")


def test_the_windows_level_is_its_share_of_the_alert_budget():
    config, baseline = make_config(), make_baseline(make_config())
    window = count_rows(baseline, make_window())
    levels = [
        judge_drift(baseline, window, config, start=START, end=START + length).to_json()["decision"]["level"]
        for length in (timedelta(days=1), timedelta(days=28), timedelta(0))
    ]
    assert levels == [1 / 365, 0.01, 0.01]
    generous = make_config("drift: {alert_budget_per_year: 2}")
    report = judge_drift(baseline, window, generous, start=START, end=START + timedelta(days=1)).to_json()
    assert report["decision"] == {"rule": "effect", "level": 2 / 365, "tests": 5 + len(report["quality"])}


def test_rows_that_repeat_each_other_are_less_proof_and_the_report_says_how_much_less():
    baseline = make_baseline(make_config())
    window = count_rows(baseline, make_window(rows=1000, shift=0.4, seed=4))

    def weight(effects, own):
        report = judge_drift(
            replace(baseline, design_effects=own), window, make_config(), start=START, end=END, design_effects=effects
        )
        return column_of(report, "weight")

    alone, repeated = weight(None, {}), weight({"weight": 12.0}, {"weight": 3.0})
    assert (alone.drift, repeated.drift) == (Severity.CRITICAL, Severity.OK)
    assert (alone.design_effect, repeated.design_effect) == (1.0, 12.0)
    assert repeated.statistics == alone.statistics
    assert repeated.effect_without_drift == pytest.approx(alone.effect_without_drift * 12**0.5)
    assert repeated.smallest_detectable_effect > 2.5 * alone.smallest_detectable_effect
    assert "12.0 rows counted as one" in repeated.reason
    assert weight({"weight": 0.5}, {"weight": 3.0}).design_effect == 3.0


def test_the_report_has_the_names_that_are_interfaces():
    report = judged(make_window(shift=1.0)).to_json()
    json.dumps(report, allow_nan=False)
    assert report["window"] == {"start": "2016-01-04T00:00:00Z", "end": "2016-01-11T00:00:00Z", "rows": 1000}
    assert {"model", "baseline", "revision", "severity", "reasons", "columns", "quality"} <= set(report)
    assert "performance" not in report
    weight, carrier = report["columns"][0], report["columns"][2]
    assert set(weight["statistics"]) == {*DISTANCES} | NUMERIC
    assert set(carrier["statistics"]) == {*DISTANCES} | CATEGORICAL
    common = {
        "name",
        "role",
        "kind",
        "severity",
        "statistics",
        "p_value_adjusted",
        "effect",
        "effect_without_drift",
        "smallest_detectable_effect",
        "rows",
        "missing_fraction",
        "design_effect",
    }
    assert common | {"out_of_range_fraction", "unparsable_fraction"} <= set(weight)
    assert common | {"unseen_fraction"} <= set(carrier)
    assert not {"unseen_fraction"} & set(weight)
    assert all(set(q) == {"check", "column", "severity", "value", "limit", "reason"} for q in report["quality"])


def test_what_was_not_tested_is_absent_and_never_null():
    report = judged(make_window(rows=50)).to_json()
    for column in report["columns"]:
        assert column["statistics"] == {}
        assert not {"effect", "p_value_adjusted", "smallest_detectable_effect"} & set(column)
        assert None not in column.values()


def test_p_values_are_corrected_over_every_test_of_the_run():
    report = judged(make_window(shift=0.25, seed=8))
    weight = column_of(report, "weight")
    # Four columns, the confidence of the answers, and every quality check.
    assert weight.p_value_adjusted == pytest.approx(
        min((5 + len(report.quality)) * weight.statistics["ks_p_value"], 1.0)
    )


def test_an_effect_at_the_smallest_detectable_one_is_found():
    config = make_config()
    baseline = make_baseline(config)
    for shift in np.linspace(0, 0.6, 25):
        for air in (0.1, 0.1 + shift / 3):
            report = judged(make_window(rows=600, shift=shift, air=air, seed=int(shift * 1000)), config, baseline)
            for column in report.columns:
                if column.effect >= column.smallest_detectable_effect:
                    assert column.drift >= Severity.WARNING


def test_a_window_of_another_baseline_is_refused():
    other = make_baseline(make_config(), make_window(rows=300, seed=1))
    with pytest.raises(BaselineMismatchError):
        judge_drift(make_baseline(make_config()), other.empty(), make_config(), start=START, end=END)


def test_the_largest_floats_leave_a_report_that_is_json():
    rows = make_window()
    heavy = np.where(np.arange(1000) % 2, 1e308, -1e308)
    report = judged(rows, baseline=make_baseline(make_config(), rows.set_column(0, "weight", pa.array(heavy))))
    json.dumps(report.to_page(), allow_nan=False)


def test_season_moves_the_hotels_columns_and_a_random_split_does_not():
    config = parse_model_config((ROOT / "models" / "hotel-cancellations.yaml").read_text(), source="hotel")
    table = pq.read_table(ROOT / "demo" / "data" / "hotel_bookings.parquet")
    table = table.append_column("prediction", pa.array(np.random.default_rng(0).random(table.num_rows)))
    arrived = table.column("timestamp").to_numpy().astype("datetime64[M]")
    summer = np.flatnonzero(arrived <= np.datetime64("2015-09"))
    november = np.flatnonzero(arrived == np.datetime64("2015-11"))
    halves = np.array_split(np.random.default_rng(1).permutation(summer), 2)

    def severity(before, now):
        rows = table.take(pa.array(before))
        baseline = freeze_baseline("hotel", "1", columns_of(config), rows, rows)
        return judge_drift(baseline, count_rows(baseline, table.take(pa.array(now))), config, start=START, end=END)

    autumn, split = severity(summer, november), severity(*halves)
    assert autumn.severity is Severity.CRITICAL
    assert "adr" in [c.column.name for c in autumn.drifted]
    assert split.severity is Severity.OK


def test_a_sampled_window_says_what_its_rows_stand_for_and_is_judged_as_it_is():
    report = judged(make_window())
    sampled = report.sampled(0.2)
    window = sampled.to_json()["window"]
    assert window["rows_estimated"] == 5 * window["rows"]
    assert window["sampled_fraction"] == 0.2
    assert "the endpoint captures 20% of its requests" in sampled.notes[-1]
    assert (sampled.severity, sampled.columns) == (report.severity, report.columns)
    assert report.sampled(1.0) is report


def test_a_window_of_which_a_sample_is_counted_says_how_many_rows_there_were():
    report = judged(make_window(rows=900))
    sampled = report.sampled(0.5, left_out=8100)
    window = sampled.to_json()["window"]
    assert (window["rows"], window["rows_estimated"], window["sampled_fraction"]) == (900, 18_000, 0.05)
    assert sampled.notes[-2].startswith("900 of the 9,000 captured rows are counted: a sample, chosen by their ids")
    assert sampled.notes[-1].endswith("the window's 9,000 rows stand for about 18,000")
    assert (sampled.severity, sampled.columns) == (report.severity, report.columns)


def test_a_window_whose_rows_are_all_left_out_stands_for_nobody_knows_what():
    found = judged(make_window(rows=0)).sampled(1.0, left_out=3)
    assert (found.sampled_fraction, found.notes[-1][:22]) == (1.0, "0 of the 3 captured ro")
