"""When a judged window is worth a person's attention."""

from __future__ import annotations

from collections.abc import Sequence

from kedge.model_policies import Alerts
from kedge.severity import Severity, worst


def alert_severity(drift: Severity, performance: Severity | None, *others: Severity | None) -> Severity:
    """The worst of drift, measured quality, estimated quality and fairness; None where one of them is not known.

    An estimate can add to the others and take nothing from them.

    >>> alert_severity(Severity.OK, Severity.CRITICAL).value, alert_severity(Severity.WARNING, None).value
    ('CRITICAL', 'WARNING')
    """
    return worst(severity for severity in (drift, performance, *others) if severity is not None)


def is_alert(severity: Severity, blind: Sequence[bool], policy: Alerts) -> bool:
    """Whether a person hears of a window: it is as bad as the YAML asks, or the monitor has gone blind.

    Parameters
    ----------
    severity : Severity
        The window's `alert_severity`.
    blind : sequence of bool
        See `newly_blind`.

    >>> is_alert(Severity.OK, [False], Alerts()), is_alert(Severity.OK, [True, True], Alerts())
    (False, True)
    """
    return severity >= Severity(policy.severity_from) or newly_blind(blind)


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
