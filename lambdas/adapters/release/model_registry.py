"""The SageMaker Model Registry: packages read as facts, and written as requests."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from kedge.config.model import ModelConfig
from kedge.errors import UnknownPackageError
from kedge.release.last_decision import NOTES, LastDecision, last_decision
from kedge.release.life_cycle import request_of

TRIGGER, TRIGGERS = "kedge:trigger", "kedge:triggers"
_NOT_ALLOWED = re.compile(r"[^\w .:/=+\-@]", re.ASCII)
_KEY_LENGTH, _VALUE_LENGTH = 128, 256
# Of the registry's 50 some are left for what is noted when a stage is shown.
_ENTRIES = 50 - len(NOTES)
RUN, STAGED, TRAINING_END, SNAPSHOT = "kedge:run", "kedge:staged", "kedge:training_end", "kedge:snapshot"
# The digests of what passed the gate: a release compares them.
ARTEFACT_SHA256, BASELINE_SHA256 = "kedge:artefact_sha256", "kedge:baseline_sha256"


@dataclass(frozen=True)
class Package:
    """One version of a model package group."""

    arn: str
    group: str
    version: str
    approval_status: str
    approved_by: str
    approval_reason: str
    changed_at: datetime | None
    properties: Mapping[str, str]
    artefact_uri: str = ""
    # The person behind the last change, whichever role or profile they used; empty where SageMaker does not say. Like `approved_by` and
    # `changed_at` it passes over the stages that Kedge has shown since.
    changed_by: str = ""
    created_at: datetime | None = None

    @property
    def triggers(self) -> list[str]:
        """What asked for its training; nothing of a package whose training Kedge does not know."""
        return (self.properties.get(TRIGGERS) or self.properties.get(TRIGGER) or "").split()


@dataclass(frozen=True)
class StagedFile:
    """A file that the registry points at, with the digest of its content."""

    uri: str
    sha256: str


@dataclass(frozen=True)
class Registration:
    """What a package is registered with."""

    run: str
    image: str
    artefact_uri: str
    environment: Mapping[str, str]
    description: str
    properties: Mapping[str, str]
    statistics: StagedFile
    constraints: StagedFile
    quality: StagedFile
    quality_limits: StagedFile
    card: str = "{}"


def describe_package(sagemaker: Any, arn: str) -> Package:
    """Read a package: the registry is the truth, whatever an event said."""
    try:
        answer = sagemaker.describe_model_package(ModelPackageName=arn)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
            raise UnknownPackageError(package_arn=arn, reason="the registry does not know it") from error
        raise
    status, comment = answer.get("ModelApprovalStatus", ""), answer.get("ApprovalDescription", "")
    properties = answer.get("CustomerMetadataProperties") or {}
    decided = last_decision(_last_change(answer), properties, status=status, comment=comment)
    containers = answer.get("InferenceSpecification", {}).get("Containers") or [{}]
    return Package(
        arn=answer["ModelPackageArn"],
        group=answer.get("ModelPackageGroupName", ""),
        version=str(answer.get("ModelPackageVersion", "")),
        approval_status=status,
        approved_by=decided.by,
        approval_reason=comment,
        changed_at=decided.at,
        properties=properties,
        artefact_uri=containers[0].get("ModelDataUrl", ""),
        changed_by=decided.person,
        created_at=answer.get("CreationTime"),
    )


def _last_change(answer: Mapping[str, Any]) -> LastDecision:
    by = answer.get("LastModifiedBy") or {}
    name = by.get("UserProfileName") or (by.get("IamIdentity") or {}).get("Arn", "")
    return LastDecision(answer.get("LastModifiedTime"), name, person_of(by))


def person_of(user: Mapping[str, Any]) -> str:
    """The person behind a change: a Studio profile, the source identity, or the session of a role.

    Two roles with one session name are one person: single sign-on names a session after its user. Letters' case says nothing, nor
    does what the registry's metadata could not hold.

    >>> person_of({"IamIdentity": {"Arn": "arn:aws:sts::1:assumed-role/Approver/Ann@example.com"}})
    'ann@example.com'
    >>> person_of({"UserProfileName": "ann"}), person_of({})
    ('ann', '')
    """
    identity = user.get("IamIdentity") or {}
    found = (
        user.get("UserProfileName") or identity.get("SourceIdentity") or str(identity.get("Arn", "")).rpartition("/")[2]
    )
    return fitting(str(found).lower())


def approve(sagemaker: Any, arn: str, comment: str) -> None:
    """Approve a package in the caller's own name; the comment stands beside the decision in the registry."""
    sagemaker.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription=comment[:1024]
    )


