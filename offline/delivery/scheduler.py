"""EventBridge Scheduler: calls a target at the times of an expression, as the schedule's role, at least once.

The real service fires within the minute, retries a failing target (185 times in a day unless told otherwise), then
puts the input into the dead-letter queue. Imitated: cron, rate and at in any time zone, start and end dates, the
context attributes in the input, Lambda, SQS, SNS and Step Functions targets; it fires on the second, and one firing in
twenty happens twice. Refused: flexible windows, universal (aws-sdk) targets.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from moto.scheduler.exceptions import ValidationException
from moto.scheduler.models import EventBridgeSchedulerBackend as Backend

from offline.delivery.schedule_expressions import ScheduleExpressionError, parse
from offline.delivery.targets import SUPPORTED_SERVICES, Caller, Failure, RetryPolicy, TargetError, Targets
from offline.metrics.cloudwatch import Metrics
from offline.region import Region

PRINCIPAL = "scheduler.amazonaws.com"
DUPLICATE_FRACTION = 0.05
REPEAT_SECONDS = (1.0, 50.0)


def install(region: Region, firing: Firing) -> None:
    """Have moto's schedules fire on the account's clock."""
    create, update = Backend.create_schedule, Backend.update_schedule
    delete, delete_group = Backend.delete_schedule, Backend.delete_schedule_group

    def create_schedule(backend: Any, **kwargs: Any) -> Any:
        schedule = create(backend, **kwargs)
        try:
            firing.plan(schedule)
        except ValidationException:
            delete(backend, kwargs.get("group_name"), schedule.name)
            raise
        return schedule

    def update_schedule(backend: Any, **kwargs: Any) -> Any:
        firing.forget(backend.get_schedule(kwargs.get("group_name"), kwargs["name"]))
        schedule = update(backend, **kwargs)
        schedule.state = schedule.state or "ENABLED"  # what a call omits goes back to its default
        firing.plan(schedule)
        return schedule

    def delete_schedule(backend: Any, group_name: str | None, name: str) -> None:
        firing.forget(backend.get_schedule(group_name, name))
        delete(backend, group_name, name)

    def delete_schedule_group(backend: Any, name: str | None) -> None:
        for schedule in backend.get_schedule_group(name).schedules.values():
            firing.forget(schedule)
        delete_group(backend, name)

    region.patch(Backend, "create_schedule", create_schedule)
    region.patch(Backend, "update_schedule", update_schedule)
    region.patch(Backend, "delete_schedule", delete_schedule)
    region.patch(Backend, "delete_schedule_group", delete_schedule_group)


class Firing:
    """Plans each schedule's next time, and calls its target when that comes."""

    def __init__(self, region: Region, targets: Targets, metrics: Metrics) -> None:
        self.region, self.targets, self.metrics = region, targets, metrics
        self._planned: dict[str, Any] = {}

    def plan(self, schedule: Any) -> None:
        """Check a new or changed schedule, and plan its next firing."""
        expression = _checked(schedule, self.region.clock.now)
        if schedule.state == "ENABLED":
            self._plan_after(schedule, expression, self.region.clock.now)

    def forget(self, schedule: Any) -> None:
        """Fire a schedule no more."""
        timer = self._planned.pop(schedule.arn, None)
        if timer is not None:
            self.region.clock.cancel(timer)

    def _plan_after(self, schedule: Any, expression: Any, when: datetime) -> None:
        start, end = _time(schedule.start_date), _time(schedule.end_date)
        if start is not None and start > when:
            when = start - timedelta(microseconds=1)
        due = expression.after(when)
        if due is None or (end is not None and due > end):
            self._planned.pop(schedule.arn, None)
            return

        def fire() -> None:
            self._plan_after(schedule, expression, due)
            self._fire(schedule, due)

        self._planned[schedule.arn] = self.region.clock.call_at(due, fire, f"schedule {schedule.name}")

    def _fire(self, schedule: Any, due: datetime) -> None:
        clock, random = self.region.clock, self.region.random
        execution = str(UUID(int=random.getrandbits(128), version=4))
        target = schedule.target
        caller = Caller(PRINCIPAL, schedule.arn, target["RoleArn"])

        def send(attempt: int) -> None:
            self.targets.deliver(target["Arn"], _input(schedule, due, execution, attempt), caller, target)

        def give_up(failure: Failure) -> None:
            self._bury(schedule, due, _input(schedule, due, execution, failure.retries + 1), failure)

        def deliver() -> None:
            self.targets.persist(send, RetryPolicy.of(target.get("RetryPolicy")), give_up)

        if random.random() < DUPLICATE_FRACTION:
            clock.call_at(
                clock.now + timedelta(seconds=round(random.uniform(*REPEAT_SECONDS), 3)), deliver, "schedule, again"
            )
        deliver()
        if schedule.action_after_completion == "DELETE" and schedule.arn not in self._planned:
            self.region.backend("scheduler").delete_schedule(schedule.group_name, schedule.name)

    def _bury(self, schedule: Any, due: datetime, payload: str, failure: Failure) -> None:
        dimensions = {"ScheduleGroup": schedule.group_name}
        self.metrics.put("AWS/Scheduler", "InvocationDroppedCount", 1, dimensions, "Count")
        queue = (schedule.target.get("DeadLetterConfig") or {}).get("Arn")
        if not queue:
            return
        attributes = failure.attributes(
            SCHEDULE_ARN=schedule.arn, TARGET_ARN=schedule.target["Arn"], SCHEDULED_TIME=_iso(due)
        )
        try:
            self.targets.bury(queue, payload, attributes, Caller(PRINCIPAL, schedule.arn, schedule.target["RoleArn"]))
            self.metrics.put("AWS/Scheduler", "InvocationsSentToDeadLetterCount", 1, dimensions, "Count")
        except TargetError:
            self.metrics.put("AWS/Scheduler", "InvocationsFailedToBeSentToDeadLetterCount", 1, dimensions)


def _input(schedule: Any, due: datetime, execution: str, attempt: int) -> str:
    """Return the schedule's input with its context attributes filled in."""
    text = str(schedule.target.get("Input") or "{}")
    for name, value in (
        ("schedule-arn", schedule.arn),
        ("scheduled-time", _iso(due)),
        ("execution-id", execution),
        ("attempt-number", str(attempt)),
    ):
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def _checked(schedule: Any, now: datetime) -> Any:
    if (schedule.flexible_time_window or {}).get("Mode") != "OFF":
        raise ValidationException("flexible time windows are not imitated")
    service = str(schedule.target["Arn"]).split(":")[2]
    if service not in SUPPORTED_SERVICES:
        raise ValidationException(f"targets of {service} are not imitated: {schedule.target['Arn']}")
    if not schedule.target.get("RoleArn"):
        raise ValidationException("a schedule's target needs a RoleArn")
    try:
        return parse(
            schedule.schedule_expression, schedule.schedule_expression_timezone, _time(schedule.start_date) or now
        )
    except (ScheduleExpressionError, ValueError, KeyError) as error:
        raise ValidationException(f"Invalid Schedule Expression {schedule.schedule_expression}. {error}") from error


def _time(value: Any) -> datetime | None:
    if value is None or value == "":
        return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _iso(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
