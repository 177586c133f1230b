"""When a retraining starts, is held, or is not wanted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kedge.config.policies import PerformancePolicy, QuietHours
from kedge.config.retraining import RetrainingPolicy
from kedge.retraining.decision import decide_retraining, held_if_watched, requested_retraining, run_name
from kedge.retraining.state import OutsideRequest, RetrainingStart, RetrainingState, WindowVerdict
from kedge.severity import Severity

NOW = datetime(2016, 2, 1, tzinfo=UTC)
OK, CRITICAL, UNKNOWN = Severity.OK, Severity.CRITICAL, Severity.INSUFFICIENT_DATA


def weekly(*verdicts, days=28):
    """Windows of `days` ending every 7 days, the last one now; each verdict is (drift, performance)."""
    ends = [NOW - timedelta(days=7 * k) for k in range(len(verdicts))][::-1]
    return tuple(
        WindowVerdict(end - timedelta(days=days), end, drift, performance)
        for end, (drift, performance) in zip(ends, verdicts, strict=True)
    )


def state(windows=(), starts=(), since=120, new=2_000, paused=None):
    return RetrainingState(windows, starts, NOW - timedelta(days=since), new, paused)


def decide(found, **changes):
    return decide_retraining(found, RetrainingPolicy(**changes), NOW)


def test_measured_loss_starts_a_retraining():
    decision = decide(state(weekly((OK, OK), (OK, CRITICAL))))
    assert (decision.action, decision.kind, decision.attempt) == ("START", "performance", 1)


def test_drift_alone_starts_nothing_while_labels_are_in():
    assert decide(state(weekly((CRITICAL, OK), (CRITICAL, OK)))).action == "NONE"


def test_drift_starts_a_retraining_where_labels_lag():
    decision = decide(state(weekly((CRITICAL, None), (CRITICAL, UNKNOWN))))
    assert (decision.action, decision.kind) == ("START", "drift")


def test_drift_of_a_young_champion_waits_for_its_labels():
    assert decide(state(weekly((CRITICAL, None)), since=20)).action == "NONE"


@pytest.mark.parametrize(("on_drift", "action"), [("always", "START"), ("never", "NONE")])
def test_on_drift_is_obeyed(on_drift, action):
    assert decide(state(weekly((CRITICAL, OK)), since=120), on_drift=on_drift).action == action


def test_persistence_counts_only_windows_that_do_not_overlap():
    four = weekly(*[(OK, CRITICAL)] * 4)
    five = weekly(*[(OK, CRITICAL)] * 5)
    assert decide(state(four), persistence_windows=2).action == "NONE"
    assert decide(state(five), persistence_windows=2).action == "START"


@pytest.mark.parametrize(
    ("verdicts", "action"),
    [
        ((OK, OK, CRITICAL), "NONE"), ((CRITICAL, OK, CRITICAL), "START"), ((CRITICAL, CRITICAL, OK), "NONE"),
        ((CRITICAL, UNKNOWN, OK, CRITICAL), "START"), ((CRITICAL, OK, OK, CRITICAL), "NONE"),
    ],
)  # fmt: skip
def test_a_loss_is_sustained_in_two_of_three_windows_the_last_among_them(verdicts, action):
    windows = weekly(*[(OK, verdict) for verdict in verdicts], days=7)
    patience = PerformancePolicy(breaches=2, of_windows=3)
    assert decide_retraining(state(windows), RetrainingPolicy(), NOW, patience).action == action


def test_windows_that_overlap_are_one_of_the_windows_that_are_asked_for():
    patience = PerformancePolicy(breaches=2, of_windows=2)
    four, five = (weekly(*[(OK, CRITICAL)] * count) for count in (4, 5))
    assert decide_retraining(state(four), RetrainingPolicy(), NOW, patience).action == "NONE"
    assert decide_retraining(state(five), RetrainingPolicy(), NOW, patience).action == "START"


def test_episode_keeps_its_name_while_the_level_lasts_and_ends_when_it_is_back():
    lasting = decide(state(weekly((OK, OK), (OK, CRITICAL), (OK, CRITICAL))))
    assert lasting.episode == "performance-2016-01-25T00:00:00Z"
    again = decide(state(weekly((OK, CRITICAL), (OK, OK), (OK, CRITICAL))))
    assert again.episode == "performance-2016-02-01T00:00:00Z"


def test_an_unmeasured_window_does_not_end_an_episode():
    decision = decide(state(weekly((OK, CRITICAL), (OK, UNKNOWN))))
    assert decision.episode == "performance-2016-01-25T00:00:00Z"


def test_windows_before_the_promotion_are_forgotten():
    assert decide(state(weekly((OK, CRITICAL), (OK, OK)), since=3)).action == "NONE"


@pytest.mark.parametrize(
    ("found", "changes", "hold"),
    [
        (state(weekly((OK, CRITICAL)), paused="audit"), {}, "paused"),
        (state(weekly((OK, CRITICAL))), {"paused": True}, "paused"),
        (
            state(weekly((OK, CRITICAL)), (RetrainingStart(NOW - timedelta(days=5), "performance", "x"),)),
            {},
            "cooldown",
        ),
        (
            state(
                weekly((OK, CRITICAL)), tuple(RetrainingStart(NOW - timedelta(days=d), "drift", "x") for d in (29, 20))
            ),
            {},
            "budget",
        ),
        (state(weekly((OK, CRITICAL)), new=499), {}, "no_new_labels"),
    ],
)
def test_a_wanted_retraining_is_held_with_its_reason(found, changes, hold):
    decision = decide(found, **changes)
    assert (decision.action, decision.hold) == ("HOLD", hold)
    assert len(decision.reasons) == 2


def test_failed_retrainings_are_given_to_a_person_after_a_few():
    episode = "performance-2016-02-01T00:00:00Z"
    starts = tuple(RetrainingStart(NOW - timedelta(days=d), "performance", episode, failed=True) for d in (3, 2, 1))
    decision = decide(state(weekly((OK, CRITICAL)), starts))
    assert (decision.action, decision.hold) == ("HOLD", "attempts")


def test_refused_challengers_wait_longer_each_time():
    episode = "performance-2016-02-01T00:00:00Z"
    starts = tuple(RetrainingStart(NOW - timedelta(days=d), "performance", episode) for d in (95, 60, 20))
    assert decide(state(weekly((OK, CRITICAL)), starts)).hold == "cooldown"
    assert decide(state(weekly((OK, CRITICAL)), starts[:2])).action == "START"
    assert (
        decide(state(weekly((OK, CRITICAL)), (*starts[:2], replace(starts[2], time=NOW - timedelta(days=29))))).action
        == "START"
    )


def test_schedule_starts_when_the_champion_is_old_enough():
    assert decide(state(weekly((OK, OK)), since=91), every_days=90).kind == "schedule"
    assert decide(state(weekly((OK, OK)), since=89), every_days=90).action == "NONE"


def test_a_person_may_start_a_retraining_at_any_time():
    assert requested_retraining("manual", "asked by ana", NOW).action == "START"


def test_the_same_cause_has_the_same_name_and_the_next_attempt_another():
    first = run_name("hotel", "performance", "e", 1)
    assert first == run_name("hotel", "performance", "e", 1)
    assert first != run_name("hotel", "performance", "e", 2)
    assert len(run_name("m" * 40, "performance", "e" * 99, 12)) <= 50


def estimated(*verdicts, drift=OK, confidence=None, performance=UNKNOWN):
    """Weekly windows without labels; each verdict is of the estimate."""
    found = weekly(*[(drift, performance)] * len(verdicts))
    return tuple(
        replace(window, estimate=verdict, confidence=confidence)
        for window, verdict in zip(found, verdicts, strict=True)
    )


def test_an_estimated_loss_starts_a_retraining_where_labels_lag():
    decision = decide(state(estimated(OK, CRITICAL)))
    assert (decision.action, decision.kind) == ("START", "estimate")
    assert decision.reasons[0].startswith("quality has been estimated as lost since the window to 2016-02-01")


def test_an_estimated_loss_waits_for_labels_that_are_due():
    assert decide(state(estimated(OK, CRITICAL), since=20)).action == "NONE"
    assert decide(state(estimated(OK, CRITICAL, performance=OK))).action == "NONE"


@pytest.mark.parametrize(("on_estimate", "action"), [("always", "START"), ("never", "NONE")])
def test_on_estimate_is_obeyed(on_estimate, action):
    assert decide(state(estimated(OK, CRITICAL), since=20), on_estimate=on_estimate).action == (
        action if on_estimate == "always" else "NONE"
    )
    assert decide(state(estimated(OK, CRITICAL)), on_estimate=on_estimate).action == action


@pytest.mark.parametrize("estimate", [OK, UNKNOWN, None])
def test_an_estimate_that_sees_nothing_silences_nothing(estimate):
    assert decide(state(estimated(estimate, estimate, drift=CRITICAL))).kind == "drift"
    assert decide(state(estimated(estimate, estimate, performance=CRITICAL))).kind == "performance"


def test_falling_confidence_starts_a_retraining_only_where_it_is_asked_to():
    less_sure = estimated(None, None, confidence=CRITICAL)
    assert decide(state(less_sure)).action == "NONE"
    assert decide(state(less_sure), on_confidence="when_labels_lag").kind == "confidence"
    assert decide(state(less_sure, since=20), on_confidence="when_labels_lag").action == "NONE"
    assert decide(state(less_sure, since=20), on_confidence="always").kind == "confidence"


def test_two_requests_of_one_second_are_two_and_one_that_comes_again_is_one():
    now = datetime(2016, 2, 1, tzinfo=UTC)
    first, again, other = (requested_retraining("manual", why, now) for why in ("a (ann)", "a (ann)", "b (bob)"))
    assert first.episode == again.episode != other.episode


LOST = (OK, CRITICAL)
EPISODE = "performance-2016-02-01T00:00:00Z"


def right(*shares):
    """Weekly windows without any alarm; each share is (measured, estimated)."""
    found = weekly(*[(OK, OK)] * len(shares), days=7)
    return tuple(
        replace(window, right=measured, right_estimated=estimated)
        for window, (measured, estimated) in zip(found, shares, strict=True)
    )


def test_every_active_trigger_is_named_and_the_weightiest_names_the_retraining():
    decision = decide(
        replace(state(weekly((CRITICAL, CRITICAL)), new=9_000), request=OutsideRequest(NOW, "pricing", "a new catalogue")),
        on_drift="always", on_new_rows=5_000, schedule="cron(0 4 ? * MON *)",
    )  # fmt: skip
    assert decision.action == "START"
    assert decision.triggers == ("performance", "drift", "event", "new_rows", "schedule")
    assert (decision.kind, decision.episode, len(decision.reasons)) == ("performance", EPISODE, 5)
    assert "pricing requested it at 2016-02-01 00:00 UTC: a new catalogue" in decision.reasons


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        (((0.9, 0.9), (0.79, 0.9)), "79% of the answers are right (measured)"),
        (((None, 0.9), (None, 0.79)), "79% of the answers are right (estimated)"),
        (((0.79, None), (None, None)), "79% of the answers are right (measured)"),
        (((0.9, 0.9), (0.9, 0.7)), None),
        (((None, None),), None),
        ((), None),
    ],
)
def test_confidence_min_is_an_absolute_floor_of_right_answers_measured_before_estimated(shares, words):
    decision = decide(state(right(*shares)), confidence_min=0.8)
    assert (decision.triggers == ("sla",)) is (words is not None)
    assert words is None or decision.reasons[0].startswith(words)
    assert decide(state(right(*shares))).action == "NONE"


def test_a_request_of_another_program_counts_until_a_retraining_starts():
    wish = OutsideRequest(NOW - timedelta(days=3), "pricing", "why")
    asked = replace(state(weekly(LOST[:1] * 2)), request=wish)
    assert decide(asked, cooldown_days=0).kind == "event"
    later = (RetrainingStart(NOW - timedelta(days=2), "event", "e"),)
    assert decide(replace(asked, starts=later), cooldown_days=0).action == "NONE"
    failed = (replace(later[0], failed=True),)
    assert decide(replace(asked, starts=failed), cooldown_days=0).kind == "event"
    assert decide(replace(asked, champion_since=NOW), cooldown_days=0).action == "NONE"
    assert decide(asked, on_event=False).action == "NONE"


def test_new_rows_are_counted_from_the_last_start():
    start = RetrainingStart(NOW - timedelta(days=20), "new_rows", "e", new_rows=3_000)
    assert decide(state(new=2_999), on_new_rows=3_000).action == "NONE"
    assert decide(state(new=3_000), on_new_rows=3_000).kind == "new_rows"
    assert decide(state(new=5_999, starts=(start,)), on_new_rows=3_000).action == "NONE"
    assert decide(state(new=6_000, starts=(start,)), on_new_rows=3_000).kind == "new_rows"
    # What led to the champion was counted before it.
    assert decide(state(new=3_000, starts=(start,), since=10), on_new_rows=3_000).kind == "new_rows"


def test_a_schedule_starts_one_retraining_a_tick():
    monthly = {"schedule": "cron(0 4 1 * ? *)", "cooldown_days": 0}
    assert decide(state(since=120), **monthly).kind == "schedule"
    done = (RetrainingStart(datetime(2016, 1, 1, 5, tzinfo=UTC), "schedule", "e"),)
    assert decide(state(since=120, starts=done), **monthly).action == "NONE"
    four = replace(state(since=120, starts=done))
    assert decide_retraining(four, RetrainingPolicy(**monthly), NOW + timedelta(hours=4)).kind == "schedule"


def cost(*dollars, days=10):
    return tuple(
        RetrainingStart(NOW - timedelta(days=days + 3 * place), "drift", f"x{place}", cost_usd=each)
        for place, each in enumerate(dollars)
    )[::-1]


@pytest.mark.parametrize(
    ("spent", "hold"),
    [((2.0, 2.0), "money"), ((1.0, 1.0), None), ((2.0, None), "money"), ((None, None), None), ((), None)],
)
def test_money_that_is_spent_holds_the_next_retraining(spent, hold):
    found = state(weekly(LOST), cost(*spent))
    decision = decide(found, budget_usd_per_month=5.0, maximum_per_month=9, cooldown_days=0)
    assert decision.hold == hold
    if hold:
        assert decision.why_held[0].startswith(
            "4.00 USD were spent in 30 days, and the next retraining costs about 2.00 USD (prices of"
        )
        # The older of the two starts, 13 days ago, leaves the 30 days after 17 more.
        assert decision.lifts[0].startswith("enough of it is older than 30 days from 2016-02-18 00:00 UTC on")


def test_a_failed_retraining_costs_money_too():
    starts = tuple(replace(start, failed=True) for start in cost(4.0, 4.0))
    assert decide(state(weekly(LOST), starts), budget_usd_per_month=9.0).hold == "money"


def test_a_budget_below_a_single_retraining_is_lifted_by_a_higher_one_alone():
    decision = decide(state(weekly(LOST), cost(3.0, days=40)), budget_usd_per_month=2.0)
    assert decision.lifts == ("a higher retraining.budget_usd_per_month",)


def test_quiet_hours_hold_a_start_until_they_end():
    night = QuietHours(start=20, end=6, weekends=True)
    assert decide(state(weekly(LOST)), quiet_hours=night).lifts == ("the quiet hours end at 2016-02-01 06:00 UTC",)
    policy = RetrainingPolicy(quiet_hours=night)
    friday_night = datetime(2016, 2, 5, 21, 30, tzinfo=UTC)
    held = decide_retraining(state(weekly(LOST)), policy, friday_night)
    assert held.lifts == ("the quiet hours end at 2016-02-08 06:00 UTC",)
    assert decide_retraining(state(weekly(LOST)), policy, NOW + timedelta(hours=6)).action == "START"


def test_everything_that_holds_is_named_with_what_lifts_it():
    starts = (RetrainingStart(NOW - timedelta(days=5), "drift", "x", cost_usd=3.0),)
    decision = decide(
        state(weekly(LOST), starts, new=100, paused="audit"),
        maximum_per_month=1, budget_usd_per_month=5.0, quiet_hours=QuietHours(start=20, end=6),
    )  # fmt: skip
    assert decision.hold == "paused"
    assert len(decision.why_held) == len(decision.lifts) == 6
    assert decision.lifts[:3] == (
        "`kedge pause --resume` ends the pause",
        "the cooldown ends at 2016-02-10 00:00 UTC",
        "the next one is allowed from 2016-02-26 00:00 UTC on (retraining.maximum_per_month)",
    )
    assert decision.lifts[4] == "400 more labelled rows (retraining.min_new_labelled_rows)"


def test_a_watched_model_says_so_and_nothing_else():
    held = held_if_watched(decide(state(weekly(LOST), paused="audit")), model="m", mode="watch")
    assert (held.hold, len(held.reasons), held.lifts) == ("watched", 2, ("`mode: manage` in its YAML, deployed",))
