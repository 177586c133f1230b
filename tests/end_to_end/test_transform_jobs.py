"""Nightly transform jobs that others run are adopted, counted and judged, each by itself and in windows; none is touched."""

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner

from app import build_app
from cli.main import app
from kedge.config.reading import parse_model_config
from offline.account import Account
from tests.end_to_end.hotel import DAY, HOUR, MINUTE, Hotel
from tests.offline.sagemaker.test_monitoring import APPLICATION, JOB, OUTPUTS
from tests.offline.sagemaker_world import OWN, TRUST

pytestmark = pytest.mark.slow

MODEL, CAPTURES_IN, FILES_IN = "biopsies", "biopsy-captures", "biopsy-files"
CAPTURES = f"s3://{CAPTURES_IN}/nightly"
START = datetime(2026, 3, 2, tzinfo=UTC)
NIGHTS, DRIFTED = 8, 3
ROWS = 400
FEATURES = ["mean radius", "mean texture", "mean smoothness", "mean concavity"]
INFERENCE = """
import json
import numpy as np
from sklearn.linear_model import LogisticRegression

def model_fn(model_dir):
    with open(model_dir + "/model.json") as file:
        learnt = json.load(file)
    model = LogisticRegression()
    model.coef_, model.intercept_ = np.array(learnt["coef"]), np.array(learnt["intercept"])
    model.classes_ = np.array([0, 1])
    return model

def input_fn(body, content_type):
    body = body.decode() if isinstance(body, bytes) else body
    return np.array([[float(value) for value in line.split(",")] for line in body.splitlines()])

def predict_fn(rows, model):
    return model.predict_proba(rows)[:, 1]

def output_fn(scores, accept):
    return "\\n".join(str(score) for score in scores), accept
"""


