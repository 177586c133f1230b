"""`kedge account serve` as a person uses it: one terminal serves, another one asks."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import boto3
import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.synthesised import example_models

ROOT = Path(__file__).parents[2]
MODELS = example_models()


def kedge(*arguments, **variables):
    """A command in a process of its own, as a person types it."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def served(tmp_path):
    """The address, the exports, the models' folder and the process of an account, served from a shell that knows another."""
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(MODELS / "hotel-cancellations.yaml", models)
    serving = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "cli",
            "account",
            "serve",
            "--port",
            "0",
            "--start",
            "2016-01-04T02:00:00Z",
            "--speed",
            "0",
            "--directory",
            str(tmp_path / "account"),
            "--models",
            str(models),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ
        | {
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(ROOT),
            "AWS_PROFILE": "mine",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        },
    )
    try:
        shown = []
        for line in iter(serving.stdout.readline, ""):
            shown.append(line)
            if line.startswith("export "):
                break
        assert shown[-1].startswith("export "), serving.stderr.read()
        exports = dict(each.split("=", 1) for each in shown[-1].split()[1:])
        yield exports["AWS_ENDPOINT_URL"], exports, models, serving
    finally:
        serving.kill()
        serving.communicate()


@pytest.mark.slow
def test_the_deployed_account_answers_takes_changes_and_is_closed(served):
    url, exports, models, serving = served
    # The AWS CLI of version 1 reads no AWS_REGION.
    assert exports["AWS_REGION"] == exports["AWS_DEFAULT_REGION"] == "eu-west-1"
    with urllib.request.urlopen(exports["KEDGE_CLOCK"]) as answer:  # noqa: S310  # our own server
        assert json.loads(answer.read())["now"] == "2016-01-04T02:00:00Z"
    asked = kedge("history", "hotel-cancellations", "--endpoint-url", url)
    assert (asked.returncode, asked.stderr) == (
        2,
        "kedge history: nothing has happened to 'hotel-cancellations'; models with a timeline: none\n",
    )

    keys = {"aws_access_key_id": "offline", "aws_secret_access_key": "offline", "region_name": "eu-west-1"}
    s3 = boto3.client("s3", endpoint_url=url, **keys)
    (data,) = [each["Name"] for each in s3.list_buckets()["Buckets"] if "-data" in each["Name"]]
    s3.put_object(Bucket=data, Key="initial/hotel-cancellations/training.parquet", Body=b"rows")
    second = (models / "hotel-cancellations.yaml").read_text().replace("model: hotel-cancellations", "model: hotel-two")
    (models / "hotel-two.yaml").write_text(second.replace("name: hotel-cancellations", "name: hotel-two"))
    deployed = kedge("account", "deploy", **exports)
    assert deployed.returncode == 0, deployed.stderr
    assert "KedgeModels-1" in deployed.stdout.splitlines()[-1]
    groups = boto3.client("sagemaker", endpoint_url=url, **keys).list_model_package_groups()
    names = {each["ModelPackageGroupName"] for each in groups["ModelPackageGroupSummaryList"]}
    assert names == {"hotel-cancellations", "hotel-two"}
    kept = s3.get_object(Bucket=data, Key="initial/hotel-cancellations/training.parquet")
    assert kept["Body"].read() == b"rows"

    (models / "hotel-two.yaml").write_text(second + "drift: {psi_mx: 1}\n")
    refused = kedge("account", "deploy", **exports)
    assert (refused.returncode, "did you mean psi_max?" in refused.stderr) == (2, True)

    serving.send_signal(signal.SIGINT)
    rest, errors = serving.communicate(timeout=30)
    assert serving.returncode == 0, errors
    assert rest.splitlines()[-1] == "closed"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "no account is named: run the export line"),
        (("--endpoint-url", "https://sts.amazonaws.com"), "https://sts.amazonaws.com is no offline account"),
        (("--endpoint-url", "http://127.0.0.1:9"), "no account answers there"),
    ],
)
def test_a_deployment_without_an_account_says_how_to_name_one(monkeypatch, options, words):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    result = CliRunner().invoke(app, ["account", "deploy", *options])
    assert result.exit_code == 2, result.output
    assert words in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--start", "soon"), "--start is 'soon', and a time looks like 2016-01-04T02:00:00Z"),
        (("--models", "absent"), "absent: there is no such folder"), (("--models", "none"), "`kedge init` writes one"),
        (("--models", "bad"), "did you mean psi_max?"), (("--directory", "taken"), "taken: must be an empty folder"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_refused_before_anything_is_built(tmp_path, monkeypatch, options, words):
    for folder in ("none", "bad", "taken/mail"):
        (tmp_path / folder).mkdir(parents=True)
    good = (MODELS / "hotel-cancellations.yaml").read_text()
    (tmp_path / "bad" / "hotel-cancellations.yaml").write_text(good + "drift: {psi_mx: 1}\n")
    monkeypatch.chdir(tmp_path)
    place = () if "--directory" in options else ("--directory", str(tmp_path / "new"))
    result = CliRunner().invoke(app, ["account", "serve", "--port", "0", *options, *place])
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert not (tmp_path / "new").exists()
