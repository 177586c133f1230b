"""Each strategy releases a good version in whole instances, and sends one that fails requests back at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import build_app
from demo.bookings import REPLAY_FROM, Booking
from tests.end_to_end.hotel import DAY, HOUR, Hotel
from tests.end_to_end.test_release_faults import RAISES, Released
from tests.end_to_end.test_scaled_fleets import said_of, scale
from tests.synthesised import EXAMPLE, brisk_models

pytestmark = pytest.mark.slow
INSTANCES = 4
# What the YAML says, what people are told, and SageMaker's policy.
STRATEGIES = {
    "linear": ("linear, 2 steps of 2 of 4 instances: about 50 %", "BlueGreenUpdatePolicy"),
    "rolling": ("rolling, 2 steps of 2 of 4 instances: about 50 %", "RollingUpdatePolicy"),
    "all_at_once": ("every request goes to this version at once, as the YAML says", "BlueGreenUpdatePolicy"),
}


@pytest.fixture(scope="module")
def bookings(hotel: Hotel) -> list[Booking]:
    scale(hotel, INSTANCES)
    return hotel.bookings(REPLAY_FROM, REPLAY_FROM + 7 * DAY)


def deploy(hotel: Hotel, strategy: str, directory: Path) -> None:
    """Deploy the YAML with this strategy."""
    models = directory / "models"
    models.mkdir()
    step = "" if strategy == "all_at_once" else ", step_fraction: 0.5"
    text = (brisk_models() / EXAMPLE).read_text() + f"\nrelease: {{strategy: {strategy}{step}}}\n"
    (models / EXAMPLE).write_text(text)
    build_app(directory / "assembly", models).synth()
    hotel.account.deploy(directory / "assembly")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strategy_promotes_what_is_good_and_sends_back_what_fails(hotel, bookings, strategy, tmp_path):
    said, policy = STRATEGIES[strategy]
    deploy(hotel, strategy, tmp_path)
    first = hotel.item("champion")["package_arn"]
    good = Released(hotel, hotel.register(first, ""), bookings, longest=5 * HOUR)
    assert [entry["kind"] for entry in good.entries()] == ["canary_promoted"], good.entries()
    assert said in said_of(good)
    described = hotel.registry.describe_endpoint(EndpointName=hotel.endpoint)
    assert policy in described["LastDeploymentConfig"]
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == INSTANCES

    bad = Released(hotel, hotel.register(first, RAISES), bookings)
    assert [entry["kind"] for entry in bad.entries()] == ["canary_rolled_back"]
    assert "server-errors" in bad.fired
    assert bad.after["config"] == good.after["config"]
    assert (hotel.item("lease"), hotel.item("release")) == (None, None)
