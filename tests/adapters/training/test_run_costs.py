"""What a retraining's jobs were paid for: billed seconds of the training jobs, and the transform jobs from start to end."""

from datetime import UTC, datetime, timedelta

from lambdas.adapters.training.run_leftovers import instance_seconds

RUN = "hotel-drift-1-0a1b2c3d"
START = datetime(2016, 1, 4, tzinfo=UTC)


class Jobs:
    """SageMaker, as far as jobs are listed and described."""

    def __init__(self, training, transforms):
        self.training, self.transforms = training, transforms

    def get_paginator(self, name):
        self.listed = name
        return self

    def paginate(self, *, NameContains):  # noqa: N803  # botocore's name
        kind = "TrainingJob" if self.listed == "list_training_jobs" else "TransformJob"
        names = [n for n in (self.training if kind == "TrainingJob" else self.transforms) if NameContains in n]
        # A page each, as a long list has.
        return [{f"{kind}Summaries": [{f"{kind}Name": name}]} for name in names]

    def describe_training_job(self, *, TrainingJobName):  # noqa: N803
        return {"ResourceConfig": resources(2)} | self.training[TrainingJobName]

    def describe_transform_job(self, *, TransformJobName):  # noqa: N803
        return {"TransformResources": resources(1)} | self.transforms[TransformJobName]


def resources(count):
    return {"InstanceType": "ml.m5.xlarge", "InstanceCount": count}


def test_every_attempt_counts_with_its_instances_and_what_never_started_costs_nothing():
    ran = {"TransformStartTime": START, "TransformEndTime": START + timedelta(seconds=300)}
    jobs = Jobs(
        {
            f"{RUN}-0": {"BillableTimeInSeconds": 100, "TrainingTimeInSeconds": 400},
            f"{RUN}-1": {"TrainingTimeInSeconds": 50},
            f"{RUN}-2": {},
            f"other-{RUN}-0": {"BillableTimeInSeconds": 9999},
        },
        {f"{RUN}-0": ran, f"{RUN}-champion-0": ran, f"{RUN}-1": {}},
    )
    assert instance_seconds(jobs, RUN) == {"ml.m5.xlarge": 2 * 150 + 600}


def test_a_run_without_jobs_costs_nothing():
    assert instance_seconds(Jobs({}, {}), RUN) == {}
