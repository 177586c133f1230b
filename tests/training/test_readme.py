"""Every block of training/README.md is true: the examples train and serve, the payloads are sent and read as they stand."""

import ast
import io
import json
import re

import pyarrow as pa
import pytest

from kedge.config.reading import parse_model_config
from kedge.errors import UnreadableAnswerError
from kedge.retraining.rows import scoring_payload
from lambdas.adapters.training.training_jobs import (
    TrainingWorkshop,
    challenger_model_request,
    training_job_request,
    transform_request,
)
from lambdas.adapters.training.transform_outputs import parse_answers
from offline.account import Account
from stacks.parts.workshop import SOURCE
from tests.architecture.test_language_level import in_training
from tests.offline.sagemaker_world import BUCKET, START, World, archive
from tests.training.test_script_mode import write_channel

README = (SOURCE / "README.md").read_text()
YAML = """
model: hotel
problem: {problem}
endpoint: {{name: hotel, content_type: {content_type}}}
features: [{{name: adr, kind: numeric}}, {{name: meal, kind: categorical}}]
{rest}
"""
THREE = "labels: {classes: [low, middle, high]}\nprediction: {probabilities: [p_low, p_middle, p_high]}"
HOLDOUT = pa.table({"kedge_row_id": ["r1", "r2"], "adr": [120.0, 80.5], "meal": ["HB", "BB"]})
SAYS = """
def input_fn(body, content_type):
    print('got', repr((body, content_type)), flush=True)
    return parse_rows(body, content_type)
"""
TYPES = ("text/csv", "application/json")


