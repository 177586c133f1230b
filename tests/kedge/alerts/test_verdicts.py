from kedge.alerts.verdicts import alert_severity, newly_blind
from kedge.performance.verdicts import QualityVerdicts
from kedge.severity import Severity

OK, WARNING, CRITICAL, BLIND = Severity.OK, Severity.WARNING, Severity.CRITICAL, Severity.INSUFFICIENT_DATA


def test_measured_quality_can_make_a_window_worse_and_never_better():
    assert alert_severity(OK, QualityVerdicts(CRITICAL)) is CRITICAL
    assert alert_severity(CRITICAL, QualityVerdicts(OK)) is CRITICAL
    assert alert_severity(BLIND, QualityVerdicts(OK)) is OK
    assert alert_severity(WARNING, QualityVerdicts()) is WARNING
    assert alert_severity(OK, QualityVerdicts(OK, unequal=CRITICAL)) is CRITICAL


def test_a_blind_monitor_is_told_once_at_the_second_window():
    seen, told = [], []
    for blind in (False, True, True, True, False, True, True):
        seen.insert(0, blind)
        told.append(newly_blind(seen))
    assert told == [False, False, True, False, False, False, True]
