"""Adopted models' definitions: validated on write and on read, read again only when they changed, beaten by what is deployed."""

import json

import boto3
import pytest

from kedge.config.reading import parse_model_config as parsed
from kedge.errors import ModelConfigError, UnknownModelError
from lambdas.adapters import adopted, definitions
from lambdas.adapters.adopted import ADOPTED
from lambdas.adapters.catalogue import find_model, load_catalogue, load_model, load_models
from lambdas.adapters.models import find_deployed
from tests import deployed_models
from tests.handlers.aws_world import BUCKET, MODEL, REGION, aws_world

YAML = "{model: %s, mode: watch, endpoint: {name: %s}, features: [{name: x, kind: numeric}]}"


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        definitions._kept.clear()
        yield world


def text(model="payments", endpoint=None):
    return (YAML % (model, endpoint or model)).encode()


def test_a_definition_is_found_by_name_and_with_all_others(world):
    adopted.put(world.s3, BUCKET, text())
    assert load_model("payments", BUCKET).mode == "watch"
    assert set(load_models(BUCKET)) == {MODEL, "payments"}
    assert find_deployed("payments", BUCKET) is None


def test_what_is_deployed_wins(world):
    world.put(f"models/{MODEL}.yaml", text(MODEL))
    assert load_model(MODEL, BUCKET).mode == "manage"
    assert load_models(BUCKET)[MODEL].mode == "manage"
    assert load_catalogue(BUCKET).adopted.models == {}


def test_a_definition_is_parsed_again_only_when_it_changed(world, monkeypatch):
    adopted.put(world.s3, BUCKET, text())
    first = load_model("payments", BUCKET)
    assert load_model("payments", BUCKET) is first
    assert load_models(BUCKET)["payments"] is first
    adopted.put(world.s3, BUCKET, text(endpoint="payments-2"))
    assert load_model("payments", BUCKET).endpoint.name == "payments-2"
    assert adopted.remove(world.s3, BUCKET, "payments")
    with pytest.raises(UnknownModelError):
        load_model("payments", BUCKET)


def test_the_bucket_keeps_the_definition_before(world):
    boto3.client("s3", region_name=REGION).put_bucket_versioning(
        Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"}
    )
    adopted.put(world.s3, BUCKET, text())
    adopted.put(world.s3, BUCKET, text(endpoint="payments-2"))
    versions = world.s3.list_object_versions(Bucket=BUCKET, Prefix="models/payments.yaml")["Versions"]
    assert len(versions) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe", "not text in UTF-8"),
        (b"x: " + b"y" * definitions.BYTES_MAX, "more than the"),
        (b"a: &a [*a]", "refers to itself"),
        (text("other"), "defines the model 'other', not 'payments'"),
        (text().replace(b"mode: watch", b"mode: manage"), "mode is manage"),
        (
            b"{model: payments, mode: watch, source: log, firehose: true, features: [{name: x, kind: numeric}]}",
            "firehose is true",
        ),
        (text().replace(b"endpoint", b"endpiont"), "did you mean endpoint"),
    ],
    ids=["bytes", "large", "endless", "another model", "managed", "streamed", "misspelt"],
)
def test_a_hostile_or_broken_definition_is_refused_and_harms_no_other(world, content, said):
    world.put("models/payments.yaml", content)
    adopted.put(world.s3, BUCKET, text("parcels"))
    with pytest.raises(ModelConfigError, match=said):
        load_model("payments", BUCKET)
    catalogue = load_catalogue(BUCKET)
    assert set(catalogue.models) == {MODEL, "parcels"}
    assert said in catalogue.adopted.broken["payments"]


def test_what_cannot_be_followed_is_not_written(world):
    with pytest.raises(ModelConfigError, match="mode is manage"):
        adopted.put(world.s3, BUCKET, text().replace(b"mode: watch", b"mode: manage"))
    adopted.put(world.s3, BUCKET, text())
    with pytest.raises(ModelConfigError, match="is watched by payments already"):
        adopted.put(world.s3, BUCKET, text("parcels", "payments"))
    assert world.keys("models/") == ["models/payments.yaml"]


@pytest.mark.parametrize("name", ["../hotel-cancellations", "a/b", "", "models/payments.yaml", "x" * 41])
def test_a_name_that_no_model_has_is_neither_a_path_nor_a_key(world, name):
    assert find_model(name, BUCKET) is None


def test_removing_what_is_not_there_says_so(world):
    adopted.put(world.s3, BUCKET, text("payments-2"))
    assert not adopted.remove(world.s3, BUCKET, "payments")


