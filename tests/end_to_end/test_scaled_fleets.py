"""A release follows the fleet that runs: scaled out, scaled in to one, renamed, or with captures that go astray."""

from __future__ import annotations

from typing import Any

import pytest

from demo.bookings import REPLAY_FROM, Booking
from tests.end_to_end.hotel import DAY, HOUR, MINUTE, Hotel
from tests.end_to_end.test_release_faults import Released

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bookings(hotel: Hotel) -> list[Booking]:
    return hotel.bookings(REPLAY_FROM, REPLAY_FROM + 7 * DAY)


def scale(hotel: Hotel, instances: int) -> None:
    hotel.registry.update_endpoint_weights_and_capacities(
        EndpointName=hotel.endpoint,
        DesiredWeightsAndCapacities=[{"VariantName": hotel.config.endpoint.variant, "DesiredInstanceCount": instances}],
    )
    hotel.wait(10 * MINUTE)


def running(hotel: Hotel) -> int:
    (variant,) = hotel.registry.describe_endpoint(EndpointName=hotel.endpoint)["ProductionVariants"]
    return int(variant["CurrentInstanceCount"])


def release(hotel: Hotel, bookings: list[Booking]) -> Released:
    return Released(hotel, hotel.register(hotel.item("champion")["package_arn"], ""), bookings)


def said_of(released: Released) -> str:
    """What the timeline says of the share that the canary had."""
    entries = released.hotel.timeline("canary_started")
    (entry,) = [e for e in entries if str(e["detail"]["package_version"]) == released.version]
    return str(entry["detail"]["traffic"])


def test_a_fleet_of_five_is_replaced_by_five_though_the_yaml_says_two(hotel, bookings):
    scale(hotel, 5)
    released = release(hotel, bookings)
    assert [entry["kind"] for entry in released.entries()] == ["canary_promoted"]
    assert said_of(released) == "canary of 2 of 5 instances: about 40 % of the traffic; the YAML has 50 %"
    assert len(released.mails("canary of 2 of 5 instances")) == 1
    assert (running(hotel), hotel.config.endpoint.instance_count) == (5, 2)
    assert hotel.timeline("capture_astray") == []


def test_a_fleet_that_scaled_in_to_one_moves_at_once_and_is_watched(hotel, bookings):
    scale(hotel, 1)
    released = release(hotel, bookings)
    assert [entry["kind"] for entry in released.entries()] == ["canary_promoted"]
    assert "the endpoint runs on 1 instance, so there is no canary" in said_of(released)
    assert released.took >= hotel.config.canary.bake_minutes * MINUTE, "it bakes all the same"
    assert running(hotel) == 1


def test_a_canary_whose_captures_stay_at_the_old_packages_destination_cannot_be_compared_and_goes_back(hotel, bookings):
    scale(hotel, 2)
    before = hotel.item("champion")["package_version"]
    hotel.account.endpoints.capture_rule = "always kept"
    release(hotel, bookings)
    hotel.account.endpoints.capture_rule = "exclusion ignored"
    entry = hotel.timeline("release_unproven")[-1]
    assert "no request to the canary was captured" in " ".join(entry["detail"]["reasons"])
    assert hotel.item("champion")["package_version"] == before


def test_an_approval_that_the_registry_does_not_show_yet_is_not_lost(hotel):
    hotel.account.model_registry.read_lag = 2 * MINUTE
    package = hotel.register(hotel.item("champion")["package_arn"], "")
    hotel.approve(package)
    hotel.wait(5 * MINUTE)
    heard = [e for e in hotel.timeline("approved") if e["detail"]["package_arn"] == package]
    assert heard == [], "the first answer was the one before"
    hotel.wait(31 * MINUTE)
    (heard,) = [e for e in hotel.timeline("approved") if e["detail"]["package_arn"] == package]
    hotel.account.model_registry.read_lag = 0 * MINUTE
    hotel.wait(4 * HOUR)  # nobody asks this canary anything, so it goes back
    assert hotel.item("lease") is None


def by_hand(hotel: Hotel, variant: str) -> None:
    """Put the endpoint under a variant of another name, as a person might in the console."""
    name = hotel.registry.describe_endpoint(EndpointName=hotel.endpoint)["EndpointConfigName"]
    config: dict[str, Any] = hotel.registry.describe_endpoint_config(EndpointConfigName=name)
    (production,) = config["ProductionVariants"]
    hotel.registry.create_endpoint_config(
        EndpointConfigName="by-hand",
        ProductionVariants=[production | {"VariantName": variant}],
        DataCaptureConfig=config["DataCaptureConfig"],
    )
    hotel.registry.update_endpoint(EndpointName=hotel.endpoint, EndpointConfigName="by-hand")
    hotel.wait(15 * MINUTE)


def test_a_variant_of_another_name_is_refused_and_left_alone(hotel, bookings):
    by_hand(hotel, "Blue")
    hotel.approve(hotel.register(hotel.item("champion")["package_arn"], ""))
    hotel.wait(10 * MINUTE)
    (failed,) = [e for e in hotel.timeline("failed") if e["detail"]["state"] == "PlanRelease"]
    assert failed["detail"]["error"] == "EndpointVariantNameError"
    assert "variant: Blue" in failed["detail"]["cause"]
    endpoint = hotel.registry.describe_endpoint(EndpointName=hotel.endpoint)
    assert (endpoint["EndpointStatus"], endpoint["EndpointConfigName"]) == ("InService", "by-hand")
    assert hotel.item("lease") is None
