"""SageMaker's training and transform jobs: their life on the account's clock, and the operations that tell of it.

The real service checks a request, starts instances, downloads, runs the container, uploads, and ends Completed, Failed
or Stopped. Imitated: unique names, roles, missing inputs and models; the states with their times (a job takes 4 to 9
minutes, drawn from its name); MaxRuntimeInSeconds; Stop*; the events; spot instances that are taken away
(`Capacity.interruptions`), with checkpoints that are restored. The work is real (`offline.sagemaker.training.run`,
`offline.sagemaker.transform.run`), starts when the
instances would be ready and is waited for, in real time, when it should be done. Tuning jobs make theirs here
(`offline.sagemaker.training.tuning`). Not imitated: processing, warm
pools, and instances beside the first: the script runs on `algo-1` alone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from kedge.config.instance_types import has_local_storage
from offline.delivery.events import EventBus
from offline.iam.guard import Guard
from offline.region import Region
from offline.sagemaker.api import (
    ResourceInUseException,
    ValidationError,
    add_operations,
    arn,
    check_name,
    check_role,
)
from offline.sagemaker.capacity import Capacity
from offline.sagemaker.job import TRAINING, TRANSFORM, Job, Kind, Life, Run
from offline.sagemaker.models import Models
from offline.sagemaker.network import check_vpc
from offline.sagemaker.storage import Storage
from offline.sagemaker.training.algorithms import with_metrics
from offline.sagemaker.training.run import TrainingRun
from offline.sagemaker.transform.run import TransformRun

RUNTIME_DEFAULT_SECONDS = 86_400


def _check_volume(resources: dict[str, Any]) -> None:
    if "VolumeKmsKeyId" in resources and has_local_storage(resources["InstanceType"]):
        raise ValidationError(
            f"VolumeKmsKeyId is not supported for instance type {resources['InstanceType']}: its local storage is "
            "encrypted by the instance's hardware."
        )


def _check_training_volume(resources: dict[str, Any]) -> None:
    # Where the instances have disks of their own, a size is accepted, and means nothing.
    if not has_local_storage(resources["InstanceType"]) and resources.get("VolumeSizeInGB") is None:
        raise ValidationError(f"VolumeSizeInGB is required for instance type {resources['InstanceType']}.")


def _check_spot(request: dict[str, Any]) -> None:
    stop, is_spot = request.get("StoppingCondition", {}), request.get("EnableManagedSpotTraining", False)
    wait, run = stop.get("MaxWaitTimeInSeconds"), stop.get("MaxRuntimeInSeconds", RUNTIME_DEFAULT_SECONDS)
    if is_spot and (wait is None or wait < run):
        raise ValidationError(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        )
    if wait is not None and not is_spot:
        raise ValidationError("MaxWaitTimeInSeconds cannot be given without EnableManagedSpotTraining")


def _moment(given: datetime) -> datetime:
    """A time of a request: moto has read it, and left out its zone, which is UTC."""
    return given.replace(tzinfo=UTC)


def install(region: Region, jobs: Jobs) -> None:
    """Answer SageMaker's operations on training and transform jobs."""
    region.on_close(jobs.close)
    add_operations(
        region,
        CreateTrainingJob=jobs.create_training,
        DescribeTrainingJob=lambda request: jobs.find(TRAINING, request).response_object,
        StopTrainingJob=lambda request: jobs.stop(TRAINING, request),
        CreateTransformJob=jobs.create_transform,
        ListTransformJobs=jobs.list_transforms,
        DescribeTransformJob=lambda request: jobs.find(TRANSFORM, request).response_object,
        StopTransformJob=lambda request: jobs.stop(TRANSFORM, request),
    )


