"""Training jobs train, in simulated minutes, and fail as SageMaker's do."""

import io
import json
import tarfile

import pytest
from botocore.exceptions import ClientError

from offline.account import Account
from tests.offline.sagemaker_world import BUCKET, INFERENCE, START, TRAIN, World, archive


@pytest.fixture
def world(tmp_path):
    with Account(start=START, directory=tmp_path) as account:
        made = World(account)
        made.put("train/train.csv", b"1,2\n3,4\n")
        yield made


def training_request(world, name="job-1", script=TRAIN, **more):
    source = world.put(f"source/{name}.tar.gz", archive({"train.py": script, "inference.py": INFERENCE}))
    data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/train"}}
    request = {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            "TrainingImage": "image",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "mean", "Regex": "validation-mean=([0-9.]+);"}],
        },
        "RoleArn": world.role,
        "HyperParameters": {
            "scale": "2.0",
            "sagemaker_program": json.dumps("train.py"),
            "sagemaker_submit_directory": json.dumps(source),
        },
        "InputDataConfig": [{"ChannelName": "train", "DataSource": data, "ContentType": "text/csv"}],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/output"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    return request | more


def describe(world, name="job-1"):
    return world.sagemaker.describe_training_job(TrainingJobName=name)


def refusal(world, **changes):
    with pytest.raises(ClientError) as raised:
        world.sagemaker.create_training_job(**(training_request(world, "job-2") | changes))
    return raised.value.response["Error"]


def test_a_job_trains_the_script_and_leaves_its_artefact_and_metrics(world):
    world.sagemaker.create_training_job(**training_request(world))
    world.pass_minutes(10)
    job = describe(world)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert 4 * 60 <= (job["TrainingEndTime"] - job["CreationTime"]).total_seconds() <= 9 * 60
    assert [(each["MetricName"], each["Value"]) for each in job["FinalMetricDataList"]] == [("mean", 6.0)]
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/output/job-1/output/model.tar.gz"
    with tarfile.open(fileobj=io.BytesIO(world.read("output/job-1/output/model.tar.gz"))) as packed:
        assert sorted(packed.getnames()) == ["code", "code/inference.py", "model.json"]
        seen = json.load(packed.extractfile("model.json"))["environment"]
    assert seen["SM_CHANNELS"] == '["train"]'
    assert seen["SM_HPS"] == '{"scale": 2.0}'
    assert seen["SM_HP_SCALE"] == "2.0"
    assert seen["SM_OUTPUT_DATA_DIR"].endswith("/output/data")
    assert seen["SM_CURRENT_HOST"] == "algo-1"
    assert "AWS_ACCESS_KEY_ID" not in seen


def test_metrics_of_sagemakers_own_algorithms_cannot_be_defined_anew(world):
    image = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0"
    specification = training_request(world)["AlgorithmSpecification"] | {"TrainingImage": image}
    refused = refusal(world, AlgorithmSpecification=specification)
    assert refused["Code"] == "ValidationException"
    assert "You can't override the metric definitions for Amazon SageMaker algorithms" in refused["Message"]
    del specification["MetricDefinitions"]
    world.sagemaker.create_training_job(**training_request(world, AlgorithmSpecification=specification))
    defined = describe(world)["AlgorithmSpecification"]["MetricDefinitions"]
    assert {"train:auc", "validation:rmse"} <= {each["Name"] for each in defined}


def test_a_job_is_in_progress_until_the_clock_gets_to_its_end(world):
    world.sagemaker.create_training_job(**training_request(world))
    world.pass_minutes(3)
    assert describe(world)["TrainingJobStatus"] == "InProgress"
    assert describe(world)["SecondaryStatus"] == "Training"
    world.pass_minutes(7)
    states = [step["Status"] for step in describe(world)["SecondaryStatusTransitions"]]
    assert states == ["Starting", "Training", "Completed"]
    seen = world.statuses("SageMaker Training Job State Change", "TrainingJobStatus")
    assert seen == ["InProgress", "InProgress", "Completed"]


