"""Capacity and quotas: which instances SageMaker refuses to the account, and when it has none left.

AWS gives every account a quota for each instance type and use, 0 for most accelerators in a new account; a request
beyond it is refused with ResourceLimitExceeded. Beside that a zone may have no instance left: the job, or the
endpoint's creation or update, begins and fails minutes later with a CapacityError or InsufficientInstanceCapacity.
The quotas are `account.quotas`, which Service Quotas lists too. `account.capacity.run_short` says how many of the next
requests find no instance, and `shortage_fraction` has it happen by chance, drawn from the account's seed.
"""

from __future__ import annotations

from collections.abc import Iterable

from moto.sagemaker.exceptions import SagemakerClientError

from offline.quotas import Quotas
from offline.region import Region

QUOTA_DEFAULT = 20  # instances of one type and use; new accounts have fewer of the large ones
ACCELERATORS = ("ml.p", "ml.g", "ml.trn", "ml.inf")
SHORT_OF_JOBS = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)
SHORT_OF_ENDPOINTS = (
    "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error. "
    "Please retry using a different ML instance type or after some time."
)


USED_UP = "The account-level service limit '{}' is used up. Please use AWS Service Quotas to request an increase for this quota."


class ResourceLimitExceededError(SagemakerClientError):
    """More instances are asked for than the account may have."""

    code = "ResourceLimitExceeded"


class CapacityError(Exception):
    """No instance was left when one was needed."""

    fails_job = True


class Capacity:
    """What of SageMaker's instances the account may have, and finds."""

    def __init__(self, region: Region, quotas: Quotas) -> None:
        self.region, self.quotas = region, quotas
        self.shortage_fraction = 0.0
        self._short: list[str] = []
        # Spot jobs whose instances are taken away once: the next ones that start.
        self.interruptions = 0

    def run_short(self, times: int = 1, *, quota: str = "") -> None:
        """Have no instance for the next requests, or name the quota that others have used up meanwhile."""
        self._short += [quota] * times

    def quota(self, use: str, instance_type: str) -> int:
        """Return how many instances of a type the account may have for one use."""
        default = 0 if instance_type.startswith(ACCELERATORS) else QUOTA_DEFAULT
        return int(self.quotas.get(("sagemaker", f"{instance_type} for {use} usage"), default))

    def require(self, use: str, instance_type: str, count: int, in_use: Iterable[int]) -> None:
        """Refuse a request that goes beyond the account's quota for a use."""
        used, limit = sum(in_use), self.quota(use, instance_type)
        if used + count > limit:
            raise ResourceLimitExceededError(
                f"The account-level service limit '{instance_type} for {use} usage' is {limit} Instances, with current "
                f"utilization of {used} Instances and a request delta of {count} Instances. Please use AWS Service "
                "Quotas to request an increase for this quota."
            )

    def takes_back(self) -> bool:
        """Tell whether the spot instances that a job has just got will be taken away from it."""
        if not self.interruptions:
            return False
        self.interruptions -= 1
        return True

    def found(self, name: str) -> bool:
        """Tell whether there is an instance for a job or a fleet that needs one now."""
        return not self.shortage(name, "short")

    def shortage(self, name: str, none_left: str) -> str:
        """Say why there is no instance for a job or a fleet that needs one now; nothing where there is one."""
        if self._short:
            quota = self._short.pop(0)
            return f"ResourceLimitExceeded: {USED_UP.format(quota)}" if quota else none_left
        short = self.shortage_fraction and self.region.seeded("capacity", name).random() < self.shortage_fraction
        return none_left if short else ""
