"""plan_release plans a shadow before the release, and goes on where a run that comes again was."""

import json
from dataclasses import replace

import pytest

from kedge.errors import EndpointBusyError
from kedge.instants import from_text
from lambdas.adapters.release import experiments, trials
from lambdas.adapters.state import under_way
from lambdas.handlers import build_baseline, plan_release
from tests.handlers.aws_world import BUCKET, CONTEXT, IMAGES, MODEL, ROLE, TABLE, aws_world
from tests.handlers.champions import promote
from tests.handlers.holdouts import write_holdout
from tests.handlers.test_build_baseline import EVENT as CHALLENGER
from tests.handlers.test_build_baseline import create_trained_job

TIME, RUN, OWN = "2016-02-11T12:00:00Z", "release-1", f"{MODEL}-v1-aaaa"
CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": f"s3://{BUCKET}/capture/{MODEL}/1",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
}


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch, SERVING_ROLE_ARN=ROLE, KMS_KEY_ID="key", TRAINING_IMAGES=IMAGES) as world:
        write_holdout(world)
        create_trained_job(world)
        properties = build_baseline.handler(CHALLENGER, CONTEXT)["package"]["CustomerMetadataProperties"]
        wrote = world.s3.put_object(Bucket=BUCKET, Key="model.tar.gz", Body=b"judged", ChecksumAlgorithm="SHA256")
        world.staged = properties | {"kedge:artefact_sha256": wrote["ChecksumSHA256"]}
        config = world.config
        release = config.release.model_validate({"strategy": "shadow", "shadow": {"days": 3, "share": 0.5}})
        shadowed = config.model_copy(update={"release": release})
        monkeypatch.setattr(plan_release, "load_managed_model", lambda *_: shadowed)
        yield world


def serve(world, config=OWN, *, key="key", instances=4, **more) -> str:
    """A champion serves with a config as Kedge makes it; return the package that is to be tried."""
    container = {"Image": "i", "ModelDataUrl": f"s3://{BUCKET}/m.tar.gz"}
    world.sagemaker.create_model(ModelName=config, PrimaryContainer=container, ExecutionRoleArn=ROLE)
    variant = {"VariantName": "AllTraffic", "ModelName": config, "InstanceType": "ml.m5.large"}
    given = {"DataCaptureConfig": CAPTURE} | ({"KmsKeyId": key} if key else {}) | more
    world.sagemaker.create_endpoint_config(
        EndpointConfigName=config,
        ProductionVariants=[variant | {"InitialInstanceCount": instances, "InitialVariantWeight": 1.0}],
        **given,
    )
    world.sagemaker.create_endpoint(EndpointName=MODEL, EndpointConfigName=config)
    promote(world, package_arn=world.register(properties=world.staged), endpoint_config=config)
    return world.register(properties=world.staged)


def run(arn: str, **more) -> dict:
    event = {"model": MODEL, "run": RUN, "time": TIME, "package_arn": arn, **more}
    return json.loads(json.dumps(plan_release.handler(event, CONTEXT)))


def decide(world, verdict: str) -> None:
    found = experiments.load(world.dynamodb, TABLE, MODEL, RUN)
    experiments.save(world.dynamodb, TABLE, MODEL, replace(found, verdict=verdict))


def let_both_serve(monkeypatch, config: str) -> None:
    """As after the update: moto has none."""
    describe = plan_release.endpoints.describe_endpoint

    def described(*given, **more):
        return replace(describe(*given, **more), endpoint_config=config, is_tried_on=True)

    monkeypatch.setattr(plan_release.endpoints, "describe_endpoint", described)


def test_a_copy_of_what_serves_gets_the_version_as_its_shadow(world):
    arn = serve(world)
    answered = run(arn)
    assert answered["verdict"] == "EXPERIMENT"
    config = answered["endpoint_config"]
    (production,), (shadow,) = config["ProductionVariants"], config["ShadowProductionVariants"]
    assert (production["ModelName"], production["InitialInstanceCount"]) == (OWN, 4)
    assert (shadow["VariantName"], shadow["InitialInstanceCount"], shadow["InitialVariantWeight"]) == (
        "kedge-challenger",
        2,
        0.5,
    )
    assert shadow["ModelName"] == answered["create_model"]["ModelName"] == config["EndpointConfigName"]
    assert config["DataCaptureConfig"]["DestinationS3Uri"] == CAPTURE["DestinationS3Uri"]
    assert "DeploymentConfig" not in answered["update"]
    assert (answered["end"]["EndpointConfigName"], answered["end"]["RetainAllVariantProperties"]) == (OWN, True)
    assert "for 3 days: it gets a copy of 50 % of the requests" in answered["traffic"]
    assert world.keys("baselines/")


@pytest.fixture
def divided(world, monkeypatch):
    """The YAML wants an A/B test."""
    config = world.config
    policy = {"strategy": "ab", "ab": {"share": 0.3, "days": {"minimum": 2, "maximum": 5}}}
    ab = config.model_copy(update={"release": config.release.model_validate(policy)})
    monkeypatch.setattr(plan_release, "load_managed_model", lambda *_: ab)


