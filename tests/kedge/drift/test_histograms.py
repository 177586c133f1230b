import numpy as np
import pyarrow as pa

from kedge.drift.histograms import BARS, histograms
from kedge.profile.counting import count_rows
from tests.builders import make_baseline, make_config, make_window


def bars_of(window, baseline=None):
    baseline = baseline or make_baseline(make_config())
    return histograms(baseline, count_rows(baseline, window))


def test_every_column_has_bars_whose_fractions_add_up_to_one():
    found = bars_of(make_window())
    assert list(found) == ["weight", "items", "carrier", "prediction"]
    for bars in found.values():
        assert len(bars["labels"]) == len(bars["baseline"]) == len(bars["window"]) <= BARS
        assert np.isclose(sum(bars["baseline"]), 1, atol=1e-4)
        assert np.isclose(sum(bars["window"]), 1, atol=1e-4)


def test_few_values_have_a_bar_each():
    bars = bars_of(make_window())["items"]
    assert bars["labels"][:3] == ["0", "1", "2"]


def test_many_whole_numbers_share_bars_of_equally_many():
    rows = make_window(rows=4000).set_column(1, "items", pa.array(np.arange(4000) % 60))
    bars = bars_of(rows, make_baseline(make_config(), rows))["items"]
    assert bars["labels"][:2] == ["0 to 3", "4 to 7"]
    assert np.allclose(bars["baseline"], bars["baseline"][0], atol=1e-3)


def test_the_largest_floats_have_bars_too():
    rows = make_window().set_column(0, "weight", pa.array(np.linspace(-1, 1, 1000) * 1.7e308))
    bars = bars_of(rows, make_baseline(make_config(), rows))["weight"]
    assert len(bars["labels"]) == BARS
    assert max(bars["baseline"]) < 0.1


def test_a_value_that_nearly_all_rows_share_stands_between_the_others():
    values = np.zeros(5000)
    values[:20] = np.arange(1, 21)
    rows = make_window(rows=5000).set_column(0, "weight", pa.array(values))
    bars = bars_of(rows, make_baseline(make_config(), rows))["weight"]
    assert bars["labels"] == ["below 0", "0", "above 0"]
    assert bars["window"] == [0, 0.996, 0.004]


def test_levels_stand_in_their_order_and_the_unseen_last():
    window = make_window().set_column(2, "carrier", pa.array(["balloon"] * 1000))
    bars = bars_of(window)["carrier"]
    assert bars["labels"] == ["sea", "road", "rail", "air", "not in the baseline"]
    assert bars["window"] == [0, 0, 0, 0, 1]


def test_many_levels_share_a_bar_beyond_the_first():
    rows = make_window().set_column(2, "carrier", pa.array([f"c{i % 40:02}" for i in range(1000)]))
    bars = bars_of(rows, make_baseline(make_config(), rows))["carrier"]
    assert bars["labels"][-1] == "26 other levels"


def test_one_outlier_does_not_hide_the_rest():
    rows = make_window(rows=5000)
    values = rows.column("weight").to_numpy().copy()
    values[0] = 1e9
    rows = rows.set_column(0, "weight", pa.array(values))
    bars = bars_of(rows, make_baseline(make_config(), rows))["weight"]
    assert max(bars["baseline"]) < 0.3


def test_columns_without_values_have_no_bars():
    window = make_window().set_column(0, "weight", pa.nulls(1000, pa.float64()))
    assert "weight" not in bars_of(window)
