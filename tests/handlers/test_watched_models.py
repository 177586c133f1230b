"""A watched model is judged and told of, and nothing of it is retrained, released or put back."""

import json
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from moto.s3.responses import S3Response

from kedge.errors import WatchedModelError
from kedge.instants import to_text
from kedge.retraining.state import WindowVerdict
from kedge.severity import Severity
from lambdas.adapters.bucket import days
from lambdas.adapters.state import champions, windows
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.state.windows import StoredWindow
from lambdas.handlers import (
    decide_retraining,
    plan_release,
    profile_logs,
    settle,
    snapshot_data,
    start_release,
    watch_captures,
    watch_monitor,
)
from tests import deployed_models
from tests.handlers.aws_world import ACCOUNT, BUCKET, CONTEXT, REGION, TABLE
from tests.handlers.bookings import load_bookings
from tests.handlers.monitor_world import MODEL, load_event, message, monitor_world, scored
from tests.synthesised import ROOT

THEIRS, PREFIX = "their-bucket", "team/captures"
VERSION = "adopted-20151001-0000"
NOW = datetime(2016, 1, 4, 2, tzinfo=UTC)
CONFIG = "theirs-1"


@pytest.fixture
def world(monkeypatch, tmp_path):
    text = (ROOT / "models" / f"{MODEL}.yaml").read_text()
    text += f"mode: watch\ncapture: {{uri: 's3://{THEIRS}/{PREFIX}', sampling_percentage: 20}}\n"
    (tmp_path / f"{MODEL}.yaml").write_text(text)
    deployed_models.choose(monkeypatch, tmp_path)
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:kedge-release"
    monkeypatch.setenv("RELEASE_MACHINE_ARN", machine)
    monkeypatch.setenv("RETRAIN_MACHINE_ARN", machine.replace("release", "retrain"))
    with monitor_world(monkeypatch) as world:
        place = {"LocationConstraint": REGION}
        boto3.client("s3").create_bucket(Bucket=THEIRS, CreateBucketConfiguration=place)
        adopt(world)
        yield world


@pytest.fixture
def managed(world, monkeypatch, tmp_path):
    """The same model after its one word was changed."""
    place = tmp_path / "managed"
    place.mkdir()
    text = (tmp_path / f"{MODEL}.yaml").read_text()
    (place / f"{MODEL}.yaml").write_text(text.replace("mode: watch", "mode: manage"))
    deployed_models.choose(monkeypatch, place)
    deployed_models.put_all(world.s3, BUCKET)
    return world


def adopt(world, *, config: str = CONFIG) -> Champion:
    since = datetime(2015, 10, 1, tzinfo=UTC)
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{MODEL}/{VERSION}"
    champion = Champion(arn, VERSION, VERSION, since, None, config, config)
    champions.save(world.dynamodb, TABLE, MODEL, champion)
    return champion


def lost(world) -> None:
    end = NOW.replace(hour=0)
    verdict = WindowVerdict(end - timedelta(days=28), end, Severity.CRITICAL, Severity.CRITICAL)
    windows.save_window(world.dynamodb, TABLE, MODEL, StoredWindow(verdict, VERSION, "d", 1, 2000))


def hourly() -> dict:
    body = {"model": MODEL, "time": to_text(NOW), "hourly": True}
    return settle.handler({"Records": [{"body": json.dumps(body)}]}, CONTEXT)


def theirs(world, name: str, *, uri: str = f"s3://{THEIRS}/{PREFIX}") -> None:
    """Let the endpoint's owners deploy a config of theirs."""
    world.sagemaker.create_model(
        ModelName=name, PrimaryContainer={"Image": "i"}, ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/theirs"
    )
    world.sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": "AllTraffic",
                "ModelName": name,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1,
                "InitialVariantWeight": 1.0,
            }
        ],
        DataCaptureConfig={
            "EnableCapture": True,
            "InitialSamplingPercentage": 20,
            "DestinationS3Uri": uri,
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        },
    )
    listed = [found["EndpointName"] for found in world.sagemaker.list_endpoints()["Endpoints"]]
    if MODEL in listed:
        world.sagemaker.delete_endpoint(EndpointName=MODEL)
    world.sagemaker.create_endpoint(EndpointName=MODEL, EndpointConfigName=name)


