"""The registry shows which version waits, is on trial, serves and served; and what Kedge writes there is nobody's decision."""

from __future__ import annotations

from datetime import timedelta

import pytest

from demo.bookings import REPLAY_FROM
from tests.end_to_end.hotel import DAY, HOUR, MINUTE, Hotel
from tests.end_to_end.test_rollback import until_served

pytestmark = pytest.mark.slow
ADMINISTRATOR = "assumed-role/Administrator/Administrator"


def shown(hotel: Hotel) -> dict[int, str]:
    """Stage and status of each version, as the console lists them."""
    listed = hotel.registry.list_model_packages(ModelPackageGroupName=hotel.config.package_group)
    return {
        each["ModelPackageVersion"]: "{Stage} {StageStatus}".format_map(each["ModelLifeCycle"])
        for each in listed["ModelPackageSummaryList"]
        if "ModelLifeCycle" in each
    }


def written(hotel: Hotel) -> int:
    """How many stages Kedge has written: it changes packages for nothing else."""
    return sum("Administrator" not in call.role_arn for call in hotel.calls_of("sagemaker:UpdateModelPackage"))


def test_the_stages_follow_a_release_and_a_way_back_and_start_nothing(hotel: Hotel) -> None:
    bookings = hotel.bookings(REPLAY_FROM, REPLAY_FROM + 7 * DAY)
    first = hotel.item("champion")["package_arn"]
    hotel.wait(HOUR)
    assert shown(hotel) == {1: "Production Serving"}

    second = hotel.register(first, "")
    hotel.approve(second)
    hotel.send_for(30 * MINUTE, bookings, every=MINUTE, each=8)
    assert hotel.item("release")["package_arn"] == second
    assert shown(hotel) == {1: "Production Serving", 2: "Staging Canary"}
    until_served(hotel, second, bookings)
    hotel.wait(10 * MINUTE)
    assert shown(hotel) == {1: "Retired Replaced", 2: "Production Serving"}

    before = written(hotel)
    hotel.wait(2 * DAY)
    assert written(hotel) == before

    # The newest change of it is Kedge's; who rejects it is not.
    hotel.registry.update_model_package(
        ModelPackageArn=second, ModelApprovalStatus="Rejected", ApprovalDescription="guests complain"
    )
    until_served(hotel, first, bookings)
    hotel.wait(timedelta(minutes=10))
    assert shown(hotel) == {1: "Production Serving", 2: "Retired Rejected"}
    (rejected,) = hotel.timeline("rejected")
    assert rejected["detail"]["by"].endswith(ADMINISTRATOR)
    assert [entry["detail"]["by"].endswith(ADMINISTRATOR) for entry in hotel.timeline("approved")] == [True, True]
    assert len(hotel.executions("kedge-release")) == 3


def test_a_stage_of_a_champion_without_endpoint_is_no_approval_given_once_more(hotel: Hotel) -> None:
    champion = hotel.item("champion")["package_arn"]
    hotel.registry.delete_endpoint(EndpointName=hotel.endpoint)
    by_hand = {"Stage": "QA", "StageStatus": "OnHold"}
    with hotel.forbidden(hotel.function("settle")["Role"], "sagemaker:UpdateModelPackage"):
        hotel.registry.update_model_package(ModelPackageArn=champion, ModelLifeCycle=by_hand)
        hotel.wait(DAY)
        assert shown(hotel)[1] == "QA OnHold"
    hotel.wait(DAY)
    assert shown(hotel)[1] == "Production Serving"
    assert hotel.timeline("approved_absent", "failed") == []
