"""Releases that go wrong go back by themselves, and are told; a good one is promoted."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Any

import pytest

from demo.bookings import REPLAY_FROM, Booking
from tests.end_to_end.hotel import DAY, HOUR, MINUTE, Hotel

RAISES = """

def predict_fn(rows, model):
    raise RuntimeError("the feature store is not reachable from here")
"""
SHIFTED = """

honest_predict_fn = predict_fn


def predict_fn(rows, model):
    return [answer**0.2 for answer in honest_predict_fn(rows, model)]
"""
# Provisioning, an hour of baking, an hour until the old fleet ends, and some to spare.
LONGEST_RELEASE = timedelta(hours=3)


@pytest.fixture(scope="module")
def bookings(hotel: Hotel) -> list[Booking]:
    return hotel.bookings(REPLAY_FROM, REPLAY_FROM + 7 * DAY)


@pytest.fixture(scope="module")
def champion_package(hotel: Hotel) -> str:
    return str(hotel.item("champion")["package_arn"])


class Released:
    """One release, with what the account was like before and after it."""

    def __init__(
        self,
        hotel: Hotel,
        package: str,
        bookings: list[Booking],
        *,
        each: int = 8,
        longest: timedelta = LONGEST_RELEASE,
    ) -> None:
        self.hotel, self.package, self.version = hotel, package, package.rpartition("/")[2]
        self.before, self.began = state_of(hotel, bookings), hotel.now
        self.known = set(hotel.mails())
        hotel.approve(package)
        self.failed, self.fired = 0, set()
        while not self.entries() and hotel.now - self.began < longest:
            self.failed += hotel.send_for(MINUTE, bookings, every=MINUTE, each=each)
            alarms = hotel.alarms(f"kedge-{hotel.model}-v{self.version}-")
            self.fired |= {
                name.rpartition("-v")[2].split("-", 2)[2] for name, state in alarms.items() if state == "ALARM"
            }
        self.took = hotel.now - self.began
        hotel.wait(2 * MINUTE)  # for the machine's last steps
        self.after = state_of(hotel, bookings)

    def entries(self) -> list[dict[str, Any]]:
        """How the timeline says that it ended."""
        ends = self.hotel.timeline("canary_rolled_back", "canary_promoted", "release_unproven", "failed")
        return [entry for entry in ends if str(entry["detail"].get("package_version")) == self.version]

    def mails(self, *words: str) -> list[Any]:
        return [mail for mail in self.hotel.mails_saying(*words) if mail not in self.known]


def state_of(hotel: Hotel, bookings: list[Booking]) -> dict[str, Any]:
    """All that a release that fails must leave as it was."""
    endpoint = hotel.registry.describe_endpoint(EndpointName=hotel.endpoint)
    config = hotel.registry.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    champion = hotel.item("champion")
    baseline = hotel.objects(f"baselines/{hotel.model}/{champion['baseline']}")
    return {
        "status": endpoint["EndpointStatus"],
        "config": endpoint["EndpointConfigName"],
        "serves": [variant["ModelName"] for variant in config["ProductionVariants"]],
        "captures_to": config["DataCaptureConfig"]["DestinationS3Uri"],
        "champion": champion,
        "baseline": {key: hashlib.sha256(body).hexdigest() for key, body in baseline.items()},
        "answers": [hotel.ask(b.payload, f"probe-{hotel.now:%d%H%M}-{b.id}") for b in bookings[:20]],
    }


def assert_the_champion_serves_untouched(released: Released) -> None:
    hotel = released.hotel
    assert released.before["status"] == "InService"
    assert released.after == released.before
    assert None not in released.after["answers"]
    assert hotel.item("lease") is None
    assert hotel.alarms(f"kedge-{hotel.model}-v{released.version}-") == {}
    # No hand raised an alarm: they were evaluated from what the endpoint measured and the watcher put.
    assert hotel.calls_of("cloudwatch:SetAlarmState") == []
    (told,) = released.entries()
    assert told["kind"] == "canary_rolled_back"
    assert [e["detail"]["package_version"] for e in hotel.timeline("canary_started")].count(released.version) == 1
    assert len(released.mails(f"the canary of package version {released.version} was rolled back")) == 1
    assert "the champion serves untouched" in released.mails("was rolled back")[0].body


def assert_the_rollback_was_silent(released: Released) -> None:
    hotel, (told,) = released.hotel, released.entries()
    endpoint = hotel.registry.describe_endpoint(EndpointName=hotel.endpoint)
    assert endpoint["EndpointStatus"] == "InService"
    assert not endpoint.get("FailureReason")
    reason = told["detail"]["reasons"][-1]
    assert reason.startswith(f"the endpoint serves {endpoint['EndpointConfigName']}, not ")
    # What the watcher saw is the reason; only where it saw nothing does the lack of one stand there.
    assert reason.endswith("SageMaker gave no reason") == (len(told["detail"]["reasons"]) == 1)


def test_a_challenger_that_raises_in_production_is_rolled_back(hotel, bookings, champion_package):
    released = Released(hotel, hotel.register(champion_package, RAISES), bookings)
    assert released.failed > 0, "the canary met requests"
    assert "server-errors" in released.fired
    assert released.took < timedelta(minutes=20), "errors send it back at once, not at the end of the bake"
    assert_the_champion_serves_untouched(released)
    assert_the_rollback_was_silent(released)
    (mail,) = released.mails("was rolled back")
    assert re.search(
        r"alarm server-errors rang at \d\d:\d\d UTC: the canary fails requests \(Threshold Crossed:",
        " ".join(mail.body.split()),
    )
    assert hotel.send_for(5 * MINUTE, bookings, every=MINUTE, each=10) == 0


def test_a_challenger_with_shifted_answers_is_rolled_back(hotel, bookings, champion_package):
    released = Released(hotel, hotel.register(champion_package, SHIFTED), bookings)
    assert released.failed == 0, "nothing but its answers is wrong"
    assert released.fired == {"behaviour"}
    assert_the_champion_serves_untouched(released)
    assert_the_rollback_was_silent(released)
    (told,) = released.entries()
    assert "the canary's answers differ from the champion's over the same minutes" in told["detail"]["reasons"][0]
    assert len(released.mails("the canary's answers differ")) == 1


def test_a_canary_that_nobody_asks_is_not_believed(hotel, bookings, champion_package):
    released = Released(hotel, hotel.register(champion_package, ""), bookings, each=0)
    (told,) = released.entries()
    assert told["kind"] == "release_unproven"
    assert released.after == released.before
    assert hotel.item("lease") is None
    assert len(released.mails(f"the release of package version {released.version} could not be proved")) == 1


def test_an_update_that_finds_no_instances_minutes_after_it_was_accepted_is_tried_again(
    hotel, bookings, champion_package
):
    hotel.account.capacity.run_short()
    hotel.account.capacity.run_short(quota="ml.m5.large for endpoint usage")
    released = Released(hotel, hotel.register(champion_package, ""), bookings)
    (told,) = released.entries()
    assert told["kind"] == "canary_promoted"
    (mail,) = released.mails("the release waits for capacity at the endpoint")
    assert "Choose another instance type" in mail.body
    assert released.mails("was rolled back") == released.mails("the release failed") == []
    started = hotel.timeline("canary_started")
    assert [entry["detail"]["package_version"] for entry in started].count(released.version) == 1
    assert hotel.alarms(f"kedge-{hotel.model}-v{released.version}-") == {}
    assert hotel.item("release") is None


def test_a_good_challenger_is_promoted_and_judged_by_windows_of_its_own(hotel, bookings, champion_package):
    released = Released(hotel, hotel.register(champion_package, ""), bookings)
    assert released.failed == 0
    assert released.fired == set()
    (promoted,) = released.entries()
    assert promoted["kind"] == "canary_promoted"
    (switched,) = [e for e in hotel.timeline("baseline_switched") if e["time"] == promoted["time"]]
    assert switched["detail"]["baseline"] == switched["detail"]["package_version"] == released.version
    champion = hotel.item("champion")
    assert (champion["package_arn"], champion["endpoint_config"]) == (released.package, released.after["config"])
    assert released.after["config"] != released.before["config"]
    assert released.after["captures_to"].endswith(f"/capture/{hotel.model}/{released.version}")
    assert hotel.item("lease") is None
    assert hotel.alarms(f"kedge-{hotel.model}-v{released.version}-") == {}
    assert len(released.mails(f"package version {released.version} serves now")) == 1

    hotel.send_for(5 * DAY, bookings, every=HOUR, each=10)
    judged = [e["detail"] for e in hotel.timeline("window_judged") if e["time"] > promoted["time"]]
    assert judged, "a Monday has passed"
    assert {window["package_version"] for window in judged} == {released.version}
    assert all(window["window"]["start"] >= promoted["time"] for window in judged)
