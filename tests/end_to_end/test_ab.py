"""A version answers its share of the requests: the better one is released, the worse one goes, and each one's rows are its own."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.end_to_end.test_shadow import BLIND, RAISES, ends, reasons, table
from tests.faults.standing import apart, serving
from tests.faults.stories import to_first_champion, to_first_package, to_handed_over
from tests.faults.world import DAY, HOUR, MINUTE, YAML, World, deploy, make_rows, open_world

pytestmark = pytest.mark.slow
RELEASE = "release: {strategy: ab, ab: {share: 0.5, days: {minimum: 1, maximum: 3}, minimum_rows: 100}}\n"
DAILY = "cadence: {profile: hourly, judge: daily, window_days: 1}"
# Right in a world that has turned.
FLIPPED = """

honest_predict_fn = predict_fn


def predict_fn(rows, model):
    return [1 - answer for answer in honest_predict_fn(rows, model)]
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = Path(tmp_path_factory.mktemp("ab"))
    with open_world(directory) as world:
        for go in (to_handed_over, to_first_package, to_first_champion):
            go(world)
        weekly = "cadence: {profile: daily, judge: weekly, window_days: 7}"
        # Captures come up to ten minutes late: a bake of ten minutes may see none.
        yaml = YAML.read_text().replace(weekly, DAILY).replace("bake_minutes: 10", "bake_minutes: 20")
        deploy(world.account, yaml + RELEASE, directory / "divided")
        yield world


def serve(world: World, hours: int) -> None:
    """Hours of requests of ten rows each twenty minutes, and their labels, in a world that has turned."""
    rows = make_rows(hours * 30, world.now, world.now + hours * HOUR, turned=True)
    for number in range(hours * 3):
        some, name = rows[number * 10 : (number + 1) * 10], f"s{world.now:%m%d%H%M}"
        world.ask_rows(some, name)
        world._label(some["label"].tolist(), name)
        world.wait(20 * MINUTE)


def begin(world: World, tail: str) -> str:
    """A version of the first model is approved, and answers half an hour later."""
    first = world.item("champion")["package_arn"].rpartition("/")[0] + "/1"
    arn = world.register(first, tail)
    world.approve(arn)
    world.wait(20 * MINUTE)
    described = world.registry.describe_endpoint(EndpointName=world.endpoint)
    variants = {variant["VariantName"]: variant["CurrentWeight"] for variant in described["ProductionVariants"]}
    assert variants == {"AllTraffic": 0.5, f"kedge-challenger-v{arn.rpartition('/')[2]}": 0.5}
    return arn


def in_order(world: World) -> bool:
    world.wait(HOUR)
    described = world.registry.describe_endpoint(EndpointName=world.endpoint)
    assert [variant["VariantName"] for variant in described["ProductionVariants"]] == ["AllTraffic"]
    assert apart(world) == []
    return True


def test_what_is_better_is_proved_once_labels_are_in_and_released_by_its_canary(world):
    before, day = serving(world), world.now.replace(hour=0, minute=0, second=0) + DAY
    world.account.clock.advance_to(day)
    version = begin(world, FLIPPED).rpartition("/")[2]
    serve(world, 25)
    world.traffic(3 * HOUR)
    assert ends(world, version) == ["experiment_proved", "canary_promoted"]
    found = table(world, version)
    assert found["quality"]["verdict"] == "BETTER", found["quality"]
    assert found["share of the requests"]["verdict"] == "OK"
    (started,) = world.timeline("experiment_started")
    assert "it answers 50 % of the requests, and clients get its answers" in started["detail"]["traffic"]
    assert world.mails_saying(f"package version {version} held beside the champion", "auc is", "higher")
    assert serving(world) == version
    assert in_order(world)
    # Each one's rows are its own, whoever's capture place they lie in; and every label has found its row.
    counted = [world.day(day, each) for each in (before, version)]
    rows = [sum(found["rows_by_hour"].values()) for found in counted]
    assert (sum(rows), min(rows) > 200) == (710, True)
    assert all(found["quarantined"] == found["duplicates"] == 0 for found in counted)
    labelled = world.objects(f"labelled/{world.model}/date={day:%Y-%m-%d}/")
    assert sum(pq.read_metadata(io.BytesIO(body)).num_rows for body in labelled.values()) == 710


def test_what_is_worse_is_withdrawn_before_its_days_are_over(world):
    before = serving(world)
    # Labels are folded when a day is judged, two hours after it is over.
    world.account.clock.advance_to(world.now.replace(hour=15, minute=0, second=0))
    version = begin(world, BLIND).rpartition("/")[2]
    serve(world, 12)
    assert ends(world, version) == ["experiment_withdrawn"]
    assert table(world, version)["quality"]["verdict"] == "WORSE"
    assert serving(world) == before
    assert in_order(world)


def test_what_fails_requests_is_withdrawn_within_the_hour(world):
    before = serving(world)
    version = begin(world, RAISES).rpartition("/")[2]
    world.traffic(HOUR, requests=10)
    assert ends(world, version) == ["experiment_withdrawn"]
    assert table(world, version)["server errors"]["canary"] == "100 %"
    assert serving(world) == before
    assert in_order(world)


def test_the_fast_way_back_leaves_the_version_that_is_tried(world):
    before, version = serving(world), begin(world, "").rpartition("/")[2]
    server = world.account.serve(0)
    words = ["rollback", world.model, "--now", "--reason", "pages", "--endpoint-url", server.url]
    typed = CliRunner().invoke(app, words)
    assert typed.exit_code == 0, typed.output
    world.wait(25 * MINUTE)
    assert (serving(world), in_order(world)) == (before, True)
    assert "another release changed the endpoint" in reasons(world, version)


def test_a_release_that_is_stopped_leaves_no_version_behind(world):
    before, version = serving(world), begin(world, "").rpartition("/")[2]
    (running,) = [e for e in world.executions("kedge-release") if e["status"] == "RUNNING"]
    world.account.client("stepfunctions").stop_execution(executionArn=running["executionArn"])
    world.wait(3 * HOUR)
    assert "Kedge puts" in reasons(world, version)
    assert serving(world) == before
    assert in_order(world)
