"""The scripts of training/ train and serve in the account, by the requests that Kedge makes."""

import json

import pytest

from kedge.config.reading import parse_model_config
from lambdas.adapters.training.training_jobs import TrainingWorkshop, challenger_model_request, training_job_request
from offline.account import Account
from stacks.parts.workshop import pack_training_source
from tests.offline.sagemaker_world import BUCKET, START, World
from tests.training.test_script_mode import write_channel

CONFIG = """
model: hotel
endpoint: {{name: bookings, content_type: {content_type}}}
features: [{{name: adr, kind: numeric}}, {{name: meal, kind: categorical}}]
training: {{framework: {framework}}}
"""

REGISTRY = "141502667606.dkr.ecr.eu-west-1.amazonaws.com"
IMAGES = {
    "xgboost": f"{REGISTRY}/sagemaker-xgboost:3.2-0",
    "sklearn": f"{REGISTRY}/sagemaker-scikit-learn:1.9-0-cpu-py3",
}
# By what each image's log is read for: SageMaker's own definitions, or those that Kedge's request brings.
AUC = {"xgboost": "train:auc", "sklearn": "train-auc"}


@pytest.fixture
def world(tmp_path):
    with Account(start=START, directory=tmp_path / "account") as account:
        made = World(account)
        for path in write_channel(tmp_path / "channel").iterdir():
            made.put(f"train/{path.name}", path.read_bytes())
        made.source = made.put("source/sourcedir.tar.gz", pack_training_source().read_bytes())
        yield made


def train(world, config, **changes):
    shop = TrainingWorkshop(IMAGES[config.training.framework], world.source, world.role, world.role, None, ())
    uris = {"train_uri": f"s3://{BUCKET}/train/", "output_uri": f"s3://{BUCKET}/output"}
    request = training_job_request(config, shop, **uris) | changes
    world.sagemaker.create_training_job(TrainingJobName="job-1", **request)
    world.pass_minutes(15)
    return shop, world.sagemaker.describe_training_job(TrainingJobName="job-1")


@pytest.mark.parametrize("framework", ["xgboost", "sklearn"])
@pytest.mark.parametrize("content_type", ["text/csv", "application/json"])
def test_a_model_is_trained_without_a_network_and_answers(world, framework, content_type):
    config = parse_model_config(CONFIG.format(framework=framework, content_type=content_type), source="hotel.yaml")
    shop, job = train(world, config)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    metrics = {each["MetricName"]: each["Value"] for each in job["FinalMetricDataList"]}
    assert metrics[AUC[framework]] > 0.8
    assert metrics.get("rows") == (600 if framework == "sklearn" else None)
    request = challenger_model_request(config, shop)
    request["PrimaryContainer"]["ModelDataUrl"] = job["ModelArtifacts"]["S3ModelArtifacts"]
    world.sagemaker.create_model(ModelName="hotel-1", **request)
    world.make_config("config-1", "hotel-1")
    world.make_endpoint()
    csv, rows = "120,HB\n80,BB", [{"features": [120, "HB"]}, {"adr": 80, "meal": "BB"}]
    body = csv if content_type == "text/csv" else json.dumps({"instances": rows})
    answer = world.ask(body, ContentType=content_type, Accept=content_type)
    text = answer["Body"].read().decode()
    assert answer["ContentType"].partition(";")[0] == content_type
    high, low = map(float, text.split()) if content_type == "text/csv" else json.loads(text)["predictions"]
    assert high > 0.6
    assert low < 0.4


def test_a_source_that_must_be_downloaded_is_out_of_an_isolated_jobs_reach(world):
    config = parse_model_config(CONFIG.format(framework="sklearn", content_type="text/csv"), source="hotel.yaml")
    script = {"sagemaker_program": '"train_sklearn.py"', "sagemaker_submit_directory": json.dumps(world.source)}
    _, job = train(world, config, HyperParameters=script)
    assert job["TrainingJobStatus"] == "Failed"
    assert "no network" in job["FailureReason"]


def test_a_source_that_no_channel_brings_fails_the_job(world):
    config = parse_model_config(CONFIG.format(framework="sklearn", content_type="text/csv"), source="hotel.yaml")
    place = "/opt/ml/input/data/code/other.tar.gz"
    script = {"sagemaker_program": '"train_sklearn.py"', "sagemaker_submit_directory": json.dumps(place)}
    _, job = train(world, config, HyperParameters=script)
    assert job["TrainingJobStatus"] == "Failed"
    assert f"{place}: no such file" in job["FailureReason"]