def test_in_an_ab_test_the_version_is_a_production_variant_with_its_share(world, divided):
    answered = run(serve(world))
    assert (answered["verdict"], answered["strategy"], answered["look_seconds"]) == ("EXPERIMENT", "ab", 1800)
    config = answered["endpoint_config"]
    assert "ShadowProductionVariants" not in config
    champion, version = config["ProductionVariants"]
    assert (champion["ModelName"], champion["InitialInstanceCount"], champion["InitialVariantWeight"]) == (OWN, 4, 0.7)
    assert version == {
        "VariantName": "kedge-challenger-v2",
        "ModelName": answered["create_model"]["ModelName"],
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 2,
        "InitialVariantWeight": 0.3,
    }
    assert "for 2 to 5 days: it answers 30 % of the requests, and clients get its answers" in answered["traffic"]
    assert "DeploymentConfig" not in answered["update"]


def test_whose_captures_the_variant_will_hold_is_noted_once(world, divided):
    arn = serve(world)
    run(arn)
    run(arn)
    (trial,) = trials.load(world.dynamodb, TABLE, MODEL)
    assert (trial.package_version, trial.champion_version, trial.since) == ("2", "1", from_text(TIME))
    found = experiments.load(world.dynamodb, TABLE, MODEL, RUN)
    assert (found.strategy, found.share) == ("ab", 0.3)


def test_the_container_that_is_tried_has_the_models_own_role_and_network(world, monkeypatch):
    vpc = {"subnets": ["subnet-0a1b2c3d"], "security_groups": ["sg-0a1b2c3d"]}
    monkeypatch.setenv("OWN_ROLES", json.dumps({MODEL: "arn:aws:iam::123456789012:role/own"}))
    monkeypatch.setenv("VPC", json.dumps(vpc))
    request = run(serve(world))["create_model"]
    assert request["ExecutionRoleArn"] == "arn:aws:iam::123456789012:role/own"
    assert request["VpcConfig"]["Subnets"] == vpc["subnets"]


def test_a_shadows_captures_are_nobodys(world):
    run(serve(world))
    assert trials.load(world.dynamodb, TABLE, MODEL) == ()


def test_it_is_noted_before_anything_is_changed(world):
    answered = run(serve(world))
    note = under_way.load(world.dynamodb, TABLE, MODEL)
    assert (note.experiment, note.previous_config) == (True, OWN)
    found = experiments.load(world.dynamodb, TABLE, MODEL, RUN)
    assert (found.endpoint_config, found.previous_config) == (answered["endpoint_config"]["EndpointConfigName"], OWN)
    assert (found.planned_at, found.verdict) == (from_text(TIME), "GOING_ON")


@pytest.mark.parametrize(
    ("verdict", "step"),
    [("GOING_ON", "EXPERIMENT_RUNS"), ("PROVED", "END_EXPERIMENT"), ("WITHDRAWN", "END_EXPERIMENT")],
)
def test_a_run_that_comes_again_while_both_serve_goes_on(world, monkeypatch, verdict, step):
    arn = serve(world)
    tried = run(arn)["endpoint_config"]["EndpointConfigName"]
    decide(world, verdict)
    let_both_serve(monkeypatch, tried)
    answered = run(arn)
    assert (answered["verdict"], answered["end"]["EndpointConfigName"]) == (step, OWN)


@pytest.mark.parametrize(("verdict", "step"), [("PROVED", "UPDATE"), ("WITHDRAWN", "EXPERIMENT_OVER")])
def test_once_the_champion_serves_alone_again_only_what_is_proved_is_released(world, verdict, step):
    arn = serve(world)
    tried = run(arn)
    decide(world, verdict)
    answered = run(arn)
    assert answered["verdict"] == step
    if step == "UPDATE":
        assert answered["create_model"]["ModelName"] != tried["create_model"]["ModelName"]
        assert not under_way.load(world.dynamodb, TABLE, MODEL).experiment


def test_a_rollback_is_released_without_a_shadow(world):
    rollback = {"from": "2", "to": "1", "by": "ann", "reason": "why"}
    assert run(serve(world), request={"rollback": rollback})["verdict"] == "UPDATE"


@pytest.mark.parametrize(
    "unlike", [{"key": None}, {"DataCaptureConfig": CAPTURE | {"DestinationS3Uri": "s3://theirs/captures"}}]
)
def test_a_config_that_kedge_has_not_made_is_refused_with_the_remedy(world, unlike):
    answered = run(serve(world, **unlike))
    assert answered["verdict"] == "REFUSED"
    assert "set release.strategy to canary" in answered["reasons"][-1]
    assert (under_way.load(world.dynamodb, TABLE, MODEL), world.item("experiment")) == (None, None)


def test_what_another_run_has_left_beside_the_champion_is_waited_for(world, monkeypatch):
    arn = serve(world)
    let_both_serve(monkeypatch, "left")
    with pytest.raises(EndpointBusyError, match="another version behind it"):
        run(arn)
