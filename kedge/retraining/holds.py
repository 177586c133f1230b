"""What holds a wanted retraining, and what would lift it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from kedge.config.prices import DATE, REGION
from kedge.config.retraining import RetrainingPolicy
from kedge.retraining.state import Held, RetrainingState

MONTH = timedelta(days=30)
# The hold of a model that is only watched.
WATCHED = "watched"


def active_holds(state: RetrainingState, policy: RetrainingPolicy, now: datetime, episode: str) -> tuple[Held, ...]:
    """Everything that holds it, in the order in which a person would ask."""
    return (
        *_by_people(state, policy, episode),
        *_too_early(state, policy, now, episode),
        *_too_many(state, policy, now),
        *_too_dear(state, policy, now),
        *_nothing_new(state, policy),
        *_quiet(policy, now),
    )


def _by_people(state: RetrainingState, policy: RetrainingPolicy, episode: str) -> Iterator[Held]:
    if policy.paused or state.paused:
        why = f"retraining is paused: {state.paused or 'in the YAML'}"
        lifts = [
            *(["`kedge pause --resume` ends the pause"] if state.paused else []),
            *(["`retraining.paused: false` in the YAML, deployed, ends it"] if policy.paused else []),
        ]
        yield Held("paused", why, "; ".join(lifts))
    failed = sum(start.episode == episode and start.failed for start in state.starts)
    if failed >= policy.attempts_maximum:
        why = f"{failed} retrainings of this episode failed; a person must find out why"
        yield Held(
            "attempts", why, "a person's request (`kedge retrain`) starts one; the next episode has attempts of its own"
        )


def _too_early(state: RetrainingState, policy: RetrainingPolicy, now: datetime, episode: str) -> Iterator[Held]:
    tried = sum(start.episode == episode for start in state.done)
    # Challengers that are refused again and again cost money and teach little, so the wait grows each time.
    cooldown = policy.cooldown_days * 2 ** max(0, tried - policy.attempts_maximum + 1)
    last = state.done[-1].time if state.done else None
    if last is not None and now - last < timedelta(days=cooldown):
        why = f"the last retraining started on {last:%Y-%m-%d}; the cooldown is {cooldown} days"
        yield Held("cooldown", why, f"the cooldown ends at {_moment(last + timedelta(days=cooldown))}")


def _too_many(state: RetrainingState, policy: RetrainingPolicy, now: datetime) -> Iterator[Held]:
    recent = [start.time for start in state.done if now - start.time < MONTH]
    if len(recent) >= policy.maximum_per_month:
        why = f"{len(recent)} retrainings in 30 days; {policy.maximum_per_month} are allowed"
        free = recent[len(recent) - policy.maximum_per_month] + MONTH
        yield Held("budget", why, f"the next one is allowed from {_moment(free)} on (retraining.maximum_per_month)")


def _too_dear(state: RetrainingState, policy: RetrainingPolicy, now: datetime) -> Iterator[Held]:
    """Measured money of all starts, the failed ones too; one that is not measured yet costs what the last measured one cost."""
    allowed = policy.budget_usd_per_month
    measured = [start.cost_usd for start in state.starts if start.cost_usd is not None]
    if allowed is None or not measured:
        return
    next_one = measured[-1]
    recent = [
        (start.time, next_one if start.cost_usd is None else start.cost_usd)
        for start in state.starts
        if now - start.time < MONTH
    ]
    spent = sum(cost for _, cost in recent)
    if spent + next_one <= allowed:
        return
    prices = "retraining.usd_per_instance_hour" if policy.usd_per_instance_hour else f"prices of {REGION}, {DATE}"
    why = (
        f"{spent:.2f} USD were spent in 30 days, and the next retraining costs about {next_one:.2f} USD ({prices}); "
        f"retraining.budget_usd_per_month is {allowed:.2f}"
    )
    raised = "a higher retraining.budget_usd_per_month"
    for time, cost in recent:
        spent -= cost
        if spent + next_one <= allowed:
            yield Held("money", why, f"enough of it is older than 30 days from {_moment(time + MONTH)} on, or {raised}")
            return
    yield Held("money", why, raised)


def _nothing_new(state: RetrainingState, policy: RetrainingPolicy) -> Iterator[Held]:
    lacking = policy.min_new_labelled_rows - state.new_labelled_rows
    if lacking > 0:
        why = (
            f"{state.new_labelled_rows:,} ripe labelled rows are newer than the champion's training rows; "
            f"{policy.min_new_labelled_rows:,} are needed"
        )
        yield Held("no_new_labels", why, f"{lacking:,} more labelled rows (retraining.min_new_labelled_rows)")


def _quiet(policy: RetrainingPolicy, now: datetime) -> Iterator[Held]:
    hours = policy.quiet_hours
    if hours is not None and hours.include(now):
        why = f"quiet hours ({hours.in_words()}): no retraining starts by itself"
        yield Held("quiet", why, f"the quiet hours end at {_moment(hours.end_after(now))}")


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
