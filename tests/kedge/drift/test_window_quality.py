import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats

from kedge.config.policies import QualityPolicy
from kedge.drift.window_quality import WindowFacts, by_hour, judge_window_quality, newest_stretch, volume_p_value
from kedge.severity import Severity

END = datetime(2016, 1, 4, tzinfo=UTC)
BOOKINGS = Path(__file__).parents[3] / "demo" / "data" / "hotel_bookings.parquet"
WEEK, DAY, HOUR = timedelta(days=7), timedelta(days=1), timedelta(hours=1)
OFFICE = np.tile(np.repeat([0, 40, 0], [8, 10, 6]), 7)


def weeks(number, *, seed=0, clumps=1.0, per_hour=OFFICE):
    """Counts of as many weeks, the newest last: a negative binomial with variance `clumps` times the mean."""
    rng = np.random.default_rng(seed)
    mean = np.tile(per_hour, (number, 1)).astype(float)
    drawn = (
        rng.poisson(mean) if clumps == 1 else rng.negative_binomial(np.maximum(mean, 1e-9) / (clumps - 1), 1 / clumps)
    )
    return [row.tolist() for row in drawn]


def facts(window, earlier=(), cadence=WEEK, **known):
    return WindowFacts(END, cadence, window, earlier, **known)


def check_of(found, name):
    checks = [check for check in judge_window_quality(found, QualityPolicy()) if check.check == name]
    return checks[0] if checks else None


def severity_of(found, name):
    check = check_of(found, name)
    return None if check is None else check.severity


def test_nothing_is_judged_of_which_nothing_is_known():
    assert judge_window_quality(facts([]), QualityPolicy()) == []
    assert [c.check for c in judge_window_quality(facts([3] * 40, cadence=DAY), QualityPolicy())] == [
        "freshness",
        "duplicates",
    ]


# Volume


def test_a_volumes_p_value_is_students_t_of_the_next_logarithm():
    earlier = [900, 1000, 1300, 1100]
    logs = np.log(np.array(earlier) + 0.5)
    distance = abs(np.log(400.5) - logs.mean()) / (logs.std(ddof=1) * np.sqrt(1 + 1 / 4))
    assert volume_p_value(400, earlier) == pytest.approx(2 * stats.t.sf(distance, 3))


def test_a_volumes_p_value_is_honest_for_weeks_that_differ_more_than_counting_makes_them():
    rng = np.random.default_rng(6)
    totals = rng.lognormal(7, 0.3, (4000, 6))
    below = np.mean([volume_p_value(int(row[0]), row[1:].astype(int).tolist()) < 0.01 for row in totals])
    assert below < 0.016


def test_a_volumes_p_value_is_no_smaller_than_counting_alone_allows():
    rng = np.random.default_rng(7)
    totals = rng.poisson(50, (4000, 4))
    assert np.mean([volume_p_value(int(row[0]), row[1:].tolist()) < 0.01 for row in totals]) < 0.01


@pytest.mark.parametrize("factor", [0.0, 0.2, 4.0])
def test_a_volume_out_of_proportion_is_a_warning(factor):
    *earlier, now = weeks(6)
    found = check_of(facts([int(n * factor) for n in now], earlier), "volume")
    assert found.severity is Severity.WARNING
    assert (
        f"{sum(int(n * factor) for n in now):,} rows in the last week; the same hours of 5 earlier weeks had"
        in found.reason
    )


def test_two_earlier_weeks_are_too_few_to_know_how_much_weeks_differ():
    *earlier, now = weeks(3)
    assert severity_of(facts([0] * len(now), earlier), "volume") is None
    *earlier, now = weeks(4)
    assert severity_of(facts([0] * len(now), earlier), "volume") is Severity.WARNING


def test_a_weekend_is_compared_with_weekends():
    week = np.concatenate([np.full(120, 30), np.full(48, 2)])
    *earlier, now = weeks(6, per_hour=week)
    assert severity_of(facts(now, [w[-24:] for w in earlier], DAY), "volume") is Severity.OK


