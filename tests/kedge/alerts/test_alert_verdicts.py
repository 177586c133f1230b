from dataclasses import replace

import pytest

from kedge.alerts.verdicts import alert_severity, alert_window
from kedge.drift.column_quality import QualityCheck
from kedge.performance.verdicts import QualityVerdicts
from kedge.severity import Severity
from tests.builders import judged, make_window

OK, WARNING, CRITICAL, BLIND = Severity.OK, Severity.WARNING, Severity.CRITICAL, Severity.INSUFFICIENT_DATA


def parts(report, *verdicts):
    return alert_window(report, QualityVerdicts(*verdicts)).verdicts


def test_every_column_and_the_answers_worth_are_parts():
    found = parts(judged(make_window(shift=1.0)))
    assert found["column weight"] is CRITICAL
    assert {found[f"column {name}"] for name in ("items", "carrier", "prediction")} == {OK}
    assert {found[name] for name in ("measured quality", "estimated quality", "equal treatment")} == {BLIND}


def test_a_check_of_the_window_is_a_part_where_it_found_something():
    checks = [
        QualityCheck(name, "", severity, 0.0, 0.9, "") for name, severity in (("captured", CRITICAL), ("volume", OK))
    ]
    report = judged(make_window())
    found = parts(replace(report, quality=(*report.quality, *checks)))
    assert found["data quality (captured)"] is CRITICAL
    assert "data quality (volume)" not in found
    blind = judged(make_window(rows=50))
    assert alert_window(replace(blind, columns=(), quality=tuple(checks[1:])), QualityVerdicts()).severity is BLIND


def test_an_estimate_is_asked_for_only_where_the_labels_are_out():
    report = judged(make_window())
    assert parts(report, BLIND, CRITICAL)["estimated quality"] is CRITICAL
    assert parts(report)["estimated quality"] is BLIND
    assert (parts(report, OK)["estimated quality"], parts(report, OK)["measured quality"]) == (OK, OK)


@pytest.mark.parametrize("shift", [0.0, 1.0])
@pytest.mark.parametrize("measured", [None, BLIND, OK, CRITICAL])
@pytest.mark.parametrize("fairness", [None, WARNING])
def test_the_worst_part_is_what_the_alerts_severity_is(shift, measured, fairness):
    report = judged(make_window(shift=shift))
    quality = QualityVerdicts(measured, None, fairness)
    assert alert_window(report, quality).severity is alert_severity(report.severity, quality)


def test_what_the_yaml_lets_alarm_is_a_part_also_where_it_could_not_be_judged():
    report = judged(make_window())
    quality = QualityVerdicts(OK, chosen={"segments": CRITICAL})
    found = alert_window(report, quality, chosen=("segments", "business figure revenue"))
    assert (found.verdicts["segments"], found.verdicts["business figure revenue"]) == (CRITICAL, BLIND)
    assert found.severity is CRITICAL
    assert "segments" not in parts(report)
