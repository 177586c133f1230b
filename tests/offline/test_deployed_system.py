"""The templates that `app.py` synthesises deploy into the account, whole, and their functions run."""

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app import build_app
from offline.account import Account
from offline.cloudformation.deployment import DeployError
from tests.synthesised import assembly, example_models

MODEL = "hotel-cancellations"


@pytest.fixture(scope="module")
def changed(tmp_path_factory) -> Path:
    """The same system with one number of a model changed and one model more."""
    models = tmp_path_factory.mktemp("changed") / "models"
    shutil.copytree(example_models(), models)
    text = (models / f"{MODEL}.yaml").read_text()
    assert "bake_minutes: 60" in text
    (models / f"{MODEL}.yaml").write_text(text.replace("bake_minutes: 60", "bake_minutes: 50"))
    (models / "second.yaml").write_text(re.sub(MODEL, "second", text))
    directory = models.parent / "cdk.out"
    build_app(directory, models).synth()
    return directory


@pytest.fixture
def deployed(tmp_path, request):
    if "changed" in request.fixturenames:
        request.getfixturevalue("changed")
    templates = assembly()  # before the account's clock starts
    with Account(start=datetime(2015, 10, 1, tzinfo=UTC), directory=tmp_path) as account:
        account.deploy(templates)
        yield account


def test_every_stack_deploys(deployed):
    stacks = deployed.client("cloudformation").describe_stacks()["Stacks"]
    names = {stack["StackName"] for stack in stacks}
    assert {"KedgeStorage", "KedgeMonitoring", "KedgeRetraining", "KedgeRelease", "KedgeModels-1"} <= names
    assert {stack["StackStatus"] for stack in stacks} == {"CREATE_COMPLETE"}


def test_every_handler_can_be_imported_from_its_asset_alone(deployed):
    functions = deployed.client("lambda").list_functions()["Functions"]
    assert len(functions) >= 15
    for function in functions:
        found = deployed.functions.find(function["FunctionName"])
        assert callable(deployed.functions.load(found)), function["Handler"]


def test_a_day_without_models_passes_without_a_failed_call(deployed):
    deployed.clock.advance_to(datetime(2015, 10, 2, 3, tzinfo=UTC))
    assert [call for call in deployed.calls if not call.allowed] == []
    invoked = [call for call in deployed.calls if call.action == "dynamodb:Scan" or call.service == "sqs"]
    assert invoked, "the schedules fired and asked which models are deployed"


def touched(account) -> dict[str, set[str]]:
    """What has happened in each stack so far: logical ids by status."""
    cloudformation = account.client("cloudformation")
    found: dict[str, set[str]] = {}
    for stack in cloudformation.describe_stacks()["Stacks"]:
        for event in cloudformation.describe_stack_events(StackName=stack["StackName"])["StackEvents"]:
            happened = f"{event['ResourceType']} {event['ResourceStatus']}"
            found.setdefault(happened, set()).add(event["LogicalResourceId"])
    return found


def physical(account, kind: str) -> dict[str, str]:
    """The physical names of every resource of a type, by stack and logical id."""
    pages = account.client("cloudformation").get_paginator("list_stack_resources")
    return {
        f"{stack['StackName']}/{item['LogicalResourceId']}": item["PhysicalResourceId"]
        for stack in account.client("cloudformation").describe_stacks()["Stacks"]
        for page in pages.paginate(StackName=stack["StackName"])
        for item in page["StackResourceSummaries"]
        if item["ResourceType"] == kind
    }


def sources(account) -> dict[str, Path]:
    """Where each function's code is unpacked."""
    names = [function["FunctionName"] for function in account.client("lambda").list_functions()["Functions"]]
    return {name: account.functions._sandbox(account.functions.find(name)).package.root for name in names}


