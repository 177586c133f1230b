"""The Model Registry: groups, versioned packages, approvals, and the events that follow any update.

The real service numbers a group's packages, keeps what an update omits, answers a repeated ClientToken with the first
package, and puts "SageMaker Model Package State Change" on the bus for every update, sometimes twice. moto erases what
an update omits and ignores the token; both are put right here, and events are added. Reads may be behind, as in any
eventually consistent service: for `Registry.read_lag` after an update DescribeModelPackage answers what was before. Not imitated: unversioned
packages (refused), validation profiles, cross-account policies.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from offline import roles
from offline.delivery.events import EventBus
from offline.region import Region
from offline.sagemaker.api import (
    SOURCE,
    Described,
    ResourceInUseException,
    ValidationError,
    add_operations,
    arn,
    check_name,
    milliseconds,
)
from offline.sagemaker.registry_listing import list_packages
from offline.sagemaker.registry_rules import check_life_cycle, check_metadata, check_package, check_status

EVENT = "SageMaker Model Package State Change"
SECOND_EVENT_FRACTION = 0.3
EVENT_SECONDS = (0.5, 8.0)
KEPT = (
    "ModelPackageGroupName",
    "ModelPackageDescription",
    "InferenceSpecification",
    "ValidationSpecification",
    "CertifyForMarketplace",
    "SourceAlgorithmSpecification",
    "ModelApprovalStatus",
    "MetadataProperties",
    "ModelMetrics",
    "CustomerMetadataProperties",
    "DriftCheckBaselines",
    "Domain",
    "Task",
    "SamplePayloadUrl",
    "AdditionalInferenceSpecifications",
    "SkipModelValidation",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
)
UPDATED = ("ModelApprovalStatus", "ApprovalDescription", "InferenceSpecification", "SourceUri", "ModelLifeCycle")


def install(region: Region, registry: Registry) -> None:
    """Answer the registry's operations."""
    add_operations(
        region,
        CreateModelPackageGroup=registry.create_group,
        DeleteModelPackageGroup=registry.delete_group,
        CreateModelPackage=registry.create,
        DescribeModelPackage=registry.describe,
        UpdateModelPackage=registry.update,
        DeleteModelPackage=registry.delete,
        ListModelPackages=lambda request: list_packages(registry.packages.values(), request),
    )


