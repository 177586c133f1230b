"""A judged window taken apart into what can alarm, each part in words that a person reads."""

from __future__ import annotations

from kedge.alert_episode import AlertWindow
from kedge.drift import DriftReport
from kedge.severity import Severity

_UNKNOWN = Severity.INSUFFICIENT_DATA


def alert_window(report: DriftReport, quality: Severity | None) -> AlertWindow:
    """What a report says part by part: its columns, the window's data quality, and how good the answers are.

    Parameters
    ----------
    quality : Severity, optional
        What the labels say, once a loss has lasted as long as the YAML asks for; None where none were joined.
    """
    parts = {f"column {column.column.name}": column.severity for column in report.columns}
    # A check of the window that found nothing does not make a blind window OK.
    parts |= {
        f"data quality ({check.check})": check.severity
        for check in report.quality
        if not check.column and check.severity >= Severity.WARNING
    }
    judged = quality not in (None, _UNKNOWN)
    parts |= {
        "measured quality": quality or _UNKNOWN,
        # It speaks only where the labels do not.
        "estimated quality": report.estimated or (Severity.OK if judged else _UNKNOWN),
        "equal treatment": report.unequal or _UNKNOWN,
        "confidence of the answers": report.less_confident or _UNKNOWN,
    }
    return AlertWindow(report.start, report.end, report.baseline, parts)
