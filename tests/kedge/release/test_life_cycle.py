"""A package's stages follow what serves and what is on trial, and SageMaker takes their names."""

import re

import boto3
import pytest

from kedge.release.life_cycle import (
    CANARY,
    DECLINED,
    DESCRIPTIONS,
    REJECTED,
    RELEASING,
    REPLACED,
    SERVING,
    TRIAL,
    WAITING,
    WITHDRAWN,
    LifeCycle,
    life_cycle_of,
    request_of,
)
from stacks.release import SHOWN_STAGES

BY_HAND = LifeCycle("QA", "OnHold")


def stage_of(shown, *, status="Approved", champion="other", on_trial=None, served=()):
    return life_cycle_of("v", status=status, shown=shown, champion=champion, on_trial=on_trial, served=served)


@pytest.mark.parametrize("life_cycle", DESCRIPTIONS, ids=lambda each: each.status)
def test_sagemaker_takes_each_stage_and_the_role_may_show_it(life_cycle):
    shape = boto3.client("sagemaker", region_name="eu-west-1").meta.service_model.shape_for("ModelLifeCycle")
    for name, value in request_of(life_cycle).items():
        assert re.fullmatch(shape.members[name].metadata["pattern"], value)
        assert len(value) <= shape.members[name].metadata["max"]
    assert life_cycle.stage in SHOWN_STAGES


@pytest.mark.parametrize("shown", [None, WAITING, CANARY, REPLACED, BY_HAND])
def test_what_serves_is_in_production_whatever_was_shown(shown):
    assert stage_of(shown, champion="v") == SERVING


@pytest.mark.parametrize("how", [CANARY, TRIAL, RELEASING])
def test_what_is_on_trial_says_how_and_is_withdrawn_if_it_does_not_come_into_service(how):
    assert stage_of(WAITING, on_trial=("v", how)) == how
    assert stage_of(how) == WITHDRAWN
    assert stage_of(WITHDRAWN) == WITHDRAWN
    assert stage_of(WITHDRAWN, on_trial=("v", how)) == how


@pytest.mark.parametrize(("status", "after"), [("Approved", REPLACED), ("Rejected", REJECTED)])
def test_what_served_is_retired_by_the_stage_that_it_had_or_by_what_is_remembered(status, after):
    assert stage_of(SERVING, status=status) == after
    assert stage_of(after, status=status) == after
    assert stage_of(None, status=status, served=("v",)) == after


@pytest.mark.parametrize("shown", [None, WAITING, BY_HAND])
def test_of_a_version_that_was_never_tried_nothing_is_said_that_is_not_said_already(shown):
    assert stage_of(shown) == shown


def test_nobody_waits_for_a_version_that_was_rejected_and_again_once_that_is_taken_back():
    assert stage_of(WAITING, status="Rejected") == DECLINED
    assert stage_of(DECLINED, status="Rejected") == DECLINED
    assert stage_of(DECLINED, status="PendingManualApproval") == WAITING
    assert stage_of(DECLINED, on_trial=("v", CANARY)) == CANARY
    assert stage_of(BY_HAND, status="Rejected") == BY_HAND
