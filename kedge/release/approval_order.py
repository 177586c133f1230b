"""Whether the registry's answer about a package is from before or after the event about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

Reading = Literal["CURRENT", "BEHIND", "OVERTAKEN"]

# An event's times are in milliseconds, the registry's may be rounded.
_ROUNDING = timedelta(seconds=1)
# The approvals queue delivers a message again after six minutes: the registry is not behind for that long twice.
BEHIND_DELIVERIES_MAX = 2


def judge_reading(
    *, told: str | None, found: str, told_at: datetime, changed_at: datetime | None, deliveries: int
) -> Reading:
    """Compare the approval status in the registry's answer with the one in the event.

    DescribeModelPackage may be eventually consistent: right after the event it may still answer the status before. Such an
    answer is BEHIND, and Kedge asks again. OVERTAKEN means that a person has changed the status since.

    Parameters
    ----------
    told, found : str or None
        Approval status in the event (None if it has none), and in the registry's answer.
    told_at : datetime
        When the event's change was made: its LastModifiedTime, else the time of the event itself.
    changed_at : datetime or None
        The answer's LastModifiedTime.
    deliveries : int
        How often the queue has delivered the event, this time included. After the second delivery the answer counts:
        otherwise an event without a time of its own would come again for ever.

    >>> from datetime import UTC
    >>> approved = datetime(2016, 1, 1, 12, tzinfo=UTC)
    >>> facts = {"told": "Approved", "found": "PendingManualApproval", "told_at": approved, "deliveries": 1}
    >>> judge_reading(**facts, changed_at=approved - timedelta(hours=1))
    'BEHIND'
    >>> judge_reading(**facts, changed_at=approved + timedelta(hours=1))
    'OVERTAKEN'
    """
    if told is None or told == found:
        return "CURRENT"
    # Nobody takes an approval back within a second; but a package is pending first, and a program may approve it at once.
    rounding = timedelta(0) if told == "PendingManualApproval" else _ROUNDING
    is_older = changed_at is None or changed_at < told_at + rounding
    return "BEHIND" if is_older and deliveries <= BEHIND_DELIVERIES_MAX else "OVERTAKEN"


def is_decided_anew(*, told_at: datetime | None, heard_at: datetime | None, changed_at: datetime | None) -> bool:
    """Judge whether the status seen last was decided again since: the event names another status in between.

    A person who rejects a package and approves it at once, to release it again, may do both before Kedge reads
    either event.

    Parameters
    ----------
    told_at : datetime or None
        The event's LastModifiedTime. Its own time would not do: it may be later than the next decision.
    heard_at, changed_at : datetime or None
        The registry's LastModifiedTime in the last answer that Kedge acted on, and in this one.

    >>> from datetime import UTC
    >>> at = [datetime(2016, 1, 1, hour, tzinfo=UTC) for hour in (12, 13, 14)]
    >>> is_decided_anew(heard_at=at[0], told_at=at[1], changed_at=at[2])
    True
    >>> is_decided_anew(heard_at=at[2], told_at=at[1], changed_at=at[2])
    False
    """
    if told_at is None or heard_at is None or changed_at is None:
        return False
    return heard_at + _ROUNDING < told_at < changed_at
