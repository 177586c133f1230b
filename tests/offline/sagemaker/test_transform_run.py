"""Transform jobs score with the model's own container and keep ids beside answers."""

import json
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from offline.account import Account
from offline.sagemaker.api import ValidationError
from offline.sagemaker.transform.filters import Joiner
from tests.offline.sagemaker_world import BROKEN, BUCKET, INFERENCE, START, World


@pytest.fixture
def world(tmp_path):
    with Account(start=START, directory=tmp_path) as account:
        yield World(account)


def transform_request(name="transform-1", model="model-1", kind="text/csv", strategy="MultiRecord", **processing):
    return {
        "TransformJobName": name,
        "ModelName": model,
        "BatchStrategy": strategy,
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/holdout/"}},
            "ContentType": kind,
            "SplitType": "Line",
        },
        "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/scored", "Accept": kind, "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        "DataProcessing": processing or {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"},
    }


def run(world, **request):
    world.sagemaker.create_transform_job(**transform_request(**request))
    world.pass_minutes(10)
    return world.sagemaker.describe_transform_job(TransformJobName=request.get("name", "transform-1"))


@pytest.mark.parametrize("strategy", ["MultiRecord", "SingleRecord"])
def test_every_row_is_answered_beside_its_id(world, strategy):
    world.make_model("model-1", mean=10)
    world.put("holdout/input.csv", b"a,1,7\nb,2,7\n")
    job = run(world, strategy=strategy)
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    assert world.keys("scored/") == ["scored/input.csv.out"]
    assert world.read("scored/input.csv.out") == b"a,11.0\nb,12.0\n"
    seen = world.statuses("SageMaker Transform Job State Change", "TransformJobStatus")
    assert seen == ["InProgress", "InProgress", "Completed"]


def test_without_a_filter_the_whole_row_stays(world):
    world.make_model("model-1", mean=10)
    world.put("holdout/part/input.csv", b"1,x\n")
    run(world, JoinSource="Input")
    assert world.read("scored/part/input.csv.out") == b"1,x,11.0\n"


def test_json_records_are_joined_as_fields(world):
    world.make_model("model-1", mean=10)
    lines = [json.dumps({"id": name, "payload": {"x": x}}) for name, x in (("a", 1), ("b", 2))]
    world.put("holdout/input.jsonl", "\n".join(lines).encode())
    filters = {"InputFilter": "$.payload", "JoinSource": "Input", "OutputFilter": "$['id','SageMakerOutput']"}
    job = run(world, kind="application/json", strategy="SingleRecord", **filters)
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    answers = [json.loads(line) for line in world.read("scored/input.jsonl.out").splitlines()]
    assert answers == [{"id": "a", "SageMakerOutput": 11}, {"id": "b", "SageMakerOutput": 12}]


def test_a_container_that_raises_fails_the_job_with_its_message(world):
    world.make_model("model-1", script=BROKEN)
    world.put("holdout/input.csv", b"a,1\n")
    job = run(world)
    assert job["TransformJobStatus"] == "Failed"
    assert "500" in job["FailureReason"]
    assert "no such feature: meal" in job["FailureReason"]
    assert world.keys("scored/") == []


def test_a_model_that_loses_a_row_fails_the_job(world):
    world.make_model("model-1", script=INFERENCE.replace("in rows]", "in rows[1:]]"))
    world.put("holdout/input.csv", b"a,1\nb,2\n")
    assert "2 records and the output 1" in run(world)["FailureReason"]


def test_a_missing_input_fails_the_job_and_an_unknown_model_is_refused(world):
    with pytest.raises(ClientError, match="Could not find model"):
        world.sagemaker.create_transform_job(**transform_request())
    world.make_model("model-1")
    assert "No S3 objects found" in run(world)["FailureReason"]
    with pytest.raises(ClientError) as raised:
        world.sagemaker.create_transform_job(**transform_request())
    assert raised.value.response["Error"]["Code"] == "ResourceInUse"
    with pytest.raises(ClientError, match="Could not find requested job with name: nobody"):
        world.sagemaker.describe_transform_job(TransformJobName="nobody")


