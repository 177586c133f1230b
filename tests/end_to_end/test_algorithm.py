"""SageMaker's own XGBoost through the whole loop: tuned and trained without a script, gated, released, captured, watched and replaced."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from kedge.config.reading import parse_model_config
from offline.account import Account
from tests.faults.world import BEGIN, DAY, HOUR, YAML, World, deploy, make_rows

pytestmark = pytest.mark.slow

COLOUR = "  - {name: colour, kind: categorical}\n"
TEXT = (
    YAML.read_text()
    .replace(COLOUR, "  - {name: double, kind: numeric}\n")
    .replace(
        "permuted_rows: 0",
        """algorithm: xgboost, validation_fraction: 0.2, validation_rows: random, hyperparameters: {num_round: 20},
  tuning: {metric: auc, jobs: 3, ranges: {
    eta: {continuous: [0.05, 0.5], scale: logarithmic}, max_depth: {integer: [1, 4]}}}""",
    )
    + "staging: {minutes: 1, minimum_requests: 10, p95_milliseconds: 60000}\n"
)


class Numbers(World):
    """The tiny model's account with two numbers as its features; each request has many rows."""

    def ask_rows(self, rows: pd.DataFrame, name: str) -> None:
        super().ask_rows(rows.assign(double=2 * rows["size"]), name)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Numbers]:
    directory = tmp_path_factory.mktemp("algorithm")
    rows = make_rows(1_000, BEGIN - 60 * DAY, BEGIN)
    with Account(start=BEGIN - DAY / 2, directory=directory / "account") as account:
        deploy(account, TEXT, directory)
        world = Numbers(account, parse_model_config(TEXT, source="tiny.yaml"), rows.assign(double=2 * rows["size"]))
        world.hand_over(world.frame)
        world.decide("initial")
        world.wait(3 * HOUR)
        yield world


def container_of(world: Numbers, arn: str) -> dict[str, Any]:
    (container,) = world.registry.describe_model_package(ModelPackageName=arn)["InferenceSpecification"]["Containers"]
    found: dict[str, Any] = container
    return found


def test_each_job_of_the_tuning_had_numbers_alone_no_script_and_values_of_its_own(world):
    jobs = jobs_of(world)
    assert len(jobs) == 3
    assert len({job["HyperParameters"]["eta"] for job in jobs}) == 3
    for job in jobs:
        fixed = {name: value for name, value in job["HyperParameters"].items() if name not in ("eta", "max_depth")}
        assert fixed == {
            "num_round": "20", "objective": "binary:logistic", "eval_metric": "auc", "_tuning_objective_metric": "validation:auc",
        }  # fmt: skip
        assert [channel["ChannelName"] for channel in job["InputDataConfig"]] == ["train", "validation"]
        assert {each["MetricName"] for each in job["FinalMetricDataList"]} == {"train:auc", "validation:auc"}
    parts = {name: body for name, body in world.objects("retraining/").items() if name.endswith(".csv")}
    (learnt,), (kept,) = ([b for n, b in parts.items() if n.endswith(end)] for end in ("train.csv", "validation.csv"))
    assert 0.1 < len(kept.splitlines()) / (len(learnt.splitlines()) + len(kept.splitlines())) < 0.3
    assert all(line.split(b",")[0] in (b"0", b"1") for line in (learnt + kept).splitlines())


def jobs_of(world: Numbers) -> list[dict[str, Any]]:
    names = [each["TrainingJobName"] for each in world.registry.list_training_jobs()["TrainingJobSummaries"]]
    return [world.registry.describe_training_job(TrainingJobName=name) for name in names]


def figure(job: dict[str, Any]) -> float:
    return next(each["Value"] for each in job["FinalMetricDataList"] if each["MetricName"] == "validation:auc")


def test_the_best_job_went_on_and_people_read_what_was_tuned_and_what_all_jobs_cost(world):
    (arn,) = world.packages()
    described = world.registry.describe_model_package(ModelPackageName=arn)
    properties, jobs = described["CustomerMetadataProperties"], jobs_of(world)
    best = max(jobs, key=figure)
    chosen = next(job for job in jobs if job["TrainingJobName"] == properties["kedge:training_job"])
    assert figure(chosen) == figure(best)
    assert f"eta={chosen['HyperParameters']['eta']}" in properties["kedge:hyperparameters"]
    (key,) = [name for name in world.objects("retraining/") if name.endswith("lineage.json")]
    lineage = json.loads(world.objects(key)[key])
    assert lineage["trained_by"]["tuning_job_arn"] == chosen["TuningJobArn"]
    assert lineage["trained_by"]["tuned"].startswith(f"tuned in 3 jobs by validation:auc: {figure(best):.4g} with eta ")
    card = json.loads(described["ModelCard"]["ModelCardContent"])["additional_information"]["custom_details"]
    assert card["tuned"] == lineage["trained_by"]["tuned"]
    (mail,) = world.mails_saying("please decide")
    assert "tuned in 3 jobs by validation:auc" in mail.body
    minutes = sum(job["BillableTimeInSeconds"] for job in jobs) / 60
    told = float(re.search(r"(\d+) instance minutes of ml\.m5\.xlarge", lineage["cost"])[1])
    assert told > minutes


def test_it_passed_gate_and_staging_and_serves_without_a_script(world):
    assert world.timeline("failed", "gate_failed", "data_rejected") == []
    (arn,) = world.packages()
    assert container_of(world, arn).get("Environment", {}) == {}
    baseline = world.registry.describe_model_package(ModelPackageName=arn)["CustomerMetadataProperties"]
    assert baseline["kedge:gate:staging_skew"].startswith("PASS")
    world.approve(arn)
    world.wait(HOUR)
    assert str(world.item("champion")["package_version"]) == "1"


def test_requests_of_many_rows_that_are_answered_on_one_line_are_captured_and_judged(world):
    world.serve(3)
    world.wait(DAY / 2)
    (line, *_) = next(iter(world.objects("capture/").values())).decode().splitlines()
    answered = json.loads(line)["captureData"]["endpointOutput"]["data"]
    assert (len(answered.split(",")), answered.count("\n")) == (30, 0)
    assert sum(world.day(BEGIN + DAY)["rows_by_hour"].values()) == 240
    assert world.objects("quarantine/") == {}


def test_a_second_one_is_compared_with_it_and_goes_out_as_a_canary(world):
    world.decide("manual")
    world.wait(3 * HOUR)
    assert world.timeline("failed") == []
    judged = world.timeline("gate_passed", "gate_failed")[-1]
    assert judged["detail"]["champion"] == "1"
    assert any(row["gate"] == "roc_auc_improvement" or "improvement" in row["gate"] for row in judged["detail"]["rows"])
