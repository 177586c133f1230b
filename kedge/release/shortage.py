"""Whether a failure says that there were no instances: AWS has none left, or a quota allows no more."""

from __future__ import annotations

import re

_QUOTA = re.compile(r"service limit '([^']+)'")
# What SageMaker writes into a FailureReason, and what Step Functions makes of a refused call.
_WORDS = ("InsufficientInstanceCapacity", "InsufficientCapacity", "CapacityError", "ResourceLimitExceeded")


def is_shortage(reason: str) -> bool:
    """Judge whether waiting may help: instances come back, and a quota can be raised.

    >>> is_shortage("Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error.")
    True
    >>> is_shortage("The primary container did not pass the ping health check.")
    False
    """
    return any(word in reason for word in _WORDS) or _QUOTA.search(reason) is not None


def quota_in(reason: str) -> str | None:
    """Name the quota that is used up; None if the reason is another.

    >>> quota_in("The account-level service limit 'ml.m5.large for endpoint usage' is 2 Instances")
    'ml.m5.large for endpoint usage'
    """
    found = _QUOTA.search(reason)
    return found[1] if found else None
