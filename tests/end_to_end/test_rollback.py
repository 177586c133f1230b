"""`kedge rollback` brings the champion's predecessor back, as a canary like every release."""

from __future__ import annotations

from datetime import timedelta

from typer.testing import CliRunner

from cli.main import app
from demo.bookings import REPLAY_FROM
from tests.end_to_end.hotel import DAY, MINUTE, Hotel

LONGEST_RELEASE = timedelta(hours=4)


def until_served(hotel: Hotel, package: str, bookings: list) -> None:
    deadline = hotel.now + LONGEST_RELEASE
    while hotel.item("champion")["package_arn"] != package and hotel.now < deadline:
        hotel.send_for(MINUTE, bookings, every=MINUTE, each=8)
    hotel.wait(2 * MINUTE)  # for the machine's last steps
    assert hotel.item("champion")["package_arn"] == package


def test_a_person_goes_back_to_the_predecessor(hotel: Hotel) -> None:
    bookings = hotel.bookings(REPLAY_FROM, REPLAY_FROM + 7 * DAY)
    first = hotel.item("champion")["package_arn"]
    second = hotel.register(first, "")
    hotel.approve(second)
    until_served(hotel, second, bookings)

    server = hotel.account.serve(0)
    arguments = ["rollback", hotel.model, "--reason", "complaints", "--endpoint-url", server.url]
    typed = CliRunner().invoke(app, arguments)
    assert typed.exit_code == 0, typed.output
    hotel.send_for(MINUTE, bookings, every=MINUTE, each=8)
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 2
    assert "is already on its way to version 1" in again.stderr
    until_served(hotel, first, bookings)

    champion = hotel.item("champion")
    assert champion["previous_package_arn"] == second
    served = hotel.registry.describe_endpoint(EndpointName=hotel.endpoint)["EndpointConfigName"]
    assert served == champion["endpoint_config"]
    (approved,) = [e for e in hotel.timeline("approved") if e["detail"].get("reason") == "rollback: complaints"]
    promoted = hotel.timeline("canary_promoted")[-1]
    assert promoted["detail"]["run"] == approved["detail"]["run"]
    assert hotel.item("lease") is None

    refused = CliRunner().invoke(app, [*arguments, "--to", "1"])
    assert refused.exit_code == 2
    assert "version 1 of hotel-cancellations serves already" in refused.stderr


def test_the_command_in_the_mail_brings_a_deleted_endpoint_back(hotel: Hotel) -> None:
    before = hotel.item("champion")
    hotel.registry.delete_endpoint(EndpointName=hotel.endpoint)
    hotel.wait(timedelta(hours=2))
    (mail,) = hotel.mails_saying("does not exist any more")
    command = mail.body.split("to bring it back: kedge ")[1].split(";")[0].split()
    server = hotel.account.serve(0)
    typed = CliRunner().invoke(app, [*command, "--endpoint-url", server.url])
    assert typed.exit_code == 0, typed.output
    hotel.wait(timedelta(hours=1))
    served = hotel.registry.describe_endpoint(EndpointName=hotel.endpoint)
    champion = hotel.item("champion")
    assert (served["EndpointStatus"], served["EndpointConfigName"]) == ("InService", champion["endpoint_config"])
    assert champion["package_arn"] == before["package_arn"]
    assert champion.get("previous_package_arn") == before.get("previous_package_arn")
