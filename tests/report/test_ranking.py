import pytest

from report.ranking import verdict_of


@pytest.mark.parametrize(
    ("performance", "verdict"),
    [
        (None, "OK"), ({"severity": "INSUFFICIENT_DATA"}, "OK"), ({"severity": "WARNING"}, "WARNING"),
        ({"severity": "OK", "fairness": {"severity": "CRITICAL"}}, "CRITICAL"),
        ({"severity": "INSUFFICIENT_DATA", "estimate": {"severity": "CRITICAL"}}, "CRITICAL"),
        ({"severity": "OK", "estimate": {"metrics": []}, "concept_drift": {"severity": "WARNING"}}, "OK"),
        ({"severity": "OK", "concept_drift": {"severity": "CRITICAL", "shifts": []}}, "CRITICAL"),
    ],
)  # fmt: skip
def test_a_report_is_as_bad_as_the_worst_that_it_judges(performance, verdict):
    assert verdict_of({"severity": "OK", "performance": performance}) == verdict
