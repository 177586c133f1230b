"""The coefficients of `kedge cost`: fitted to runs of the real handlers."""

import json
from collections.abc import Mapping
from functools import partial

import pytest

from benchmarks.cost import pricing
from benchmarks.cost.evidently import Report
from benchmarks.cost.points import Point, points, run
from benchmarks.results import RESULTS
from benchmarks.scale import Scale
from cli.cost.coefficients import read_coefficients
from kedge.cost.estimate import estimate
from kedge.cost.work import Work
from tests import deployed_models
from tests.handlers.monitor_world import MODEL

REMEDY = "python -m benchmarks.cost templates"
TRUE = {"rows": 3e-6, "objects": 2e-3}


def ran(drivers: Mapping[str, float], noise: float = 0.0):
    seconds = 0.4 + sum(TRUE[name] * count for name, count in drivers.items()) + noise
    return {
        "cpu_s": seconds,
        "start_cpu_s": 1.5 + noise,
        "calls": {"s3 GetObject": 7 + drivers["objects"], "sns Publish": 2},
    }


def taken(*drivers):
    return [(Point("profile_logs", each, partial(int), {}), ran(each)) for each in drivers]


def test_the_work_of_each_driver_is_recovered_from_as_many_runs_as_unknowns():
    found = pricing.fitted(
        "profile_logs",
        taken({"rows": 1200, "objects": 24}, {"rows": 200_000, "objects": 24}, {"rows": 2400, "objects": 2400}),
    )
    assert (found["memory_mib"], found["timeout_seconds"], found["start_cpu_seconds"]) == (1769, 600, 1.5)
    assert found["fixed"]["cpu_seconds"] == pytest.approx(0.4, rel=0.01)
    assert found["fixed"]["calls"] == pytest.approx({"s3 GetObject": 7, "sns Publish": 2}, rel=0.01)
    for name, seconds in TRUE.items():
        assert found["per"][name]["cpu_seconds"] == pytest.approx(seconds, rel=0.01)
    assert found["per"]["objects"]["calls"] == {"s3 GetObject": 1}


def test_noise_makes_no_work_negative():
    both = taken({"rows": 10, "objects": 1}, {"rows": 1000, "objects": 1})
    both[1][1]["cpu_s"] = 0.1
    assert all(Work.from_json(work).cpu_seconds >= 0 for work in pricing.fitted("profile_logs", both)["per"].values())


def test_a_point_runs_the_real_handler_and_counts_what_it_asked_of_aws():
    counting = points(2400)[0]
    found = run(counting)
    assert found["answer"]["RowsCaptured"] == counting.drivers["rows"]
    assert found["calls"]["s3 GetObject"] >= counting.drivers["objects"]
    assert found["calls"]["cloudwatch PutMetricData"] == 1
    assert found["cpu_s"] > 0 < found["start_cpu_s"]
    assert found["bytes"]["capture"] > 1200 * 400 < found["bytes"]["predictions"] * 40


def test_the_kept_coefficients_price_a_model_and_the_table_is_that_price():
    measured, config = read_coefficients(), deployed_models.config_of(MODEL)
    usd, line = pricing.priced(config, measured, 10_000, "daily")
    assert f"**{usd:.2f}**" in line
    hourly, _ = pricing.priced(config, measured, 10_000, "hourly")
    assert 0 < usd < hourly
    assert estimate(config, measured, rows_a_day=10_000).usd > 0


def test_the_page_prices_the_kept_coefficients():
    section = pricing.priced_section(read_coefficients())
    assert f"## {section.title}\n\n{section.text()}\n" in RESULTS.read_text(encoding="utf-8"), REMEDY


def test_evidently_is_paid_by_the_gigabytes_of_its_seconds_and_too_large_where_no_function_has_them():
    report = Report(5.0, 5e-5, 512.0, 0.001, 100_000, "a core")
    # 2,512 MiB for 105 seconds, and 1,440 objects; of few rows a whole core for 5 seconds, whose share of a gigabyte is 1,769 MiB.
    assert report.usd(2_000_000, 1440) == pytest.approx(105 * 2512 / 1024 * 0.0000133334 + 2e-7 + 1440 * 4e-7)
    assert report.usd(0, 0) == pytest.approx(5 * 1769 / 1024 * 0.0000133334 + 2e-7)
    assert report.usd(10_000_000, 1440) is None


def test_a_window_that_athena_joins_is_scanned_by_its_queries_and_by_the_row():
    small, large = (point for point in points(1200) if point.function == "join_labels")
    taken = [(point, {"scanned": [100, 50 + 3 * int(point.drivers["window_rows"])]}) for point in (small, large)]
    fixed, by_row = pricing.scans(taken)
    assert fixed == {"fixed_bytes": pytest.approx(100), "row_bytes": 0}
    assert by_row == {"fixed_bytes": pytest.approx(50), "row_bytes": pytest.approx(3)}


@pytest.mark.slow
def test_every_function_is_measured_and_the_section_is_written(tmp_path):
    found = pricing.section(tmp_path, Scale.tiny())
    kept = json.loads((tmp_path / "cost" / "measured.json").read_text())
    assert kept["functions"].keys() == read_coefficients().functions.keys()
    asked = kept["functions"]["join_labels"]["fixed"]["calls"]["athena StartQueryExecution"]
    assert len(kept["queries"]) == asked == 4
    assert all(figure.value > 0 for figure in found.figures)
    assert "| 10,000 daily |" in found.notes
