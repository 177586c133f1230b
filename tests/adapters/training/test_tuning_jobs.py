"""The best job of a tuning is taken with a sentence, an unfinished tuning is refused, and a run's own tunings are stopped."""

import pytest

from kedge.errors import UnfinishedTuningError
from kedge.retraining.decision import tuning_name
from lambdas.adapters.training import run_leftovers, tuning_jobs
from offline.account import Account
from tests.offline.sagemaker.test_tuning import tuning_request
from tests.offline.sagemaker_world import START, World

RUN = "hotel-manual-1-01234567"
NAME = f"{tuning_name(RUN)}-0"


@pytest.fixture
def world(tmp_path):
    with Account(start=START, directory=tmp_path) as account:
        made = World(account)
        made.put("train/train.csv", b"1,2\n3,4\n")
        yield made


def test_the_best_job_is_told_with_its_figure_and_its_values_and_all_jobs_are_paid_for(world):
    world.sagemaker.create_hyper_parameter_tuning_job(**tuning_request(world, NAME))
    world.pass_minutes(1)
    with pytest.raises(UnfinishedTuningError, match="ended as InProgress without a best training job"):
        tuning_jobs.best_of(world.sagemaker, NAME)
    world.pass_minutes(30)
    best = tuning_jobs.best_of(world.sagemaker, NAME)
    job = world.sagemaker.describe_training_job(TrainingJobName=best.job)
    assert best.said == (
        f"tuned in 3 jobs by mean: {job['FinalMetricDataList'][0]['Value']:.4g} with scale {job['HyperParameters']['scale']}"
    )
    names = [each["TrainingJobName"] for each in world.sagemaker.list_training_jobs()["TrainingJobSummaries"]]
    billed = [world.sagemaker.describe_training_job(TrainingJobName=name)["BillableTimeInSeconds"] for name in names]
    assert run_leftovers.instance_seconds(world.sagemaker, RUN) == {"ml.m5.large": sum(billed)}


def test_only_the_runs_own_tunings_that_still_search_are_stopped(world):
    for name in (NAME, "other"):
        world.sagemaker.create_hyper_parameter_tuning_job(**tuning_request(world, name))
    assert tuning_jobs.stop(world.sagemaker, RUN) == [NAME]
    world.pass_minutes(3)
    assert tuning_jobs.stop(world.sagemaker, RUN) == []
    statuses = {
        each["HyperParameterTuningJobName"]: each["HyperParameterTuningJobStatus"]
        for each in world.sagemaker.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"]
    }
    assert statuses == {NAME: "Stopped", "other": "InProgress"}
