"""Which rollback alarms of a canary rang, in sentences for the mail that says that it went back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kedge.release.plan import ALARM_REASONS

UNKNOWN = "CloudWatch did not answer which alarm rang"
NONE_KNOWN = "CloudWatch shows no alarm that rang"


@dataclass(frozen=True)
class RungAlarm:
    """An alarm's first step into ALARM: when, and CloudWatch's own reason."""

    name: str
    at: datetime
    reason: str

    @property
    def kind(self) -> str:
        """The last part of its name, such as `server-errors`; the whole name if it is not a canary's alarm."""
        return next((kind for kind in ALARM_REASONS if self.name.endswith(f"-{kind}")), self.name)


def rung_reasons(rung: Sequence[RungAlarm] | None, *, otherwise: str) -> tuple[str, ...]:
    """Say what rang, the first one first.

    Parameters
    ----------
    rung : sequence of RungAlarm or None
        None where CloudWatch did not answer.
    otherwise : str
        Another known reason. If there is one, the sentence does not mention that no alarm rang.

    >>> from datetime import UTC
    >>> errors = RungAlarm("kedge-m-v2-0a1b2c3d-server-errors", datetime(2016, 1, 1, 12, 5, tzinfo=UTC), "0.4 is above 0.05")
    >>> rung_reasons([errors], otherwise="")
    ('alarm server-errors rang at 12:05 UTC: the canary fails requests (0.4 is above 0.05)',)
    >>> rung_reasons([], otherwise="the deployment took too long")
    ()
    """
    if not rung:
        said = UNKNOWN if rung is None else NONE_KNOWN
        return () if otherwise else (said,)
    return tuple(
        f"alarm {alarm.kind} rang at {alarm.at:%H:%M} UTC: {ALARM_REASONS.get(alarm.kind, 'not an alarm of a canary')} ({alarm.reason})"
        for alarm in sorted(rung, key=lambda alarm: alarm.at)
    )