class Registry:
    """The account's model package groups and packages."""

    def __init__(self, region: Region, bus: EventBus) -> None:
        self.region, self.bus = region, bus
        self.read_lag = timedelta(0)
        self.packages: dict[str, Described] = {}
        self._versions: dict[str, int] = {}
        self._tokens: dict[str, tuple[str, str]] = {}
        self._before: dict[str, tuple[datetime, dict[str, Any]]] = {}

    @property
    def _backend(self) -> Any:
        return self.region.backend("sagemaker")

    def create_group(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer CreateModelPackageGroup."""
        name = request["ModelPackageGroupName"]
        check_name(name, "modelPackageGroupName")
        if name in self._backend.model_package_groups:
            existing = arn(self.region, "model-package-group", name)
            raise ValidationError(f"Model Package Group already exists: {existing}")
        made = self._backend.create_model_package_group(
            name, request.get("ModelPackageGroupDescription"), request.get("Tags")
        )
        return {"ModelPackageGroupArn": made}

    def delete_group(self, request: dict[str, Any]) -> None:
        """Answer DeleteModelPackageGroup: only an empty one goes."""
        name = self._group(request["ModelPackageGroupName"])
        if any(package.model_package_group_name == name for package in self.packages.values()):
            raise ValidationError(f"Model Package Group {name} is not empty: delete its model packages first.")
        del self._backend.model_package_groups[name]

    def _group(self, name: str) -> str:
        name = name.rpartition("/")[2]
        if name not in self._backend.model_package_groups:
            raise ValidationError(f"ModelPackageGroup {arn(self.region, 'model-package-group', name)} does not exist.")
        return name

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer CreateModelPackage."""
        if "ModelPackageGroupName" not in request or "ModelPackageName" in request:
            raise ValidationError("unversioned model packages are not imitated: give a ModelPackageGroupName alone")
        if "Tags" in request:
            raise ValidationError("Tags cannot be given with a ModelPackageGroupName: a package has its group's tags.")
        token, content = request.pop("ClientToken", None), json.dumps(request, sort_keys=True, default=str)
        if token in self._tokens:
            known_content, known_arn = self._tokens[token]
            if known_content != content:
                raise ResourceInUseException(f"ClientToken {token} was used with other parameters.")
            return {"ModelPackageArn": known_arn}
        group = self._group(request["ModelPackageGroupName"])
        check_package(self.region, request)
        package = self._new(group, request)
        if token:
            self._tokens[token] = (content, package.arn)
        self._publish(package, [])
        return {"ModelPackageArn": package.arn}

    def _new(self, group: str, request: dict[str, Any]) -> Described:
        # A deleted version's number is not given again.
        version = self._versions[group] = self._versions.get(group, 0) + 1
        package_arn = arn(self.region, "model-package", f"{group}/{version}")
        document = {key: request[key] for key in KEPT if key in request} | {
            "ModelPackageGroupName": group,
            "ModelPackageVersion": version,
            "ModelPackageArn": package_arn,
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "ModelApprovalStatus": request.get("ModelApprovalStatus", "PendingManualApproval"),
            "CertifyForMarketplace": request.get("CertifyForMarketplace", False),
            "CreationTime": self.region.clock.now,
            "LastModifiedTime": self.region.clock.now,
            "CreatedBy": {},
        }
        package = self.packages[package_arn] = Described(package_arn, document)
        return package

    def find(self, name: str) -> Described:
        """Return a package by its ARN, or refuse as SageMaker does."""
        if name not in self.packages:
            raise ValidationError(f"Model package {name} does not exist.")
        return self.packages[name]

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer DescribeModelPackage."""
        package = self.find(request["ModelPackageName"])
        changed_at, before = self._before.get(package.arn, (None, {}))
        is_behind = changed_at is not None and self.region.clock.now < changed_at + self.read_lag
        return before if is_behind else package.response_object

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer UpdateModelPackage: what is not mentioned stays."""
        package = self.find(request["ModelPackageArn"])
        document, changes = package.document, {key: request[key] for key in UPDATED if key in request}
        if "ModelApprovalStatus" in changes:
            check_status(changes["ModelApprovalStatus"])
        check_life_cycle(changes.get("ModelLifeCycle", {}))
        properties = dict(document.get("CustomerMetadataProperties", {}))
        properties |= request.get("CustomerMetadataProperties", {})
        for key in request.get("CustomerMetadataPropertiesToRemove", []):
            properties.pop(key, None)
        check_metadata(properties)
        if properties != document.get("CustomerMetadataProperties", {}):
            changes["CustomerMetadataProperties"] = properties
        if added := request.get("AdditionalInferenceSpecificationsToAdd"):
            changes["AdditionalInferenceSpecifications"] = [
                *document.get("AdditionalInferenceSpecifications", []),
                *added,
            ]
        self._before[package.arn] = (self.region.clock.now, package.response_object)
        document.update(changes, LastModifiedTime=self.region.clock.now, LastModifiedBy=_caller())
        self._publish(package, sorted(changes))
        return {"ModelPackageArn": package.arn}

    def delete(self, request: dict[str, Any]) -> None:
        """Answer DeleteModelPackage."""
        package = self.find(request["ModelPackageName"])
        del self.packages[package.arn]
        self._publish(package, [], ModelPackageStatus="Deleting")

    def _publish(self, package: Described, fields: list[str], **changed: str) -> None:
        """Put what the package was just now on the bus, once or twice."""
        tags = {tag["Key"]: tag["Value"] for tag in package.tags}
        detail = milliseconds({**package.response_object, **changed, "Tags": tags})
        if fields:
            detail["UpdatedModelPackageFields"] = fields
        draw = self.region.seeded(package.arn, str(package.document.get("LastModifiedTime")), *fields)
        for _ in range(2 if draw.random() < SECOND_EVENT_FRACTION else 1):
            when = self.region.clock.now + timedelta(seconds=round(draw.uniform(*EVENT_SECONDS), 3))
            self.region.clock.call_at(when, lambda: self._put(package, detail), f"{EVENT}: {package.arn}")

    def _put(self, package: Described, detail: dict[str, Any]) -> None:
        self.bus.publish(SOURCE, EVENT, detail, [package.arn])


def _caller() -> dict[str, Any]:
    """Who changes a package, as the service says it of callers that are no Studio user: a session, named here like its role."""
    _, _, _, _, account, role = roles.current_role().split(":", 5)
    name = role.rpartition("/")[2]
    return {"IamIdentity": {"Arn": f"arn:aws:sts::{account}:assumed-role/{name}/{name}"}}
