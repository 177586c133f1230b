"""What SageMaker refuses in an UpdateEndpoint request: waits, sizes, timeouts, alarms that ring or are not there.

A canary or a linear step is whole instances, each with its share of the traffic: a percentage is rounded down to them,
and is at least one. More than half of the fleet is refused, so one instance has no canary at all. A rolling update replaces
batches of 5 to 50 % of the one variant's instances: it needs two of them, and no second fleet beside the one that serves.
"""

from __future__ import annotations

from typing import Any

from offline.alarms.alarms import Alarms
from offline.region import Region
from offline.sagemaker.api import ValidationError

TIMEOUT_SECONDS_MIN, TIMEOUT_SECONDS_MAX, TIMEOUT_SECONDS_DEFAULT = 600, 28_800, 14_400
WAIT_SECONDS_MAX = 3600
CAPACITY = "CAPACITY_PERCENT"
LIMITS = {"CANARY": ("CanarySize", 1, 50), "LINEAR": ("LinearStepSize", 10, 50)}
ROLLING, ROLLING_PERCENT_MIN = "RollingUpdatePolicy", 5


def check_update(region: Region, alarms: Alarms, request: dict[str, Any], *, instances: int, variants: int = 1) -> None:
    """Refuse an UpdateEndpoint request that SageMaker would, for the smaller of two fleets of so many instances."""
    deployment = request.get("DeploymentConfig") or {}
    if policy := deployment.get(ROLLING):
        if deployment.get("BlueGreenUpdatePolicy"):
            raise ValidationError("DeploymentConfig takes one of BlueGreenUpdatePolicy and RollingUpdatePolicy.")
        _check_rolling(policy, instances, variants)
    if policy := deployment.get("BlueGreenUpdatePolicy"):
        _check_policy(policy, instances)
    names = rollback_alarms(deployment)
    if not names:
        return
    if not {"BlueGreenUpdatePolicy", ROLLING} & deployment.keys() or len(names) > 10:
        raise ValidationError(
            "AutoRollbackConfiguration takes 1 to 10 alarms, beside a BlueGreenUpdatePolicy or a RollingUpdatePolicy."
        )
    known = region.backend("cloudwatch").alarms
    if missing := [name for name in names if name not in known]:
        raise ValidationError(f"Could not find CloudWatch alarm(s): {', '.join(missing)}.")
    if ringing := alarms.in_alarm(names):
        raise ValidationError(
            f"The following CloudWatch alarms are in ALARM state: {', '.join(ringing)}. "
            "Rollback alarms must not be in ALARM state when a deployment starts."
        )


def whole_instances(size: dict[str, Any], instances: int) -> int:
    """Return how many of a fleet's instances a CapacitySize is."""
    wanted = instances * size["Value"] // 100 if size["Type"] == CAPACITY else size["Value"]
    return max(1, int(wanted))


def _check_rolling(policy: dict[str, Any], instances: int, variants: int) -> None:
    if variants > 1:
        raise ValidationError("RollingUpdatePolicy is not supported for endpoints with multiple production variants.")
    if not 0 <= policy["WaitIntervalInSeconds"] <= WAIT_SECONDS_MAX:
        raise ValidationError(f"Waits must be between 0 and {WAIT_SECONDS_MAX} seconds.")
    timeout = policy.get("MaximumExecutionTimeoutInSeconds", TIMEOUT_SECONDS_DEFAULT)
    if not TIMEOUT_SECONDS_MIN <= timeout <= TIMEOUT_SECONDS_MAX:
        raise ValidationError(
            f"MaximumExecutionTimeoutInSeconds must be between {TIMEOUT_SECONDS_MIN} and {TIMEOUT_SECONDS_MAX}."
        )
    for name in ("MaximumBatchSize", "RollbackMaximumBatchSize"):
        size = policy.get(name)
        # Back, all instances may be replaced at once.
        most = 50 if name == "MaximumBatchSize" else 100
        share = 100 * whole_instances(size, instances) / instances if size else most
        if not ROLLING_PERCENT_MIN <= share <= most:
            raise ValidationError(
                f"{name} must be between {ROLLING_PERCENT_MIN} and {most} percent of the variant's total instance count, "
                f"which is {instances}."
            )


def _check_policy(policy: dict[str, Any], instances: int) -> None:
    routing = policy["TrafficRoutingConfiguration"]
    wait, termination = routing["WaitIntervalInSeconds"], policy.get("TerminationWaitInSeconds", 0)
    timeout = policy.get("MaximumExecutionTimeoutInSeconds", TIMEOUT_SECONDS_DEFAULT)
    if not (0 <= wait <= WAIT_SECONDS_MAX and 0 <= termination <= WAIT_SECONDS_MAX):
        raise ValidationError(f"Waits must be between 0 and {WAIT_SECONDS_MAX} seconds.")
    if not TIMEOUT_SECONDS_MIN <= timeout <= TIMEOUT_SECONDS_MAX:
        raise ValidationError(
            f"MaximumExecutionTimeoutInSeconds must be between {TIMEOUT_SECONDS_MIN} and {TIMEOUT_SECONDS_MAX}."
        )
    steps = _steps(routing, instances) if routing["Type"] in LIMITS else 1
    if timeout <= wait * steps + termination:
        raise ValidationError(
            "MaximumExecutionTimeoutInSeconds must be larger than TerminationWaitInSeconds and WaitIntervalInSeconds "
            "together."
        )


def _steps(routing: dict[str, Any], instances: int) -> int:
    """Return how often a canary or a linear update waits; refuse a step that is none."""
    name, low, high = LIMITS[routing["Type"]]
    size = routing.get(name)
    if size is None:
        raise ValidationError(f"{name} is required for {routing['Type']} traffic routing.")
    if size["Type"] == CAPACITY and not low <= size["Value"] <= high:
        raise ValidationError(f"{name} must be between {low} and {high} percent of the capacity.")
    if (step := whole_instances(size, instances)) > instances / 2:
        raise ValidationError(
            f"{name} of {step} must be at most 50 percent of the instance count, which is {instances}."
        )
    if size["Type"] != CAPACITY and 100 * step < low * instances:
        raise ValidationError(
            f"{name} of {step} must be at least {low} percent of the instance count, which is {instances}."
        )
    return -(-instances // step) if routing["Type"] == "LINEAR" else 1


def rollback_alarms(deployment: dict[str, Any]) -> list[str]:
    """Return the names of the alarms that a deployment watches."""
    alarms = (deployment.get("AutoRollbackConfiguration") or {}).get("Alarms") or []
    return [alarm["AlarmName"] for alarm in alarms]
