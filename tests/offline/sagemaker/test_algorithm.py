"""SageMaker's own XGBoost trains and answers in the account by the requests that Kedge makes, without a script."""

import io
import tarfile

import numpy as np
import pyarrow as pa
import pytest

from kedge.config.reading import parse_model_config
from kedge.retraining.learning import learning_files
from lambdas.adapters.training.training_jobs import (
    TrainingWorkshop,
    challenger_model_request,
    training_job_request,
    transform_request,
)
from offline.account import Account
from offline.containers.xgboost_image.algorithm_training import UserError, read_parameters
from tests.offline.sagemaker_world import BUCKET, START, World

IMAGE = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0"
YAML = """
model: hotel
problem: %s
endpoint: {name: bookings}
features: [{name: adr, kind: numeric}, {name: nights, kind: numeric}]
training: {algorithm: xgboost, validation_fraction: 0.2, hyperparameters: {num_round: 20, max_depth: 3}}
labels: {classes: [%s]}
"""
PROBLEMS = {
    "binary_classification": ("came, left", lambda adr: np.where(adr > 100, "left", "came")),
    "multiclass_classification": ("'0', '1', '2'", lambda adr: np.digitize(adr, [80, 120]).astype(str)),
    "regression": ("came, left", lambda adr: (2 * adr).astype(str)),
}


def config_of(problem="binary_classification", **training):
    config = parse_model_config(YAML % (problem, PROBLEMS[problem][0]), source="hotel.yaml")
    return config.model_copy(update={"training": config.training.model_copy(update=training)})


def rows_of(problem, count=400):
    random = np.random.default_rng(3)
    adr = random.uniform(50, 150, count)
    return pa.table(
        {
            "kedge_row_id": [f"r{number}" for number in range(count)],
            "kedge_time": pa.array(range(count), pa.timestamp("s", "UTC")),
            "adr": adr,
            "nights": pa.array(random.integers(1, 9, count).astype(float), mask=random.random(count) < 0.1),
            "label": PROBLEMS[problem][1](adr),
        }
    )


@pytest.fixture
def world(tmp_path):
    with Account(start=START, directory=tmp_path / "account") as account:
        yield World(account)


def train(world, config, **changes):
    shop = TrainingWorkshop(IMAGE, "s3://nowhere/source.tar.gz", world.role, world.role, None, ())
    for name, (content, _) in learning_files(rows_of(config.problem), config).items():
        world.put(name, b"".join(content))
    places = {name: f"s3://{BUCKET}/{name}/" for name in ("train", "validation")}
    request = training_job_request(
        config, shop, train_uri=places["train"], validation_uri=places["validation"], output_uri=f"s3://{BUCKET}/output"
    )
    world.sagemaker.create_training_job(TrainingJobName="job-1", **(request | changes))
    world.pass_minutes(15)
    return shop, world.sagemaker.describe_training_job(TrainingJobName="job-1")


def serve(world, config, shop, job):
    request = challenger_model_request(config, shop)
    request["PrimaryContainer"]["ModelDataUrl"] = job["ModelArtifacts"]["S3ModelArtifacts"]
    world.sagemaker.create_model(ModelName="hotel-1", **request)


@pytest.mark.parametrize(
    ("problem", "metric", "answers"),
    [
        ("binary_classification", "validation:auc", lambda low, high: low < 0.1 and high > 0.9),
        ("multiclass_classification", "validation:mlogloss", lambda low, high: (low, high) == (0.0, 2.0)),
        ("regression", "validation:rmse", lambda low, high: low < 150 < 250 < high),
    ],
)
def test_the_algorithm_trains_without_a_script_and_answers_the_rows_of_a_request_on_one_line(
    world, problem, metric, answers
):
    config = config_of(problem)
    shop, job = train(world, config)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert {each["MetricName"] for each in job["FinalMetricDataList"]} == {
        metric,
        metric.replace("validation", "train"),
    }
    with tarfile.open(fileobj=io.BytesIO(world.read("output/job-1/output/model.tar.gz"))) as packed:
        assert packed.getnames() == ["xgboost-model"]
    serve(world, config, shop, job)
    world.make_config("config-1", "hotel-1")
    world.make_endpoint()
    answer = world.ask("60,1\n140,\n", ContentType="text/csv", Accept="text/csv")
    assert answer["ContentType"].partition(";")[0] == "text/csv"
    low, high = map(float, answer["Body"].read().decode().split(","))
    assert answers(low, high)


def test_a_transform_job_is_answered_a_line_a_row(world):
    config = config_of()
    shop, job = train(world, config)
    serve(world, config, shop, job)
    world.put("holdout/rows.csv", b"a,60,1\nb,140,2\nc,140,\n")
    asked = transform_request(
        config, shop, model_name="hotel-1", input_uri=f"s3://{BUCKET}/holdout/", output_uri=f"s3://{BUCKET}/scored"
    )
    world.sagemaker.create_transform_job(TransformJobName="score", **asked)
    world.pass_minutes(15)
    job = world.sagemaker.describe_transform_job(TransformJobName="score")
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    lines = [line.split(",") for line in world.read("scored/rows.csv.out").decode().splitlines()]
    assert [(name, float(score) > 0.5) for name, score in lines] == [("a", False), ("b", True), ("c", True)]


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"num_round": "5", "trees": "5"}, "Extraneous hyperparameter found: trees"),
        ({"max_depth": "5"}, "Missing required hyperparameter: num_round"),
        ({"num_round": "5", "eta": "2"}, "not in range"),
        ({"num_round": "five"}, "could not parse"),
        ({"num_round": "5", "objective": "multi:softmax"}, "Require input for parameter 'num_class'"),
        ({"num_round": "5", "eval_metric": "auc"}, "can only be applied for classification and ranking"),
        ({"num_round": "5", "eval_metric": "f2"}, "not in range"),
    ],
)
def test_the_algorithm_refuses_hyperparameters_as_the_image_does(parameters, reason):
    with pytest.raises(UserError, match=reason):
        read_parameters(parameters)


def test_a_refused_hyperparameter_fails_the_job_with_its_reason(world):
    _, job = train(world, config_of(), HyperParameters={"num_round": "5", "trees": "5"})
    assert job["TrainingJobStatus"] == "Failed"
    assert "Extraneous hyperparameter found: trees" in job["FailureReason"]


def test_a_header_or_a_word_is_no_number(world):
    config = config_of()
    shop, job = train(world, config)
    serve(world, config, shop, job)
    world.make_config("config-1", "hotel-1")
    world.make_endpoint()
    for body, status in (("adr,nights", 415), ("1,2,3", 400)):
        with pytest.raises(world.runtime.exceptions.ModelError) as raised:
            world.ask(body, ContentType="text/csv", Accept="text/csv")
        assert raised.value.response["OriginalStatusCode"] == status
