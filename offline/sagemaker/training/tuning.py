"""SageMaker's hyperparameter tuning jobs: several real training jobs with other hyperparameters each, and the best of them.

The real service searches by its strategy, runs so many jobs at once, reads the objective metric from each job's log, and ends
Completed with a best training job, or Failed where no job gave the metric. Imitated: the limits of a request (names of 32
characters, ranges, quotas, what may be tuned of SageMaker's own algorithms, the metric's name), the training jobs with their
names and tags, the counters, Stop, the events. Not imitated: the strategies (values are drawn at random within their scale,
by the tuning's name or RandomSeed), early stopping of single jobs, warm starts, several definitions, Autotune.
"""

from __future__ import annotations

import math
import random
from contextlib import suppress
from datetime import timedelta
from typing import Any

from offline.region import Region
from offline.sagemaker.api import (
    Described,
    ResourceInUseException,
    ValidationError,
    add_operations,
    arn,
    check_name,
    invalid,
    tell,
)
from offline.sagemaker.capacity import ResourceLimitExceededError
from offline.sagemaker.job import TRAINING
from offline.sagemaker.jobs import Jobs
from offline.sagemaker.training.algorithms import TUNABLE, is_algorithm, with_metrics

NAME_MAX, JOBS_MAX, PARALLEL_MAX = 32, 750, 100
LOOK = timedelta(seconds=30)
ENDED = ("Completed", "Failed", "Stopped")
KIND = "hyper-parameter-tuning-job"
NO_METRIC = (
    "No objective metrics found after running {} training jobs. Please ensure that the custom algorithm is emitting the objective "
    "metric as defined by the regular expression provided."
)


def install(region: Region, tunings: Tunings) -> None:
    """Answer SageMaker's operations on tuning jobs."""
    add_operations(
        region,
        CreateHyperParameterTuningJob=tunings.create,
        DescribeHyperParameterTuningJob=lambda request: tunings.find(request).response_object,
        StopHyperParameterTuningJob=tunings.stop,
        ListHyperParameterTuningJobs=tunings.list,
    )


class Tunings:
    """The account's tuning jobs."""

    def __init__(self, region: Region, jobs: Jobs) -> None:
        self.region, self.jobs = region, jobs

    @property
    def _known(self) -> dict[str, Tuning]:
        known: dict[str, Tuning] = self.region.backend("sagemaker").hyper_parameter_tuning_jobs
        return known

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer CreateHyperParameterTuningJob."""
        name = request["HyperParameterTuningJobName"]
        check_name(name, "hyperParameterTuningJobName")
        if len(name) > NAME_MAX:
            raise invalid(
                name, "hyperParameterTuningJobName", f"Member must have length less than or equal to {NAME_MAX}"
            )
        if name in self._known:
            raise ResourceInUseException(f"Resource Already Exists: {arn(self.region, KIND, name)}")
        check_search(request["HyperParameterTuningJobConfig"], request["TrainingJobDefinition"])
        tuning = Tuning(self.region, self.jobs, request)
        tuning.check_job()
        self._known[name] = tuning
        tuning.begin()
        return {"HyperParameterTuningJobArn": tuning.arn}

    def find(self, request: dict[str, Any]) -> Tuning:
        """Return a tuning job, or refuse as SageMaker does."""
        name = request["HyperParameterTuningJobName"]
        if name not in self._known:
            raise ValidationError("Requested resource not found.")
        return self._known[name]

    def stop(self, request: dict[str, Any]) -> None:
        """Answer StopHyperParameterTuningJob."""
        tuning = self.find(request)
        if (status := tuning.document["HyperParameterTuningJobStatus"]) != "InProgress":
            raise ValidationError(
                f"The request was rejected because the hyperparameter tuning job is in status {status}."
            )
        tuning.stop()

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer ListHyperParameterTuningJobs, on one page."""
        shown = ("Name", "Arn", "Status")
        return {
            "HyperParameterTuningJobSummaries": [
                {f"HyperParameterTuningJob{word}": found.document[f"HyperParameterTuningJob{word}"] for word in shown}
                | {
                    key: found.document[key]
                    for key in ("CreationTime", "TrainingJobStatusCounters", "ObjectiveStatusCounters")
                }
                | {"Strategy": found.config["Strategy"], "ResourceLimits": found.config["ResourceLimits"]}
                for name, found in self._known.items()
                if request.get("NameContains", "") in name
                and request.get("StatusEquals") in (None, found.document["HyperParameterTuningJobStatus"])
            ]
        }


