"""EventBridge: rules match events and hand them to targets, a little late, out of order, and sometimes twice.

The real service delivers each event to each matching rule's targets at least once, usually within seconds, in no
order, tries a failing target again for 24 hours, then puts the event into the target's dead-letter queue. Imitated:
pattern rules (moto's matcher) on any bus; input, input path, input transformer; Lambda, SQS, SNS and Step Functions
targets; one delivery in twenty comes twice. Scheduled rules are refused: EventBridge Scheduler has taken their place.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.events.exceptions import ValidationException
from moto.events.models import EventsBackend, Rule

from offline.delivery.event_inputs import target_input
from offline.delivery.targets import SUPPORTED_SERVICES, Caller, Failure, RetryPolicy, TargetError, Targets
from offline.metrics.cloudwatch import Metrics
from offline.region import Region

PRINCIPAL = "events.amazonaws.com"
DUPLICATE_FRACTION = 0.05
DELAY_SECONDS = (0.2, 6.0)
REPEAT_SECONDS = (1.0, 90.0)
TARGET_KEYS = {
    "Id",
    "Arn",
    "RoleArn",
    "Input",
    "InputPath",
    "InputTransformer",
    "SqsParameters",
    "RetryPolicy",
    "DeadLetterConfig",
}


def install(region: Region, bus: EventBus) -> None:
    """Have moto's rules reach their targets."""
    put_rule, put_targets = EventsBackend.put_rule, EventsBackend.put_targets

    def checked_put_rule(backend: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("scheduled_expression"):
            raise ValidationException("scheduled rules are not imitated: use EventBridge Scheduler")
        return put_rule(backend, name, *args, **kwargs)

    def checked_put_targets(backend: Any, name: str, event_bus_arn: Any, targets: list[dict[str, Any]]) -> Any:
        for target in targets:
            _check_target(target)
        return put_targets(backend, name, event_bus_arn, targets)

    def send_to_targets(rule: Any, original_event: Any, transform_input: bool = True) -> None:
        bus.offer(rule, dict(original_event))

    region.patch(EventsBackend, "put_rule", checked_put_rule)
    region.patch(EventsBackend, "put_targets", checked_put_targets)
    region.patch(Rule, "send_to_targets", send_to_targets)


class EventBus:
    """The way of an event from its source to the targets of the rules that it matches."""

    def __init__(self, region: Region, targets: Targets, metrics: Metrics) -> None:
        self.region, self.targets, self.metrics = region, targets, metrics

    def publish(
        self, source: str, detail_type: str, detail: dict[str, Any], resources: list[str] | None = None
    ) -> None:
        """Put an event of an AWS service on the default bus, as of now."""
        entry = {
            "Source": source,
            "DetailType": detail_type,
            "Detail": json.dumps(detail, default=_iso),
            "Resources": list(resources or []),
        }
        answer = self.region.backend("events").put_events([entry])
        if "ErrorCode" in answer[0]:
            raise ValueError(f"{source} {detail_type}: {answer[0]['ErrorMessage']}")

    def offer(self, rule: Any, event: dict[str, Any]) -> None:
        """Have an event delivered to a rule's targets if the rule is enabled and matches."""
        event = _envelope(event, self.region.clock.now)
        if rule.state == "DISABLED" or not rule.event_pattern.get_pattern():
            return
        if not rule.event_pattern.matches_event(event):
            return
        for target in list(rule.targets):
            self._plan(rule, target, event)

    def _plan(self, rule: Any, target: dict[str, Any], event: dict[str, Any]) -> None:
        clock, random = self.region.clock, self.region.random
        delays = [random.uniform(*DELAY_SECONDS)]
        if random.random() < DUPLICATE_FRACTION:
            delays.append(delays[0] + random.uniform(*REPEAT_SECONDS))
        ingested = _iso(clock.now)
        for delay in delays:
            when = clock.now + timedelta(seconds=round(delay, 3))
            label = f"{rule.name} -> {target['Arn']}"
            clock.call_at(when, lambda: self._deliver(rule, target, event, ingested), label)

    def _deliver(self, rule: Any, target: dict[str, Any], event: dict[str, Any], ingested: str) -> None:
        payload = target_input(target, event, (rule.name, rule.arn), ingested)
        caller = Caller(PRINCIPAL, rule.arn, target.get("RoleArn"))
        self.metrics.put("AWS/Events", "Invocations", 1, {"RuleName": rule.name}, "Count")
        self.targets.persist(
            lambda _attempt: self.targets.deliver(target["Arn"], payload, caller, target),
            RetryPolicy.of(target.get("RetryPolicy")),
            lambda failure: self._give_up(rule, target, payload, failure),
        )

    def _give_up(self, rule: Any, target: dict[str, Any], payload: str, failure: Failure) -> None:
        dimensions = {"RuleName": rule.name}
        self.metrics.put("AWS/Events", "FailedInvocations", 1, dimensions, "Count")
        queue = (target.get("DeadLetterConfig") or {}).get("Arn")
        if not queue:
            return
        attributes = failure.attributes(RULE_ARN=rule.arn, TARGET_ARN=target["Arn"])
        try:
            self.targets.bury(queue, payload, attributes, Caller(PRINCIPAL, rule.arn))
            self.metrics.put("AWS/Events", "InvocationsSentToDlq", 1, dimensions, "Count")
        except TargetError:
            self.metrics.put("AWS/Events", "InvocationsFailedToBeSentToDlq", 1, dimensions, "Count")


def _envelope(event: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return the event as targets see it: an ISO time, and nothing of moto's own."""
    time = event.get("time")
    stamp = datetime.fromtimestamp(float(time), UTC) if isinstance(time, int | float) else now
    keys = ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")
    event["time"] = time if isinstance(time, str) and time else _iso(stamp)
    return {key: event[key] for key in keys if key in event}


def _iso(time: Any) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if isinstance(time, datetime) else str(time)


def _check_target(target: dict[str, Any]) -> None:
    unknown = set(target) - TARGET_KEYS
    if unknown:
        raise ValidationException(f"a target's {', '.join(sorted(unknown))} is not imitated")
    service = str(target["Arn"]).split(":")[2]
    if service not in SUPPORTED_SERVICES:
        raise ValidationException(f"targets of {service} are not imitated: {target['Arn']}")
