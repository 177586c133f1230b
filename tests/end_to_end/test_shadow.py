"""A version is tried as a shadow for a day: what holds is released by its canary, what does not goes, and people are told with the table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.faults.standing import apart, serving
from tests.faults.stories import to_first_champion, to_first_package, to_handed_over
from tests.faults.world import DAY, HOUR, MINUTE, YAML, World, deploy, make_rows, open_world

pytestmark = pytest.mark.slow
RELEASE = "release: {strategy: shadow, shadow: {days: 1, minimum_rows: 100}}\n"
# Answers of a like spread that have nothing to do with the request.
BLIND = """

honest_predict_fn = predict_fn


def predict_fn(rows, model):
    answers = honest_predict_fn(rows, model)
    return [answers[(7 * place + 3) % len(answers)] for place in range(len(answers))]
"""
RAISES = """

def predict_fn(rows, model):
    raise ValueError("no such feature")
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = Path(tmp_path_factory.mktemp("shadow"))
    with open_world(directory) as world:
        for go in (to_handed_over, to_first_package, to_first_champion):
            go(world)
        deploy(world.account, YAML.read_text() + RELEASE, directory / "shadowed")
        yield world


def serve(world: World, hours: int) -> None:
    """Hours of requests of fifteen rows every half hour, each with its labels an hour later."""
    rows = make_rows(hours * 30, world.now, world.now + hours * HOUR)
    for number in range(hours * 2):
        some, name = rows[number * 15 : (number + 1) * 15], f"s{world.now:%m%d%H%M}"
        world.ask_rows(some, name)
        world._label(some["label"].tolist(), name)
        world.wait(30 * MINUTE)


def try_out(world: World, tail: str, *, hours: int = 24) -> str:
    """Let a version be approved, and let a day and some hours pass; the last ones with enough requests for a canary."""
    arn = world.register(world.item("champion")["package_arn"], tail)
    world.approve(arn)
    world.wait(15 * MINUTE)
    serve(world, hours)
    world.traffic(3 * HOUR)
    return arn.rpartition("/")[2]


def ends(world: World, version: str) -> list[str]:
    kinds = ("experiment_proved", "experiment_withdrawn", "canary_promoted", "canary_rolled_back", "failed")
    return [e["kind"] for e in world.timeline(*kinds) if str(e["detail"].get("package_version", version)) == version]


def table(world: World, version: str) -> dict[str, dict[str, str]]:
    (entry,) = [
        e
        for e in world.timeline("experiment_proved", "experiment_withdrawn")
        if e["detail"]["package_version"] == version
    ]
    return {row["what"]: row for row in entry["detail"]["table"]}


def in_order(world: World) -> bool:
    world.wait(HOUR)
    described = world.registry.describe_endpoint(EndpointName=world.endpoint)
    assert "ShadowProductionVariants" not in described
    assert apart(world) == []
    return True


def test_what_holds_beside_the_champion_is_released_by_its_canary(world):
    version = try_out(world, "")
    assert ends(world, version) == ["experiment_proved", "canary_promoted"], world.timeline(
        "failed", "experiment_withdrawn"
    )
    found = table(world, version)
    assert found["the same decision"]["canary"] == "100 % of the rows"
    assert "paired rows" in found["quality"]["canary"], found["quality"]
    (started,) = world.timeline("experiment_started")
    assert "shadow of 2 instances for 1 day: it gets a copy of 100 % of the requests" in started["detail"]["traffic"]
    (mail,) = world.mails_saying(f"package version {version} held beside the champion")
    assert "the same decision: 100 % of the rows" in " ".join(mail.body.split()), mail.body
    assert serving(world) == version
    assert in_order(world)


def test_the_champions_monitoring_counts_its_own_rows_alone(world):
    before, day = serving(world), world.now.replace(hour=0, minute=0, second=0) + DAY
    world.account.clock.advance_to(day)
    arn = world.register(world.item("champion")["package_arn"], BLIND)
    world.approve(arn)
    world.wait(20 * MINUTE)
    for number in range(6):
        world.ask_rows(make_rows(10, world.now, world.now + HOUR), f"own-{number}")
        world.wait(HOUR)
    world.registry.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    world.wait(DAY)
    assert "Rejected" in reasons(world, arn.rpartition("/")[2])
    counted = world.day(day, before)
    assert sum(counted["rows_by_hour"].values()) == 60
    assert counted["quarantined"] == counted["duplicates"] == 0
    shadowed = f"capture/{world.model}/{before}/{world.endpoint}/kedge-challenger/{day:%Y/%m/%d}/"
    assert len(b"".join(world.objects(shadowed).values()).splitlines()) == 6
    assert in_order(world)


def test_what_ranks_the_same_rows_worse_is_withdrawn_once_labels_are_in(world):
    before = serving(world)
    # Labels are folded when a window is judged, which is on Monday.
    sunday = world.now.replace(hour=12, minute=0, second=0) + (6 - world.now.weekday()) * DAY
    world.account.clock.advance_to(max(sunday, world.now))
    version = try_out(world, BLIND)
    assert ends(world, version) == ["experiment_withdrawn"]
    assert table(world, version)["quality"]["verdict"] == "WORSE"
    assert table(world, version)["distribution of answers"]["verdict"] == "OK"
    assert serving(world) == before
    assert in_order(world)


