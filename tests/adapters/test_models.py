"""Deployed models' definitions in the bucket: brought there as a whole, what is unchanged left alone, what was interrupted made good."""

import json

import pytest

from kedge.errors import BucketTakenError, NothingDeployedError, UnknownModelError, WatchedModelError
from lambdas.adapters import definitions, models
from lambdas.adapters.bucket import objects
from lambdas.adapters.models import DEPLOYED, find_deployed, load_managed_model, load_model, load_models
from tests import deployed_models
from tests.handlers.aws_world import BUCKET, MODEL, aws_world
from tests.synthesised import EXAMPLE, example_models

STACK = deployed_models.OWNER
YAML = "{model: %s, endpoint: {name: e}, features: [{name: x, kind: numeric}]}"
HOTEL = (example_models() / EXAMPLE).read_text()
TEXTS = {"a": YAML % "a", "b": YAML % "b", MODEL: HOTEL}


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        monkeypatch.setattr(definitions, "_kept", {})
        yield world


def bring(world, texts, owner=STACK):
    brought = models.bring(world.s3, BUCKET, texts, owner=owner)
    return sorted(brought.written), sorted(brought.deleted)


def etags(world):
    found = objects.list_objects(world.s3, BUCKET, "deployed/")
    return {key: etag for key, etag in found.items() if key.endswith(".yaml")}


def begin_anew():
    definitions._kept.clear()


def test_the_bucket_says_what_the_deployment_says(world):
    assert bring(world, TEXTS) == (["a", "b", MODEL], [])
    assert list(load_models(BUCKET)) == ["a", "b", MODEL]
    assert world.read(f"deployed/{MODEL}.yaml").decode() == HOTEL
    assert load_managed_model("a", BUCKET).endpoint.name == "e"


def test_a_changed_text_is_written_alone_and_what_is_gone_is_deleted_alone(world):
    bring(world, TEXTS)
    before = etags(world)
    begin_anew()
    changed = {MODEL: HOTEL, "a": TEXTS["a"].replace("name: e", "name: e2")}
    assert bring(world, changed) == (["a"], ["b"])
    assert find_deployed("a", BUCKET).endpoint.name == "e2"
    assert find_deployed("b", BUCKET) is None
    after = etags(world)
    assert after[f"deployed/{MODEL}.yaml"] == before[f"deployed/{MODEL}.yaml"]
    assert after.keys() == {f"deployed/{MODEL}.yaml", "deployed/a.yaml"}
    begin_anew()
    assert bring(world, changed) == ([], [])


def test_a_process_that_begins_reads_one_object_of_all_that_were_brought(world, monkeypatch):
    bring(world, TEXTS)
    expected = load_models(BUCKET)
    begin_anew()
    monkeypatch.setattr(definitions, "parse_model_config", None)
    assert load_models(BUCKET) == expected


def test_a_run_that_was_broken_off_and_a_hand_that_changed_something_are_made_good(world):
    bring(world, TEXTS)
    # Both lie there, and nobody has kept what they say: the run ended before it could.
    world.put("deployed/a.yaml", (YAML % "a").replace("name: e", "name: half").encode())
    world.s3.delete_object(Bucket=BUCKET, Key="deployed/b.yaml")
    world.put("deployed/stranger.yaml", (YAML % "stranger").encode())
    begin_anew()
    assert bring(world, TEXTS) == (["a", "b"], ["stranger"])
    assert find_deployed("a", BUCKET).endpoint.name == "e"


def test_a_text_that_these_functions_cannot_follow_lies_there_and_is_told_as_broken(world):
    """A rollback brings back texts of another version's: refusing one would leave the stack where no command leads out."""
    newer = (YAML % "a")[:-1] + ", a_field_of_tomorrow: 1}"
    brought = models.bring(world.s3, BUCKET, {"a": newer, "b": YAML % "b"}, owner=STACK)
    assert "a_field_of_tomorrow" in brought.refused["a"]
    found = models.load_definitions(BUCKET)
    assert (list(found.models), list(found.broken)) == (["b"], ["a"])
    begin_anew()
    # It is as it should be, so nothing is written.
    assert bring(world, {"a": newer, "b": YAML % "b"}) == ([], [])


def test_a_team_that_is_gone_from_the_teams_leaves_the_model_with_its_own_addresses(world, monkeypatch):
    text = (YAML % "a")[:-1] + ", owner: {team: gone, email: [a@example.com]}}"
    assert models.bring(world.s3, BUCKET, {"a": text}, owner=STACK).refused == {}
    owner = find_deployed("a", BUCKET).owner
    assert (owner.team, owner.email) == (None, ("a@example.com",))


def test_what_another_stack_has_brought_is_not_touched(world):
    bring(world, TEXTS)
    before = etags(world)
    with pytest.raises(BucketTakenError, match=r"of the stack KedgeModels-1 .*, and other would delete them"):
        bring(world, {"a": YAML % "a"}, owner="other")
    assert etags(world) == before
    world.s3.delete_object(Bucket=BUCKET, Key=DEPLOYED.parsed)
    assert bring(world, {"a": YAML % "a"}, owner="other") == (["a"], ["b", MODEL])


@pytest.mark.parametrize(
    "ask", [lambda: find_deployed(MODEL, BUCKET), lambda: load_models(BUCKET), lambda: load_model(MODEL, BUCKET)]
)
def test_before_a_deployment_has_ended_no_model_is_known_to_be_absent(world, ask):
    for key in (*etags(world), DEPLOYED.parsed):
        world.s3.delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(NothingDeployedError, match="wait for it, or, where it failed, deploy again"):
        ask()
    bring(world, {})
    assert load_models(BUCKET) == {}
    assert find_deployed(MODEL, BUCKET) is None


def test_what_is_kept_beside_them_can_be_spoilt_without_harm(world):
    bring(world, TEXTS)
    world.put(DEPLOYED.parsed, json.dumps([1, 2]).encode())
    begin_anew()
    assert list(load_models(BUCKET)) == ["a", "b", MODEL]


def test_an_unknown_model_is_refused_with_the_known_ones_and_a_watched_one_is_not_managed(world):
    bring(world, TEXTS | {"w": "{model: w, mode: watch, endpoint: {name: e}, features: [{name: x, kind: numeric}]}"})
    with pytest.raises(UnknownModelError, match=f"the models are: a, b, {MODEL}, w"):
        load_model("nobody", BUCKET)
    with pytest.raises(WatchedModelError):
        load_managed_model("w", BUCKET)


def test_what_an_earlier_version_wrote_in_the_name_of_the_stack_alone_is_its_own(world):
    world.s3.delete_object(Bucket=BUCKET, Key=DEPLOYED.parsed)
    bring(world, {"a": YAML % "a"}, owner="KedgeModels-1")
    assert bring(world, {"b": YAML % "b"}, owner=STACK) == (["b"], ["a"])
    with pytest.raises(BucketTakenError):
        bring(world, {"a": YAML % "a"}, owner=STACK.replace("eu-west-1", "eu-west-3"))
