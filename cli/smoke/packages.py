"""The smoke's packages in the registry, and their releases."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from typing import Any

from cli.smoke.model import MODEL
from cli.smoke.proof import NotProvedError
from cli.smoke.world import Smoke
from lambdas.adapters.bucket import layout
from lambdas.adapters.release.model_registry import ARTEFACT_SHA256

PENDING = "PendingManualApproval"
ENDS = ("canary_promoted", "baseline_switched", "canary_rolled_back", "release_unproven", "failed")
HEARD_MINUTES = 15
RELEASE_MINUTES = 180
REQUESTS_A_MINUTE = 8
SCRIPT = "code/inference.py"


def packages(smoke: Smoke) -> list[dict[str, Any]]:
    """Every package of the smoke's group, oldest first."""
    pages = (
        smoke.client("sagemaker")
        .get_paginator("list_model_packages")
        .paginate(ModelPackageGroupName=smoke.config.package_group)
    )
    found = [package for page in pages for package in page["ModelPackageSummaryList"]]
    return sorted(found, key=lambda package: int(package["ModelPackageVersion"]))


def pending_packages(smoke: Smoke) -> list[str]:
    """ARNs of the packages that wait for a person."""
    return [p["ModelPackageArn"] for p in packages(smoke) if p["ModelApprovalStatus"] == PENDING]


def register_like(smoke: Smoke, like: str, *, tail: str = "") -> str:
    """Register a package like another one, with lines behind its inference script; its ARN."""
    sagemaker = smoke.client("sagemaker")
    described = sagemaker.describe_model_package(ModelPackageName=like)
    specification = described["InferenceSpecification"]
    container = specification["Containers"][0]
    artefact, properties = container["ModelDataUrl"], described["CustomerMetadataProperties"]
    if tail:
        artefact, sha256 = _with_tail(smoke, artefact, tail)
        properties = properties | {ARTEFACT_SHA256: sha256}
    # SageMaker describes more of a container than it lets one ask for.
    specification["Containers"] = [
        {"Image": container["Image"], "Environment": container.get("Environment", {}), "ModelDataUrl": artefact}
    ]
    answer = sagemaker.create_model_package(
        ModelPackageGroupName=smoke.config.package_group,
        ModelPackageDescription="Made by `kedge smoke` to be tried as a canary",
        ModelApprovalStatus=PENDING,
        InferenceSpecification=specification,
        CustomerMetadataProperties=properties,
    )
    return str(answer["ModelPackageArn"])


def approve(smoke: Smoke, arn: str) -> None:
    """Approve a package as a person does: with the user's own credentials."""
    smoke.client("sagemaker").update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="kedge smoke"
    )


def released(smoke: Smoke, arn: str, *, expected: str, meanwhile: Callable[[], object] = lambda: None) -> str:
    """Wait for a package's release to end as it must; the ARN of its execution."""
    version = arn.rpartition("/")[2]
    approved = smoke.waiting.until(lambda: smoke.timeline("approved", version=version), minutes=HEARD_MINUTES)
    if not approved:
        raise NotProvedError(
            "Kedge never saw the approval",
            arn=arn,
            remedy="look at the queue Approvals and its dead letters, and at the log of start_release",
        )
    run = approved[-1]["detail"]["run"]

    def ended() -> bool:
        meanwhile()
        return smoke.release(run)[1] != "RUNNING"

    execution, _ = smoke.release(run)
    over = smoke.waiting.until(ended, minutes=RELEASE_MINUTES, pause_seconds=60)
    ends = [entry for entry in smoke.timeline(*ENDS) if entry["detail"].get("run") == run]
    if not over or expected not in [entry["kind"] for entry in ends]:
        said = (
            "; ".join(f"{entry['kind']}: {why(entry['detail'])}" for entry in ends) or "no message came about its end"
        )
        raise NotProvedError(
            f"{expected} was expected, and {said}",
            arn=execution,
            remedy="open the execution in the Step Functions console, and the endpoint's log in CloudWatch",
        )
    return execution


def reason_of(smoke: Smoke, kind: str, arn: str) -> str:
    """Why a release ended so, as the timeline tells it."""
    return why(smoke.timeline(kind, version=arn.rpartition("/")[2])[-1]["detail"])


def why(detail: dict[str, Any]) -> str:
    """The reasons of a timeline's entry, in one sentence."""
    return "; ".join(map(str, detail.get("reasons", ()))) or str(detail.get("cause", detail))


def _with_tail(smoke: Smoke, uri: str, tail: str) -> tuple[str, str]:
    """Write a copy of an artefact that the smoke's own training made; its address and its digest."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    s3, out = smoke.client("s3"), io.BytesIO()
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as before, tarfile.open(fileobj=out, mode="w:gz") as after:
        for entry in before.getmembers():
            file = before.extractfile(entry)
            content = file.read() if file else b""
            if entry.name.removeprefix("./") == SCRIPT:
                content += tail.encode()
                entry.size = len(content)
            after.addfile(entry, io.BytesIO(content) if file else None)
    changed = layout.artefact_key(MODEL, f"smoke-{smoke.now:%Y%m%dT%H%M%SZ}")
    wrote = s3.put_object(Bucket=bucket, Key=changed, Body=out.getvalue(), ChecksumAlgorithm="SHA256")
    return f"s3://{bucket}/{changed}", str(wrote["ChecksumSHA256"])