def test_a_package_that_has_not_answered_the_whole_stretch_is_not_compared():
    assert severity_of(facts([5] * 100, [[9] * 168] * 4), "volume") is None


@pytest.mark.parametrize(("cadence", "allowed"), [(WEEK, 0), (DAY, 4)])
def test_the_seasons_of_two_years_of_hotel_bookings_are_no_fault_of_their_volume(cadence, allowed):
    told = [
        check.reason
        for found in replayed_bookings(cadence)
        for check in judge_window_quality(found, QualityPolicy())
        if check.severity >= Severity.WARNING
    ]
    assert len(told) <= allowed, told


def replayed_bookings(cadence):
    table = pq.read_table(BOOKINGS, columns=["id", "timestamp"])
    first = datetime(2015, 7, 1)
    hours = [
        int((arrived - first) / HOUR) + int(hashlib.sha256(str(row_id).encode()).hexdigest(), 16) % 24
        for row_id, arrived in zip(*(table.column(name).to_pylist() for name in ("id", "timestamp")), strict=True)
    ]
    counts = np.bincount(hours)
    counts = np.pad(counts, (0, -len(counts) % 24)).tolist()
    step, window = int(cadence / HOUR), 28 * 24
    for end in range(window, len(counts) + 1, step):
        starts = [end - step - week * 168 for week in range(1, 9)]
        earlier = [counts[start : start + step] for start in starts if start >= 0]
        yield WindowFacts(first + end * HOUR, cadence, counts[end - window : end], earlier)


# Silence and freshness


def test_hours_without_a_row_that_always_had_some_are_named():
    *earlier, now = weeks(6, seed=1)
    now[32:36] = [0] * 4
    found = check_of(facts(now, earlier), "silence")
    assert found.severity is Severity.WARNING
    since = END - WEEK + 32 * HOUR
    assert (
        f"no row in 4 hours from {since:%Y-%m-%d %H:%M}; the same hours of 5 earlier weeks had about 16" in found.reason
    )


def test_a_pause_that_an_earlier_week_made_too_is_nothing_new():
    *earlier, now = weeks(6, seed=1)
    now[32:36] = [0] * 4
    earlier[2][32:37] = [0] * 5
    assert severity_of(facts(now, earlier), "silence") is Severity.OK


def test_nights_and_weekends_that_are_always_silent_are_none():
    for seed in range(20):
        *earlier, now = weeks(5, seed=seed)
        assert severity_of(facts(now, earlier), "silence") in (None, Severity.OK)


@pytest.mark.parametrize("clumps", [1.0, 5.0, 20.0])
def test_a_quiet_stream_is_rarely_called_silent(clumps):
    told = 0
    for seed in range(300):
        *earlier, now = weeks(6, seed=seed, clumps=clumps, per_hour=np.full(168, 4))
        told += severity_of(facts(now, earlier), "silence") is Severity.WARNING
    assert told <= 3


def test_a_window_whose_rows_stopped_long_before_its_end_is_stale():
    window = [1, 0, 0] * 40
    assert severity_of(facts(window, cadence=DAY), "freshness") is Severity.OK
    found = check_of(facts([*window, *[0] * 12], cadence=DAY), "freshness")
    assert found.severity is Severity.WARNING
    assert found.value == 14
    assert found.limit == 6
    newest = END - 15 * HOUR
    assert f"the newest row is of the hour of {newest:%Y-%m-%d %H:%M}, 14 hours before the window's end" in found.reason


def test_a_stream_with_few_rows_and_long_gaps_is_rarely_called_stale():
    rng = np.random.default_rng(8)
    told = [
        severity_of(facts((rng.random(28 * 24) < 0.03).astype(int).tolist(), cadence=DAY), "freshness")
        for _ in range(400)
    ]
    assert told.count(Severity.WARNING) <= 4


def test_an_hour_of_delay_is_put_up_with():
    assert severity_of(facts([9] * 50 + [0], cadence=DAY), "freshness") is Severity.OK
    assert severity_of(facts([9] * 50 + [0, 0, 0], cadence=DAY), "freshness") is Severity.WARNING