def blocks():
    """The fenced blocks by the heading that they stand under."""
    found = {}
    heading = ""
    for line in re.finditer(r"^#+ ([^\n]*)$|^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL):
        heading = line[1] or heading
        if line[2]:
            found.setdefault(heading.strip("`"), []).append((line[2], line[3]))
    return found


BLOCKS = blocks()
EXAMPLE = "A worked example: an estimator of your own"


def config_of(content_type="text/csv", rest="", problem="binary_classification"):
    return parse_model_config(YAML.format(content_type=content_type, rest=rest, problem=problem), source="hotel.yaml")


def lines_of(content_type, place):
    return BLOCKS[content_type][place][1].splitlines()


def read(content_type, answer, config):
    """What Kedge reads of one row's answer, after SageMaker has joined it to its id."""
    joined = f"r1,{answer}\n" if content_type == "text/csv" else f'{{"id": "r1", "SageMakerOutput": {answer}}}\n'
    (found,) = parse_answers(io.BytesIO(joined.encode()), config, key="out")
    return found.value, found.probabilities


def test_no_block_is_left_untried():
    assert {heading: [language for language, _ in found] for heading, found in BLOCKS.items()} == {
        "scikit-learn": ["yaml"],
        EXAMPLE: ["python", "python", "yaml"],
        "text/csv": ["csv"] * 3,
        "application/json": ["json"] * 4,
    }
    assert README.count("```") == 2 * sum(map(len, BLOCKS.values()))


def test_the_yaml_of_the_scikit_learn_example_is_a_models():
    config = config_of(rest=BLOCKS["scikit-learn"][0][1])
    assert (config.training.framework, config.training.entry_point) == ("sklearn", "train_sklearn.py")


@pytest.mark.parametrize("place", [0, 1])
def test_the_example_is_written_in_the_oldest_images_language(tmp_path, place):
    (tmp_path / "script.py").write_text(BLOCKS[EXAMPLE][place][1])
    assert in_training(tmp_path / "script.py") == ""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The worked example's scripts, trained by the job that Kedge asks for; the serving script also says what it gets."""
    directory = tmp_path_factory.mktemp("readme")
    (_, train), (_, serve), (_, yaml) = BLOCKS[EXAMPLE]
    config = config_of(rest=yaml)
    files = {path.name: path.read_text() for path in SOURCE.glob("*.py")}
    with Account(start=START, directory=directory / "account") as account:
        world = World(account)
        for path in write_channel(directory / "channel").iterdir():
            world.put(f"train/{path.name}", path.read_bytes())
        packed = archive(files | {"train_bayes.py": train, "inference_bayes.py": serve + SAYS})
        world.shop = TrainingWorkshop(
            "image", world.put("source/sourcedir.tar.gz", packed), world.role, world.role, None, ()
        )
        uris = {"train_uri": f"s3://{BUCKET}/train/", "output_uri": f"s3://{BUCKET}/output"}
        world.sagemaker.create_training_job(TrainingJobName="job-1", **training_job_request(config, world.shop, **uris))
        world.pass_minutes(15)
        world.job = world.sagemaker.describe_training_job(TrainingJobName="job-1")
        world.rest = yaml
        yield world


def test_the_example_trains_and_tells_its_figures(world):
    assert world.job["TrainingJobStatus"] == "Completed", world.job.get("FailureReason")
    metrics = {each["MetricName"]: each["Value"] for each in world.job["FinalMetricDataList"]}
    assert metrics["rows"] == 600


@pytest.mark.parametrize("content_type", TYPES)
def test_a_transform_sends_what_the_readme_shows_and_the_answers_are_read(world, content_type):
    config = config_of(content_type, world.rest)
    name = content_type.partition("/")[2]
    request = challenger_model_request(config, world.shop)
    request["PrimaryContainer"]["ModelDataUrl"] = world.job["ModelArtifacts"]["S3ModelArtifacts"]
    world.sagemaker.create_model(ModelName=name, **request)
    source = world.put(f"{name}/holdout/rows", b"".join(scoring_payload(HOLDOUT, config))).removesuffix("rows")
    asked = transform_request(
        config, world.shop, model_name=name, input_uri=source, output_uri=f"s3://{BUCKET}/{name}/scored"
    )
    world.sagemaker.create_transform_job(TransformJobName=name, **asked)
    world.pass_minutes(15)
    job = world.sagemaker.describe_transform_job(TransformJobName=name)
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    logs = [path.read_text() for path in (world.account.directory / "containers").glob("*.log")]
    got = [ast.literal_eval(line[4:]) for log in logs for line in log.splitlines() if line.startswith("got ")]
    bodies = [body for body, kind in got if kind == content_type]
    shown = BLOCKS[content_type][0][1]
    if content_type == "text/csv":
        assert bodies == [shown]
    else:
        assert len(bodies) == 2
        assert bodies[0].strip() == shown.strip()
    answers = [*parse_answers(io.BytesIO(world.read(f"{name}/scored/rows.out")), config, key="out")]
    assert [answer.row_id for answer in answers] == ["r1", "r2"]
    assert 1 > answers[0].value > answers[1].value > 0


def test_each_accepted_answer_is_read_as_the_same_prediction():
    assert [read("text/csv", line, config_of()) for line in lines_of("text/csv", 1)] == [(0.83, ()), (0.07, ())]
    config = config_of("application/json")
    for line in lines_of("application/json", 1):
        json.loads(line)
        assert read("application/json", line, config) == (0.83, ())


@pytest.mark.parametrize("content_type", TYPES)
def test_the_answers_of_three_classes_carry_their_probabilities(content_type):
    config = config_of(content_type, THREE, "multiclass_classification")
    found = [read(content_type, line, config) for line in lines_of(content_type, 2)]
    assert found[0] == ("high", (0.1, 0.2, 0.7))
    assert found[1] == (("low", (0.6, 0.3, 0.1)) if content_type == "text/csv" else found[0])


@pytest.mark.parametrize("line", lines_of("application/json", 3))
def test_the_other_answers_are_refused(line):
    with pytest.raises(UnreadableAnswerError):
        read("application/json", line, config_of("application/json"))
