"""Rows are chosen by their ids alone."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.capture.id_hashes import hash_ids, in_sample
from kedge.labels.sampled import percentages_between, with_percentage

HASHES = hash_ids(pa.array([f"row-{number}" for number in range(20_000)]))
NOW = datetime(2016, 3, 1, tzinfo=UTC)
percentages = st.integers(1, 100)


@given(first=percentages, second=percentages)
def test_what_is_in_a_sample_is_in_each_larger_one(first, second):
    small, large = (in_sample(HASHES, percentage) for percentage in sorted((first, second)))
    assert not (small & ~large).any()


@pytest.mark.parametrize("percentage", [1, 10, 50, 99, 100])
def test_a_sample_has_its_share_of_the_rows(percentage):
    share = percentage / 100
    # Five standard deviations of a binomial.
    assert abs(in_sample(HASHES, percentage).mean() - share) <= 5 * np.sqrt(share * (1 - share) / len(HASHES))


def test_each_row_may_have_a_percentage_of_its_own():
    each = np.array([10, 100] * (len(HASHES) // 2))
    assert (in_sample(HASHES, each) == np.where(each == 10, in_sample(HASHES, 10), True)).all()


def test_where_all_rows_are_always_counted_nothing_is_noted():
    assert with_percentage({}, 100, NOW, keep_days=30) == {}


def test_what_was_counted_long_ago_is_forgotten_once_all_rows_are_counted_again():
    sampled = with_percentage({}, 10, NOW, keep_days=30)
    whole = with_percentage(sampled, 100, NOW + timedelta(days=1), keep_days=30)
    assert percentages_between(whole, NOW, NOW + timedelta(days=2)) == (10, 100)
    assert with_percentage(whole, 100, NOW + timedelta(days=32), keep_days=30) == {}


def test_rows_are_counted_by_a_change_up_to_a_week_before_a_weekly_fold_notes_it():
    raised = with_percentage({"": 10}, 100, NOW, keep_days=30)
    assert percentages_between(raised, NOW - timedelta(days=7), NOW - timedelta(days=4)) == (10, 100)
    assert percentages_between(raised, NOW - timedelta(days=20), NOW - timedelta(days=17)) == (10, 10)


@given(changes=st.lists(st.tuples(st.integers(1, 60), percentages), max_size=6), back=st.integers(0, 100))
def test_within_the_days_that_are_kept_no_percentage_is_forgotten(changes, back):
    now, noted, each = NOW, {}, [(datetime(2000, 1, 1, tzinfo=UTC), 100)]
    for days, percentage in changes:
        now += timedelta(days=days)
        noted = with_percentage(noted, percentage, now, keep_days=100)
        each.append((now, percentage))
    start = now - timedelta(days=back)
    ends = [*(begun for begun, _ in each[1:]), datetime.max.replace(tzinfo=UTC)]
    found = [percentage for (_, percentage), end in zip(each, ends, strict=True) if end > start]
    assert percentages_between(noted, start, now) == (min(found), max(found))
