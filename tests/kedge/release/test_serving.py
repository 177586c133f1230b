"""What is done when the champion item and the endpoint disagree."""

import pytest

from kedge.release.serving import Served, judge_serving, judge_watched, several_variants

CONFIG, OTHER = "hotel-v2-aaaaaaaa", "hotel-v3-bbbbbbbb"
PACKAGE = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/hotel/3"


def judged(served, **more):
    return judge_serving(
        model="hotel", endpoint="front-desk", champion_config=CONFIG, champion_version="2", served=served, **more
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
    assert verdict.action == "GO_BACK"
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


def watched(served, *, known="theirs-1"):
    return judge_watched(
        model="m", endpoint="e", known_config=known, known_version="adopted-20260301-0000", served=served
    )


@pytest.mark.parametrize(
    ("served", "action", "words"),
    [
        (None, "TELL", "does not exist any more"),
        (Served("Updating", False, "theirs-2"), "WAIT", ""),
        (Served("Failed", True, "theirs-1", "no capacity"), "TELL", "Failed: no capacity"),
        (
            Served("InService", True, "theirs-2"),
            "FOLLOW",
            "goes on judging by the baseline of the version adopted on 2026-03-01",
        ),
        (Served("InService", True, "theirs-1"), "NONE", ""),
    ],
)
def test_what_the_owners_of_a_watched_endpoint_do_is_told_and_followed_and_never_undone(served, action, words):
    verdict = watched(served)
    assert verdict.action == action
    assert words in "; ".join(verdict.reasons)
    for command in ("update-endpoint", "rollback", "put"):
        assert command not in "; ".join(verdict.reasons)


@pytest.mark.parametrize(("mode", "puts_back"), [("watch", False), ("manage", True)])
def test_several_variants_are_put_back_only_where_kedge_manages_the_model(mode, puts_back):
    verdict = several_variants("e serves A and B", endpoint="e", champion_config="m-v1", mode=mode)
    assert ("update-endpoint" in verdict.reasons[-1]) is puts_back


def test_several_variants_are_left_alone_though_the_yaml_puts_back_and_this_is_said():
    verdict = several_variants(
        "e serves A and B", endpoint="e", champion_config="m-v1", mode="manage", on_change="put_back"
    )
    assert verdict.action == "TELL"
    assert "release.changed_by_hand puts nothing back here" in verdict.reasons[1]


def test_a_config_that_was_put_into_service_by_hand_is_adopted_or_put_back_as_the_yaml_says():
    by_hand = serving(endpoint_config=OTHER, package_arn=PACKAGE, approval_status="Approved", baseline_kept=True)
    assert [judged(by_hand, on_change=rule).action for rule in ("adopt", "put_back")] == ["FOLLOW", "PUT_BACK"]
