"""`release.changed_by_hand: put_back` and `release.broken_promise: rollback`; what changes no config is only written down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app import build_app
from demo.bookings import REPLAY_FROM, Booking
from tests.end_to_end.hotel import DAY, HOUR, MINUTE, Hotel
from tests.end_to_end.test_way_back import champion, released, served, until
from tests.synthesised import EXAMPLE, brisk_models

pytestmark = pytest.mark.slow
# A day is judged the morning after, with the labels of its noon.
DAILY = "cadence: {profile: daily, judge: daily, window_days: 1}\nlabels: {label_horizon_days: 0.1}"
RELEASE = "release: {changed_by_hand: put_back, broken_promise: rollback}"
ROWS = 400


@pytest.fixture(scope="module")
def bookings(hotel: Hotel, tmp_path_factory: pytest.TempPathFactory) -> list[Booking]:
    """The YAML says what is to be done; a second version serves."""
    deploy(hotel, tmp_path_factory.mktemp("kept"))
    bookings = hotel.bookings(REPLAY_FROM, REPLAY_FROM + 7 * DAY)
    released(hotel, bookings)
    return bookings


def deploy(hotel: Hotel, directory: Path) -> None:
    text = (brisk_models() / EXAMPLE).read_text()
    before, cadence, after = text.partition("cadence:\n  profile: daily\n  judge: weekly\n  window_days: 28\n")
    assert cadence
    models = directory / "models"
    models.mkdir()
    (models / EXAMPLE).write_text(f"{before}{DAILY}\n{RELEASE}\n{after}")
    build_app(directory / "assembly", models).synth()
    hotel.account.deploy(directory / "assembly")


def put_into_service(hotel: Hotel, config: str) -> None:
    """As a person does it in the console."""
    hotel.registry.update_endpoint(EndpointName=hotel.endpoint, EndpointConfigName=config)
    while hotel.registry.describe_endpoint(EndpointName=hotel.endpoint)["EndpointStatus"] != "InService":
        hotel.wait(MINUTE)


def two_variants(hotel: Hotel, like: str) -> str:
    described = hotel.registry.describe_endpoint_config(EndpointConfigName=like)
    (variant,) = described["ProductionVariants"]
    hotel.registry.create_endpoint_config(
        EndpointConfigName="somebodys-trial",
        ProductionVariants=[variant | {"VariantName": name} for name in ("control", "trial")],
    )
    return "somebodys-trial"


def test_scaling_and_a_patch_are_seen_once_and_nobody_is_told(hotel, bookings):
    hotel.wait(2 * HOUR)
    hotel.registry.update_endpoint_weights_and_capacities(
        EndpointName=hotel.endpoint,
        DesiredWeightsAndCapacities=[{"VariantName": hotel.config.endpoint.variant, "DesiredInstanceCount": 3}],
    )
    hotel.wait(2 * HOUR)
    hotel.account.endpoints.find(hotel.endpoint).patch()
    hotel.wait(3 * HOUR)
    seen = [reason for entry in hotel.timeline("endpoint_touched") for reason in entry["detail"]["reasons"]]
    assert [reason.partition(hotel.endpoint)[2].partition(":")[0] for reason in seen] == [
        " runs on 3 instances, before it was 2",
        f" was updated to the config that it has, {served(hotel)}",
    ]
    assert hotel.timeline("endpoint_changed") == []
    assert not hotel.mails_saying("endpoint_touched")


def test_what_somebody_put_into_service_is_told_and_the_champions_config_comes_back(hotel, bookings):
    ours, theirs = served(hotel), hotel.item("champion")["previous_package_arn"]
    first = next(
        config["EndpointConfigName"]
        for config in hotel.registry.list_endpoint_configs()["EndpointConfigs"]
        if "-v1-" in config["EndpointConfigName"]
    )
    assert theirs.endswith("/1")
    put_into_service(hotel, first)
    began = hotel.now
    while served(hotel) == first and hotel.now - began < 3 * HOUR:
        hotel.send_for(MINUTE, bookings, every=MINUTE, each=8)
    assert until(hotel, bookings, "2", within=HOUR) < HOUR
    (changed,) = hotel.timeline("endpoint_changed")
    assert f"Kedge puts {ours} back at once" in changed["detail"]["reasons"][1]
    assert hotel.mails_saying("package version 2 is back", "release.changed_by_hand is put_back")
    (variant,) = hotel.registry.describe_endpoint(EndpointName=hotel.endpoint)["ProductionVariants"]
    assert variant["CurrentInstanceCount"] == 2, "as it ran when it was found"


def test_several_variants_are_told_with_the_command_and_left_alone(hotel, bookings):
    ours = served(hotel)
    put_into_service(hotel, two_variants(hotel, ours))
    hotel.wait(2 * HOUR)
    (told,) = [e for e in hotel.timeline("endpoint_changed") if e["detail"]["state"] == "several variants"]
    assert "release.changed_by_hand puts nothing back here" in told["detail"]["reasons"][1]
    assert f"--endpoint-config-name {ours}" in told["detail"]["reasons"][2]
    assert served(hotel) == "somebodys-trial"
    put_into_service(hotel, ours)
    hotel.wait(2 * HOUR)
    assert champion(hotel) == "2"


def test_a_broken_promise_brings_the_version_before_back(hotel, bookings):
    hotel.account.clock.advance_to((hotel.now + DAY).replace(hour=10, minute=0, second=0))
    lines = []
    for booking in bookings[:ROWS]:
        name = f"promised-{booking.id}"
        answer = hotel.ask(booking.payload, name)
        # What comes true is the contrary of the answer.
        truth = {"data": str(int(answer is not None and answer < 0.5)), "encoding": "CSV"}
        about = {"eventId": name, "inferenceTime": f"{hotel.now:%Y-%m-%dT%H:%M:%SZ}"}
        lines.append(json.dumps({"groundTruthData": truth, "eventMetadata": about, "eventVersion": "0"}))
    hotel.wait(4 * HOUR)
    hotel.put(f"labels/{hotel.model}/{hotel.now:%Y/%m/%d/%H}/outcomes.jsonl", "\n".join(lines).encode())
    began = hotel.now
    # Nothing more is asked: the requests of the day that have a label must be most of it.
    while not hotel.item("release") and champion(hotel) == "2" and hotel.now - began < 2 * DAY:
        hotel.wait(10 * MINUTE)
    assert until(hotel, bookings, "1", within=HOUR) < HOUR
    (broken,) = hotel.timeline("promise_broken")
    assert broken["detail"]["package_version"] == "2"
    assert "the gate saw" in broken["detail"]["reasons"][0]
    assert hotel.mails_saying("package version 1 is back", "release.broken_promise is rollback")