def test_models_without_an_endpoint_exclude_each_other_only_where_they_would_count_the_same(world):
    yaml = (
        "{model: %s, mode: watch, source: %s, features: [{name: x, kind: numeric}], capture: {uri: 's3://theirs/%s'}}"
    )
    for model, source, place in (("a", "batch_transform", "a"), ("b", "batch_transform", "b"), ("c", "log", "a")):
        adopted.put(world.s3, BUCKET, (yaml % (model, source, place)).encode())
    with pytest.raises(ModelConfigError, match="its transform jobs below s3://theirs/a is watched by a already"):
        adopted.put(world.s3, BUCKET, (yaml % ("d", "batch_transform", "a")).encode())


@pytest.fixture
def read(monkeypatch):
    """The adopted definitions whose YAML is parsed from the bucket."""
    found = []

    def parse(content, source):
        if "/models/" in source:
            found.append(source.rpartition("/")[2])
        return parsed(content, source=source)

    monkeypatch.setattr(definitions, "parse_model_config", parse)
    return found


def keep(world):
    catalogue = load_catalogue(BUCKET)
    definitions.keep_parsed(world.s3, BUCKET, ADOPTED, catalogue.adopted.models)
    assert not load_catalogue(BUCKET).adopted.fresh
    return catalogue.models


def test_a_process_that_begins_reads_what_another_has_kept_and_the_yaml_of_what_changed_since(world, read):
    for model in ("payments", "parcels"):
        adopted.put(world.s3, BUCKET, text(model))
    before = keep(world)
    read.clear()
    definitions._kept.clear()
    assert load_models(BUCKET) == before
    assert read == []
    definitions._kept.clear()
    world.put("models/parcels.yaml", text("parcels", "parcels-2"))
    assert load_models(BUCKET)["parcels"].endpoint.name == "parcels-2"
    assert read == ["parcels.yaml"]


@pytest.mark.parametrize("change", [{"mode": "manage"}, {"firehose": True}, {"model": "another"}])
def test_what_is_kept_is_checked_as_a_definition_is(world, change):
    adopted.put(world.s3, BUCKET, text())
    keep(world)
    kept = json.loads(world.read(ADOPTED.parsed))
    ((etag, digest, config),) = kept.values()
    forged = json.dumps(json.loads(config) | change)
    world.put(ADOPTED.parsed, json.dumps({key: (etag, digest, forged) for key in kept}).encode())
    definitions._kept.clear()
    assert load_models(BUCKET)["payments"].mode == "watch"
    assert "another" not in load_models(BUCKET)
    assert not load_models(BUCKET)["payments"].firehose


def test_what_another_version_has_kept_keeps_nobody_from_taking_the_rest(world, read):
    for model in ("parcels", "payments"):
        adopted.put(world.s3, BUCKET, text(model))
    keep(world)
    kept = json.loads(world.read(ADOPTED.parsed))
    kept["models/parcels.yaml"][2] = json.dumps({"model": "parcels", "a_field_of_old": 1})
    world.put(ADOPTED.parsed, json.dumps(kept).encode())
    read.clear()
    definitions._kept.clear()
    assert {"parcels", "payments"} < set(load_models(BUCKET))
    assert read == ["parcels.yaml"]


def test_what_is_kept_follows_the_teams_of_who_reads_it(world, monkeypatch, tmp_path):
    adopted.put(world.s3, BUCKET, text())
    keep(world)
    (tmp_path / "teams.yaml").write_text("{default: a, teams: {a: {email: [a@example.com]}}}")
    deployed_models.choose(monkeypatch, tmp_path / "models")
    assert load_models(BUCKET)["payments"].owner.email == ("a@example.com",)


def test_a_broken_definition_is_told_by_each_process_and_keeps_nobody_from_keeping_the_others(world):
    adopted.put(world.s3, BUCKET, text())
    world.put("models/broken.yaml", b"model: [")
    for _ in range(2):
        keep(world)
        catalogue = load_catalogue(BUCKET)
        assert (set(catalogue.adopted.models), set(catalogue.adopted.broken)) == ({"payments"}, {"broken"})
        definitions._kept.clear()


def test_a_process_asks_once_whether_a_deployment_has_ended_and_not_for_each_adopted_model(world, monkeypatch):
    for model in ("parcels", "payments"):
        adopted.put(world.s3, BUCKET, text(model))
    asked, head = [], world.s3.head_object
    monkeypatch.setattr(world.s3, "head_object", lambda **named: asked.append(named["Key"]) or head(**named))
    assert {find_model(model, BUCKET).model for model in ("parcels", "payments", "parcels")} == {"parcels", "payments"}
    assert asked == ["deployed/parsed.json"]
