"""Which files of a day's transform jobs are counted, in an account whose jobs run, fail, run again and write over each other."""

import json
from datetime import UTC, datetime

import pytest

from kedge.capture.records import parse_capture
from kedge.config.capture_place import CapturePlace
from kedge.config.model import ModelConfig
from kedge.config.sections import Capture, Feature
from kedge.own_columns import ROW_ID
from kedge.profile.counted_objects import KnownObjects, hash_objects
from lambdas.adapters.transform_jobs import TransformJobs, package_of
from lambdas.steps.counting.transform_day import TransformDay, is_counted
from offline.account import Account
from tests.offline.sagemaker_world import BROKEN, BUCKET, START, World

CONFIG = ModelConfig(
    model="sums",
    mode="watch",
    source="batch_transform",
    problem="regression",
    capture=Capture(uri=f"s3://{BUCKET}/captures"),
    features=(Feature(name="x", kind="numeric"),),
)


class Jobs(World):
    """A world whose transform jobs capture."""

    def start(self, name, *, given="in/", out="out", model="model-1", kind="text/csv", split="Line", ids=True):
        self.sagemaker.create_transform_job(
            TransformJobName=name,
            ModelName=model,
            TransformInput={
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{given}"}},
                "ContentType": kind,
                "SplitType": split,
            },
            TransformOutput={"S3OutputPath": f"s3://{BUCKET}/{out}", "Accept": kind, "AssembleWith": "Line"},
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
            DataCaptureConfig={"DestinationS3Uri": f"s3://{BUCKET}/captures/", "GenerateInferenceId": ids},
        )

    def run(self, name, **how):
        self.start(name, **how)
        self.pass_minutes(12)
        return self.sagemaker.describe_transform_job(TransformJobName=name)["TransformJobStatus"]

    def day(self, day=START):
        place = CapturePlace(BUCKET, "captures", foreign=True)
        return TransformDay(self.s3, TransformJobs(self.sagemaker), place, CONFIG, day.date())


@pytest.fixture
def world(tmp_path):
    with Account(start=START, directory=tmp_path) as account:
        world = Jobs(account)
        world.make_model("model-1", mean=10)
        world.put("in/rows.csv", b"1\n2\n3\n")
        world.pass_minutes(1)
        yield world


def read(day):
    """The rows of each file of a day, and why others are aside."""
    rows, reasons = [], []
    for key in day.listing():
        aside = []
        for content in day.open(key, aside) or ():
            rows += parse_capture(content, CONFIG, key).table.select([ROW_ID, "x", "prediction"]).to_pylist()
        reasons += [record.reason for record in aside]
    return [(row["x"], row["prediction"]) for row in rows], reasons


def test_a_job_counts_once_it_has_completed(world):
    world.start("a")
    world.pass_minutes(2)
    assert read(world.day()) == ([], [])
    world.pass_minutes(10)
    assert read(world.day()) == ([("1", "11.0"), ("2", "12.0"), ("3", "13.0")], [])


def test_a_failed_job_leaves_no_manifest(world):
    world.make_model("model-broken", script=BROKEN)
    assert world.run("a", model="model-broken") == "Failed"
    assert read(world.day()) == ([], [])


def test_a_job_that_reads_the_same_content_again_gives_no_rows_and_names_the_first(world):
    world.run("a", out="out/a")
    world.run("b", out="out/b")
    day = world.day()
    assert len(read(day)[0]) == 3
    first, second = day.manifests.values()
    assert day.repeats(first) is None
    assert day.repeats(second).name == "a"


def test_a_job_over_new_content_of_the_same_name_is_counted(world):
    world.run("a", out="out/a")
    rows, _ = read(world.day())
    world.put("in/rows.csv", b"7\n")
    world.pass_minutes(1)
    world.run("b", out="out/b")
    after, reasons = read(world.day())
    assert rows == [("1", "11.0"), ("2", "12.0"), ("3", "13.0")]
    assert after == [("7", "17.0")]
    assert reasons == ["the input was replaced after a began: give each job's input a name of its own"]


def test_an_output_that_was_written_over_is_refused_with_the_remedy(world):
    world.run("a")
    world.put("in/rows.csv", b"7\n8\n9\n")
    world.pass_minutes(1)
    world.run("b", given="in/rows.csv")
    rows, reasons = read(world.day())
    assert rows == [("7", "17.0"), ("8", "18.0"), ("9", "19.0")]
    assert len(reasons) == 1


def test_the_ids_are_those_that_sagemaker_made_or_name_job_and_line(world):
    def ids(day):
        (key,) = day.listing()
        return parse_capture(b"".join(day.open(key, [])), CONFIG, key).table.column(ROW_ID).to_pylist()

    world.run("a")
    written = [line.split(",")[-2] for line in world.read("out/rows.csv.out").decode().splitlines()]
    assert ids(world.day()) == written


def test_without_generated_ids_a_row_is_named_by_its_job_and_line(world):
    world.run("a", ids=False)
    day = world.day()
    (key,) = day.listing()
    found = parse_capture(b"".join(day.open(key, [])), CONFIG, key).table.column(ROW_ID).to_pylist()
    assert [name.split("/")[0] + "/" + name.split("/")[-1] for name in found] == ["a/1", "a/2", "a/3"]


def test_json_lines_are_read_as_sagemaker_writes_them_with_ids(world):
    world.s3.delete_object(Bucket=BUCKET, Key="in/rows.csv")
    world.put("in/rows.jsonl", b'{"x": 1}\n{"x": 2}\n')
    world.run("a", kind="application/json")
    assert b"SageMakerOutput" in world.read("out/rows.jsonl.out")
    assert read(world.day()) == ([("1", "11"), ("2", "12")], [])


def test_a_job_over_midnight_belongs_to_the_day_on_which_it_began(world):
    world.account.clock.advance_to(datetime(2016, 1, 1, 23, 56, tzinfo=UTC))
    world.run("a")
    assert len(read(world.day())[0]) == 3
    assert read(world.day(datetime(2016, 1, 2, tzinfo=UTC))) == ([], [])


def test_a_day_knows_which_jobs_are_counted_whole(world):
    world.put("in/more.csv", b"4\n")
    world.pass_minutes(1)
    world.run("a")
    day = world.day()
    counted = {key: found.etag for key, found in day.listing().items()}
    (manifest,) = day.manifests.values()
    assert is_counted(manifest, KnownObjects([hash_objects(counted.items())]))
    counted.popitem()
    assert not is_counted(manifest, KnownObjects([hash_objects(counted.items())]))


def test_a_manifest_of_no_known_job_is_refused(world):
    content = json.dumps([{"prefix": f"s3://{BUCKET}/out/"}, "rows.csv.out"]).encode()
    world.put("captures/output/2016/01/01/00/x.json", content)
    _, (reason,) = read(world.day())
    assert "no transform job of this account wrote this manifest" in reason


def test_the_package_of_a_model_is_found_where_it_was_made_from_one(world):
    assert package_of(world.sagemaker, "model-1") is None
    assert package_of(world.sagemaker, "nobody") is None
