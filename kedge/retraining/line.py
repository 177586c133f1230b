"""Which of several models goes first where only some retrainings may run at once: the one that loses most."""

from __future__ import annotations

from collections.abc import Mapping

from kedge.retraining.state import Held

LINE = "line"


def loss_a_day(loss: float, rows_a_day: float, cost_per_row: float) -> float:
    """What a model loses in a day: how far it is beyond its limit, times its traffic, times what a row costs.

    >>> loss_a_day(0.25, 1000.0, 2.0)
    500.0
    """
    return loss * rows_a_day * cost_per_row


def held_in_line(model: str, losing: float, waiting: Mapping[str, float], *, free: int, at_once: int) -> Held | None:
    """Hold a retraining if all places are taken, or are due to models that lose more; None if it may start.

    Parameters
    ----------
    losing : float
        What the model loses in a day.
    waiting : mapping of str to float
        What each other model loses that waits for nothing but a place; of equals the first by name goes first.

    >>> held_in_line("b", 5.0, {"a": 5.0, "c": 5.0}, free=2, at_once=2) is None
    True
    >>> held_in_line("b", 5.0, {"a": 5.0, "c": 9.0}, free=2, at_once=2).why
    '2 of 2 places for a retraining are free, and 2 models that lose more wait for them: c, a'
    """
    others = sorted((-theirs, name) for name, theirs in waiting.items() if name != model)
    before = [name for ahead, name in others if (ahead, name) < (-losing, model)]
    if len(before) < free:
        return None
    why = f"{free} of {at_once} places for a retraining are free"
    if before:
        who = "model that loses" if len(before) == 1 else "models that lose"
        why += f", and {len(before)} {who} more wait{'s' * (len(before) == 1)} for them: {', '.join(before[:5])}"
    return Held(LINE, why, "it starts within an hour of a place that nobody before it needs (retrainings_at_once)")