def test_what_fails_requests_is_withdrawn_within_hours_and_no_client_sees_it(world):
    before = serving(world)
    arn = world.register(world.item("champion")["package_arn"], RAISES)
    world.approve(arn)
    world.wait(15 * MINUTE)
    world.traffic(3 * HOUR, every=5 * MINUTE)
    version = arn.rpartition("/")[2]
    assert ends(world, version) == ["experiment_withdrawn"]
    assert table(world, version)["server errors"] == {
        "what": "server errors",
        "canary": "100 %",
        "champion": "0 %",
        "limit": "at most 1 %",
        "verdict": "ABOVE",
    }
    assert serving(world) == before
    assert in_order(world)


def begin(world: World, tail: str = "") -> str:
    """A version is tried, and answers since an hour."""
    arn = world.register(world.item("champion")["package_arn"], tail)
    world.approve(arn)
    world.wait(20 * MINUTE)
    world.traffic(70 * MINUTE, every=10 * MINUTE)
    described = world.registry.describe_endpoint(EndpointName=world.endpoint)
    assert [v["VariantName"] for v in described["ShadowProductionVariants"]] == ["kedge-challenger"]
    return arn


def reasons(world: World, version: str) -> str:
    (entry,) = [e for e in world.timeline("experiment_withdrawn") if e["detail"]["package_version"] == version]
    return "; ".join(entry["detail"]["reasons"])


def test_a_rejection_is_heard_within_the_hour(world):
    before, arn = serving(world), begin(world)
    world.registry.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    world.wait(90 * MINUTE)
    assert "is Rejected in the registry" in reasons(world, arn.rpartition("/")[2])
    assert serving(world) == before
    assert in_order(world)


def test_a_newer_approval_ends_it_and_is_tried_next(world):
    first = begin(world)
    second = world.register(first, "")
    world.approve(second)
    world.wait(2 * HOUR)
    newer = second.rpartition("/")[2]
    assert f"version {newer} was approved meanwhile" in reasons(world, first.rpartition("/")[2])
    started = [e["detail"]["package_version"] for e in world.timeline("experiment_started")]
    assert started[-1] == newer
    world.registry.update_model_package(ModelPackageArn=second, ModelApprovalStatus="Rejected")
    world.wait(2 * HOUR)
    assert in_order(world)


def test_the_fast_way_back_waits_for_no_shadow(world):
    champion, arn = world.item("champion"), begin(world)
    world.registry.update_model_package(ModelPackageArn=champion["package_arn"], ModelApprovalStatus="Rejected")
    world.wait(25 * MINUTE)
    assert serving(world) == champion["previous_package_arn"].rpartition("/")[2]
    world.wait(2 * HOUR)
    assert "another release changed the endpoint" in reasons(world, arn.rpartition("/")[2])
    assert in_order(world)


def test_the_command_goes_back_from_the_champion_and_not_from_the_shadow(world):
    arn = begin(world)
    server = world.account.serve(0)
    typed = CliRunner().invoke(
        app, ["rollback", world.model, "--now", "--reason", "pages", "--endpoint-url", server.url]
    )
    # The one that served before was rejected: leaving the shadow alone would be no way back.
    assert (typed.exit_code, "no earlier package" in typed.stderr) == (2, True), typed.output
    world.registry.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    world.wait(2 * HOUR)
    assert in_order(world)


def test_a_change_by_hand_is_heard_and_followed_as_ever(world):
    before, arn = serving(world), begin(world)
    config = world.item("champion")["endpoint_config"]
    world.registry.update_endpoint(EndpointName=world.endpoint, EndpointConfigName=config)
    world.wait(2 * HOUR)
    assert "somebody put it back" in reasons(world, arn.rpartition("/")[2])
    assert serving(world) == before
    assert in_order(world)


def test_a_release_that_is_stopped_leaves_no_shadow(world):
    before, arn = serving(world), begin(world)
    (running,) = [e for e in world.executions("kedge-release") if e["status"] == "RUNNING"]
    world.account.client("stepfunctions").stop_execution(executionArn=running["executionArn"])
    world.wait(3 * HOUR)
    assert "Kedge puts" in reasons(world, arn.rpartition("/")[2])
    assert world.mails_saying("was stopped")
    assert serving(world) == before
    assert in_order(world)


def test_a_deleted_endpoint_is_told_and_nothing_is_made_anew(world):
    arn = begin(world)
    world.registry.delete_endpoint(EndpointName=world.endpoint)
    world.wait(3 * HOUR)
    assert "does not exist any more" in reasons(world, arn.rpartition("/")[2])
    assert [e["status"] for e in world.executions("kedge-release") if e["status"] == "RUNNING"] == []
    assert world.timeline("endpoint_changed")
    assert json.dumps(world.item("lease")) == "null"
