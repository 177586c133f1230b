"""`kedge smoke` as a person runs it: one process serves the account, another one talks to it over HTTP and nothing else."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest

from cli.smoke.every_step import STEPS
from lambdas.adapters.bucket import layout

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NAMES = [step.name for step in STEPS]
REGION = "eu-west-1"


@dataclass
class Served:
    """An account that another process serves."""

    directory: Path
    environment: dict[str, str]

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "offline", "aws_secret_access_key": "offline"}
        return boto3.client(service, endpoint_url=self.environment["AWS_ENDPOINT_URL"], region_name=REGION, **keys)

    def smoke(self, *options: str) -> tuple[subprocess.CompletedProcess, dict[str, Any]]:
        """The process, and the document that it wrote."""
        out = self.directory / "smoke.json"
        out.unlink(missing_ok=True)
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "cli",
                "smoke",
                "--models",
                str(self.directory / "models"),
                "--json",
                str(out),
                *options,
            ],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return done, json.loads(out.read_text()) if out.exists() else {}

    def advance(self, seconds: int) -> None:
        body = json.dumps({"advance_seconds": seconds}).encode()
        urllib.request.urlopen(self.environment["KEDGE_CLOCK"], body).read()  # noqa: S310  # our own server

    def listing(self) -> dict[str, Any]:
        """Everything that a smoke could leave behind, as AWS lists it."""
        s3, sagemaker, dynamodb = self.client("s3"), self.client("sagemaker"), self.client("dynamodb")
        cloudwatch, sqs, glue = self.client("cloudwatch"), self.client("sqs"), self.client("glue")
        (table,) = dynamodb.list_tables()["TableNames"]
        buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
        versions = [s3.list_object_versions(Bucket=bucket) for bucket in buckets]
        return {
            "objects": [
                v["Key"]
                for listed in versions
                for v in (*listed.get("Versions", ()), *listed.get("DeleteMarkers", ()))
                if v["Key"] != layout.page_key()  # of all models, written every hour
            ],
            "items": dynamodb.scan(TableName=table)["Items"],
            "endpoints": [e["EndpointName"] for e in sagemaker.list_endpoints()["Endpoints"]],
            "configs": [c["EndpointConfigName"] for c in sagemaker.list_endpoint_configs()["EndpointConfigs"]],
            "models": [m["ModelName"] for m in sagemaker.list_models()["Models"]],
            "packages": sagemaker.list_model_packages(ModelPackageGroupName="kedge-smoke")["ModelPackageSummaryList"],
            "alarms": sorted(a["AlarmName"] for a in cloudwatch.describe_alarms()["MetricAlarms"]),
            "queues": sorted(sqs.list_queues()["QueueUrls"]),
            "subscriptions": [s["SubscriptionArn"] for s in self.client("sns").list_subscriptions()["Subscriptions"]],
            "tables": [t["Name"] for t in glue.get_tables(DatabaseName="kedge")["TableList"]],
        }


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("smoke")
    models = directory / "models"
    prepared = [sys.executable, "-m", "cli", "smoke", "--prepare", "--models", str(models)]
    inherited = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run(prepared, cwd=ROOT, env=inherited, check=True, capture_output=True)
    serving = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "cli",
            "account",
            "serve",
            "--port",
            "0",
            "--speed",
            "0",
            "--models",
            str(models),
            "--start",
            "2026-11-02T22:40:00Z",
            "--directory",
            str(directory / "account"),
        ],
        cwd=ROOT,
        env=inherited,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        exports = next(line for line in iter(serving.stdout.readline, "") if line.startswith("export "))
        yield Served(directory, inherited | dict(pair.split("=", 1) for pair in exports.split()[1:]))
        serving.send_signal(signal.SIGINT)
        assert serving.wait(120) == 0
    finally:
        serving.kill()


def verdicts(document: dict[str, Any]) -> dict[str, str]:
    return {step["step"]: step["verdict"] for step in document["steps"]}


def test_nothing_is_made_before_a_person_agrees(served):
    before = served.listing()
    done, document = served.smoke()
    assert (done.returncode, document) == (2, {})
    assert "It takes about two hours, and costs below 2 US dollars" in done.stdout
    assert "nothing was made; --yes starts without asking" in done.stderr
    assert served.listing() == before


def test_every_step_passes_over_http_and_nothing_is_left_behind(served):
    served.advance(86400)  # the page of all models has been written
    before = served.listing()
    done, document = served.smoke("--yes")
    assert verdicts(document) == dict.fromkeys(NAMES, "PASS"), done.stdout
    assert all(step["arn"] and step["cause"] for step in document["steps"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert {thing["kind"] for thing in document["removed"]} >= {
        "endpoint",
        "endpoint config",
        "model",
        "package version",
        "objects",
        "item",
        "table",
        "subscription",
        "queue",
    }
    assert [thing for thing in document["removed"] if not thing["gone"]] == []
    served.advance(7200)  # whatever still lay in a queue has run
    assert served.listing() == before
    alarms = served.client("cloudwatch").describe_alarms(StateValue="ALARM")["MetricAlarms"]
    assert [alarm["AlarmDescription"] for alarm in alarms] == []


def test_ctrl_c_removes_what_was_made_so_far(served):
    before, out = served.listing(), served.directory / "stopped.json"
    running = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "cli",
            "smoke",
            "--yes",
            "--from",
            "first-champion",
            "--json",
            str(out),
            "--models",
            str(served.directory / "models"),
        ],
        cwd=ROOT,
        env=served.environment,
        stdout=subprocess.PIPE,
        text=True,
        # Where the tests run in the background, it is ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    try:
        next(line for line in iter(running.stdout.readline, "") if line.startswith("first-champion:"))
        while not served.client("sagemaker").list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]:
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=300)
    finally:
        running.kill()
    document = json.loads(out.read_text())
    assert running.returncode == 1
    assert verdicts(document) == {
        "first-champion": "FAIL",
        **dict.fromkeys(NAMES[NAMES.index("approval") :], "SKIPPED"),
    }
    assert document["steps"][0]["cause"] == "interrupted"
    assert {thing["kind"] for thing in document["removed"]} >= {"execution", "objects", "item"}
    assert [thing for thing in document["removed"] if not thing["gone"]] == []
    served.advance(7200)
    assert served.listing() == before


def test_a_broken_function_is_named_and_what_needs_it_is_skipped(served):
    client = served.client("lambda")
    name = next(f["FunctionName"] for f in client.list_functions()["Functions"] if "DetectDrift" in f["FunctionName"])
    handler = client.get_function_configuration(FunctionName=name)["Handler"]
    client.update_function_configuration(FunctionName=name, Handler="lambdas.handlers.absent.handler")
    done, document = served.smoke("--yes")
    client.update_function_configuration(FunctionName=name, Handler=handler)
    found = {step["step"]: step for step in document["steps"]}
    assert done.returncode == 1
    assert verdicts(document) == {
        **dict.fromkeys(NAMES, "SKIPPED"),
        "preflight": "PASS",
        "functions": "FAIL",
        "alert-path": "PASS",
    }
    assert found["functions"]["arn"] == name
    assert "absent" in found["functions"]["cause"]
    assert f"aws logs tail /aws/lambda/{name}" in found["functions"]["remedy"]
    assert found["first-champion"]["cause"] == "functions did not pass"
    assert found["athena"]["cause"] == "capture did not pass"


def test_topics_that_nobody_hears_are_no_alert_path(served):
    sns = served.client("sns")
    for subscription in sns.list_subscriptions()["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    done, document = served.smoke("--yes", "--only", "alert-path")
    assert done.returncode == 1
    (step,) = document["steps"]
    assert (step["verdict"], step["cause"]) == ("FAIL", "both topics work, but nobody is subscribed to either")
    assert "alert_email" in step["remedy"]


def test_a_model_that_is_not_deployed_is_refused_with_the_commands(served):
    served.client("sagemaker").delete_model_package_group(ModelPackageGroupName="kedge-smoke")
    done, document = served.smoke("--yes")
    assert (done.returncode, document) == (2, {})
    assert "the model kedge-smoke is not deployed here; kedge smoke --prepare && make deploy" in done.stderr
