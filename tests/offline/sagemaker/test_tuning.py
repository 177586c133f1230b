"""A tuning job trains several jobs for real, knows the best by its metric, and refuses what SageMaker refuses."""

import json

import pytest
from botocore.exceptions import ClientError

from offline.account import Account
from tests.offline.sagemaker.test_jobs import training_request
from tests.offline.sagemaker_world import START, World

AIM = {"Type": "Maximize", "MetricName": "mean"}
IMAGE = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0"


@pytest.fixture
def world(tmp_path):
    with Account(start=START, directory=tmp_path) as account:
        made = World(account)
        made.put("train/train.csv", b"1,2\n3,4\n")
        yield made


def scale(low="1", high="3", **more):
    return {"ContinuousParameterRanges": [{"Name": "scale", "MinValue": low, "MaxValue": high, **more}]}


def tuning_request(world, name="search", *, definition=None, limits=None, **config):
    job = training_request(world)
    job.pop("TrainingJobName")
    fixed = job.pop("HyperParameters")
    del fixed["scale"]
    jobs = {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 2} | (limits or {})
    search = {
        "Strategy": "Random",
        "HyperParameterTuningJobObjective": AIM,
        "ResourceLimits": jobs,
        "ParameterRanges": scale(),
        "TrainingJobEarlyStoppingType": "Off",
    }
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": search | config,
        "TrainingJobDefinition": job | {"StaticHyperParameters": fixed} | (definition or {}),
        "Tags": [{"Key": "of", "Value": "kedge"}],
    }


def describe(world, name="search"):
    return world.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)


def jobs_of(world):
    names = [each["TrainingJobName"] for each in world.sagemaker.list_training_jobs()["TrainingJobSummaries"]]
    return [world.sagemaker.describe_training_job(TrainingJobName=name) for name in sorted(names)]


def test_jobs_run_two_at_a_time_and_the_best_is_known_by_its_metric(world):
    world.sagemaker.create_hyper_parameter_tuning_job(**tuning_request(world))
    assert len(jobs_of(world)) == 2
    world.pass_minutes(30)
    found, jobs = describe(world), jobs_of(world)
    assert found["HyperParameterTuningJobStatus"] == "Completed", found.get("FailureReason")
    assert found["TrainingJobStatusCounters"]["Completed"] == len(jobs) == 3
    figures = {job["TrainingJobName"]: job["FinalMetricDataList"][0]["Value"] for job in jobs}
    best = found["BestTrainingJob"]
    assert best["TrainingJobName"] == max(figures, key=figures.__getitem__)
    assert best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == pytest.approx(max(figures.values()))
    for job in jobs:
        assert job["TuningJobArn"] == found["HyperParameterTuningJobArn"]
        assert 1 <= float(job["HyperParameters"]["scale"]) <= 3
        assert job["TrainingJobName"].startswith("search-00")
    (first, *_) = sorted(jobs, key=lambda job: job["TrainingStartTime"])
    last = max(jobs, key=lambda job: job["TrainingStartTime"])
    assert last["CreationTime"] >= first["TrainingEndTime"]


def test_jobs_that_write_no_metric_fail_the_tuning(world):
    request = tuning_request(world, limits={"MaxNumberOfTrainingJobs": 2})
    specification = request["TrainingJobDefinition"]["AlgorithmSpecification"]
    specification["MetricDefinitions"] = [{"Name": "mean", "Regex": "nothing=([0-9.]+);"}]
    world.sagemaker.create_hyper_parameter_tuning_job(**request)
    world.pass_minutes(20)
    found = describe(world)
    assert found["HyperParameterTuningJobStatus"] == "Failed"
    assert "No objective metrics found after running 2 training jobs" in found["FailureReason"]
    assert "BestTrainingJob" not in found


def test_a_stopped_tuning_stops_its_jobs_and_begins_no_others(world):
    world.sagemaker.create_hyper_parameter_tuning_job(**tuning_request(world))
    world.pass_minutes(1)
    listed = world.sagemaker.list_hyper_parameter_tuning_jobs(NameContains="sear", StatusEquals="InProgress")
    assert [each["HyperParameterTuningJobName"] for each in listed["HyperParameterTuningJobSummaries"]] == ["search"]
    world.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="search")
    world.pass_minutes(20)
    assert describe(world)["HyperParameterTuningJobStatus"] == "Stopped"
    assert [job["TrainingJobStatus"] for job in jobs_of(world)] == ["Stopped", "Stopped"]
    with pytest.raises(ClientError, match="in status Stopped"):
        world.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="search")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "a" * 33}, "length less than or equal to 32"),
        ({"limits": {"MaxParallelTrainingJobs": 4}}, "less than or equal to MaxNumberOfTrainingJobs"),
        ({"limits": {"MaxNumberOfTrainingJobs": 751}}, "service limit for hyperparameter tuning"),
        ({"Strategy": "Hyperband", "TrainingJobEarlyStoppingType": "Auto"}, "must be Off for the Hyperband strategy"),
        ({"ParameterRanges": scale("3", "1")}, "cannot be searched"),
        ({"ParameterRanges": scale("0", "1", ScalingType="Logarithmic")}, "cannot be searched"),
        ({"ParameterRanges": scale(ScalingType="ReverseLogarithmic")}, r"continuous values in \[0, 1\)"),
        (
            {"HyperParameterTuningJobObjective": AIM | {"MetricName": "other"}},
            "Provide a metric in the metric definitions",
        ),
        ({"definition": {"StaticHyperParameters": {"scale": "1"}}}, "static and tunable at once"),
    ],
)
def test_what_sagemaker_refuses_of_a_search_is_refused(world, changes, reason):
    with pytest.raises(ClientError, match=reason):
        world.sagemaker.create_hyper_parameter_tuning_job(**tuning_request(world, **changes))


@pytest.mark.parametrize(
    ("name", "metric", "reason"),
    [
        ("trees", "validation:auc", r"untunable hyperparameters: \[trees\]"),
        ("eta", "auc", "Choose a valid objective metric"),
    ],
)
def test_of_sagemakers_own_algorithm_only_its_own_parameters_and_metrics_are_tuned(world, name, metric, reason):
    ranges = json.loads(json.dumps(scale()).replace('"scale"', f'"{name}"'))
    image = {"TrainingImage": IMAGE, "TrainingInputMode": "File"}
    objective = AIM | {"MetricName": metric}
    request = tuning_request(
        world,
        definition={"AlgorithmSpecification": image},
        ParameterRanges=ranges,
        HyperParameterTuningJobObjective=objective,
    )
    with pytest.raises(ClientError, match=reason):
        world.sagemaker.create_hyper_parameter_tuning_job(**request)