# Requests


def test_duplicates_beyond_chance_are_a_warning():
    window = facts([100] * 24, cadence=DAY)
    assert severity_of(replace(window, duplicates=24), "duplicates") is Severity.OK
    found = check_of(replace(window, duplicates=240), "duplicates")
    assert found.severity is Severity.WARNING
    assert found.value == pytest.approx(240 / 2640)


def test_where_a_sample_is_counted_its_duplicates_are_a_share_of_its_rows():
    window = facts([1000] * 24, cadence=DAY, rows_counted=2400)
    assert severity_of(replace(window, duplicates=240), "duplicates") is Severity.WARNING
    assert severity_of(replace(window, rows_counted=None, duplicates=240), "duplicates") is Severity.OK


@pytest.mark.parametrize(
    ("broken", "severity"), [(0, Severity.OK), (12, Severity.OK), (40, Severity.WARNING), (150, Severity.CRITICAL)]
)
def test_records_that_nobody_can_read_blind_the_monitor_when_they_are_many(broken, severity):
    assert severity_of(facts([9] * 24, cadence=DAY, records=1000, quarantined=broken), "unreadable") is severity


def test_one_broken_record_of_three_is_no_certainty():
    assert severity_of(facts([1], cadence=DAY, records=3, quarantined=1), "unreadable") is not Severity.CRITICAL


@pytest.mark.parametrize(
    ("captured", "invoked", "severity"),
    [
        (1000, 1000, Severity.OK), (900, 1000, Severity.OK), (1010, 1000, Severity.OK), (400, 1000, Severity.WARNING),
        (0, 1000, Severity.CRITICAL), (0, 5, Severity.WARNING), (0, 0, None), (None, 1000, None), (5, None, None),
    ],
)  # fmt: skip
def test_requests_that_were_not_captured_are_noticed(captured, invoked, severity):
    assert severity_of(facts([1], cadence=DAY, requests=captured, invocations=invoked), "captured") is severity


def test_a_check_of_the_window_names_no_column():
    found = check_of(facts([1], cadence=DAY, requests=0, invocations=1000), "captured")
    assert found.to_json() == {
        "check": "captured",
        "severity": "CRITICAL",
        "value": 0.0,
        "limit": 0.9,
        "reason": "0 of 1,000 requests of the last day were captured (0%)",
    }


# Hours


def test_hours_that_are_not_wholly_in_the_window_are_left_out():
    counts = {date(2016, 1, 3): dict.fromkeys(range(24), 1), date(2016, 1, 4): {0: 5}}
    start = datetime(2016, 1, 3, 20, 10, tzinfo=UTC)
    assert by_hour(counts, start, datetime(2016, 1, 4, 2, tzinfo=UTC)) == [1, 1, 1, 5, 0]
    assert by_hour(counts, END, END) == []


def test_what_is_new_is_the_cadence():
    assert newest_stretch(list(range(50)), DAY) == list(range(26, 50))
    assert newest_stretch([1, 2], DAY) == []


@pytest.mark.parametrize(
    ("captured", "severity"),
    [
        (200, Severity.OK),
        (230, Severity.OK),
        (100, Severity.WARNING),
        (500, Severity.WARNING),  # somebody samples more: every scaled volume would be wrong
        (0, Severity.CRITICAL),
    ],
)
def test_captured_requests_are_judged_by_the_share_that_the_endpoint_samples(captured, severity):
    seen = facts([1], cadence=DAY, requests=captured, invocations=1000, sampled_fraction=0.2)
    found = check_of(seen, "captured")
    assert found.severity is severity
    assert found.reason.endswith("where 20% are to be sampled")


def test_few_sampled_requests_are_no_certain_loss():
    seen = facts([1], cadence=DAY, requests=0, invocations=200, sampled_fraction=0.2)
    assert severity_of(seen, "captured") is Severity.WARNING
