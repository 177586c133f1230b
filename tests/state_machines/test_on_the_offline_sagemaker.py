"""Both machines on the SageMaker of the offline account: every request that they send is one that it takes."""

import json
from datetime import timedelta

import pytest

from kedge.errors import EndpointBusyError
from lambdas.adapters.release import model_registry
from tests.offline.sagemaker_world import BUCKET, INFERENCE, TRAIN, World, archive
from tests.state_machines.function_answers import KEY, RUN, gate, hotel, pinned, plan, ready, registration, settled
from tests.state_machines.machine_world import FakeFunctions, Machine

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def world(account):
    made = World(account)
    made.sagemaker.create_model_package_group(ModelPackageGroupName="hotel")
    made.put("train/train.csv", b"1,2\n3,4\n")
    made.put("holdout/input.csv", b"a,1\nb,2\n")
    return made


@pytest.fixture
def snapshot(account, world):
    """Return a snapshot whose jobs find their files and their key."""
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    may_use_it = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": key}]}
    account.client("iam").put_role_policy(RoleName="workshop", PolicyName="key", PolicyDocument=json.dumps(may_use_it))
    answer = json.loads(json.dumps(ready(champion=True)).replace("s3://b/", f"s3://{BUCKET}/").replace(KEY, key))
    world.put("source.tar.gz", archive({"train.py": TRAIN, "inference.py": INFERENCE}))
    train, code = answer["training_job"]["InputDataConfig"]
    train["DataSource"]["S3DataSource"]["S3Uri"] = f"s3://{BUCKET}/train"
    code["DataSource"]["S3DataSource"]["S3Uri"] = f"s3://{BUCKET}/source.tar.gz"
    for scored_by in ("challenger", "champion"):
        transform = answer[f"{scored_by}_transform"]
        transform["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] = f"s3://{BUCKET}/holdout"
        transform["TransformOutput"]["S3OutputPath"] = f"s3://{BUCKET}/{scored_by}"
    return answer


def test_a_challenger_is_really_trained_scored_and_registered(account, world, snapshot):
    def build(event):
        answer = registration()
        answer["package"]["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] = event["artefact"]["uri"]
        return answer

    # Nobody but the world reads what the champion's own role may: the copy has the machine's.
    uri = world.make_model("hotel-v2", mean=100)
    snapshot["champion_model"]["Containers"][0]["ModelDataUrl"] = uri
    functions = FakeFunctions(
        account,
        SnapshotData=snapshot,
        PinArtefact=lambda event: pinned(event["artefact_uri"]),
        CompareModels=gate("PASS"),
        BuildBaseline=build,
        Tell={},
    )
    ending = Machine(account, "retrain", functions).run(trigger={"kind": "performance"})
    assert ending["status"] == "SUCCEEDED", ending.get("cause")
    assert world.read("challenger/input.csv.out") == b"a,4.0\nb,5.0\n"
    assert world.read("champion/input.csv.out") == b"a,101.0\nb,102.0\n"
    (package,) = world.sagemaker.list_model_packages(ModelPackageGroupName="hotel")["ModelPackageSummaryList"]
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert [model["ModelName"] for model in world.sagemaker.list_models()["Models"]] == ["hotel-v2"]


def test_a_script_that_raises_is_told_with_its_own_words(account, world, snapshot):
    world.put("source.tar.gz", archive({"train.py": "raise ValueError('one class only')"}))
    functions = FakeFunctions(account, SnapshotData=snapshot, Tell={})
    machine = Machine(account, "retrain", functions)
    assert machine.run(trigger={})["error"] == "States.TaskFailed"
    assert "one class only" in functions.named("Tell")[-1]["detail"]["cause"]
    assert machine.lease() is None


def registered(world):
    """Register and approve a package whose artefact can serve."""
    request = registration()["package"]
    files = {"model.json": json.dumps({"mean": 7.0}), "code/inference.py": INFERENCE}
    uri = world.put("models/v3.tar.gz", archive(files))
    request["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] = uri
    arn = world.sagemaker.create_model_package(**request)["ModelPackageArn"]
    world.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    return arn


def put_look(account, event):
    dimensions = {"Model": "hotel", "EndpointConfigName": event["endpoint_config"]}
    account.put_metric("Kedge", "CanaryLooks", 1, dimensions, "None")


def release_answers(world, arn, *, serving, **fleet):
    planned = json.loads(json.dumps(plan(serving=serving, **fleet)).replace("s3://bucket/", f"s3://{BUCKET}/"))
    planned["create_model"]["PrimaryContainer"] = {"ModelPackageName": arn}

    def watch(_event):
        return {"verdict": "BAKING" if world.describe("hotel")["EndpointStatus"] == "Updating" else "SETTLED"}

    def settle(_event):
        endpoint = world.describe("hotel")
        if endpoint["EndpointStatus"] not in ("InService", "Failed"):
            raise EndpointBusyError(endpoint="hotel", status=endpoint["EndpointStatus"])
        serves = endpoint["EndpointConfigName"] == planned["endpoint_config"]["EndpointConfigName"]
        return settled("PROMOTED" if serves else "ROLLED_BACK")

    return {"PlanRelease": planned, "WatchCanary": watch, "Settle": settle, "Tell": {}}


def test_a_canary_really_bakes_and_is_promoted(account, world):
    arn = registered(world)
    world.make_model("hotel-v2", mean=100)
    world.make_config("hotel-v2", "hotel-v2")
    world.make_endpoint("hotel", "hotel-v2")
    answers = release_answers(world, arn, serving=True)
    look = answers["WatchCanary"]
    watch = {"WatchCanary": lambda event: put_look(account, event) or look(event)}
    functions = FakeFunctions(account, **(answers | watch))
    ending = Machine(account, "release", functions).run(package_arn=arn)
    assert ending["status"] == "SUCCEEDED", ending.get("cause")
    assert functions.told() == ["canary_started"]
    watched_for = len(functions.named("WatchCanary")) * 2
    assert hotel().canary.bake_minutes < watched_for < 120
    assert world.ask("1", "hotel")["Body"].read().decode().strip() == "8.0"


def test_a_canary_that_became_impossible_after_its_plan_is_planned_anew(account, world):
    """The plan has 1 of 2 instances; the fleet scaled in to one before the update."""
    arn = registered(world)
    world.make_model("hotel-v2", mean=100)
    world.make_config("hotel-v2", "hotel-v2", instances=1)
    world.make_endpoint("hotel", "hotel-v2")
    first, second = (
        release_answers(world, arn, serving=True, **fleet) for fleet in ({}, {"instances": 1, "mark": "0-1"})
    )
    look = second["WatchCanary"]
    second["WatchCanary"] = lambda event: put_look(account, event) or look(event)
    functions = FakeFunctions(account, **(second | {"PlanRelease": [first["PlanRelease"], second["PlanRelease"]]}))
    ending = Machine(account, "release", functions).run(package_arn=arn)
    assert ending["status"] == "SUCCEEDED", ending.get("cause")
    assert functions.told() == ["canary_started"]
    assert world.ask("1", "hotel")["Body"].read().decode().strip() == "8.0"


@pytest.mark.parametrize("looks", [0, 3, 6])
def test_a_canary_that_nobody_watches_any_more_goes_back_by_itself(account, world, looks):
    """Neither a look nor the gauge works, from the first look on, while the fleet is made, or once it bakes."""
    arn = registered(world)
    world.make_model("hotel-v2", mean=100)
    world.make_config("hotel-v2", "hotel-v2")
    world.make_endpoint("hotel", "hotel-v2")
    answers = release_answers(world, arn, serving=True)
    watched = [{"verdict": "BAKING"}] * looks
    look_of = answers["WatchCanary"]

    def watch(event):
        if not watched:
            # A machine that goes on as if all were well, without any look.
            return look_of({})
        put_look(account, event)
        return watched.pop()

    functions = FakeFunctions(account, **(answers | {"WatchCanary": watch}))
    assert Machine(account, "release", functions).run(package_arn=arn)["status"] == "SUCCEEDED"
    assert world.describe("hotel")["EndpointConfigName"] == "hotel-v2"
    shortest_bake = 10
    assert len(functions.named("WatchCanary")) * 2 < looks * 2 + 6 + shortest_bake


def test_a_canary_is_rolled_back_by_the_gauge_that_its_watcher_puts(account, world):
    arn = registered(world)
    world.make_model("hotel-v2", mean=100)
    world.make_config("hotel-v2", "hotel-v2")
    world.make_endpoint("hotel", "hotel-v2")
    answers = release_answers(world, arn, serving=True)
    watch = answers["WatchCanary"]

    def misbehaving(event):
        dimensions = {"Model": "hotel", "EndpointConfigName": event["endpoint_config"]}
        account.put_metric("Kedge", "CanaryMisbehaviour", 1, dimensions, "None")
        put_look(account, event)
        return watch(event)

    functions = FakeFunctions(account, **(answers | {"WatchCanary": misbehaving}))
    machine = Machine(account, "release", functions)
    assert machine.run(package_arn=arn)["status"] == "SUCCEEDED"
    assert functions.told() == ["canary_started"]
    assert world.describe("hotel")["EndpointConfigName"] == "hotel-v2"
    assert machine.lease() is None


def test_a_first_endpoint_is_really_created(account, world):
    arn = registered(world)
    functions = FakeFunctions(account, **release_answers(world, arn, serving=False))
    machine = Machine(account, "release", functions)
    ending = machine.run(package_arn=arn)
    assert ending["status"] == "SUCCEEDED", ending.get("cause")
    assert ending["stopDate"] - ending["startDate"] > timedelta(minutes=1)
    assert world.ask("1", "hotel")["Body"].read().decode().strip() == "8.0"


def test_the_registration_is_one_that_the_registry_takes(world):
    arn = registered(world)
    described = world.sagemaker.describe_model_package(ModelPackageName=arn)
    assert described["CustomerMetadataProperties"][model_registry.RUN] == RUN
