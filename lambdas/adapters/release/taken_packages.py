"""Another Kedge's package, as this one takes it: read there, copied here, and compared by the digests that passed the gate."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kedge.config.model import ModelConfig
from kedge.errors import ChangedSinceGateError, UnknownPackageError
from kedge.release.last_decision import NOTES
from kedge.release.life_cycle import request_of
from lambdas.adapters.bucket import layout, objects
from lambdas.adapters.release import model_registry, staged_baselines
from lambdas.adapters.release.model_registry import Package
from lambdas.adapters.training import artefacts

# Where a package was taken from, in its own words of the registry.
TAKEN_FROM = "kedge:taken_from"
# Beside the staged baseline: what an approver and an auditor read. No rows.
EVIDENCE = (layout.GATE, layout.GATE_PAGE, layout.LINEAGE, layout.MANIFEST, layout.APPROVAL_REQUEST)
_DESCRIBED = ("Image", "Environment", "ModelDataUrl")


@dataclass(frozen=True)
class Belongings:
    """Where a package's files lie: the bucket they are in, the artefact's key, and the run's prefix with its baseline's."""

    bucket: str
    artefact: str
    run: str
    staged: str


def belongings(package: Package, model: str) -> Belongings:
    """Where they lie, if it is where Kedge puts them for this model: nothing else is copied.

    Raises
    ------
    UnknownPackageError
        The package is not approved there, or Kedge did not register it.
    """
    bucket, _, artefact = package.artefact_uri.removeprefix("s3://").partition("/")
    staged = package.properties.get(model_registry.STAGED, "")
    run = staged.removesuffix(f"/{layout.STAGED}")
    for wrong, reason in (
        (package.approval_status != "Approved", f"it is {package.approval_status} there, not Approved"),
        (
            not artefact.startswith(f"artefacts/{model}/"),
            "its artefact is not one that Kedge has pinned for this model",
        ),
        (
            not run.startswith(f"retraining/{model}/") or run == staged,
            "Kedge has staged no baseline of this model for it",
        ),
    ):
        if wrong:
            raise UnknownPackageError(package_arn=package.arn, reason=reason)
    return Belongings(bucket, artefact, run, staged)


def copy_artefact(s3: Any, bucket: str, package: Package, theirs: Belongings) -> str:
    """Copy the artefact; its digest here must be the one that passed the gate there."""
    uri = f"s3://{bucket}/{theirs.artefact}"
    artefacts.pin(s3, bucket, source_uri=package.artefact_uri, key=theirs.artefact)
    artefacts.require_unchanged(s3, uri, package.properties.get(model_registry.ARTEFACT_SHA256))
    return uri


def copy_files(s3: Any, bucket: str, package: Package, theirs: Belongings, described: Mapping[str, Any]) -> list[str]:
    """Copy baseline and evidence, and return their keys; those with a digest in the registry must have it.

    Raises
    ------
    ChangedSinceGateError
        Nothing was written.
    """
    files = dict(_read(s3, theirs))
    staged = {key.rpartition("/")[2]: body for key, body in files.items() if key.startswith(f"{theirs.staged}/")}
    wanted = {f"s3://{theirs.bucket}/{theirs.staged}/": package.properties.get(model_registry.BASELINE_SHA256)}
    found = {f"s3://{theirs.bucket}/{theirs.staged}/": staged_baselines.digest(staged)}
    for source in _sources(described):
        key = source["S3Uri"].removeprefix(f"s3://{theirs.bucket}/")
        wanted[source["S3Uri"]] = source["ContentDigest"]
        found[source["S3Uri"]] = f"sha256:{hashlib.sha256(files.get(key, b'')).hexdigest()}"
    for place, sha256 in wanted.items():
        if found[place] != sha256:
            raise ChangedSinceGateError(what="baseline", place=place, expected=sha256, found=found[place])
    for key, body in files.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    return sorted(files)


def registration(
    config: ModelConfig, package: Package, described: Mapping[str, Any], theirs: Belongings, bucket: str
) -> dict[str, Any]:
    """Ask for the same package in this Kedge's group, to wait for a person here; the registry answers a second try with the first."""
    specification = described["InferenceSpecification"]
    # SageMaker describes more of a container than it lets one ask for.
    containers = [{name: each[name] for name in _DESCRIBED if name in each} for each in specification["Containers"]]
    types = ("SupportedContentTypes", "SupportedResponseMIMETypes")
    # Who decided there says nothing of who decides here.
    said = {name: value for name, value in package.properties.items() if name not in NOTES}
    taken = {TAKEN_FROM: package.arn, **said}
    asked = {
        "ModelPackageGroupName": config.package_group,
        "ModelPackageDescription": described.get("ModelPackageDescription", ""),
        "ModelApprovalStatus": "PendingManualApproval",
        "ModelLifeCycle": request_of(),
        "InferenceSpecification": {
            "Containers": containers,
            **{name: specification[name] for name in types if name in specification},
        },
        "CustomerMetadataProperties": model_registry.metadata_properties(taken),
        "ClientToken": hashlib.sha256(f"{config.package_group}/{package.arn}".encode()).hexdigest()[:36],
    }
    asked |= {name: described[name] for name in ("ModelMetrics", "DriftCheckBaselines") if described.get(name)}
    if made_by := described.get("MetadataProperties", {}).get("GeneratedBy"):
        asked["MetadataProperties"] = {"GeneratedBy": made_by}
    if card := described.get("ModelCard", {}).get("ModelCardContent"):
        asked["ModelCard"] = {"ModelCardContent": card, "ModelCardStatus": "PendingReview"}
    moved: dict[str, Any] = _moved(asked, f"s3://{theirs.bucket}/", f"s3://{bucket}/")
    return moved


def _read(s3: Any, theirs: Belongings) -> Iterator[tuple[str, bytes]]:
    evidence = {f"{theirs.run}/{name}" for name in EVIDENCE}
    for key in objects.list_objects(s3, theirs.bucket, f"{theirs.run}/"):
        if key in evidence or key.startswith(f"{theirs.staged}/"):
            found = objects.read(s3, theirs.bucket, key)
            yield key, found[0] if found else b""


def _sources(described: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
    for kind in ("ModelMetrics", "DriftCheckBaselines"):
        for part in described.get(kind, {}).values():
            yield from (source for source in part.values() if source.get("ContentDigest"))


def _moved(node: Any, there: str, here: str) -> Any:
    """The same with each S3 URI of that bucket in this one; a model card's text says where things were made."""
    if isinstance(node, dict):
        return {name: _moved(value, there, here) for name, value in node.items()}
    if isinstance(node, list):
        return [_moved(value, there, here) for value in node]
    return here + node.removeprefix(there) if isinstance(node, str) and node.startswith(there) else node
