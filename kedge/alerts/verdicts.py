"""When people must hear of a judged window, and the name of each part that can alarm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kedge.alerts.episode import AlertWindow
from kedge.drift.report import DriftReport
from kedge.performance.verdicts import QualityVerdicts
from kedge.severity import Severity, worst

COLUMN = "column "
_UNKNOWN = Severity.INSUFFICIENT_DATA


def alert_severity(drift: Severity, quality: QualityVerdicts) -> Severity:
    """The worst of drift, measured quality, estimated quality, fairness, concept drift, and of what alarms by the YAML's choice.

    An estimate can make the result worse, never better.

    >>> found = [QualityVerdicts(Severity.CRITICAL), QualityVerdicts()]
    >>> [alert_severity(Severity.WARNING, quality).value for quality in found]
    ['CRITICAL', 'WARNING']
    """
    return worst([drift, *quality.known])


def is_blind(drift: Severity, measured: Severity | None) -> bool:
    """Whether neither the columns nor the labels of a window could be judged."""
    return alert_severity(drift, QualityVerdicts(measured)) is Severity.INSUFFICIENT_DATA


def newly_blind(blind: Sequence[bool]) -> bool:
    """Whether this is the second window in a row in which nothing could be judged: people hear of it once.

    Parameters
    ----------
    blind : sequence of bool
        This window and the two before it, the newest first; a missing window counts as not blind.

    >>> newly_blind([True, True, False]), newly_blind([True, True, True]), newly_blind([True])
    (True, False, False)
    """
    return list(blind[:2]) == [True, True] and True not in blind[2:3]


def alert_window(
    report: DriftReport, quality: QualityVerdicts, *, drift_lasts: bool = True, chosen: Sequence[str] = ()
) -> AlertWindow:
    """The verdicts of a report by part: its columns, the window's data quality, and how good the answers are.

    Parameters
    ----------
    quality : QualityVerdicts
        A measured loss that has not lasted as long as the YAML asks for is a warning in it.
    drift_lasts : bool
        Whether drift has lasted as long as the YAML asks for; else it is a warning.
    chosen : sequence of str
        The parts that alarm because the YAML says so, also where this window could not judge them.
    """
    of_data, of_answers = data_verdicts(report), answer_verdicts(quality, report.less_confident, chosen)
    of_data = of_data if drift_lasts else young_drift(of_data)
    return AlertWindow(report.start, report.end, report.baseline, {**of_data, **of_answers})


def young_drift(verdicts: Mapping[str, Severity]) -> dict[str, Severity]:
    """The verdicts on the rows while drift has not lasted: a column is at most a WARNING.

    >>> found = young_drift({"column adr": Severity.CRITICAL, "data quality (rows)": Severity.CRITICAL})
    >>> [severity.value for severity in found.values()]
    ['WARNING', 'CRITICAL']
    """
    return {
        part: min(severity, Severity.WARNING) if part.startswith(COLUMN) else severity
        for part, severity in verdicts.items()
    }


def data_verdicts(report: DriftReport) -> dict[str, Severity]:
    """The verdicts on the rows: of each column, and on the data quality of the whole window."""
    parts = {f"{COLUMN}{column.column.name}": column.severity for column in report.columns}
    for variant in report.variants:
        parts |= {f"{part} at variant {variant.name}": found for part, found in data_verdicts(variant.report).items()}
    # A check of the window that found nothing does not make a blind window OK.
    return parts | {
        f"data quality ({check.check})": check.severity
        for check in report.quality
        if not check.column and check.severity >= Severity.WARNING
    }


def answer_verdicts(
    quality: QualityVerdicts, less_confident: Severity | None, chosen: Sequence[str] = ()
) -> dict[str, Severity]:
    """The verdicts on the answers, part by part."""
    judged = quality.measured not in (None, _UNKNOWN)
    return {
        "measured quality": quality.measured or _UNKNOWN,
        # An estimate counts only if the labels give no verdict.
        "estimated quality": quality.estimated or (Severity.OK if judged else _UNKNOWN),
        "equal treatment": quality.unequal or _UNKNOWN,
        # Windows in which nothing moved say so only where labels judged them.
        "P(y given x)": quality.moved or (Severity.OK if judged else _UNKNOWN),
        "confidence of the answers": less_confident or _UNKNOWN,
        **{part: quality.chosen.get(part, _UNKNOWN) for part in chosen},
    }
