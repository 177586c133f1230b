"""A challenger that the gate passed is tried on a temporary endpoint: one stands the trial, one is too slow, and nothing stays behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from kedge.config.reading import parse_model_config
from offline.account import Account
from tests.faults.world import BEGIN, DAY, HOUR, YAML, World, deploy, make_rows

pytestmark = pytest.mark.slow

STAGING = "staging: {minutes: 1, minimum_requests: 30, p95_milliseconds: %s}\n"
# No container answers in a thousandth of a millisecond; each answers in a minute.
IMPOSSIBLE, ANY = "0.001", "60000"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("staging")
    text = YAML.read_text() + STAGING % ANY
    with Account(start=BEGIN - DAY / 2, directory=directory / "account") as account:
        deploy(account, text, directory / "lenient")
        world = World(account, parse_model_config(text, source="tiny.yaml"), make_rows(1_000, BEGIN - 60 * DAY, BEGIN))
        world.hand_over(world.frame)
        yield world


def left_of_trials(world: World) -> list[str]:
    """Endpoints and configs that are there for a trial."""
    endpoints = [each["EndpointName"] for each in world.registry.list_endpoints()["Endpoints"]]
    configs = [each["EndpointConfigName"] for each in world.registry.list_endpoint_configs()["EndpointConfigs"]]
    return [name for name in (*endpoints, *configs) if "-staging-" in name]


def rows_of(entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["gate"]: row for row in entry["detail"]["rows"] if row["gate"].startswith("staging")}


def test_a_first_model_stands_the_trial_with_rows_of_its_holdout(world):
    world.decide("initial")
    world.wait(2 * HOUR)
    assert world.timeline("failed", "gate_failed") == []
    (passed,) = world.timeline("gate_passed")
    rows = rows_of(passed)
    assert [*rows] == ["staging_p50_ms", "staging_p95_ms", "staging_p99_ms", "staging_errors", "staging_skew"]
    assert {row["verdict"] for row in rows.values()} == {"PASS"}
    assert "no request was captured in the last 7 days" in rows["staging_p50_ms"]["reason"]
    assert rows["staging_skew"]["value"] == 0.0
    assert left_of_trials(world) == []
    (mail,) = world.mails_saying("please decide about package version 1")
    assert "staging_p95_ms" in mail.body
    (arn,) = world.packages()
    kept = world.registry.describe_model_package(ModelPackageName=arn)["CustomerMetadataProperties"]
    assert kept["kedge:gate:staging_errors"].startswith("PASS: 0 ")
    world.approve(arn)
    world.wait(HOUR)


def test_captured_requests_are_replayed_at_the_pace_of_the_busiest_minute_and_are_captured_nowhere(world):
    world.serve(5, turned=True)
    world.wait(3 * HOUR)
    before = len(world.objects("capture/"))
    world.decide("manual")
    world.wait(2 * HOUR)
    rows = rows_of(world.timeline("gate_passed")[-1])
    assert "requests as captured at" in rows["staging_p50_ms"]["reason"]
    assert "each of the 2 instances had" in rows["staging_p50_ms"]["reason"]
    assert len(world.objects("capture/")) == before
    (key,) = [key for key in world.objects("retraining/") if key.endswith("staging.json") and "manual" in key]
    found = json.loads(world.objects(key)[key])
    assert (found["done"], sum(found["failures"].values()), len(found["milliseconds"])) == (True, 0, found["wanted"])
    assert found["paid"]["ml.m5.large"] > 240
    # The trial's instance is a part of the cost.
    assert world.mails_saying("please decide about package version 2", "instance minutes of ml.m5.large")


def test_a_challenger_that_is_too_slow_is_refused_with_the_table_and_its_cost_and_nothing_stays(world, tmp_path):
    deploy(world.account, YAML.read_text() + STAGING % IMPOSSIBLE, tmp_path)
    world.decide("manual")
    world.wait(2 * HOUR)
    (failed,) = world.timeline("gate_failed")
    assert {name for name, row in rows_of(failed).items() if row["verdict"] == "REFUSE"} == {"staging_p95_ms"}
    (mail,) = world.mails_saying("the challenger did not stand its trial on staging, and was refused")
    assert "staging.p95_milliseconds is 0.001" in mail.body
    assert "WHAT THE RETRAINING COST" in mail.body
    assert "instance minutes of ml.m5.large" in mail.body
    assert len(world.packages()) == 2
    assert left_of_trials(world) == []


def test_an_endpoint_whose_run_is_gone_is_swept_up_within_the_hour_and_a_stranger_is_left(world, tmp_path):
    deploy(world.account, YAML.read_text() + STAGING % ANY, tmp_path)
    run = "tiny-manual-9-0123abcd"
    model = world.registry.list_models()["Models"][0]["ModelName"]
    variant = {"VariantName": "v", "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    for name, tags in ((f"{run}-staging-0", {"kedge:run": run}), ("tiny-staging-0", {})):
        given = [{"Key": key, "Value": value} for key, value in tags.items()]
        world.registry.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], Tags=given)
        world.registry.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=given)
    world.wait(HOUR + timedelta(minutes=15))
    assert left_of_trials(world) == ["tiny-staging-0", "tiny-staging-0"]