def check_search(config: dict[str, Any], definition: dict[str, Any]) -> None:
    """Refuse a search that SageMaker would."""
    limits = config["ResourceLimits"]
    most, at_once = limits.get("MaxNumberOfTrainingJobs", 1), limits["MaxParallelTrainingJobs"]
    if most > JOBS_MAX or at_once > PARALLEL_MAX:
        raise ResourceLimitExceededError(
            f"The account-level service limit for hyperparameter tuning is {JOBS_MAX} training jobs and {PARALLEL_MAX} at once."
        )
    if at_once > most:
        raise ValidationError("MaxParallelTrainingJobs must be less than or equal to MaxNumberOfTrainingJobs.")
    if config["Strategy"] == "Hyperband" and config.get("TrainingJobEarlyStoppingType") == "Auto":
        raise ValidationError("TrainingJobEarlyStoppingType must be Off for the Hyperband strategy.")
    if config["Strategy"] == "Grid":
        raise ValidationError("the strategy Grid is not imitated")
    names = [each["Name"] for kind in config["ParameterRanges"].values() for each in kind]
    both = sorted({*names} & {*definition.get("StaticHyperParameters", {})})
    if not names or both:
        raise ValidationError(
            f"The hyperparameters {both} are static and tunable at once." if both else "No ranges are given."
        )
    for kind, ranges in config["ParameterRanges"].items():
        for each in ranges if kind != "CategoricalParameterRanges" else ():
            check_range(each, kind)
    check_objective(config, definition["AlgorithmSpecification"], names)


def check_range(given: dict[str, Any], kind: str) -> None:
    """Refuse bounds that are none."""
    read = int if kind == "IntegerParameterRanges" else float
    try:
        low, high = read(given["MinValue"]), read(given["MaxValue"])
    except ValueError:
        raise ValidationError(f"The range of {given['Name']} is no {read.__name__}.") from None
    scale = given.get("ScalingType", "Auto")
    if low >= high or (scale == "Logarithmic" and low <= 0):
        raise ValidationError(
            f"The range [{low}, {high}] of {given['Name']} cannot be searched with scaling type {scale}."
        )
    if scale == "ReverseLogarithmic" and (read is int or low < 0 or high >= 1):
        raise ValidationError(
            f"Scaling type ReverseLogarithmic is for continuous values in [0, 1); {given['Name']} is not."
        )


def check_objective(config: dict[str, Any], specification: dict[str, Any], names: list[str]) -> None:
    """Refuse a metric that nobody writes, and what an algorithm does not let be tuned."""
    metric, image = config["HyperParameterTuningJobObjective"]["MetricName"], specification.get("TrainingImage", "")
    defined = [each["Name"] for each in with_metrics(specification).get("MetricDefinitions", [])]
    if is_algorithm(image):
        if untunable := sorted({*names} - {*TUNABLE}):
            raise ValidationError(
                f"The hyperparameter tuning job you requested has the following untunable hyperparameters: [{', '.join(untunable)}]. For "
                f"the algorithm, {image}, you can tune only [{', '.join(TUNABLE)}]. Delete untunable hyperparameters."
            )
        if metric not in defined:
            raise ValidationError(
                f"The objective metric for the hyperparameter tuning job, [{metric}], isn't valid for the [{image}] algorithm. Choose a "
                "valid objective metric."
            )
    elif metric not in defined:
        raise ValidationError(
            "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric definitions."
        )