def test_a_second_deployment_touches_only_what_changed_and_loses_nothing(changed, deployed):
    (table,) = physical(deployed, "AWS::DynamoDB::Table").values()
    (bucket, _logs) = sorted(physical(deployed, "AWS::S3::Bucket").values())
    item = {"model": {"S": MODEL}, "item": {"S": "pause"}}
    deployed.client("dynamodb").put_item(TableName=table, Item=item)
    deployed.client("s3").put_object(Bucket=bucket, Key="k", Body=b"kept")
    before, code = touched(deployed), sources(deployed)
    assert not any("UPDATE" in happened for happened in before)

    deployed.deploy(changed)
    after = touched(deployed)
    new = {happened: ids - before.get(happened, set()) for happened, ids in after.items()}
    new = {happened: ids for happened, ids in new.items() if ids and "Stack " not in happened}
    # The release machine's policy names the models' endpoints, and a table of the history lists them.
    assert {happened.split()[0] for happened in new if "UPDATE" in happened} == {
        "Custom::KedgeDefinitions",
        "AWS::IAM::Policy",
        "AWS::Glue::Table",
    }
    assert {i for ids in (new[h] for h in new if "CREATE" in h) for i in ids if not i.startswith("second")} == set()
    # Its monitors' alarms are those of its list of addresses, which was there.
    assert {happened.split()[0] for happened in new if "CREATE" in happened} == {"AWS::SageMaker::ModelPackageGroup"}
    assert not any("DELETE" in happened or "FAILED" in happened for happened in after)
    assert "bake_minutes: 50" in definition(deployed)
    assert sources(deployed) == code
    assert deployed.client("dynamodb").get_item(TableName=table, Key=item)["Item"] == item
    assert deployed.client("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept"
    assert {s["StackStatus"] for s in deployed.client("cloudformation").describe_stacks()["Stacks"]} == {
        "CREATE_COMPLETE",  # the storage: no model is in it
        "UPDATE_COMPLETE",
    }


def definition(account) -> str:
    """The model's YAML as the functions read it."""
    return stored(account, f"deployed/{MODEL}.yaml")


def stored(account, key) -> str:
    """An object of the data bucket."""
    buckets = physical(account, "AWS::S3::Bucket")
    (bucket,) = [name for where, name in buckets.items() if where.startswith("KedgeStorage/Data")]
    return account.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()


def yaml_changed(directory: Path, before: str, after: str) -> Path:
    """The assembly of the example with a few words of its YAML changed."""
    models = directory / "models"
    shutil.copytree(example_models(), models)
    text = (models / f"{MODEL}.yaml").read_text()
    assert before in text
    (models / f"{MODEL}.yaml").write_text(text.replace(before, after))
    build_app(directory / "cdk.out", models).synth()
    return directory / "cdk.out"


def test_one_changed_yaml_touches_one_resource_and_is_followed_from_the_next_tick_on(deployed, tmp_path_factory):
    (fan_out,) = [name for name in physical(deployed, "AWS::Lambda::Function").values() if "FanOut" in name]
    tick = {"step": "judge", "cadence": "daily", "time": "2015-10-01T02:00:00Z"}
    assert deployed.invoke_function(fan_out, tick) == {"due": 0, "sent": 0}
    before, calls = touched(deployed), len(deployed.calls)
    assembled = yaml_changed(tmp_path_factory.mktemp("daily"), "judge: weekly", "judge: daily")
    deployed.deploy(assembled)
    after = touched(deployed)
    new = {happened: ids - before.get(happened, set()) for happened, ids in after.items()}
    changed = {happened: ids for happened, ids in new.items() if ids and "Stack " not in happened}
    assert changed == {
        "Custom::KedgeDefinitions UPDATE_IN_PROGRESS": {"Definitions"},
        "Custom::KedgeDefinitions UPDATE_COMPLETE": {"Definitions"},
    }
    # Whose definitions they are, the listing, what is kept of all (for the digests, then for what they say) and the asset are read; the
    # definition is written, and what is kept of all.
    mine = [call.operation for call in deployed.calls[calls:] if "DefineModels" in call.role_arn]
    assert sorted(mine) == [*["GetObject"] * 3, "HeadObject", "ListObjectsV2", "PutObject", "PutObject"]
    assert deployed.invoke_function(fan_out, tick) == {"due": 1, "sent": 0}


def test_a_definition_that_the_functions_refuse_fails_no_deployment_and_is_told(deployed, tmp_path_factory):
    """A rollback brings back texts of another version's: a refusal would leave the stack where only support leads out."""
    assembled = yaml_changed(tmp_path_factory.mktemp("broken"), "bake_minutes: 60", "bake_minutes: 50")
    # As if the asset had been written by another version than the function is of.
    (asset,) = [path for path in assembled.glob("asset.*.json") if "bake_minutes" in path.read_text()]
    asset.write_text(asset.read_text().replace("bake_minutes", "bake_hours"))
    deployed.deploy(assembled)
    assert "bake_hours" in definition(deployed)
    (watch,) = [name for name in physical(deployed, "AWS::Lambda::Function").values() if "WatchMonitor" in name]
    deployed.invoke_function(watch, {"time": "2015-10-01T02:00:00Z"})
    (rings,) = json.loads(stored(deployed, "watch/ringing.json"))["bundles"]
    assert (rings["cause"], rings["models"]) == ("BrokenDefinitions", [MODEL])
    deployed.deploy(assembly())
    assert "bake_minutes: 60" in definition(deployed)


def test_a_model_that_goes_takes_its_alarms_and_leaves_its_packages(changed, deployed):
    deployed.deploy(changed)
    deployed.deploy(assembly())
    alarms = deployed.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert [alarm["AlarmName"] for alarm in alarms if "second" in alarm["AlarmName"]] == []
    groups = deployed.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert sorted(group["ModelPackageGroupName"] for group in groups) == [MODEL, "second"]
    # And AWS does not give it back: a model that returns meets its own group (docs/operations.md says what to do).
    with pytest.raises(DeployError, match=r"stack KedgeModels-1: secondPackages .*already exists"):
        deployed.deploy(changed)
    (models,) = deployed.client("cloudformation").describe_stacks(StackName="KedgeModels-1")["Stacks"]
    assert models["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    deployed.deploy(assembly())


def test_every_stack_can_be_deleted_and_what_is_the_users_stays(deployed):
    (table,) = physical(deployed, "AWS::DynamoDB::Table").values()
    for stack in ("KedgeModels-1", "KedgeRelease", "KedgeRetraining", "KedgeMonitoring", "KedgeStorage"):
        deployed.client("cloudformation").delete_stack(StackName=stack)
    assert deployed.client("cloudformation").describe_stacks()["Stacks"] == []
    assert deployed.client("dynamodb").list_tables()["TableNames"] == [table]
    assert len(deployed.client("s3").list_buckets()["Buckets"]) == 3  # data, access logs, and the bootstrap's
    assert deployed.client("lambda").list_functions()["Functions"] == []
    assert "QueueUrls" not in deployed.client("sqs").list_queues()
    assert deployed.client("iam").list_roles()["Roles"] == []
