"""A release counts only when the asked config serves and was tried enough."""

import pytest

from kedge.release_proof import Capture, LastWatch, ReleaseProof, judge_capture, judge_release


def judge(**changes) -> ReleaseProof:
    facts = {
        "asked": "m-v2",
        "before": "m-v1",
        "found": "m-v2",
        "failure_reason": "",
        "watch": LastWatch("HEALTHY", (), 150),
        "requests": 200,
        "minimum_requests": 100,
    }
    return judge_release(**(facts | changes))


def test_a_config_that_serves_and_was_tried_is_promoted():
    assert judge().verdict == "PROMOTED"


def test_a_config_that_is_neither_old_nor_new_is_somebody_elses():
    proof = judge(found="by-hand")
    assert (proof.verdict, proof.serving) == ("OVERTAKEN", False)


def test_a_silent_rollback_is_recognised_by_the_config_alone():
    proof = judge(found="m-v1")
    assert (proof.verdict, proof.serving) == ("ROLLED_BACK", False)
    assert proof.reasons == ("the endpoint serves m-v1, not m-v2: SageMaker gave no reason",)


def test_a_rollback_for_misbehaviour_gives_the_watchs_reason_first():
    proof = judge(found="m-v1", watch=LastWatch("MISBEHAVING", ("its answers moved",), 150))
    assert proof.verdict == "ROLLED_BACK"
    assert proof.reasons == ("its answers moved", "the endpoint serves m-v1, not m-v2")


def test_a_look_that_could_not_decide_is_no_reason():
    proof = judge(found="m-v1", watch=LastWatch("UNDECIDED", ("nothing was captured",), 0))
    assert proof.reasons == ("the endpoint serves m-v1, not m-v2: SageMaker gave no reason",)


def test_a_canary_that_too_few_tried_is_unproven_not_bad():
    assert judge(found="m-v1", watch=LastWatch("UNPROVEN", ("12 requests",), 12)).verdict == "UNPROVEN"


def test_a_deployment_that_went_through_untried_is_unproven_though_it_serves():
    proof = judge(requests=99)
    assert (proof.verdict, proof.serving) == ("UNPROVEN", True)


HERE, THERE = Capture("s3://b/capture/m/2", True), Capture("s3://b/capture/m/1/", True)


def test_captures_where_the_config_says_are_as_planned_with_or_without_the_last_slash():
    assert (
        judge_capture(config="m-v2", planned=HERE, found=Capture("s3://b/capture/m/2/", True)).verdict == "AS_PLANNED"
    )
    assert judge_capture(config="m-v2", planned=None, found=None).verdict == "AS_PLANNED"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (THERE, "captures to s3://b/capture/m/1/, where m-v2 says s3://b/capture/m/2"),
        (None, "captures nothing, where m-v2 says s3://b/capture/m/2"),
        (Capture(HERE.destination, False), "has stopped capturing to s3://b/capture/m/2"),
    ],
)
def test_captures_elsewhere_or_none_are_said_with_both_places(found, words):
    judged = judge_capture(config="m-v2", planned=HERE, found=found)
    assert judged.verdict == "ASTRAY"
    assert words in judged.reasons[0]


def test_a_canary_of_which_no_answer_was_judged_is_unproven_though_it_serves():
    for watch in (None, LastWatch("UNDECIDED", ("no answer was read",), 0), LastWatch("HEALTHY", (), 0)):
        proof = judge(watch=watch)
        assert (proof.verdict, proof.serving) == ("UNPROVEN", True)
        assert "none of its captured answers was judged" in proof.reasons[-1]


def test_a_new_endpoint_needs_no_traffic_to_be_believed():
    assert judge(watch=None, requests=None).verdict == "PROMOTED"