def test_lost_quality_holds_the_retraining_because_the_model_is_watched(world):
    lost(world)
    answer = decide_retraining.handler(message({"model": MODEL, "time": to_text(NOW)}), CONTEXT)
    assert (answer["action"], answer["hold"]) == ("HOLD", "watched")
    assert world.runs() == []
    ((subject, body),) = world.mails()
    assert subject == f"[Kedge] {MODEL}: a wanted retraining is held: the model is watched only"
    assert "say `mode: manage` in hotel-cancellations.yaml and deploy" in body
    assert f"kedge adopt ENDPOINT --model {MODEL} --apply" in body


def test_a_persons_wish_is_refused_with_the_remedy(world):
    asked = {"model": MODEL, "time": to_text(NOW), "trigger": "manual", "reason": "I want one"}
    answer = decide_retraining.handler(asked, CONTEXT)
    assert (answer["action"], answer["hold"]) == ("HOLD", "watched")
    assert "mode: manage" in answer["reasons"][-1]
    assert world.runs() == []


def test_nothing_wanted_is_no_hold(world):
    answer = decide_retraining.handler(message({"model": MODEL, "time": to_text(NOW)}), CONTEXT)
    assert answer["action"] == "NONE"
    assert world.mails() == []


@pytest.mark.parametrize(
    ("handler", "request_"),
    [
        (plan_release.handler, {"package_arn": "arn:1"}),
        (snapshot_data.handler, {}),
    ],
)
def test_a_machine_that_a_person_starts_by_hand_gets_no_further_than_its_first_function(
    world, monkeypatch, handler, request_
):
    for name in ("SERVING_ROLE_ARN", "TRAINING_ROLE_ARN", "SCORING_ROLE_ARN", "ATHENA_DATABASE", "ATHENA_WORKGROUP"):
        monkeypatch.setenv(name, "x")
    for name in ("TRAINING_IMAGES", "TRAINING_SOURCES"):
        monkeypatch.setenv(name, "{}")
    with pytest.raises(WatchedModelError, match="mode: manage"):
        handler({"model": MODEL, "run": "r", "time": to_text(NOW), **request_}, CONTEXT)


def test_an_approved_package_is_not_released_and_that_is_told(world):
    arn = world.register()
    event = {"time": to_text(NOW), "detail": {"ModelPackageArn": arn}}
    record = {"body": json.dumps(event), "attributes": {"ApproximateReceiveCount": "1"}}
    assert start_release.handler({"Records": [record]}, CONTEXT)["verdict"] == "WATCHED"
    assert world.item("lease") is None
    ((subject, body),) = world.mails()
    assert "package version 1 is approved, but not released: it is watched only" in subject
    assert "mode: manage" in body
    assert start_release.handler({"Records": [record]}, CONTEXT)["verdict"] == "ALREADY_HEARD"
    assert world.mails() == []


def test_an_endpoint_as_it_was_adopted_is_in_order(world):
    theirs(world, CONFIG)
    answer = hourly()
    assert (answer["verdict"], answer["mode"]) == ("agreed", "watch")
    assert world.mails() == []


@pytest.mark.parametrize("mode", ["watch", "manage"])
def test_the_daily_settlement_knows_what_was_adopted_from_what_the_registry_counts(request, world, mode):
    if mode == "manage":
        request.getfixturevalue("managed")
    theirs(world, CONFIG)
    arn = world.register(status="PendingManualApproval")
    registered = world.sagemaker.describe_model_package(ModelPackageName=arn)["CreationTime"]
    # The first reminder comes two days after a package was registered.
    morning = (registered + timedelta(days=3)).replace(hour=settle.SWEEP_HOUR)
    for body in ({"hourly": True}, {}):
        answer = settle.handler({"model": MODEL, "time": to_text(morning), **body}, CONTEXT)
        assert answer["verdict"] == "agreed"
    told = [entry["detail"]["package_version"] for entry in world.timeline() if entry["kind"] == "approval_waits"]
    assert told == (["1"] if mode == "manage" else [])


