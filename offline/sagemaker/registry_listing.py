"""ListModelPackages: filters, order and pages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from offline.sagemaker.api import Described, ValidationError

PAGE_DEFAULT, PAGE_MAX = 10, 100
SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelLifeCycle",
)


def list_packages(packages: Iterable[Described], request: dict[str, Any]) -> dict[str, Any]:
    """Answer ListModelPackages; the newest come last unless Descending is asked for."""
    found = [package.document for package in packages if _matches(package.document, request)]
    first = "ModelPackageGroupName" if request.get("SortBy") == "Name" else "CreationTime"
    newest_first = request.get("SortOrder") == "Descending"
    found.sort(key=lambda item: (item[first], item["ModelPackageVersion"]), reverse=newest_first)
    try:
        start = int(request.get("NextToken") or 0)
    except ValueError:
        raise ValidationError("Invalid pagination token.") from None
    size = min(int(request.get("MaxResults") or PAGE_DEFAULT), PAGE_MAX)
    page = found[start : start + size]
    answer: dict[str, Any] = {
        "ModelPackageSummaryList": [{key: item[key] for key in SUMMARY if key in item} for item in page]
    }
    return answer | ({"NextToken": str(start + size)} if start + size < len(found) else {})


def _matches(document: dict[str, Any], request: dict[str, Any]) -> bool:
    group = request.get("ModelPackageGroupName")
    if group is None and request.get("ModelPackageType", "Unversioned") == "Unversioned":
        return False  # every package here is versioned
    wanted = {
        "ModelPackageGroupName": group.rpartition("/")[2] if group else None,
        "ModelApprovalStatus": request.get("ModelApprovalStatus"),
    }
    return (
        all(value in (None, document[key]) for key, value in wanted.items())
        and request.get("NameContains", "") in document["ModelPackageGroupName"]
        and document["CreationTime"] > _time(request.get("CreationTimeAfter"), datetime.min)
        and document["CreationTime"] < _time(request.get("CreationTimeBefore"), datetime.max)
    )


def _time(given: datetime | None, otherwise: datetime) -> datetime:
    time = otherwise if given is None else given
    return time if time.tzinfo else time.replace(tzinfo=UTC)
