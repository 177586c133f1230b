"""An answer of the registry is before the event, of the event, or after it; none is waited for for ever."""

from datetime import UTC, datetime, timedelta

import pytest

from kedge.release.approval_order import judge_reading

TOLD_AT = datetime(2016, 2, 11, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def judge(**changes) -> str:
    facts = {"told": "Approved", "found": "PendingManualApproval", "told_at": TOLD_AT, "deliveries": 1}
    facts["changed_at"] = TOLD_AT - HOUR
    return judge_reading(**(facts | changes))


@pytest.mark.parametrize("found", ["PendingManualApproval", "Rejected"])
def test_another_status_from_before_the_event_is_behind(found):
    assert judge(found=found) == "BEHIND"


def test_a_package_that_was_never_changed_is_behind_an_event_about_its_change():
    assert judge(changed_at=None) == "BEHIND"


@pytest.mark.parametrize("found", ["PendingManualApproval", "Rejected"])
def test_another_status_from_after_the_event_has_overtaken_it(found):
    assert judge(found=found, changed_at=TOLD_AT + HOUR) == "OVERTAKEN"


def test_times_that_may_only_be_rounded_apart_prove_nothing():
    assert judge(changed_at=TOLD_AT + timedelta(milliseconds=600)) == "BEHIND"


def test_a_package_that_is_approved_at_once_has_overtaken_its_own_registration():
    registered = {"told": "PendingManualApproval", "found": "Approved"}
    assert judge(**registered, changed_at=TOLD_AT + timedelta(milliseconds=600)) == "OVERTAKEN"
    assert judge(**registered, changed_at=TOLD_AT) == "OVERTAKEN"
    assert judge(**registered, changed_at=TOLD_AT - timedelta(milliseconds=600)) == "BEHIND"


@pytest.mark.parametrize("changed_at", [None, TOLD_AT - HOUR, TOLD_AT + HOUR])
def test_the_same_status_is_current_whatever_the_times(changed_at):
    assert judge(found="Approved", changed_at=changed_at) == "CURRENT"
    assert judge(told=None, changed_at=changed_at) == "CURRENT"


def test_an_answer_that_stays_behind_is_believed_in_the_end():
    assert [judge(deliveries=number) for number in (1, 2, 3, 48)] == ["BEHIND", "BEHIND", "OVERTAKEN", "OVERTAKEN"]
