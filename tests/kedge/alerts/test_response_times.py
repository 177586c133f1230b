"""MTTD and MTTR from what a timeline tells."""

from datetime import UTC, datetime, timedelta

from kedge.alerts.response_times import MeasuredWindow, Told, find_losses, of_timeline, together
from kedge.instants import to_text

START = datetime(2016, 1, 4, tzinfo=UTC)
DAY = timedelta(days=1)


def day(number):
    return START + number * DAY


def window(end, *, lost, package="1", length=7):
    return MeasuredWindow(day(end - length), day(end), package, lost)


def test_a_loss_begins_where_the_last_good_window_ends_though_the_lost_ones_overlap_it():
    times = find_losses([window(7, lost=False), window(8, lost=True), window(9, lost=True)], [], [])
    assert [loss.began for loss in times.losses] == [day(7)]


def test_where_nothing_good_came_before_it_begins_with_the_lost_window():
    assert find_losses([window(7, lost=True)], [], []).losses[0].began == day(0)


def test_it_begins_no_earlier_than_the_lost_window_where_windows_between_were_not_measured():
    times = find_losses([window(7, lost=False), window(30, lost=True)], [], [])
    assert times.losses[0].began == day(23)


def test_an_alert_about_an_older_window_told_nobody_of_the_loss():
    found = [window(7, lost=False), window(8, lost=True), window(9, lost=False)]
    assert find_losses(found, [Told(day(7) + DAY / 12, day(7))], []).untold == 1
    times = find_losses(found, [Told(day(8) + DAY / 12, day(8))], [])
    assert times.mean_time_to_detect == DAY + DAY / 12


def test_only_the_package_that_kept_its_limits_repaired_the_loss():
    found = [
        window(7, lost=False),
        window(8, lost=True),
        window(15, lost=True, package="2"),
        window(22, lost=False, package="3"),
    ]
    times = find_losses(found, [], [(day(9), "2"), (day(16), "3")])
    assert [loss.repaired for loss in times.losses] == [day(16)]
    assert times.mean_time_to_repair == 9 * DAY


def test_a_loss_that_went_away_by_itself_has_no_time_to_repair():
    times = find_losses([window(7, lost=False), window(8, lost=True), window(15, lost=False)], [], [(day(-3), "1")])
    assert (times.mean_time_to_repair, times.lasting) == (None, 0)


def test_a_loss_that_is_not_over_is_counted_as_such():
    assert find_losses([window(8, lost=True)], [], []).lasting == 1


def entry(kind, at, **detail):
    return {"kind": kind, "time": to_text(at), "model": "m", "detail": detail}


def judged(end, severity, *, at=None, package="1"):
    span = {"start": to_text(day(end - 7)), "end": to_text(day(end))}
    return entry(
        "window_judged", at or day(end), window=span, package_version=package, performance={"severity": severity}
    )


def test_a_timeline_tells_it_in_hindsight():
    entries = [
        judged(7, "OK"),
        judged(8, "INSUFFICIENT_DATA"),
        # Labels that came late: the same window once more, and it was lost.
        judged(8, "CRITICAL", at=day(12)),
        judged(12, "CRITICAL"),
        entry("alert_sent", day(12), severity="WARNING", window={"end": to_text(day(12))}),
        entry("alert_sent", day(13), severity="CRITICAL", window={"end": to_text(day(12))}),
        entry("baseline_switched", day(14), package_version="2"),
        judged(21, "OK", package="2"),
    ]
    times = of_timeline(reversed(entries))
    (loss,) = times.losses
    assert (loss.began, loss.told, loss.repaired, loss.ended) == (day(7), day(13), day(14), day(21))


def test_a_portfolio_counts_each_loss_once():
    slow = find_losses([window(8, lost=True), window(15, lost=False, package="2")], [], [(day(10), "2")])
    fast = find_losses([window(8, lost=True), window(15, lost=False, package="2")], [], [(day(2), "2")])
    assert together([slow, fast]).mean_time_to_repair == 5 * DAY