def test_a_transform_stops_on_request(world):
    world.make_model("model-1")
    world.put("holdout/input.csv", b"a,1\n")
    world.sagemaker.create_transform_job(**transform_request())
    world.sagemaker.stop_transform_job(TransformJobName="transform-1")
    world.pass_minutes(10)
    job = world.sagemaker.describe_transform_job(TransformJobName="transform-1")
    assert job["TransformJobStatus"] == "Stopped"
    assert world.keys("scored/") == []


def test_a_job_that_captures_leaves_two_manifests_of_its_hour_and_an_id_in_each_line(world):
    world.make_model("model-1", mean=10)
    world.put("holdout/part/input.csv", b"1,x\n2,y\n")
    request = transform_request(JoinSource="Input")
    request["DataCaptureConfig"] = {"DestinationS3Uri": f"s3://{BUCKET}/captured", "GenerateInferenceId": True}
    world.sagemaker.create_transform_job(**request)
    assert world.keys("captured/") == []
    world.pass_minutes(10)
    given, written = world.keys("captured/")
    assert given.startswith("captured/input/2016/01/01/00/")
    assert written.startswith("captured/output/2016/01/01/00/")
    assert given.rpartition("/")[2] != written.rpartition("/")[2]
    assert json.loads(world.read(given)) == [{"prefix": f"s3://{BUCKET}/holdout/"}, "part/input.csv"]
    assert json.loads(world.read(written)) == [{"prefix": f"s3://{BUCKET}/scored/"}, "part/input.csv.out"]
    began = world.sagemaker.describe_transform_job(TransformJobName="transform-1")["TransformStartTime"]
    lines = [line.split(",") for line in world.read("scored/part/input.csv.out").decode().splitlines()]
    assert [line[:3] for line in lines] == [["1", "x", "11.0"], ["2", "y", "12.0"]]
    assert {line[4] for line in lines} == {f"{began:%Y-%m-%dT%H:%M:%SZ}"}
    assert len({line[3] for line in lines}) == 2


def test_jobs_are_listed_newest_first_by_when_they_were_made(world):
    world.make_model("model-1")
    world.put("holdout/input.csv", b"a,1\n")
    for name in ("first", "second"):
        world.sagemaker.create_transform_job(**transform_request(name=name))
        world.pass_minutes(60)
    listed = world.sagemaker.list_transform_jobs()["TransformJobSummaries"]
    assert [job["TransformJobName"] for job in listed] == ["second", "first"]
    before = world.sagemaker.list_transform_jobs(CreationTimeBefore=listed[0]["CreationTime"] - timedelta(minutes=1))
    assert [job["TransformJobName"] for job in before["TransformJobSummaries"]] == ["first"]
    paged = world.sagemaker.get_paginator("list_transform_jobs").paginate(PaginationConfig={"PageSize": 1})
    assert [len(page["TransformJobSummaries"]) for page in paged] == [1, 1]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("$", b"a,b,c,d"), ("$[0]", b"a"), ("$[1:]", b"b,c,d"), ("$[:-1]", b"a,b,c"), ("$[0,3]", b"a,d"), ("$[-1]", b"d")],
)
def test_csv_filters_choose_columns(path, expected):
    assert Joiner({"InputFilter": path}, "text/csv", "text/csv").filtered_input(b"a,b,c,d") == expected


def test_a_filter_keeps_quotes_where_they_are_needed():
    assert Joiner({"InputFilter": "$[1:]"}, "text/csv", "").filtered_input(b'a,"b,c",d') == b'"b,c",d'


@pytest.mark.parametrize("path", ["[0]", "$[x]", "$..a["])
def test_a_filter_that_is_not_a_path_is_refused(path):
    with pytest.raises(ValidationError):
        Joiner({"InputFilter": path}, "text/csv", "")
