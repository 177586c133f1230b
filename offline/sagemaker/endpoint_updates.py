"""UpdateEndpoint: a second fleet is provisioned, gets traffic by canary, in steps or at once, and goes back on alarm.

The real service keeps the old (blue) fleet while the new (green) one bakes, watches the rollback alarms until the old
one is terminated, and after a rollback is InService again with the old config and no failure reason. Imitated: blue
and green fleets with all three ways of shifting traffic, rolling updates, whose batches are provisioned one by one,
WaitIntervalInSeconds, TerminationWaitInSeconds,
MaximumExecutionTimeoutInSeconds, alarms in ALARM at the start refused, no baking if variant names differ, steps of
whole instances; RetainAllVariantProperties. What becomes of the capture destination is not certain, see `CaptureRule`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from offline.alarms.alarms import Alarms
from offline.iam.guard import Guard
from offline.sagemaker.api import Described, ValidationError
from offline.sagemaker.endpoint import Endpoint
from offline.sagemaker.endpoint_fleets import Fleet
from offline.sagemaker.endpoint_policies import (
    LIMITS,
    ROLLING,
    TIMEOUT_SECONDS_DEFAULT,
    rollback_alarms,
    whole_instances,
)
from offline.sagemaker.storage import DownloadError

PROVISION_SECONDS = (180, 360)
ROLLBACK_SECONDS = (60, 180)
# What an update does with the capture destination: ExcludeRetainedVariantProperties takes DataCaptureConfig, "(Not currently
# supported.)". It may be ignored, so that RetainAllVariantProperties keeps the old one, or it may be honoured; and an
# endpoint that keeps the old one whatever is asked shows whether anyone looks.
CaptureRule = Literal["exclusion ignored", "exclusion honoured", "always kept"]


class Update:
    """One replacement of an endpoint's fleet, from Updating to InService."""

    def __init__(
        self,
        endpoint: Endpoint,
        config: Described,
        request: dict[str, Any],
        guard: Guard,
        alarms: Alarms,
        capture_rule: CaptureRule,
    ) -> None:
        self.endpoint, self.region, self.config, self.request = endpoint, endpoint.region, config, request
        self.guard, self.alarms, self.capture_rule = guard, alarms, capture_rule
        self.deployment: dict[str, Any] = request.get("DeploymentConfig") or {}
        rolling = self.deployment.get(ROLLING)
        self.policy: dict[str, Any] = rolling or self.deployment.get("BlueGreenUpdatePolicy") or {}
        # A rolling update moves traffic as a linear one does: with the instances that were replaced.
        self.routing: dict[str, Any] = (
            {"Type": "ROLLING", "WaitIntervalInSeconds": rolling["WaitIntervalInSeconds"]}
            if rolling
            else self.policy.get("TrafficRoutingConfiguration", {})
        )
        self.watched = set(rollback_alarms(self.deployment))
        self.blue = endpoint.fleet
        self.green: Fleet | None = None
        self.ended = False
        self._timers: list[Any] = []
        self._failure = ""

    def begin(self) -> None:
        """Order the new fleet; the old one goes on serving."""
        timeout = self.policy.get("MaximumExecutionTimeoutInSeconds", TIMEOUT_SECONDS_DEFAULT)
        self._pending("Creating")
        self.endpoint.to("Updating")
        try:
            self.green = Fleet(self.endpoint.ground, self.endpoint.name, self._config(), self._capture())
        except (DownloadError, ValidationError) as error:
            self._failure = f"Failed to download model data: {error}"
        self._after(PROVISION_SECONDS, self._provisioned)
        self._after(
            (timeout, timeout), lambda: self.roll_back("The deployment exceeded its maximum execution timeout.")
        )

    def _config(self) -> dict[str, Any]:
        """Return the new config; with RetainAllVariantProperties its variants keep counts and weights."""
        return self.config.document | {"ProductionVariants": retained_variants(self.blue, self.config, self.request)}

    def _capture(self) -> Any:
        """Return the capture that is retained, or None to have the new config's."""
        excluded = self.capture_rule == "exclusion honoured" and "DataCaptureConfig" in _excluded(self.request)
        retained = self.request.get("RetainAllVariantProperties") and not excluded
        kept = self.blue is not None and (retained or self.capture_rule == "always kept")
        return (self.blue.capture_config or {}) if self.blue is not None and kept else None

    def _provisioned(self) -> None:
        failure = self._failure or (self.green.check_health() if self.green else "") or self._blind()
        if failure:
            self.roll_back(failure)
            return
        self.alarms.on_change(self._heard)
        routing = self.routing
        # SageMaker silently shifts everything at once, unwatched, where old and new variants have different names.
        if self.blue is None or self.green is None or self.blue.names != self.green.names or not routing:
            self.watched = set()
            self._finish()
            return
        self.endpoint.green = self.green
        self._shift(list(self._shares(routing)))

    def _blind(self) -> str:
        """Say why SageMaker cannot see the rollback alarms: it looks at them as the new fleet's execution role."""
        roles = {variant.role_arn for variant in self.green.variants} if self.green else set()
        for name in sorted(self.watched):
            alarm = self.region.arn("cloudwatch", f"alarm:{name}")
            for role_arn in sorted(roles):
                if not self.guard.allows(role_arn, "cloudwatch:DescribeAlarms", alarm):
                    return f"{role_arn} is not authorized to perform cloudwatch:DescribeAlarms on {alarm}."
        return ""

    def _shares(self, routing: dict[str, Any]) -> list[float]:
        """Return the green fleet's share of the traffic, step by step."""
        if routing["Type"] == "ALL_AT_ONCE" or self.green is None:
            return [1.0]
        instances = self.green.instances
        size = self.policy["MaximumBatchSize"] if routing["Type"] == "ROLLING" else routing[LIMITS[routing["Type"]][0]]
        step = whole_instances(size, instances)
        turned_on = [step] if routing["Type"] == "CANARY" else range(step, instances, step)
        return [*(number / instances for number in turned_on), 1.0]

    def _shift(self, shares: list[float]) -> None:
        """Give the green fleet its next share, and let it bake."""
        if self.ended or self._alarmed():
            return
        self.endpoint.green_share = shares[0]
        self._pending("Baking")
        routing, wait = self.routing, self.routing["WaitIntervalInSeconds"]
        if len(shares) > 1 and routing["Type"] == "ROLLING":
            self._after((wait, wait), lambda: self._next_batch(shares[1:]))
            return
        if len(shares) > 1:
            self._after((wait, wait), lambda: self._shift(shares[1:]))
            return
        # All but a canary bake with all traffic too; SageMaker then waits before it ends the old fleet.
        wait = self.policy.get("TerminationWaitInSeconds", 0) + (wait if routing["Type"] != "CANARY" else 0)
        self._after((wait, wait), self._finish)

    def _next_batch(self, shares: list[float]) -> None:
        """Provision the next batch, while those before it serve."""
        if self.ended or self._alarmed():
            return
        self._pending("Creating")
        self._after(PROVISION_SECONDS, lambda: self._shift(shares))

    def _finish(self) -> None:
        if self.ended or self._alarmed():
            return
        self._end()
        if self.blue is not None:
            self.blue.release()
        self.endpoint.fleet = self.green
        self._settle()

    def _heard(self, alarm: str, _before: str, after: str) -> None:
        if not self.ended and alarm in self.watched and after == "ALARM":
            self.roll_back("")

    def _alarmed(self) -> bool:
        if self.alarms.in_alarm(self.watched):
            self.roll_back("")
            return True
        return False

    def roll_back(self, reason: str) -> None:
        """Send all traffic to the old fleet at once; after an alarm, nothing will tell of it but the config's name."""
        if self.ended:
            return
        self._end()
        if self.green is not None:
            self.green.release()
        self._pending("Deleting")
        fields = {"FailureReason": reason} if reason else {}
        # It stays Updating until the new fleet is gone.
        self.endpoint.later(ROLLBACK_SECONDS, lambda: self._settle(**fields))

    def _end(self) -> None:
        self.ended = True
        for timer in self._timers:
            self.region.clock.cancel(timer)
        self.endpoint.green, self.endpoint.green_share = None, 0.0

    def _settle(self, **fields: str) -> None:
        document = self.endpoint.document
        document.pop("PendingDeploymentSummary", None)
        if self.deployment:
            document["LastDeploymentConfig"] = self.deployment
        self.endpoint.describe_fleet()
        self.endpoint.to("InService" if self.endpoint.fleet is not None else "Failed", **fields)

    def _pending(self, status: str) -> None:
        now = self.region.clock.now
        summary = self.endpoint.document.setdefault("PendingDeploymentSummary", {"StartTime": now})
        summary["EndpointConfigName"] = self.config.document["EndpointConfigName"]
        for kind in ("ProductionVariants", "ShadowProductionVariants"):
            if variants := self.config.document.get(kind):
                summary[kind] = [
                    {"VariantName": variant["VariantName"], "VariantStatus": [{"Status": status, "StartTime": now}]}
                    for variant in variants
                ]

    def _after(self, seconds: tuple[float, float], action: Any) -> None:
        if seconds[0] == seconds[1]:
            when = self.region.clock.now + timedelta(seconds=seconds[0])
            self._timers.append(self.region.clock.call_at(when, action, self.endpoint.arn))
        else:
            self._timers.append(self.endpoint.later(seconds, action))


def retained_variants(blue: Fleet | None, config: Described, request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the new config's variants; with RetainAllVariantProperties they keep counts and weights."""
    variants: list[dict[str, Any]] = config.document["ProductionVariants"]
    if not request.get("RetainAllVariantProperties") or blue is None:
        return variants
    present = {variant.name: variant for variant in blue.variants}
    return [_retained(variant, present.get(variant["VariantName"]), _excluded(request)) for variant in variants]


def _excluded(request: dict[str, Any]) -> set[str]:
    return {item["VariantPropertyType"] for item in request.get("ExcludeRetainedVariantProperties", [])}


def _retained(variant: dict[str, Any], present: Any, excluded: set[str]) -> dict[str, Any]:
    if present is None:
        return variant
    kept: dict[str, Any] = {}
    if "DesiredInstanceCount" not in excluded:
        kept["InitialInstanceCount"] = present.instances
    if "DesiredWeight" not in excluded:
        kept["InitialVariantWeight"] = present.weight
    return {**variant, **kept}