def test_the_same_rows_give_the_same_artefact_to_the_byte(world):
    script = TRAIN.replace(', "environment": dict(os.environ)', "")
    for name in ("job-1", "job-2"):
        world.sagemaker.create_training_job(**training_request(world, name, script))
    world.pass_minutes(10)
    first, second = (world.read(f"output/{name}/output/model.tar.gz") for name in ("job-1", "job-2"))
    assert first == second


def test_a_script_that_raises_fails_the_job_with_its_last_words(world):
    world.sagemaker.create_training_job(**training_request(world, script="raise ValueError('one class only')"))
    world.pass_minutes(10)
    job = describe(world)
    assert job["TrainingJobStatus"] == "Failed"
    assert "ExecuteUserScriptError" in job["FailureReason"]
    assert "one class only" in job["FailureReason"]
    assert world.keys("output/") == []


def test_the_failure_file_is_the_reason(world):
    script = "import os, sys\nopen(os.environ['SM_OUTPUT_DIR'] + '/failure', 'w').write('no rows')\nsys.exit(3)"
    world.sagemaker.create_training_job(**training_request(world, script=script))
    world.pass_minutes(10)
    assert describe(world)["FailureReason"] == "AlgorithmError: no rows, exit code: 3"


def test_a_job_longer_than_its_limit_is_stopped(world):
    world.sagemaker.create_training_job(**training_request(world, StoppingCondition={"MaxRuntimeInSeconds": 60}))
    world.pass_minutes(10)
    job = describe(world)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_a_job_stops_on_request_and_only_while_it_runs(world):
    world.sagemaker.create_training_job(**training_request(world))
    world.pass_minutes(3)
    world.sagemaker.stop_training_job(TrainingJobName="job-1")
    assert describe(world)["TrainingJobStatus"] == "Stopping"
    world.pass_minutes(10)
    assert describe(world)["TrainingJobStatus"] == "Stopped"
    with pytest.raises(ClientError, match="status Stopped"):
        world.sagemaker.stop_training_job(TrainingJobName="job-1")


def test_a_name_is_used_once_in_an_account(world):
    world.sagemaker.create_training_job(**training_request(world, "job-2"))
    assert refusal(world)["Code"] == "ResourceInUse"


def test_requests_that_sagemaker_refuses_are_refused(world):
    assert "Could not assume role" in refusal(world, RoleArn="arn:aws:iam::123456789012:role/nobody")["Message"]
    empty = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/nothing/"}}
    channel = [{"ChannelName": "train", "DataSource": empty}]
    assert "No S3 objects found" in refusal(world, InputDataConfig=channel)["Message"]
    assert "regular expression" in refusal(world, TrainingJobName="job_2")["Message"]


def test_an_unknown_job_is_a_validation_error(world):
    with pytest.raises(ClientError, match="Requested resource not found") as raised:
        describe(world, "nobody")
    assert raised.value.response["Error"]["Code"] == "ValidationException"