class Jobs:
    """The account's jobs."""

    def __init__(self, region: Region, guard: Guard, models: Models, capacity: Capacity, bus: EventBus) -> None:
        self.region, self.guard, self.models, self.capacity, self.bus = region, guard, models, capacity, bus

    def _known(self, kind: Kind) -> dict[str, Job]:
        backend = self.region.backend("sagemaker")
        known: dict[str, Job] = backend.training_jobs if kind is TRAINING else backend.transform_jobs
        return known

    def check_training(self, request: dict[str, Any]) -> TrainingRun:
        """Refuse a training job that SageMaker would; return its work."""
        _check_volume(request["ResourceConfig"])
        _check_training_volume(request["ResourceConfig"])
        _check_spot(request)
        check_vpc(request)
        check_role(self.guard, request["RoleArn"])
        is_spot = bool(request.get("EnableManagedSpotTraining"))
        self._require_instances(TRAINING, request["ResourceConfig"], is_spot=is_spot)
        storage = Storage(self.region, self.guard, request["RoleArn"])
        run = TrainingRun(self.region, request, storage, self.models.containers.processes)
        run.check()
        return run

    def create_training(self, request: dict[str, Any], *, tuning_job_arn: str | None = None) -> dict[str, Any]:
        """Answer CreateTrainingJob; a tuning makes its jobs so too."""
        self._check_new(TRAINING, request["TrainingJobName"])
        request = request | {"AlgorithmSpecification": with_metrics(request["AlgorithmSpecification"])}
        run = self.check_training(request)
        limit = request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", RUNTIME_DEFAULT_SECONDS)
        output = request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        artefacts = {"S3ModelArtifacts": f"{output}/{request['TrainingJobName']}/output/model.tar.gz"}
        job = self._job(TRAINING, request, run, limit)
        job.document |= {"ModelArtifacts": artefacts, "TuningJobArn": tuning_job_arn}
        return self._begin(job)

    def create_transform(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer CreateTransformJob."""
        self._check_new(TRANSFORM, request["TransformJobName"])
        _check_volume(request["TransformResources"])
        model = self.models.find(request["ModelName"])
        self._require_instances(TRANSFORM, request["TransformResources"])
        storage = Storage(self.region, self.guard, model.document["ExecutionRoleArn"])
        run = TransformRun(self.region, request, storage, self.models)
        run.check()
        return self._begin(self._job(TRANSFORM, request, run, RUNTIME_DEFAULT_SECONDS))

    def _job(self, kind: Kind, request: dict[str, Any], run: Run, limit_seconds: int) -> Job:
        life = Life(self.region, self.capacity, self.bus)
        return Job(life, kind, request, run, limit_seconds)

    def _check_new(self, kind: Kind, name: str) -> None:
        check_name(name, f"{kind.word.lower()}JobName")
        if name in self._known(kind):
            raise ResourceInUseException(
                "Job name must be unique within an AWS account and region, and a job with this name already exists "
                f"({arn(self.region, kind.arn, name)})"
            )

    def _require_instances(self, kind: Kind, wanted: dict[str, Any], *, is_spot: bool = False) -> None:
        resources = "ResourceConfig" if kind is TRAINING else "TransformResources"
        instance_type = wanted.get("InstanceType", "")
        present = [job.document for job in self._known(kind).values()]
        running = [
            int(document[resources].get("InstanceCount", 1))
            for document in present
            if document[kind.status_field] in ("InProgress", "Stopping")
            and document[resources].get("InstanceType") == instance_type
            and bool(document.get("EnableManagedSpotTraining")) == is_spot
        ]
        count = int(wanted.get("InstanceCount", 1))
        use = f"{'spot ' if is_spot else ''}{kind.word.lower()} job"
        self.capacity.require(use, instance_type, count, running)

    def _begin(self, job: Job) -> dict[str, Any]:
        self._known(job.kind)[job.document[job.kind.name_field]] = job
        job.begin()
        return {f"{job.kind.word}JobArn": job.arn}

    def find(self, kind: Kind, request: dict[str, Any]) -> Job:
        """Return a job, or refuse as SageMaker does."""
        name = request[kind.name_field]
        if name not in self._known(kind):
            raise ValidationError(kind.unknown.format(name=name))
        return self._known(kind)[name]

    def list_transforms(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer ListTransformJobs: newest first unless it is asked otherwise, ten at a time."""
        wanted = {name: request.get(name) for name in ("NameContains", "StatusEquals")}
        after, before = request.get("CreationTimeAfter"), request.get("CreationTimeBefore")
        found = [
            job.document
            for job in self._known(TRANSFORM).values()
            if (wanted["NameContains"] or "") in job.document["TransformJobName"]
            and wanted["StatusEquals"] in (None, job.document["TransformJobStatus"])
            and (after is None or job.document["CreationTime"] >= _moment(after))
            and (before is None or job.document["CreationTime"] <= _moment(before))
        ]
        newest_first = request.get("SortOrder", "Descending") == "Descending"
        found.sort(key=lambda document: (document["CreationTime"], document["TransformJobName"]), reverse=newest_first)
        start, size = int(request.get("NextToken") or 0), int(request.get("MaxResults") or 10)
        shown = ("TransformJobName", "TransformJobArn", "CreationTime", "TransformEndTime", "LastModifiedTime")
        summaries = [
            {name: document[name] for name in (*shown, "TransformJobStatus", "FailureReason") if name in document}
            for document in found[start : start + size]
        ]
        more = {"NextToken": str(start + size)} if start + size < len(found) else {}
        return {"TransformJobSummaries": summaries, **more}

    def stop(self, kind: Kind, request: dict[str, Any]) -> None:
        """Answer StopTrainingJob and StopTransformJob."""
        job = self.find(kind, request)
        if job.document[kind.status_field] != "InProgress":
            status = job.document[kind.status_field]
            raise ValidationError(f"The request was rejected because the {kind.arn} is in status {status}.")
        job.stop()

    def close(self) -> None:
        """End the work of jobs that are in progress when the account is left."""
        for job in (job for kind in (TRAINING, TRANSFORM) for job in self._known(kind).values()):
            if job.document[job.kind.status_field] == "InProgress":
                job.run.abort()
