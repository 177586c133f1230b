from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.config.policies import DriftPolicy
from kedge.drift.report import judge_drift
from kedge.drift.seasonal_baseline import seasonal_baseline, seasonal_spans, with_own_predictions
from kedge.profile.counting import count_rows
from kedge.severity import Severity
from tests.builders import END, START, make_baseline, make_config, make_window

DAY = timedelta(days=1)


def config_of(source, **policy):
    config = make_config()
    return config.model_copy(update={"drift": DriftPolicy(baseline=source, **policy)})


def column_of(report, name):
    return next(c for c in report.columns if c.column.name == name)


def test_the_training_data_needs_no_earlier_hours():
    assert seasonal_spans(make_config(), START, END) == {}


def test_a_trailing_baseline_is_the_days_before_the_window():
    assert seasonal_spans(config_of("trailing", trailing_days=14), START, END) == {
        "trailing": [(START - 14 * DAY, START)]
    }


@given(days=st.integers(1, 60), weeks=st.integers(1, 20))
def test_earlier_weeks_keep_clear_of_the_window_and_of_each_other(days, weeks):
    end = START + days * DAY
    spans = seasonal_spans(config_of("same_hours", earlier_weeks=weeks), START, end)["same_hours"]
    assert spans
    for later, earlier in zip([(START, end), *spans], spans, strict=False):
        assert earlier[1] <= later[0]
        assert (later[0] - earlier[0]) % timedelta(days=7) == timedelta(0)
        assert earlier[1] - earlier[0] == end - START
    assert spans[-1][0] >= START - max(weeks * 7 * DAY, (days + 6) * DAY)


def test_drift_is_judged_against_the_season_and_quality_against_the_training_data():
    config = config_of("trailing")
    baseline = make_baseline(config)
    winter = count_rows(baseline, make_window(rows=3000, shift=1.0, seed=1))
    window = count_rows(baseline, make_window(rows=3000, shift=1.0, seed=2))
    found = seasonal_baseline(baseline, {"trailing": winter}, config)
    plain = judge_drift(baseline, window, config, start=START, end=END)
    seasonal = judge_drift(baseline, window, config, start=START, end=END, before=found.profile)
    assert column_of(plain, "weight").drift is Severity.CRITICAL
    assert column_of(seasonal, "weight").drift is Severity.OK
    assert [q.to_json() for q in seasonal.quality] == [q.to_json() for q in plain.quality]
    assert found.sources == dict.fromkeys(["weight", "items", "carrier", "prediction"], "trailing")


def test_a_column_may_name_its_own_source():
    config = make_config()
    features = tuple(
        replace_feature(feature, "same_hours" if feature.name == "items" else None) for feature in config.features
    )
    config = config.model_copy(update={"features": features, "drift": DriftPolicy(baseline="trailing")})
    baseline = make_baseline(config)
    trailing, weekly = (count_rows(baseline, make_window(rows=900, seed=seed)) for seed in (3, 4))
    found = seasonal_baseline(baseline, {"trailing": trailing, "same_hours": weekly}, config)
    assert found.sources["items"] == "same_hours"
    for name, source in (("items", weekly), ("weight", trailing), ("carrier", trailing)):
        got, wanted = (baseline.column(profile, name) for profile in (found.profile, source))
        assert np.array_equal(got.cells, wanted.cells)
    assert set(seasonal_spans(config, START, END)) == {"trailing", "same_hours"}


def replace_feature(feature, source):
    return feature.model_copy(update={"baseline": source})


@pytest.mark.parametrize("rows", [0, 199])
def test_too_few_earlier_rows_leave_the_training_data_and_say_so(rows):
    config = config_of("same_hours")
    baseline = make_baseline(config)
    few = count_rows(baseline, make_window(rows=max(rows, 1)).slice(0, rows))
    found = seasonal_baseline(baseline, {"same_hours": few}, config)
    assert found.profile == baseline.profile
    assert found.sources == {}
    assert (
        f"weight is compared with the training data: the same hours of earlier weeks hold {rows} rows with a value; 200 are needed"
        in found.notes
    )


def test_another_packages_answers_are_not_taken_for_this_ones():
    baseline = make_baseline(make_config())
    own, other = (count_rows(baseline, make_window(rows=rows, seed=rows)) for rows in (300, 500))
    found = with_own_predictions(baseline, own + other, own)
    assert np.array_equal(baseline.column(found, "prediction").cells, baseline.column(own, "prediction").cells)
    assert baseline.column(found, "weight").rows == 800


def test_the_report_marks_what_was_judged_against_the_season():
    config = make_config()
    baseline = make_baseline(config)
    report = judge_drift(baseline, count_rows(baseline, make_window()), config, start=START, end=END)
    told = report.judged_against({"weight": "trailing"}, ["items is judged against the training data"]).to_json()
    assert [c.get("against") for c in told["columns"]] == ["trailing", None, None, None]
    assert told["notes"] == ["items is judged against the training data"]
    assert "notes" not in report.to_json()


def test_the_window_is_half_open_and_in_utc():
    first, last = seasonal_spans(
        config_of("same_hours"), datetime(2016, 2, 1, tzinfo=UTC), datetime(2016, 2, 1, 1, tzinfo=UTC)
    )["same_hours"][0]
    assert (first, last - first) == (datetime(2016, 1, 25, tzinfo=UTC), timedelta(hours=1))
