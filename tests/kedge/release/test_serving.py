"""What is done when the champion item and the endpoint disagree."""

import pytest

from kedge.release.serving import Served, judge_serving

CONFIG, OTHER = "hotel-v2-aaaaaaaa", "hotel-v3-bbbbbbbb"
PACKAGE = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/hotel/3"


def judged(served):
    return judge_serving(
        model="hotel", endpoint="front-desk", champion_config=CONFIG, champion_version="2", served=served
    )


def serving(**more):
    return Served(**({"status": "InService", "settled": True, "endpoint_config": CONFIG} | more))


def test_an_endpoint_that_serves_the_champion_needs_nothing():
    assert judged(serving(package_arn=PACKAGE, approval_status="Approved", baseline_kept=True)).action == "NONE"


def test_an_endpoint_that_is_being_changed_is_left_alone():
    assert judged(serving(status="Updating", settled=False, endpoint_config=OTHER)).action == "WAIT"


def test_a_deleted_endpoint_is_told_with_the_way_back():
    verdict = judged(None)
    assert verdict.action == "TELL"
    assert "front-desk does not exist any more" in verdict.reasons[0]
    assert "kedge rollback hotel --to 2" in verdict.reasons[1]


def test_a_broken_endpoint_is_told_with_sagemakers_reason():
    verdict = judged(serving(status="Failed", failure_reason="no capacity"))
    assert (verdict.action, verdict.state) == ("TELL", "broken Failed")
    assert "no capacity" in verdict.reasons[0]


def test_a_version_of_ours_that_was_put_there_by_hand_is_followed():
    verdict = judged(
        serving(endpoint_config=OTHER, package_arn=PACKAGE, approval_status="Approved", baseline_kept=True)
    )
    assert verdict.action == "FOLLOW"
    assert OTHER in verdict.reasons[0]


@pytest.mark.parametrize("known", [{}, {"package_arn": PACKAGE, "approval_status": "Approved"}])
def test_a_model_without_a_baseline_of_ours_is_told_and_not_followed(known):
    verdict = judged(serving(endpoint_config=OTHER, **known))
    assert verdict.action == "TELL"
    assert "are not judged" in verdict.reasons[1]


def test_a_rejected_version_that_serves_is_told_with_the_way_back():
    verdict = judged(serving(package_arn=PACKAGE, approval_status="Rejected", baseline_kept=True))
    assert verdict.action == "TELL"
    assert "kedge rollback hotel" in verdict.reasons[1]


def test_a_version_that_waits_for_approval_again_is_told_with_both_ways():
    verdict = judged(serving(package_arn=PACKAGE, approval_status="PendingManualApproval", baseline_kept=True))
    assert verdict.action == "TELL"
    assert "kedge rollback hotel" in verdict.reasons[1]
    assert "approve it again" in verdict.reasons[1]


def test_a_champion_whose_package_was_deleted_is_told_with_what_works_and_what_does_not():
    verdict = judged(serving())
    assert (verdict.action, verdict.state) == ("TELL", f"unregistered {CONFIG}")
    assert "version 2 of hotel serves" in verdict.reasons[0]
    assert "its windows are judged" in verdict.reasons[1]
    assert "cannot be brought back" in verdict.reasons[2]
    assert "kedge rollback hotel --to VERSION" in verdict.reasons[3]