class Clinic:
    """A team that scores the day's biopsies each night, with boto3 alone."""

    def __init__(self, account: Account) -> None:
        self.account, self.s3, self.sagemaker = account, account.client("s3"), account.client("sagemaker")
        found = load_breast_cancer(as_frame=True)
        self.rows = found.frame[FEATURES].assign(malignant=1 - found.target)
        self.random = np.random.default_rng(11)
        learnt = self.rows.sample(frac=0.5, random_state=1)
        self.others = self.rows.drop(learnt.index)
        self.model = LogisticRegression(max_iter=5000).fit(learnt[FEATURES].to_numpy(), learnt["malignant"])
        self.truth: dict[str, list[int]] = {}

    def deploy(self) -> None:
        place = {"LocationConstraint": self.account.region}
        for bucket in (CAPTURES_IN, FILES_IN):
            self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
        iam = self.account.client("iam")
        role = iam.create_role(RoleName="clinic", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        iam.put_role_policy(RoleName="clinic", PolicyName="own", PolicyDocument=json.dumps(OWN))
        learnt = {"coef": self.model.coef_.tolist(), "intercept": self.model.intercept_.tolist()}
        for name, script in (
            ("biopsies-3", INFERENCE),
            (
                "biopsies-broken",
                INFERENCE.replace("return model.predict", "raise RuntimeError('no')\n    return model.predict"),
            ),
        ):
            packed = io.BytesIO()
            with tarfile.open(fileobj=packed, mode="w:gz") as tar:
                for file, text in (("model.json", json.dumps(learnt)), ("code/inference.py", script)):
                    member = tarfile.TarInfo(file)
                    member.size = len(text.encode())
                    tar.addfile(member, io.BytesIO(text.encode()))
            self.s3.put_object(Bucket=FILES_IN, Key=f"models/{name}.tar.gz", Body=packed.getvalue())
            container = {"Image": "sklearn-image", "ModelDataUrl": f"s3://{FILES_IN}/models/{name}.tar.gz"}
            self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer=container)

    def training_file(self, path: Path) -> Path:
        """Rows that the model has not learnt from, with its answers and the truth."""
        scores = self.model.predict_proba(self.others[FEATURES].to_numpy())[:, 1]
        self.others.assign(prediction=scores).to_parquet(path)
        return path

    def put_input(self, name: str, *, coarser: float = 1.0) -> None:
        """One night's rows: the id that the model does not see, then the features."""
        chosen = self.others.iloc[self.random.integers(len(self.others), size=ROWS)]
        frame = chosen[FEATURES].assign(**{"mean texture": chosen["mean texture"] * coarser})
        frame.insert(0, "id", [f"{name}-{number}" for number in range(ROWS)])
        self.truth[name] = chosen["malignant"].tolist()
        body = frame.to_csv(header=False, index=False, lineterminator="\n").encode()
        self.s3.put_object(Bucket=FILES_IN, Key=f"in/{name}/rows.csv", Body=body)

    def run(self, job: str, name: str, model: str = "biopsies-3") -> dict[str, Any]:
        """Run one job over a night's rows to its end."""
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{FILES_IN}/in/{name}/"}}
        self.sagemaker.create_transform_job(
            TransformJobName=job,
            ModelName=model,
            TransformInput={"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
            TransformOutput={
                "S3OutputPath": f"s3://{FILES_IN}/out/{job}",
                "Accept": "text/csv",
                "AssembleWith": "Line",
            },
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
            DataProcessing={"InputFilter": "$[1:]", "JoinSource": "Input"},
            DataCaptureConfig={"DestinationS3Uri": CAPTURES, "GenerateInferenceId": True},
        )
        self.account.clock.advance_to(self.account.clock.now + 15 * MINUTE)
        described: dict[str, Any] = self.sagemaker.describe_transform_job(TransformJobName=job)
        return described

    def output(self, job: str) -> list[list[str]]:
        body = self.s3.get_object(Bucket=FILES_IN, Key=f"out/{job}/rows.csv.out")["Body"].read().decode()
        return [line.split(",") for line in body.splitlines()]

    def labels(self, job: str, name: str) -> str:
        """The truth of one night as Model Monitor's users upload it, under the ids that SageMaker made."""
        return "\n".join(
            json.dumps(
                {
                    "groundTruthData": {"data": str(label), "encoding": "CSV"},
                    "eventMetadata": {"eventId": row[-2], "inferenceTime": row[-1]},
                    "eventVersion": "0",
                }
            )
            for row, label in zip(self.output(job), self.truth[name], strict=True)
        )


@dataclass
class Watch:
    clinic: Clinic
    kedge: Hotel
    adopted: str
    url: str
    models: Path

    def jobs(self) -> dict[str, dict[str, Any]]:
        return {entry["detail"]["job"]: entry["detail"] for entry in self.kedge.timeline("job_judged")}


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    directory = tmp_path_factory.mktemp("transform")
    yaml = directory / "models" / f"{MODEL}.yaml"
    yaml.parent.mkdir()
    build_app(directory / "empty", yaml.parent).synth()
    with Account(start=START - HOUR, directory=directory / "account") as account:
        account.deploy(directory / "empty")
        clinic = Clinic(account)
        clinic.deploy()
        account.clock.advance_to(START + HOUR)
        clinic.put_input("night-0")
        clinic.run("score-0", "night-0")
        url = account.serve(0).url
        training = clinic.training_file(directory / "training.parquet")
        command = [
            "adopt",
            "--transform-job",
            "score-0",
            "--model",
            MODEL,
            "--out",
            str(yaml),
            "--baseline",
            str(training),
        ]
        command += ["--label", "malignant", "--endpoint-url", url]
        adopted = CliRunner().invoke(app, [*command, "--apply"])
        assert adopted.exit_code == 0, adopted.output
        text = yaml.read_text()
        yaml.write_text(
            f"{text}\nlabels: {{label_horizon_days: 0}}\nperformance: {{minimum_per_class: 10}}\ncontext: [region]\n"
        )
        build_app(directory / "assembly", yaml.parent, capture_buckets=f"{CAPTURES_IN},{FILES_IN}").synth()
        account.deploy(directory / "assembly")
        kedge = Hotel(account, parse_model_config(yaml.read_text(), source=yaml.name), None)
        for night in range(1, NIGHTS):
            account.clock.advance_to(START + night * DAY + HOUR)
            name, job = f"night-{night}", f"score-{night}"
            clinic.put_input(name, coarser=1.0 if night < NIGHTS - DRIFTED else 1.4)
            clinic.run(job, name)
            if night == 3:
                clinic.run("score-3-again", name)
                assert clinic.run("score-3-broken", name, "biopsies-broken")["TransformJobStatus"] == "Failed"
            collected = account.clock.now
            key = f"labels/{MODEL}/{collected:%Y/%m/%d/%H}/{job}.jsonl"
            clinic.s3.put_object(Bucket=kedge.bucket, Key=key, Body=clinic.labels(job, name).encode())
        account.clock.advance_to(START + NIGHTS * DAY + 6 * HOUR)
        yield Watch(clinic, kedge, adopted.output, url, yaml.parent)


def test_the_yaml_is_inferred_from_one_job(watch):
    config = watch.kedge.config
    assert (config.source, config.mode, config.capture.uri) == ("batch_transform", "watch", CAPTURES)
    assert list(config.feature_names) == FEATURES
    assert config.problem == "binary_classification"
    assert f'add "{CAPTURES_IN}", "{FILES_IN}" to capture_buckets' in watch.adopted


def test_each_completed_job_is_judged_once_by_its_own_rows(watch):
    jobs = watch.jobs()
    assert set(jobs) == {f"score-{night}" for night in range(NIGHTS)} | {"score-3-again"}
    assert len(watch.kedge.timeline("job_judged")) == NIGHTS + 1
    assert {job["rows_counted"] for name, job in jobs.items() if name != "score-3-again"} == {ROWS}
    assert {job["model_name"] for job in jobs.values()} == {"biopsies-3"}
    severities = [jobs[f"score-{night}"]["severity"] for night in range(NIGHTS)]
    assert severities[: NIGHTS - DRIFTED] == ["OK"] * (NIGHTS - DRIFTED)
    assert severities[NIGHTS - DRIFTED :] == ["CRITICAL"] * DRIFTED
    assert "mean texture" in jobs[f"score-{NIGHTS - 1}"]["drifted"]


def test_a_context_that_was_wanted_later_and_that_the_input_lacks_is_said_with_each_job(watch):
    jobs = watch.jobs()
    said = [jobs[f"score-{night}"]["reasons"][0] for night in range(NIGHTS)]
    assert {reason.partition(":")[0] for reason in said} == {"context region is empty"}


def test_a_job_that_reads_the_same_input_again_is_not_counted_twice(watch):
    again = watch.jobs()["score-3-again"]
    assert (again["rows_counted"], again["severity"]) == (0, "INSUFFICIENT_DATA")
    assert again["reasons"] == ["it read the same input as score-3, whose answers are counted"]


def test_windows_are_judged_and_drift_is_told(watch):
    judged = [entry["detail"]["severity"] for entry in watch.kedge.timeline("window_judged")]
    assert judged[-1] == "CRITICAL"
    assert watch.kedge.mails_saying("mean texture", "drifted")


def test_quality_is_measured_with_labels_under_the_ids_that_sagemaker_made(watch):
    measured = watch.kedge.timeline("performance_measured")
    assert measured
    reports = watch.kedge.objects("reports/")
    (newest,) = [body for key, body in sorted(reports.items()) if key.endswith("performance.json")][-1:]
    quality = json.loads(newest)
    (auc,) = [metric["value"] for metric in quality["metrics"] if metric["name"] == "auc"]
    assert auc > 0.8
    assert quality["coverage_fraction"] == 1.0


def test_nothing_of_the_endpoint_kind_is_looked_at_or_alarmed(watch):
    alarms = watch.kedge.account.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert not [a["AlarmName"] for a in alarms if a["AlarmName"].startswith("KedgeModels-")]
    assert not [mail for mail in watch.kedge.mails_saying("endpoint") if "drifted" not in mail.body]


def test_history_and_doctor_know_the_jobs(watch):
    history = CliRunner().invoke(app, ["history", MODEL, "--endpoint-url", watch.url])
    assert f"CRITICAL; score-{NIGHTS - 1}; {ROWS} rows" in history.output
    doctor = CliRunner().invoke(app, ["doctor", "--json", "--models", str(watch.models), "--endpoint-url", watch.url])
    checks = {finding["check"] for finding in json.loads(doctor.output)}
    assert "functions" in checks
    assert "endpoints" not in checks


def monitored(watch, name, destination):
    """A Model Monitor schedule on what transform jobs capture."""
    job = {
        "DataCapturedDestinationS3Uri": destination,
        "DatasetFormat": {"Csv": {}},
        "LocalPath": "/opt/ml/processing/in",
    }
    sagemaker = watch.clinic.sagemaker
    sagemaker.create_data_quality_job_definition(
        JobDefinitionName=name,
        DataQualityAppSpecification=APPLICATION,
        DataQualityJobInput={"BatchTransformInput": job},
        DataQualityJobOutputConfig=OUTPUTS,
        **JOB,
    )
    config = {"MonitoringJobDefinitionName": name, "MonitoringType": "DataQuality"}
    config |= {"ScheduleConfig": {"ScheduleExpression": "cron(0 2 ? * * *)"}}
    sagemaker.create_monitoring_schedule(MonitoringScheduleName=name, MonitoringScheduleConfig=config)


def shown(watch, *arguments):
    out = ["--out", str(watch.models / "elsewhere.yaml"), "--model", "biopsies-again", "--endpoint-url", watch.url]
    return CliRunner().invoke(app, ["adopt", *arguments, *out])


def test_a_model_monitor_schedule_on_the_jobs_is_taken_over_whole(watch):
    monitored(watch, "on-the-jobs", f"{CAPTURES}/")
    found = shown(watch, "--from-monitor", "on-the-jobs")
    assert found.exit_code == 0, found.output
    assert "source: batch_transform" in found.output
    assert f"such as score-{NIGHTS - 1}" in found.output
    assert "judge: daily" in found.output


def test_a_schedule_on_other_jobs_is_not_half_taken_over(watch):
    monitored(watch, "on-other-jobs", "s3://elsewhere/captures")
    for arguments, said in (
        ((), "completed transform jobs captures to s3://elsewhere/captures"),
        (
            ("--transform-job", "score-0"),
            "watches transform jobs below s3://elsewhere/captures, and score-0 captures to",
        ),
        (("payments",), "watches transform jobs below s3://elsewhere/captures, not endpoint payments"),
    ):
        refused = shown(watch, "--from-monitor", "on-other-jobs", *arguments)
        assert (refused.exit_code, said in refused.stderr) == (2, True), refused.stderr
