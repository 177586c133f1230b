"""When a judged window is worth a person's attention."""

from __future__ import annotations

from collections.abc import Sequence

from kedge.severity import Severity, worst


def alert_severity(drift: Severity, performance: Severity | None, *others: Severity | None) -> Severity:
    """The worst of drift, measured quality, estimated quality and fairness; None where one of them is not known.

    An estimate can add to the others and take nothing from them.

    >>> alert_severity(Severity.OK, Severity.CRITICAL).value, alert_severity(Severity.WARNING, None).value
    ('CRITICAL', 'WARNING')
    """
    return worst(severity for severity in (drift, performance, *others) if severity is not None)


def newly_blind(blind: Sequence[bool]) -> bool:
    """Whether this is the second window in a row in which nothing could be judged: that is said once.

    Parameters
    ----------
    blind : sequence of bool
        Of this window and the two before it, the newest first; a window that is not there was not blind.

    >>> newly_blind([True, True, False]), newly_blind([True, True, True]), newly_blind([True])
    (True, False, False)
    """
    return list(blind[:2]) == [True, True] and True not in blind[2:3]
