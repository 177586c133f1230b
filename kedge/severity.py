"""The four verdicts, in the order in which a worse one wins over a better one."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property


class Severity(StrEnum):
    """How bad a window, a column or a check is."""

    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"
    OK = "OK"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"

    # Found once a member: judging compares severities by the hundred thousand.
    @cached_property
    def rank(self) -> int:
        """0 for INSUFFICIENT_DATA to 3 for CRITICAL: a judged part wins over one that was not judged."""
        return list(Severity).index(self)

    def __lt__(self, other: object) -> bool:
        return self.rank < other.rank if isinstance(other, Severity) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self.rank > other.rank if isinstance(other, Severity) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self.rank <= other.rank if isinstance(other, Severity) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self.rank >= other.rank if isinstance(other, Severity) else NotImplemented


def worst(severities: Iterable[Severity]) -> Severity:
    """The worst of the tests that ran; INSUFFICIENT_DATA only if none did.

    >>> worst([Severity.INSUFFICIENT_DATA, Severity.OK]).value
    'OK'
    """
    return max(severities, default=Severity.INSUFFICIENT_DATA)


def warned_if(bad: bool) -> Severity:
    """WARNING if something is wrong, else OK.

    >>> warned_if(True).value
    'WARNING'
    """
    return Severity.WARNING if bad else Severity.OK
