"""The scripts of an image run under the Python that the account has for its tag: a job, an endpoint and a transform."""

import sys
from pathlib import Path

import pytest

from kedge.config.reading import parse_model_config
from lambdas.adapters.training.training_jobs import TrainingWorkshop, challenger_model_request, training_job_request
from offline.account import Account
from offline.containers.processes import OWN, Processes
from stacks.parts.workshop import SOURCE
from tests.offline.sagemaker.test_training_run import CONFIG
from tests.offline.sagemaker.test_transform_run import run
from tests.offline.sagemaker_world import BUCKET, START, World, archive
from tests.training.test_script_mode import write_channel
from tests.training.toolkit import IMAGES, environment

SAYS = "\nimport sys\nprint('python=' + '.'.join(map(str, sys.version_info[:2])) + ';', flush=True)\n"
OTHERS = [image for image in IMAGES if image.python != ".".join(map(str, sys.version_info[:2]))]


def test_an_image_is_known_by_its_tag_or_by_its_name_and_tag():
    pythons = {"1.2-1-cpu-py3": Path("/sklearn"), "sagemaker-xgboost:1.2-1": Path("/xgboost")}
    processes = Processes(pythons)
    registry = "141502667606.dkr.ecr.eu-west-1.amazonaws.com"
    assert processes.interpreter_of(f"{registry}/sagemaker-scikit-learn:1.2-1-cpu-py3") == Path("/sklearn")
    assert processes.interpreter_of(f"{registry}/sagemaker-xgboost:1.2-1") == Path("/xgboost")
    for other in ("sagemaker-xgboost:11.2-1", "sagemaker-scikit-learn:1.2-1", "image"):
        assert processes.interpreter_of(f"{registry}/{other}") == OWN == Path(sys.executable)


@pytest.mark.slow
@pytest.mark.parametrize("image", OTHERS, ids=str)
def test_a_model_is_trained_served_and_scored_under_the_images_own_python(tmp_path, image):
    config = parse_model_config(CONFIG.format(framework=image.framework, content_type="text/csv"), source="hotel.yaml")
    uri = f"registry/sagemaker-{image.framework}:{image.version}"
    with Account(start=START, directory=tmp_path, interpreters={image.version: environment(image)}) as account:
        world = World(account)
        for path in write_channel(tmp_path / "channel").iterdir():
            world.put(f"train/{path.name}", path.read_bytes())
        files = {path.name: path.read_text() for path in SOURCE.glob("*.py")}
        files |= {name: text + SAYS for name, text in files.items() if name.startswith(("train", "inference"))}
        shop = TrainingWorkshop(
            uri, world.put("source/sourcedir.tar.gz", archive(files)), world.role, world.role, None, ()
        )
        places = {"train_uri": f"s3://{BUCKET}/train/", "output_uri": f"s3://{BUCKET}/output"}
        world.sagemaker.create_training_job(TrainingJobName="job-1", **training_job_request(config, shop, **places))
        world.pass_minutes(15)
        job = world.sagemaker.describe_training_job(TrainingJobName="job-1")
        assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")

        request = challenger_model_request(config, shop)
        request["PrimaryContainer"]["ModelDataUrl"] = job["ModelArtifacts"]["S3ModelArtifacts"]
        world.sagemaker.create_model(ModelName="model-1", **request)
        world.make_config("config-1", "model-1")
        world.make_endpoint()
        high, low = map(float, world.answer("120,HB\n80,BB").split())
        assert high > 0.6 > 0.4 > low
        world.put("holdout/input.csv", b"a,120,HB\nb,80,BB\n")
        done = run(world)
        assert done["TransformJobStatus"] == "Completed", done.get("FailureReason")
        scored = dict(line.split(",") for line in world.read("scored/input.csv.out").decode().splitlines())
        assert {row: float(answer) for row, answer in scored.items()} == {"a": high, "b": low}

        told = f"python={image.python};"
        (served,) = (tmp_path / "containers").glob("*.log")
        assert told in (tmp_path / "training" / "job-1.log").read_text()
        assert told in served.read_text()
