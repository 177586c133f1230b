"""The clock fires in order and waits for its threads."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from offline.clock import Clock, ClockError

START = datetime(2016, 1, 1, tzinfo=UTC)


@pytest.fixture
def clock():
    clock = Clock(START)
    clock.start()
    yield clock
    clock.stop()


def after(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def test_actions_fire_in_order_of_time_then_of_asking(clock):
    fired = []
    for name, minutes in (("late", 3), ("first", 1), ("second", 1)):
        clock.call_at(after(minutes), lambda name=name: fired.append((name, clock.now)))
    clock.advance_to(after(2))
    assert fired == [("first", after(1)), ("second", after(1))]
    assert clock.now == after(2)
    clock.advance_to(after(3))
    assert fired[-1] == ("late", after(3))


def test_every_way_of_asking_the_time_agrees(clock):
    clock.advance_to(after(5))
    assert datetime.now(UTC) == after(5)
    assert time.time() == after(5).timestamp()


def test_a_cancelled_timer_never_fires(clock):
    fired = []
    clock.cancel(clock.call_at(after(1), lambda: fired.append(1)))
    clock.advance_to(after(2))
    assert fired == []
    assert clock.due() is None


def test_an_action_may_plan_the_next_within_the_same_advance(clock):
    seen = []

    def tick() -> None:
        seen.append(clock.now)
        clock.call_at(clock.now + timedelta(minutes=1), tick)

    clock.call_at(after(1), tick)
    clock.advance_to(after(3))
    assert seen == [after(1), after(2), after(3)]


def test_a_parked_thread_runs_between_two_actions(clock):
    order = []

    def execution() -> None:
        order.append(("started", clock.now))
        clock.park(after(2))
        order.append(("woke", clock.now))

    clock.call_at(after(1), lambda: clock.thread(execution))
    clock.call_at(after(2), lambda: order.append(("later action", clock.now)))
    clock.call_at(after(3), lambda: order.append(("last", clock.now)))
    clock.advance_to(after(3))
    assert order == [("started", after(1)), ("later action", after(2)), ("woke", after(2)), ("last", after(3))]


def test_a_thread_that_joined_another_counts_as_running_once_it_has_ended(clock):
    order = []

    def parent() -> None:
        child = clock.thread(lambda: (clock.park(after(1)), order.append("child")))
        clock.join(child)
        order.append("parent")

    clock.thread(parent)
    clock.advance_to(after(1))
    assert order == ["child", "parent"]


def test_a_failing_thread_is_told_by_the_advance(clock):
    def broken() -> None:
        raise ValueError("lost")

    clock.thread(broken)
    with pytest.raises(ValueError, match="lost"):
        clock.advance_to(after(1))


def test_the_clock_never_goes_back_nor_moves_inside_its_own_move(clock):
    clock.advance_to(after(2))
    with pytest.raises(ClockError, match="never goes back"):
        clock.advance_to(after(1))
    clock.call_at(after(3), lambda: clock.advance_to(after(4)))
    with pytest.raises(ClockError, match="advance_to had called"):
        clock.advance_to(after(3))


def test_only_a_registered_thread_may_park(clock):
    with pytest.raises(ClockError, match="registered"):
        clock.park(after(1))