def test_another_config_of_its_owners_is_told_once_and_followed(world):
    theirs(world, CONFIG)
    hourly()
    theirs(world, "theirs-2")
    hourly()
    ((subject, body),) = world.mails()
    assert subject == f"[Kedge] {MODEL}: the endpoint was changed outside of Kedge"
    assert "serves theirs-2 now; before it was theirs-1" in body
    assert "Kedge changes nothing there" in body
    champion = champions.load(world.dynamodb, TABLE, MODEL)
    assert (champion.endpoint_config, champion.model_name, champion.baseline) == ("theirs-2", "theirs-2", VERSION)
    assert hourly()["verdict"] == "agreed"
    assert world.mails() == []
    assert world.sagemaker.describe_endpoint(EndpointName=MODEL)["EndpointConfigName"] == "theirs-2"


def test_an_endpoint_that_is_gone_is_told_without_a_word_of_bringing_it_back(world):
    assert hourly()["verdict"] == "absent"
    ((subject, body),) = world.mails()
    assert subject == f"[Kedge] {MODEL}: the watched endpoint is not in order"
    assert "rollback" not in body


def test_captures_that_are_not_where_the_yaml_says_are_told_once(world):
    theirs(world, CONFIG, uri="s3://elsewhere/x")
    hourly()
    ((subject, body),) = world.mails()
    assert "does not capture as its YAML says" in subject
    assert "set capture.uri in hotel-cancellations.yaml" in body
    hourly()
    assert world.mails() == []


def test_captures_are_counted_where_the_owners_put_them(world):
    world.freeze(VERSION)
    bookings = load_bookings("2016-01-03", "2016-01-04")
    for key in world.capture(bookings, scored(bookings, skill=0.8)[0], version=VERSION):
        moved = key.replace(f"capture/{MODEL}/{VERSION}", PREFIX)
        world.s3.put_object(Bucket=THEIRS, Key=moved, Body=world.read(key))
        world.s3.delete_object(Bucket=BUCKET, Key=key)
    profile_logs.handler(load_event("message_profile"), CONTEXT)
    day, _ = days.load_day(world.s3, BUCKET, f"profiles/{MODEL}/{VERSION}/{VERSION}/2016-01-03.npz")
    assert sum(profile.rows for profile in day.hours.values()) == bookings.num_rows
    assert all(folder.startswith(PREFIX) for folder in day.folders)
    assert day.folders


def denied(world, monkeypatch) -> None:
    """Let S3 answer for the other bucket as it does without a grant."""
    listed = S3Response.list_objects_v2

    def list_objects_v2(self):
        if self.bucket_name == THEIRS:
            return 403, {}, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        return listed(self)

    monkeypatch.setattr(S3Response, "list_objects_v2", list_objects_v2)


def test_a_bucket_that_refuses_is_told_within_the_hour_with_the_remedy(world, monkeypatch):
    denied(world, monkeypatch)
    watch_captures.handler({"model": MODEL, "time": to_text(NOW)}, CONTEXT)
    ((subject, body),) = world.mails()
    assert "cannot be read" in subject
    assert f"add {THEIRS} to capture_buckets in the context of cdk.json and deploy" in body
    watch_captures.handler({"model": MODEL, "time": to_text(NOW + timedelta(hours=1))}, CONTEXT)
    assert world.mails() == []


def test_a_bucket_that_refuses_looks_like_captures_that_do_not_come(world, monkeypatch):
    denied(world, monkeypatch)
    dimensions = [{"Name": "EndpointName", "Value": MODEL}, {"Name": "VariantName", "Value": "AllTraffic"}]
    datum = {"MetricName": "Invocations", "Dimensions": dimensions, "Timestamp": NOW - timedelta(hours=3), "Value": 40}
    world.cloudwatch.put_metric_data(Namespace="AWS/SageMaker", MetricData=[datum])
    gauges = watch_monitor.handler({"time": to_text(NOW)}, CONTEXT)[MODEL]
    assert gauges["InvocationsWithoutCapture"] == 40


def test_one_word_hands_the_model_over_and_its_past_counts(managed):
    lost(managed)
    theirs(managed, CONFIG)
    assert hourly()["verdict"] == "agreed"
    answer = decide_retraining.handler(message({"model": MODEL, "time": to_text(NOW)}), CONTEXT)
    assert answer["action"] == "START"
    assert managed.runs() == [answer["run"]]
