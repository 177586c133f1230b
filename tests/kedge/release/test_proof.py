"""A release counts only when the planned config serves and was tried enough."""

from datetime import UTC, datetime

import pytest

from kedge.release.proof import (
    CaptureFound,
    LastWatch,
    ReleaseProof,
    Trial,
    judge_capture,
    judge_release,
    judge_watched_capture,
)
from kedge.release.rung_alarms import NONE_KNOWN, UNKNOWN, RungAlarm

ERRORS = RungAlarm("kedge-m-v2-0a1b2c3d-server-errors", datetime(2016, 1, 1, 12, 5, tzinfo=UTC), "0.4 is above 0.05")
BEHAVIOUR = RungAlarm("kedge-m-v2-0a1b2c3d-behaviour", datetime(2016, 1, 1, 12, 9, tzinfo=UTC), "1.0 is reached")
SHORT_OF_INSTANCES = "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error."
QUOTA = "The account-level service limit 'ml.m5.large for endpoint usage' is 2 Instances"
TIMEOUT = "The deployment exceeded its maximum execution timeout."


def judge(**changes) -> ReleaseProof:
    facts = {
        "planned": "m-v2",
        "before": "m-v1",
        "found": "m-v2",
        "failure_reason": "",
        "watch": LastWatch("HEALTHY", (), 150),
        "requests": 200,
        "minimum_requests": 100,
    }
    facts |= changes
    trial = Trial(*(facts.pop(name) for name in ("requests", "minimum_requests", "watch")))
    return judge_release(**facts, trial=trial)


def test_a_config_that_serves_and_was_tried_is_promoted():
    assert judge().verdict == "PROMOTED"


def test_a_config_that_is_neither_old_nor_new_is_somebody_elses():
    proof = judge(found="by-hand")
    assert (proof.verdict, proof.serving) == ("OVERTAKEN", False)


def test_a_silent_rollback_is_recognised_by_the_config_alone():
    proof = judge(found="m-v1")
    assert (proof.verdict, proof.serving) == ("ROLLED_BACK", False)
    assert proof.reasons == (NONE_KNOWN, "the endpoint serves m-v1, not m-v2: SageMaker gave no reason")


def test_a_rollback_for_misbehaviour_gives_the_watchs_reason_first():
    proof = judge(found="m-v1", watch=LastWatch("MISBEHAVING", ("its answers moved",), 150), rung=(BEHAVIOUR,))
    assert proof.verdict == "ROLLED_BACK"
    assert proof.reasons == (
        "its answers moved",
        "alarm behaviour rang at 12:09 UTC: the canary answers differently, or was not tried enough (1.0 is reached)",
        "the endpoint serves m-v1, not m-v2",
    )


def test_the_alarms_that_rang_are_named_first_the_first_with_their_sentences():
    proof = judge(found="m-v1", rung=(BEHAVIOUR, ERRORS))
    assert proof.reasons[0] == "alarm server-errors rang at 12:05 UTC: the canary fails requests (0.4 is above 0.05)"
    assert proof.reasons[1].startswith("alarm behaviour rang at 12:09 UTC")
    assert proof.reasons[2] == "the endpoint serves m-v1, not m-v2"


def test_an_alarm_that_could_not_be_read_is_said_and_one_that_is_not_the_reason_is_not():
    assert UNKNOWN in judge(found="m-v1", rung=None).reasons
    late = judge(found="m-v1", rung=(), failure_reason=TIMEOUT)
    assert late.reasons == (f"the endpoint serves m-v1, not m-v2: {TIMEOUT}",)


@pytest.mark.parametrize("reason", [SHORT_OF_INSTANCES, QUOTA])
def test_a_fleet_that_found_no_instances_says_nothing_of_the_package(reason):
    proof = judge(found="m-v1", failure_reason=reason, requests=0, watch=None)
    assert (proof.verdict, proof.serving) == ("SHORT", False)
    assert reason in proof.reasons[0]


@pytest.mark.parametrize("had", [{"requests": 5}, {"rung": (ERRORS,)}, {"rung": (ERRORS,), "watch": None}])
def test_a_fleet_that_answered_or_rang_had_its_instances_whatever_an_old_reason_says(had):
    facts = {"found": "m-v1", "failure_reason": SHORT_OF_INSTANCES, "requests": 0} | had
    assert judge(**facts).verdict == "ROLLED_BACK"


def test_a_look_that_could_not_decide_is_no_reason():
    proof = judge(found="m-v1", watch=LastWatch("UNDECIDED", ("nothing was captured",), 0))
    assert proof.reasons == (NONE_KNOWN, "the endpoint serves m-v1, not m-v2: SageMaker gave no reason")


def test_a_canary_that_too_few_tried_is_unproven_not_bad():
    assert judge(found="m-v1", watch=LastWatch("UNPROVEN", ("12 requests",), 12)).verdict == "UNPROVEN"


def test_a_deployment_that_went_through_untried_is_unproven_though_it_serves():
    proof = judge(requests=99)
    assert (proof.verdict, proof.serving) == ("UNPROVEN", True)


HERE, THERE = CaptureFound("s3://b/capture/m/2", True), CaptureFound("s3://b/capture/m/1/", True)


def test_captures_where_the_config_says_are_as_planned_with_or_without_the_last_slash():
    assert (
        judge_capture(config="m-v2", planned=HERE, found=CaptureFound("s3://b/capture/m/2/", True)).verdict
        == "AS_PLANNED"
    )
    assert judge_capture(config="m-v2", planned=None, found=None).verdict == "AS_PLANNED"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (THERE, "captures to s3://b/capture/m/1/, where m-v2 says s3://b/capture/m/2"),
        (None, "captures nothing, where m-v2 says s3://b/capture/m/2"),
        (CaptureFound(HERE.destination, False), "has stopped capturing to s3://b/capture/m/2"),
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


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "captures nothing"),
        (CaptureFound("s3://theirs/logs", False, 20), "captures nothing"),
        (CaptureFound("s3://theirs/other", True, 20), "set capture.uri in m.yaml"),
        (CaptureFound("s3://theirs/logs", True, 50), "captures 50 % of the requests, and m.yaml says 20 %"),
    ],
)
def test_a_watched_endpoint_that_captures_otherwise_than_the_yaml_says_is_told_with_the_remedy(found, words):
    planned = CaptureFound("s3://theirs/logs", True, 20)
    proof = judge_watched_capture(model="m", planned=planned, found=found)
    assert proof.verdict == "ASTRAY"
    assert words in "; ".join(proof.reasons)


@pytest.mark.parametrize("share", [20, None])
def test_a_watched_endpoint_that_captures_as_the_yaml_says_is_as_planned(share):
    found = CaptureFound("s3://theirs/logs/", True, share)
    planned = CaptureFound("s3://theirs/logs", True, 20)
    assert judge_watched_capture(model="m", planned=planned, found=found).verdict == "AS_PLANNED"
