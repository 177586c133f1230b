"""What the registry shows of the life of a group's packages, listed and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kedge.release.last_decision import LastDecision, notes_of
from kedge.release.life_cycle import LifeCycle, request_of
from lambdas.adapters.release.model_registry import Package, fitting


@dataclass(frozen=True)
class Listed:
    """One version as a listing has it."""

    arn: str
    approval_status: str
    shown: LifeCycle | None


def list_stages(sagemaker: Any, group: str) -> list[Listed]:
    """Every version of a group."""
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, ModelPackageType="Versioned", PaginationConfig={"PageSize": 100}
    )
    return [
        Listed(each["ModelPackageArn"], each.get("ModelApprovalStatus", ""), _life_cycle(each.get("ModelLifeCycle")))
        for page in pages
        for each in page["ModelPackageSummaryList"]
    ]


def _life_cycle(shown: Mapping[str, str] | None) -> LifeCycle | None:
    return LifeCycle(shown["Stage"], shown["StageStatus"]) if shown else None


def show_stage(sagemaker: Any, package: Package, life_cycle: LifeCycle, *, role: str) -> None:
    """Show where a package stands; who decided about it, and when, is noted with the same call, because it hides that."""
    decided = LastDecision(package.changed_at, package.approved_by, package.changed_by)
    notes = notes_of(decided, status=package.approval_status, comment=package.approval_reason, role=role)
    sagemaker.update_model_package(
        ModelPackageArn=package.arn,
        ModelLifeCycle=request_of(life_cycle),
        CustomerMetadataProperties={name: fitting(value) for name, value in notes.items()},
    )