class Tuning(Described):
    """One tuning job, and its training jobs as they come."""

    def __init__(self, region: Region, jobs: Jobs, request: dict[str, Any]) -> None:
        name = request["HyperParameterTuningJobName"]
        job_arn = arn(region, KIND, name)
        document = {key: value for key, value in request.items() if key != "Tags"} | {
            "HyperParameterTuningJobArn": job_arn,
            "CreationTime": region.clock.now,
        }
        super().__init__(job_arn, document, request.get("Tags"))
        self.region, self.jobs, self.name = region, jobs, name
        self.config, self.definition = request["HyperParameterTuningJobConfig"], request["TrainingJobDefinition"]
        self._draw: random.Random = region.seeded(KIND, str(self.config.get("RandomSeed", name)))
        self.begun: dict[str, dict[str, str]] = {}

    def check_job(self) -> None:
        """Refuse what CreateTrainingJob would of its jobs."""
        self.jobs.check_training(self._request("x", self._drawn()))

    def begin(self) -> None:
        """Be in progress, and begin the first jobs."""
        self._to("InProgress")
        self._go_on()

    def _go_on(self) -> None:
        limits, running = (
            self.config["ResourceLimits"],
            [job for job in self._jobs() if job["TrainingJobStatus"] not in ENDED],
        )
        left = limits.get("MaxNumberOfTrainingJobs", 1) - len(self.begun)
        # The account's other jobs may leave no instances: it is tried again at the next look.
        with suppress(ResourceLimitExceededError):
            for _ in range(min(left, limits["MaxParallelTrainingJobs"] - len(running))):
                self._begin_job()
        self._count()
        if left or running:
            self.region.clock.call_at(self.region.clock.now + LOOK, self._look, self.arn)
        else:
            self._finish()

    def _look(self) -> None:
        if self.document["HyperParameterTuningJobStatus"] == "InProgress":
            self._go_on()

    def _begin_job(self) -> None:
        tuned, number = self._drawn(), len(self.begun) + 1
        name = f"{self.name}-{number:03d}-{self._draw.getrandbits(32):08x}"
        self.jobs.create_training(self._request(name, tuned), tuning_job_arn=self.arn)
        self.begun[name] = tuned

    def _request(self, name: str, tuned: dict[str, str]) -> dict[str, Any]:
        metric = {"_tuning_objective_metric": self.config["HyperParameterTuningJobObjective"]["MetricName"]}
        left_out = ("StaticHyperParameters", "DefinitionName", "TuningObjective", "HyperParameterRanges")
        return {
            **{key: value for key, value in self.definition.items() if key not in left_out},
            "TrainingJobName": name,
            "HyperParameters": {**self.definition.get("StaticHyperParameters", {}), **metric, **tuned},
            "Tags": self.tags,
        }

    def _drawn(self) -> dict[str, str]:
        found = {}
        for kind, ranges in self.config["ParameterRanges"].items():
            for each in ranges:
                found[each["Name"]] = self._value(kind, each)
        return found

    def _value(self, kind: str, given: dict[str, Any]) -> str:
        if kind == "CategoricalParameterRanges":
            return str(self._draw.choice(given["Values"]))
        low, high = float(given["MinValue"]), float(given["MaxValue"])
        if given.get("ScalingType") == "Logarithmic":
            value = math.exp(self._draw.uniform(math.log(low), math.log(high)))
        elif given.get("ScalingType") == "ReverseLogarithmic":
            value = 1 - math.exp(self._draw.uniform(math.log(1 - high), math.log(1 - low)))
        else:
            value = self._draw.uniform(low, high)
        return str(round(value)) if kind == "IntegerParameterRanges" else str(value)

    def _jobs(self) -> list[dict[str, Any]]:
        return [self.jobs.find(TRAINING, {"TrainingJobName": name}).document for name in self.begun]

    def _objective(self, job: dict[str, Any]) -> float | None:
        wanted = self.config["HyperParameterTuningJobObjective"]["MetricName"]
        found = [each["Value"] for each in job.get("FinalMetricDataList", []) if each["MetricName"] == wanted]
        return float(found[-1]) if found else None

    def _count(self) -> None:
        jobs = self._jobs()
        count = {
            status: sum(job["TrainingJobStatus"] == status for job in jobs)
            for status in ("Completed", "InProgress", "Failed", "Stopped")
        }
        measured = sum(self._objective(job) is not None for job in jobs)
        self.document |= {
            "TrainingJobStatusCounters": {
                "Completed": count["Completed"],
                "InProgress": count["InProgress"],
                "RetryableError": 0,
                "NonRetryableError": count["Failed"],
                "Stopped": count["Stopped"],
            },
            "ObjectiveStatusCounters": {
                "Succeeded": measured,
                "Pending": count["InProgress"],
                "Failed": len(jobs) - measured - count["InProgress"],
            },
            "BestTrainingJob": self._best(jobs),
        }

    def _best(self, jobs: list[dict[str, Any]]) -> dict[str, Any] | None:
        aim = self.config["HyperParameterTuningJobObjective"]
        sign = 1 if aim["Type"] == "Maximize" else -1
        measured = [(sign * value, job) for job in jobs if (value := self._objective(job)) is not None]
        if not measured:
            return None
        value, job = max(measured, key=lambda pair: pair[0])
        shown = (
            "TrainingJobName",
            "TrainingJobArn",
            "CreationTime",
            "TrainingStartTime",
            "TrainingEndTime",
            "TrainingJobStatus",
        )
        return {
            **{name: job[name] for name in shown if name in job},
            "TunedHyperParameters": self.begun[job["TrainingJobName"]],
            "FinalHyperParameterTuningJobObjectiveMetric": {**aim, "Value": sign * value},
            "ObjectiveStatus": "Succeeded",
        }

    def _finish(self) -> None:
        if self.document["BestTrainingJob"] is not None:
            self._to("Completed")
            return
        failed = [job["FailureReason"] for job in self._jobs() if "FailureReason" in job]
        self.document["FailureReason"] = (
            f"All training jobs failed: {failed[-1]}" if failed else NO_METRIC.format(len(self.begun))
        )
        self._to("Failed")

    def stop(self) -> None:
        """Stop by request, and with it what it runs."""
        self._to("Stopping")
        for name, job in zip(self.begun, self._jobs(), strict=True):
            if job["TrainingJobStatus"] == "InProgress":
                self.jobs.stop(TRAINING, {"TrainingJobName": name})
        self.region.clock.call_at(self.region.clock.now + 2 * LOOK, self._stopped, self.arn)

    def _stopped(self) -> None:
        self._count()
        self._to("Stopped")

    def _to(self, status: str) -> None:
        now = self.region.clock.now
        self.document |= {"HyperParameterTuningJobStatus": status, "LastModifiedTime": now}
        if status in ENDED:
            self.document["HyperParameterTuningEndTime"] = now
        tell(self.region, self.jobs.bus, "SageMaker HyperParameter Tuning Job State Change", self, self.response_object)
