"""settle brings a version that was tried beside the champion to its end, by what the endpoint serves, and tells how it ended."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kedge.errors import EndpointBusyError
from kedge.release.look_table import LookRow
from lambdas.adapters.release import experiments, trials
from lambdas.adapters.release.endpoints import EndpointState
from lambdas.adapters.release.experiments import Experiment
from lambdas.adapters.release.trials import AbTrial
from lambdas.adapters.state import under_way
from lambdas.adapters.state.under_way import ReleaseUnderWay
from lambdas.handlers import settle
from lambdas.steps.release import settled_experiment
from tests.handlers.aws_world import MODEL, TABLE
from tests.handlers.settle_world import NEW, NOW, OLD, PROPERTIES, RUN, at_the_end, hourly, left, promote, settle_world

BEGAN = NOW - timedelta(days=1)
TABLE_ROW = LookRow("requests", "400", "400", "", "")
SHORT = "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error."


@pytest.fixture
def world(monkeypatch):
    with settle_world(monkeypatch) as world:
        world.serve(OLD)
        promote(world, endpoint_config=OLD)
        yield world


@pytest.fixture(autouse=True)
def endpoint(monkeypatch):
    """Have the endpoint stand as a test wants."""

    def stands(config: str | None, *, status: str = "InService", reason: str = "", modified_at=NOW):
        tried = config == NEW
        found = EndpointState(
            MODEL, status, config or "", "AllTraffic", 2, reason, (), None, modified_at, is_tried_on=tried
        )
        for module in (settle, settled_experiment):
            monkeypatch.setattr(module.endpoints, "describe_endpoint", lambda *_, **__: found if config else None)

    stands(OLD)
    return stands


def tried(world, verdict: str = "GOING_ON", **more) -> Experiment:
    """A version that is tried, with its two notes."""
    arn = world.register(properties=PROPERTIES)
    experiment = Experiment(RUN, arn, "2", "1", NEW, OLD, BEGAN, BEGAN, BEGAN, verdict, ("a reason",), (TABLE_ROW,))
    experiments.save(world.dynamodb, TABLE, MODEL, replace(experiment, **more))
    note = ReleaseUnderWay(RUN, arn, "2", NEW, OLD, (), BEGAN, experiment=True)
    under_way.save(world.dynamodb, TABLE, MODEL, note)
    return experiment


def told(world) -> list[tuple[str, list[str]]]:
    entries = [entry for entry in world.timeline() if entry["kind"].startswith("experiment")]
    return [(entry["kind"], entry["detail"]["reasons"]) for entry in entries]


def noted(world) -> list[str]:
    return sorted([*left(world), *(["experiment"] if world.item("experiment") else [])])


def test_what_is_proved_is_told_with_its_table_and_its_notes_stay_for_the_release(world):
    tried(world, "PROVED")
    assert [at_the_end()["verdict"], at_the_end()["verdict"]] == ["EXPERIMENT_PROVED", "EXPERIMENT_PROVED"]
    assert told(world) == [("experiment_proved", ["a reason"])]
    (entry,) = [entry for entry in world.timeline() if entry["kind"] == "experiment_proved"]
    assert entry["detail"]["table"] == [TABLE_ROW.to_json()]
    assert noted(world) == ["experiment", "release"]


def test_what_is_withdrawn_is_told_once_and_forgotten(world):
    tried(world, "WITHDRAWN")
    assert at_the_end()["verdict"] == "WITHDRAWN"
    assert at_the_end()["verdict"] == "NOTHING"
    assert told(world) == [("experiment_withdrawn", ["a reason"])]
    assert noted(world) == []


def test_an_endpoint_that_is_being_changed_is_waited_for(world, endpoint):
    tried(world, "PROVED")
    endpoint(NEW, status="Updating")
    with pytest.raises(EndpointBusyError):
        at_the_end()
    assert noted(world) == ["experiment", "release"]


@pytest.mark.parametrize("config", [OLD, NEW], ids=["beginning", "end"])
def test_a_fleet_that_found_no_instances_is_tried_again_and_not_told_as_an_end(world, endpoint, config):
    tried(world, "GOING_ON" if config == OLD else "PROVED")
    endpoint(config, reason=SHORT)
    answer = at_the_end()
    assert (answer["verdict"], "InsufficientInstanceCapacity" in answer["shortage"]) == ("SHORT", True)
    assert (told(world), noted(world)) == ([], ["experiment", "release"])


def test_a_shadow_that_did_not_come_up_is_told_with_sagemakers_reason(world, endpoint):
    tried(world)
    endpoint(OLD, reason="it did not pass the ping health check")
    assert at_the_end()["verdict"] == "WITHDRAWN"
    assert "ping health check" in told(world)[0][1][0]


def test_a_beginning_that_never_took_effect_is_told_by_its_failure_alone(world, endpoint):
    tried(world)
    endpoint(OLD, modified_at=BEGAN - timedelta(days=3))
    assert at_the_end()["verdict"] == "UNCHANGED"
    assert (told(world), noted(world)) == ([], [])


@pytest.mark.parametrize(
    ("config", "said"), [(None, "does not exist any more"), ("by-hand", "somebody else put by-hand into service")]
)
def test_what_others_did_to_the_endpoint_is_told(world, endpoint, config, said):
    tried(world)
    endpoint(config)
    at_the_end()
    ((kind, reasons),) = told(world)
    assert (kind, said in reasons[-1], noted(world)) == ("experiment_withdrawn", True, [])


def test_an_experiment_that_a_way_back_has_overtaken_is_told_at_its_end(world):
    experiment = tried(world)
    back = ReleaseUnderWay("back", experiment.package_arn, "0", "v0", NEW, (), NOW)
    under_way.save(world.dynamodb, TABLE, MODEL, back)
    assert at_the_end()["verdict"] == "OVERTAKEN"
    assert told(world) == [("experiment_withdrawn", ["another release changed the endpoint, and ended it"])]
    assert noted(world) == ["release"]


def test_what_a_machine_has_left_on_the_endpoint_is_put_back_whatever_the_yaml_says(world, endpoint):
    tried(world)
    endpoint(NEW)
    assert world.config.release.changed_by_hand == "adopt"
    hourly()
    assert "Kedge puts" in told(world)[0][1][-1]
    assert noted(world) == []
    (body,) = world.received("approvals")
    assert (body["back"]["same"], body["back"]["by"]) == (True, "Kedge")
    assert "tried a version beside the champion" in body["back"]["reason"]


def test_what_was_proved_and_whose_machine_is_gone_is_told_as_withdrawn(world):
    tried(world, "PROVED")
    hourly()
    ((kind, reasons),) = told(world)
    assert (kind, reasons[-1]) == ("experiment_withdrawn", "its release ended before it could go on")
    assert noted(world) == []


@pytest.mark.parametrize("verdict", ["PROVED", "WITHDRAWN"])
def test_a_version_that_answers_no_longer_is_noted_and_the_strategy_told(world, verdict):
    tried(world, verdict, strategy="ab", share=0.1)
    trials.begin(world.dynamodb, TABLE, MODEL, AbTrial("2", "1", BEGAN, NOW + timedelta(days=9)))
    at_the_end()
    (trial,) = trials.load(world.dynamodb, TABLE, MODEL)
    assert trial.until == NOW
    (entry,) = [entry for entry in world.timeline() if entry["kind"].startswith("experiment")]
    assert entry["detail"]["strategy"] == "ab"


def test_a_version_whose_test_is_tried_again_goes_on_answering(world, endpoint):
    tried(world, strategy="ab", share=0.1)
    trials.begin(world.dynamodb, TABLE, MODEL, AbTrial("2", "1", BEGAN, NOW + timedelta(days=9)))
    endpoint(OLD, reason=SHORT)
    assert at_the_end()["verdict"] == "SHORT"
    assert trials.load(world.dynamodb, TABLE, MODEL)[0].until > NOW
