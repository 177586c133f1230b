"""One AWS call as CloudTrail would record it: when, by whom, to do what, on what, and whether it was allowed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Call:
    """A recorded call; `action` is IAM's name for it and `operation` the API's."""

    time: datetime
    role_arn: str
    service: str
    operation: str
    action: str
    resources: tuple[str, ...]
    allowed: bool
