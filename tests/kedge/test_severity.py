import itertools

from kedge.severity import Severity, worst


def test_severities_are_ordered_and_what_was_judged_outweighs_what_was_not():
    order = [Severity.INSUFFICIENT_DATA, Severity.OK, Severity.WARNING, Severity.CRITICAL]
    assert sorted(reversed(order)) == order
    assert all(a < b and b > a and a <= b and b >= a for a, b in itertools.pairwise(order))


def test_the_worst_of_nothing_is_insufficient_data():
    assert worst([]) is Severity.INSUFFICIENT_DATA
    assert worst([Severity.OK, Severity.CRITICAL, Severity.INSUFFICIENT_DATA]) is Severity.CRITICAL
