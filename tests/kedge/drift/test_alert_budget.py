from datetime import timedelta

import pytest

from kedge.drift.alert_budget import LEVEL_MAX, window_level


@pytest.mark.parametrize("hours", [1, 6, 24, 72])
@pytest.mark.parametrize("budget", [0.1, 1.0])
def test_a_year_of_windows_that_do_not_overlap_spends_the_budget(hours, budget):
    level = window_level(budget, timedelta(hours=hours))
    assert level * (365 * 24 / hours) == pytest.approx(budget)


@pytest.mark.parametrize(("budget", "days"), [(1.0, 28), (1.0, 90), (50.0, 1)])
def test_no_window_alarms_more_often_than_once_in_a_hundred(budget, days):
    assert window_level(budget, timedelta(days=days)) == LEVEL_MAX == 0.01


def test_rows_without_times_get_the_largest_level():
    assert window_level(0.001, timedelta(0)) == 0.01