def test_a_role_that_may_not_read_the_data_fails_the_job(world):
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::{BUCKET}/source/*"}],
    }
    blind = world.make_role("blind", policy)
    world.sagemaker.create_training_job(**training_request(world, RoleArn=blind))
    world.pass_minutes(10)
    job = describe(world)
    assert job["TrainingJobStatus"] == "Failed"
    assert "Data download failed" in job["FailureReason"]
    assert "AccessDenied" in job["FailureReason"]


def test_a_source_that_climbs_out_of_its_directory_fails_the_job(world):
    request = training_request(world)
    world.put("source/job-1.tar.gz", archive({"../../outside.py": "", "train.py": TRAIN}))
    world.sagemaker.create_training_job(**request)
    world.pass_minutes(10)
    assert describe(world)["TrainingJobStatus"] == "Failed"
    assert not list(world.account.directory.rglob("outside.py"))


def test_jobs_are_listed(world):
    world.sagemaker.create_training_job(**training_request(world))
    listed = world.sagemaker.list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]
    assert [job["TrainingJobName"] for job in listed] == ["job-1"]


def test_a_key_for_the_volumes_of_an_instance_with_local_storage_is_refused(world):
    key = world.account.client("kms").create_key()["KeyMetadata"]["Arn"]
    resources = {"InstanceType": "ml.m5d.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    assert "VolumeKmsKeyId" in refusal(world, ResourceConfig=resources | {"VolumeKmsKeyId": key})["Message"]
    world.sagemaker.create_training_job(**training_request(world, ResourceConfig=resources))


def test_a_role_that_may_not_encrypt_fails_its_job_at_the_end(world):
    key = world.account.client("kms").create_key()["KeyMetadata"]["Arn"]
    output = {"S3OutputPath": f"s3://{BUCKET}/output", "KmsKeyId": key}
    world.sagemaker.create_training_job(**training_request(world, OutputDataConfig=output))
    world.pass_minutes(10)
    assert "kms:Encrypt" in describe(world)["FailureReason"]


def test_a_model_whose_role_may_not_read_the_artefact_is_refused(world):
    own = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::elsewhere/*"}
    stranger = world.make_role("stranger", {"Version": "2012-10-17", "Statement": [own]})
    container = {"Image": "image", "ModelDataUrl": world.put("m.tar.gz", b"")}
    with pytest.raises(ClientError, match=r'Could not access model data .* has "s3:GetObject" permissions'):
        world.sagemaker.create_model(ModelName="m", ExecutionRoleArn=stranger, PrimaryContainer=container)


def test_a_volume_of_ebs_needs_a_size(world):
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 1}
    assert "VolumeSizeInGB is required" in refusal(world, ResourceConfig=resources)["Message"]


COUNTING = """
import os, pathlib
kept = pathlib.Path(os.environ["CHECKPOINTS"], "steps")
kept.write_text((kept.read_text() if kept.exists() else "") + "x")
pathlib.Path(os.environ["SM_MODEL_DIR"], "steps").write_text(kept.read_text())
"""


def spot(world, *, wait):
    return training_request(
        world,
        script=COUNTING,
        EnableManagedSpotTraining=True,
        CheckpointConfig={"S3Uri": f"s3://{BUCKET}/checkpoints"},
        Environment={"CHECKPOINTS": "/opt/ml/checkpoints"},
        StoppingCondition={"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": wait},
    )


def test_a_job_that_loses_its_spot_instances_goes_on_from_its_checkpoints(world):
    world.account.capacity.interruptions = 1
    world.sagemaker.create_training_job(**spot(world, wait=3600))
    world.pass_minutes(30)
    job = describe(world)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert "Interrupted" in [step["Status"] for step in job["SecondaryStatusTransitions"]]
    with tarfile.open(fileobj=io.BytesIO(world.read("output/job-1/output/model.tar.gz"))) as packed:
        assert packed.extractfile("steps").read() == b"xx"
    assert world.read("checkpoints/steps") == b"xx"


def test_spot_instances_have_a_quota_of_their_own(world):
    world.account.quotas["sagemaker", "ml.m5.large for training job usage"] = 0
    world.sagemaker.create_training_job(**spot(world, wait=3600))
    world.account.quotas["sagemaker", "ml.m5.large for spot training job usage"] = 1
    with pytest.raises(ClientError, match=r"'ml\.m5\.large for spot training job usage' is 1 Instances"):
        world.sagemaker.create_training_job(**spot(world, wait=3600) | {"TrainingJobName": "another"})


def test_a_spot_job_that_finds_no_other_instances_in_its_time_is_stopped(world):
    world.account.capacity.interruptions = 1
    world.sagemaker.create_training_job(**spot(world, wait=700))
    world.pass_minutes(30)
    assert (describe(world)["TrainingJobStatus"], describe(world)["SecondaryStatus"]) == (
        "Stopped",
        "MaxWaitTimeExceeded",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"StoppingCondition": {"MaxRuntimeInSeconds": 600}},
        {"StoppingCondition": {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 60}},
        {"EnableManagedSpotTraining": False},
    ],
)
def test_a_wait_goes_with_spot_and_is_not_shorter_than_the_run(world, changes):
    with pytest.raises(ClientError, match="MaxWaitTimeInSeconds"):
        world.sagemaker.create_training_job(**(spot(world, wait=3600) | changes))
