"""Packages that Kedge did not make: what of one is scored and judged, and until when the rows reach that it learnt from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kedge.errors import UnscorablePackageError
from kedge.instants import from_text, to_text
from lambdas.adapters.release.model_registry import TRAINING_END


@dataclass(frozen=True)
class ForeignPackage:
    """One version of a group, made by a team or by its pipeline.

    Attributes
    ----------
    learnt_until : datetime
        The newest row that it may have learnt from: what its property `kedge:training_end` says, else when it was registered.
    """

    arn: str
    image: str
    artefact_uri: str
    environment: Mapping[str, str]
    learnt_until: datetime
    says_until: bool
    generated_by: str = ""

    @property
    def version(self) -> str:
        """Its number in the group."""
        return self.arn.rpartition("/")[2]

    def taken_by(self, run: str) -> dict[str, Any]:
        """What stands in the machine where else a training job's result does."""
        made = f", made by {self.generated_by}" if self.generated_by else ""
        return {
            # The pinned copy is this run's: the file may be another one at the next.
            "job": f"{run}-v{self.version}",
            "artefact_uri": self.artefact_uri,
            "status": "Completed",
            "run": run,
            "reason": f"nothing was trained: package version {self.version} of the group is judged{made}",
            "package_arn": self.arn,
        }

    def challenger(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The request for the challenger's model, with this package's container in place of the framework's."""
        container = {"Image": self.image, "Environment": dict(self.environment)}
        return {**request, "PrimaryContainer": container}

    @property
    def said(self) -> str:
        """What an approver is told of the rows that it may have learnt from."""
        if self.says_until:
            return f"package version {self.version} says that it learnt from rows until {to_text(self.learnt_until)}"
        return (
            f"package version {self.version} does not say until when the rows reach that it learnt from, so only rows after its "
            f"registration ({to_text(self.learnt_until)}) judge it: give it the property {TRAINING_END}, such as 2026-03-01T00:00:00Z, "
            "in the registry, and it is judged again"
        )


def load(sagemaker: Any, arn: str, *, content_type: str) -> ForeignPackage:
    """Read a package from the registry.

    Raises
    ------
    UnscorablePackageError
        It has several containers or no artefact, answers another content type, or dates its rows with what is no time.
    """
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    inference = found.get("InferenceSpecification") or {}
    containers, types = inference.get("Containers") or [], inference.get("SupportedContentTypes") or [content_type]
    if len(containers) != 1:
        reason = (
            f"it has {len(containers)} containers, and Kedge scores and serves one: register the model as one container"
        )
        raise UnscorablePackageError(package_arn=arn, reason=reason)
    if content_type not in types:
        reason = (
            f"it takes {', '.join(types)}, and endpoint.content_type is {content_type}: register it with that type too"
        )
        raise UnscorablePackageError(package_arn=arn, reason=reason)
    properties = found.get("CustomerMetadataProperties") or {}
    said = properties.get(TRAINING_END)
    return ForeignPackage(
        arn=arn,
        image=str(containers[0].get("Image", "")),
        artefact_uri=_artefact(arn, containers[0]),
        environment=containers[0].get("Environment") or {},
        learnt_until=_moment(arn, said) if said else found["CreationTime"],
        says_until=bool(said),
        generated_by=(found.get("MetadataProperties") or {}).get("GeneratedBy", ""),
    )


def _artefact(arn: str, container: Mapping[str, Any]) -> str:
    if uri := container.get("ModelDataUrl"):
        return str(uri)
    source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
    if (source.get("S3DataType"), source.get("CompressionType")) == ("S3Object", "Gzip"):
        return str(source["S3Uri"])
    raise UnscorablePackageError(package_arn=arn, reason="it has no model.tar.gz: register it with ModelDataUrl")


def _moment(arn: str, said: str) -> datetime:
    try:
        return from_text(said)
    except ValueError as error:
        reason = f"its property {TRAINING_END} is {said!r}: write it like 2026-03-01T00:00:00Z"
        raise UnscorablePackageError(package_arn=arn, reason=reason) from error
