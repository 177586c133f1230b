"""Transform jobs as SageMaker knows them: which one wrote a manifest, and what model it used."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from kedge.capture.transform_jobs import Manifest, TransformJob

# A job may wait for its instances for hours before it begins, and its manifest is named after its beginning.
WAITS = timedelta(days=1)


class TransformJobs:
    """The jobs of the account, each described once."""

    def __init__(self, sagemaker: Any) -> None:
        self._sagemaker, self._known = sagemaker, dict[str, TransformJob]()

    def of_manifest(self, manifest: Manifest, captures_to: str) -> TransformJob | None:
        """Find the job that wrote an output manifest: of several that may have, the one that ended last before it."""
        asked = {
            "CreationTimeAfter": manifest.hour - WAITS,
            "CreationTimeBefore": manifest.hour + timedelta(hours=1),
            "SortBy": "CreationTime",
            "SortOrder": "Descending",
        }
        found = list[TransformJob]()
        for page in self._sagemaker.get_paginator("list_transform_jobs").paginate(**asked):
            names = (summary["TransformJobName"] for summary in page["TransformJobSummaries"])
            found += (job for name in names if (job := self._described(name)).wrote(manifest, captures_to))
        # The manifest is written about when the job ends; two jobs of one output that began in one hour end apart.
        return min(found, key=lambda job: abs((job.ended or manifest.modified) - manifest.modified), default=None)

    def _described(self, name: str) -> TransformJob:
        if name not in self._known:
            job = TransformJob.of_description(self._sagemaker.describe_transform_job(TransformJobName=name))
            if job.ended is None:
                return job
            self._known[name] = job
        return self._known[name]


def package_of(sagemaker: Any, model_name: str) -> str | None:
    """The package that a model was made from; None where it was made from none, or is gone."""
    try:
        model = sagemaker.describe_model(ModelName=model_name)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
            return None
        raise
    containers = [*(model.get("Containers") or []), model.get("PrimaryContainer") or {}]
    return next((found for one in containers if (found := one.get("ModelPackageName"))), None)
