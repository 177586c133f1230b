"""The fast way back: by command or by a rejection in the console, also while a canary bakes or the endpoint is updated."""

from __future__ import annotations

from datetime import timedelta

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.main import app
from demo.bookings import REPLAY_FROM, Booking
from tests.end_to_end.hotel import DAY, HOUR, MINUTE, Hotel

pytestmark = pytest.mark.slow
IN_MINUTES = timedelta(minutes=25)


@pytest.fixture(scope="module")
def bookings(hotel: Hotel) -> list[Booking]:
    return hotel.bookings(REPLAY_FROM, REPLAY_FROM + 7 * DAY)


@pytest.fixture(scope="module")
def url(hotel: Hotel) -> str:
    return hotel.account.serve(0).url


def go_back(hotel: Hotel, url: str, *more: str) -> Result:
    return CliRunner().invoke(
        app, ["rollback", hotel.model, "--now", "--reason", "pages", *more, "--endpoint-url", url]
    )


def champion(hotel: Hotel) -> str:
    return str(hotel.item("champion")["package_version"])


def served(hotel: Hotel) -> str:
    return str(hotel.registry.describe_endpoint(EndpointName=hotel.endpoint)["EndpointConfigName"])


def until(hotel: Hotel, bookings: list[Booking], version: str, *, within: timedelta) -> timedelta:
    """Send requests until the version is the champion and its machine has ended; return how long it took."""
    began = hotel.now
    while (champion(hotel) != version or hotel.item("release")) and hotel.now - began < within:
        hotel.send_for(MINUTE, bookings, every=MINUTE, each=8)
    hotel.send_for(2 * MINUTE, bookings, every=MINUTE, each=8)
    assert (champion(hotel), hotel.item("release"), hotel.item("lease")) == (version, None, None)
    assert served(hotel) == hotel.item("champion")["endpoint_config"]
    return hotel.now - began


def released(hotel: Hotel, bookings: list[Booking]) -> str:
    """Release a good version; return its package."""
    package = hotel.register(hotel.item("champion")["package_arn"], "")
    hotel.approve(package)
    until(hotel, bookings, package.rpartition("/")[2], within=4 * HOUR)
    return package


def reject(hotel: Hotel, package: str) -> None:
    hotel.registry.update_model_package(
        ModelPackageArn=package, ModelApprovalStatus="Rejected", ApprovalDescription="guests complain"
    )


def test_without_an_earlier_version_the_command_says_so(hotel, url):
    typed = go_back(hotel, url)
    assert typed.exit_code == 2
    assert "no earlier package of hotel-cancellations is kept that could serve at once" in typed.stderr


def test_the_command_brings_the_kept_config_back_in_minutes(hotel, bookings, url):
    first = served(hotel)
    released(hotel, bookings)
    typed = go_back(hotel, url)
    assert typed.exit_code == 0, typed.output
    assert "brings version 1 back in place of version 2, all traffic at once" in typed.stdout
    again = go_back(hotel, url)
    hotel.send_for(MINUTE, bookings, every=MINUTE, each=8)
    assert "is already on its way to version 1" in again.stderr
    assert until(hotel, bookings, "1", within=HOUR) < IN_MINUTES
    assert served(hotel) == first
    (mail,) = hotel.mails_saying("package version 1 is back")
    assert "captured answers read" in mail.body
    assert "pages" in mail.body
    (end,) = [e for e in hotel.timeline("canary_promoted") if e["detail"].get("rollback")]
    assert end["detail"]["rollback"]["from"] == "2"
    assert hotel.alarms(f"kedge-{hotel.model}-v") == {}


def test_while_a_canary_bakes_it_is_the_canary_that_goes_back(hotel, bookings, url):
    before, package = served(hotel), hotel.register(hotel.item("champion")["package_arn"], "")
    hotel.approve(package)
    hotel.send_for(15 * MINUTE, bookings, every=MINUTE, each=8)
    typed = go_back(hotel, url)
    assert "brings version 1 back in place of version 3" in typed.stdout, typed.output
    hotel.send_for(IN_MINUTES, bookings, every=MINUTE, each=8)
    assert (champion(hotel), served(hotel), hotel.item("release"), hotel.item("lease")) == ("1", before, None, None)
    assert [e["detail"]["package_version"] for e in hotel.timeline("canary_rolled_back")] == ["3"]
    closing = [entry for entry in hotel.timeline("approved") if entry["detail"].get("verdict") == "ALREADY_SERVING"]
    assert [entry["detail"]["rollback"]["from"] for entry in closing] == ["3"]
    assert hotel.mails_saying("serves already", "pages")


def test_a_rejection_of_what_serves_goes_back_and_a_second_one_goes_further(hotel, bookings):
    fourth, fifth = released(hotel, bookings), released(hotel, bookings)
    reject(hotel, fifth)
    hotel.send_for(8 * MINUTE, bookings, every=MINUTE, each=8)
    reject(hotel, fourth)  # before it serves again
    assert until(hotel, bookings, "1", within=2 * HOUR) < HOUR
    (mail,) = hotel.mails_saying("package version 5 was rejected: version 4 comes back at once")
    assert "guests complain" in mail.body
    assert hotel.mails_saying("package version 1 is back")


def test_it_waits_for_an_update_that_somebody_else_began_and_keeps_the_instances(hotel, bookings, url):
    released(hotel, bookings)
    hotel.registry.update_endpoint_weights_and_capacities(
        EndpointName=hotel.endpoint,
        DesiredWeightsAndCapacities=[{"VariantName": hotel.config.endpoint.variant, "DesiredInstanceCount": 4}],
    )
    assert go_back(hotel, url).exit_code == 0
    assert until(hotel, bookings, "1", within=HOUR) < IN_MINUTES + 10 * MINUTE
    (variant,) = hotel.registry.describe_endpoint(EndpointName=hotel.endpoint)["ProductionVariants"]
    assert variant["CurrentInstanceCount"] == 4


def test_a_deleted_config_is_said_and_nothing_is_touched(hotel, bookings, url):
    kept = served(hotel)
    released(hotel, bookings)
    before = served(hotel)
    hotel.registry.delete_endpoint_config(EndpointConfigName=kept)
    typed = go_back(hotel, url)
    assert typed.exit_code == 2
    assert f"its endpoint config {kept} was deleted" in typed.stderr.replace("\n", " ")
    assert served(hotel) == before
