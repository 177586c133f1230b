"""plan_release turns an approved package into requests, or says that there is nothing to do."""

import json

import pytest

from kedge.errors import EndpointVariantNameError, UnknownPackageError
from kedge.instants import from_text
from lambdas.adapters.state import served
from lambdas.handlers import build_baseline
from lambdas.handlers.plan_release import handler
from tests.handlers.aws_world import BUCKET, CONTEXT, IMAGES, MODEL, ROLE, TABLE, aws_world
from tests.handlers.champions import promote
from tests.handlers.holdouts import PREFIX, write_holdout
from tests.handlers.test_build_baseline import EVENT as CHALLENGER
from tests.handlers.test_build_baseline import create_trained_job

TIME = "2016-02-11T12:00:00Z"
ARTEFACT, BASELINE = "model.tar.gz", f"{PREFIX}/baseline"
STAGED: dict[str, str] = {}


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch, SERVING_ROLE_ARN=ROLE, KMS_KEY_ID="key", TRAINING_IMAGES=IMAGES) as world:
        write_holdout(world)
        create_trained_job(world)
        staged = build_baseline.handler(CHALLENGER, CONTEXT)["package"]["CustomerMetadataProperties"]
        wrote = world.s3.put_object(Bucket=BUCKET, Key=ARTEFACT, Body=b"judged", ChecksumAlgorithm="SHA256")
        STAGED.update(staged | {"kedge:artefact_sha256": wrote["ChecksumSHA256"]})
        yield world


def run(package_arn: str) -> dict:
    event = {"model": MODEL, "run": "release-1", "time": TIME, "package_arn": package_arn}
    return json.loads(json.dumps(handler(event, CONTEXT)))


def test_a_served_endpoint_is_updated_as_a_canary(world):
    world.serve()
    answered = run(world.register(properties=STAGED))
    assert answered["verdict"] == "UPDATE"
    assert answered["previous_config"] == f"{MODEL}-v1-aaaa"
    assert answered["update"]["EndpointConfigName"] == answered["endpoint_config"]["EndpointConfigName"]
    assert answered["alarm_names"] == [alarm["AlarmName"] for alarm in answered["alarms"]] != []
    assert answered["create_model"]["ModelName"] == answered["endpoint_config"]["ProductionVariants"][0]["ModelName"]


def scale(world, instances: int) -> None:
    """Do to the endpoint what autoscaling does."""
    world.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=world.config.endpoint.name,
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": instances}],
    )


@pytest.mark.parametrize(
    ("running", "size", "said"),
    [
        (5, {"Type": "INSTANCE_COUNT", "Value": 2}, "canary of 2 of 5 instances: about 40 % of the traffic"),
        (1, None, "the endpoint runs on 1 instance, so there is no canary"),
    ],
)
def test_the_canary_is_a_part_of_the_instances_that_run_now(world, running, size, said):
    world.serve()
    scale(world, running)
    answered = run(world.register(properties=STAGED))
    routing = answered["update"]["DeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert routing.get("CanarySize") == size
    assert answered["endpoint_config"]["ProductionVariants"][0]["InitialInstanceCount"] == running
    assert said in answered["traffic"]


def test_a_variant_of_another_name_is_refused_before_anything_is_made(world):
    world.serve(variant="Blue")
    with pytest.raises(EndpointVariantNameError, match=r"variant: Blue"):
        run(world.register(properties=STAGED))
    assert world.keys("baselines/") == []


def test_a_missing_endpoint_is_created_without_alarms(world):
    answered = run(world.register(properties=STAGED))
    assert (answered["verdict"], answered["alarms"], answered["previous_config"]) == ("CREATE", [], None)
    assert answered["create"]["EndpointName"] == world.config.endpoint.name


def test_the_monitor_can_count_the_package_from_its_first_answer_on(world):
    run(world.register(properties=STAGED))
    assert f"baselines/{MODEL}/1.npz" in world.keys("baselines/")
    assert f"baselines/{MODEL}/1/reference.json" in world.keys("baselines/")
    assert served.load(world.dynamodb, TABLE, MODEL, now=from_text(TIME)) == ["1"]


def test_a_package_that_serves_already_changes_nothing(world):
    world.serve()
    arn = world.register(properties=STAGED)
    promote(world, package_arn=arn)
    assert run(arn)["verdict"] == "ALREADY_SERVING"
    assert world.keys("baselines/") == []


@pytest.mark.parametrize(
    ("status", "properties", "reason"),
    [("PendingManualApproval", {"kedge:staged": BASELINE}, "not Approved"), ("Approved", {}, "staged no baseline")],
)
def test_a_package_that_may_not_serve_is_refused(world, status, properties, reason):
    arn = world.register(status=status, properties=properties)
    with pytest.raises(UnknownPackageError, match=reason):
        run(arn)


def rewrite(world, key: str, body: bytes, **more: str) -> None:
    world.s3.put_object(Bucket=BUCKET, Key=key, Body=body, **more)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda world: rewrite(world, ARTEFACT, b"a backdoor", ChecksumAlgorithm="SHA256"), "the artefact at"),
        (lambda world: rewrite(world, ARTEFACT, b"a backdoor"), "the artefact at"),
        (lambda world: world.s3.delete_object(Bucket=BUCKET, Key=ARTEFACT), "its SHA-256 is not there"),
        (lambda world: rewrite(world, f"{BASELINE}/reference.json", b"{}"), "the baseline at"),
        (lambda world: rewrite(world, f"{BASELINE}/baseline.npz", b""), "the baseline at"),
        (lambda world: world.s3.delete_object(Bucket=BUCKET, Key=f"{BASELINE}/slices.npz"), "the baseline at"),
    ],
)
def test_what_was_changed_after_its_gate_is_refused_before_anything_is_touched(world, change, said):
    world.serve()
    arn = world.register(properties=STAGED)
    change(world)
    answered = run(arn)
    assert (answered["verdict"], answered["package_version"]) == ("REFUSED", "1")
    assert said in answered["reasons"][0]
    assert world.keys("baselines/") == []
    assert world.item("release") is None


@pytest.mark.parametrize("missing", ["kedge:artefact_sha256", "kedge:baseline_sha256"])
def test_a_package_that_was_registered_without_a_digest_is_refused(world, missing):
    arn = world.register(properties={key: value for key, value in STAGED.items() if key != missing})
    answered = run(arn)
    assert (answered["verdict"], "none was pinned" in answered["reasons"][0]) == ("REFUSED", True)


def test_an_artefact_written_again_as_it_was_is_the_same(world):
    rewrite(world, ARTEFACT, b"judged", ChecksumAlgorithm="SHA256")
    assert run(world.register(properties=STAGED))["verdict"] == "CREATE"