def list_versions(sagemaker: Any, group: str, status: str) -> dict[int, str]:
    """The ARNs of a group's packages with this approval status by their version, newest first."""
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, ModelApprovalStatus=status, ModelPackageType="Versioned"
    )
    packages = [package for page in pages for package in page["ModelPackageSummaryList"]]
    found = {int(package["ModelPackageVersion"]): str(package["ModelPackageArn"]) for package in packages}
    return dict(sorted(found.items(), reverse=True))


def list_pending(sagemaker: Any, group: str | None = None) -> dict[str, dict[int, datetime]]:
    """Packages that wait for a person, by group and version, with when each was registered: of one group, or of the account."""
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        **({"ModelPackageGroupName": group} if group else {}),
        ModelApprovalStatus="PendingManualApproval",
        ModelPackageType="Versioned",
        PaginationConfig={"PageSize": 100},
    )
    found: dict[str, dict[int, datetime]] = {}
    for package in (package for page in pages for package in page["ModelPackageSummaryList"]):
        found.setdefault(package["ModelPackageGroupName"], {})[int(package["ModelPackageVersion"])] = package[
            "CreationTime"
        ]
    return found


def registration_request(config: ModelConfig, registration: Registration) -> dict[str, Any]:
    """Ask for a package that waits for a person's approval, with its evidence and its lineage."""
    quality = {"Statistics": _source(registration.quality), "Constraints": _source(registration.quality_limits)}
    data = {"Statistics": _source(registration.statistics), "Constraints": _source(registration.constraints)}
    return {
        "ModelPackageGroupName": config.package_group,
        "ModelPackageDescription": registration.description[:1024],
        "ModelApprovalStatus": "PendingManualApproval",
        "ModelLifeCycle": request_of(),
        "InferenceSpecification": _inference(config, registration),
        "ModelMetrics": {"ModelQuality": quality, "ModelDataQuality": data},
        "DriftCheckBaselines": {"ModelQuality": quality, "ModelDataQuality": data},
        "MetadataProperties": {"GeneratedBy": registration.run[:1024]},
        "CustomerMetadataProperties": metadata_properties(registration.properties),
        "ModelCard": {"ModelCardContent": registration.card, "ModelCardStatus": "PendingReview"},
        "ClientToken": hashlib.sha256(f"{config.model}/{registration.run}".encode()).hexdigest()[:36],
    }


def metadata_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """Fit properties into the registry's limits: 50 entries, 128 and 256 characters, few of them punctuation."""
    fit = {_NOT_ALLOWED.sub(" ", key)[:_KEY_LENGTH]: fitting(value) for key, value in properties.items() if value}
    return dict(list(fit.items())[:_ENTRIES])


def fitting(value: str) -> str:
    """Fit a value into the registry's metadata: what it does not take becomes a space."""
    return _NOT_ALLOWED.sub(" ", value)[:_VALUE_LENGTH]


def _inference(config: ModelConfig, registration: Registration) -> dict[str, Any]:
    container = {
        "Image": registration.image,
        "ModelDataUrl": registration.artefact_uri,
        "Environment": dict(registration.environment),
    }
    return {
        "Containers": [container],
        "SupportedContentTypes": [config.endpoint.content_type],
        "SupportedResponseMIMETypes": [config.endpoint.content_type],
    }


def _source(file: StagedFile) -> dict[str, str]:
    return {"ContentType": "application/json", "S3Uri": file.uri, "ContentDigest": f"sha256:{file.sha256}"}
