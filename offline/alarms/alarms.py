"""CloudWatch alarms: evaluated from the stored metrics on the account's clock, by their own missing-data rules.

The real service evaluates every alarm each minute. Imitated: metric and metric-math alarms, evaluated at the end of a
period in which something came in, and whenever silence by itself would change the state; in between nothing can
change, so nothing runs. A change of state calls the actions (SNS, Lambda) and puts "CloudWatch Alarm State Change" on
the bus. Refused: composite and anomaly alarms, periods of less than a minute, other actions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import CloudWatchBackend
from moto.core.exceptions import ServiceException

from offline.alarms import history as alarm_history
from offline.alarms import notices as alarm_notices
from offline.alarms.rules import ALARM, INSUFFICIENT_DATA, OK
from offline.alarms.watch import Watch
from offline.delivery.events import EventBus
from offline.delivery.targets import Caller, TargetError, Targets
from offline.metrics.cloudwatch import Metrics
from offline.metrics.store import MINUTE, Key
from offline.region import Region

PRINCIPALS = {"sns": "cloudwatch.amazonaws.com", "lambda": "lambda.alarms.cloudwatch.amazonaws.com"}
ALARMS_MAX = 5_000  # of an account in a region, until AWS raises it
OnChange = Callable[[str, str, str], None]


class AlarmLimitExceeded(ServiceException):
    """The account has as many alarms as it may."""

    code = "LimitExceeded"


def install(region: Region, alarms: Alarms) -> None:
    """Have moto's alarms evaluated, and their history told."""
    alarm_history.install(region, alarms.history)
    put, delete = CloudWatchBackend.put_metric_alarm, CloudWatchBackend.delete_alarms
    set_state = CloudWatchBackend.set_alarm_state

    def put_metric_alarm(backend: Any, **kwargs: Any) -> Any:
        before = backend.alarms.get(kwargs["name"])
        if before is None and len(backend.alarms) >= alarms.quota:
            raise AlarmLimitExceeded(f"The quota of {alarms.quota} alarms in this account and region is used up.")
        alarm = put(backend, **kwargs)
        try:
            alarms.watch(alarm, before)
        except ValidationError:
            backend.alarms.pop(alarm.name)
            if before is not None:
                backend.alarms[alarm.name] = before
            raise
        return alarm

    def delete_alarms(backend: Any, alarm_names: list[str]) -> None:
        for name in alarm_names:
            alarms.unwatch(name)
        delete(backend, alarm_names)

    def set_alarm_state(backend: Any, alarm_name: str, reason: str, reason_data: str, state_value: str) -> None:
        alarm = backend.alarms.get(alarm_name)
        previous = alarm_notices.state(alarm) if alarm else {}
        set_state(backend, alarm_name, reason, reason_data or "{}", state_value)
        alarms.state_was_set(alarm, previous)

    region.patch(CloudWatchBackend, "put_metric_alarm", put_metric_alarm)
    region.patch(CloudWatchBackend, "delete_alarms", delete_alarms)
    region.patch(CloudWatchBackend, "set_alarm_state", set_alarm_state)


class _Plan:
    """What the engine keeps of one alarm: its watch, its listener, its next evaluation."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.listener: Callable[[Key, float, float], None] | None = None
        self.timer: Any = None
        self.needed_until = 0  # data came in up to the end of the period that ends then


class Alarms:
    """The alarms of the account."""

    def __init__(self, region: Region, metrics: Metrics, targets: Targets, bus: EventBus) -> None:
        self.region, self.metrics, self.targets, self.bus = region, metrics, targets, bus
        self._plans: dict[str, _Plan] = {}
        self._callbacks: list[OnChange] = []
        self.quota = ALARMS_MAX
        self.history = alarm_history.AlarmHistory(region)

    def in_alarm(self, names: Iterable[str]) -> list[str]:
        """Return those of the named alarms that are in ALARM."""
        known = self.region.backend("cloudwatch").alarms
        return [name for name in names if name in known and known[name].state_value == ALARM]

    def on_change(self, callback: OnChange) -> None:
        """Have `callback` called with (alarm's name, state before, state after) at each change of state."""
        self._callbacks.append(callback)

    def watch(self, alarm: Any, before: Any) -> None:
        """Evaluate an alarm from now on; one that is redefined keeps its state."""
        self._check_actions(alarm)
        plan = _Plan(Watch(alarm, self.metrics))
        self.unwatch(alarm.name)
        alarm.state_value = INSUFFICIENT_DATA
        if before is not None:
            for name in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
                setattr(alarm, name, getattr(before, name))
        self._plans[alarm.name] = plan

        def listener(_key: Key, second: float, value: float) -> None:
            if alarm.state_value != OK or not plan.watch.quiet(value):
                self._heard(plan, second)

        plan.listener = listener
        for key in plan.watch.keys:
            self.metrics.listen(key, listener)
        self._at(plan, self._next_minute())

    def unwatch(self, name: str) -> None:
        """Evaluate an alarm no more."""
        plan = self._plans.pop(name, None)
        if plan is None:
            return
        for key in plan.watch.keys:
            self.metrics.unlisten(key, plan.listener)
        if plan.timer is not None:
            self.region.clock.cancel(plan.timer)

    def state_was_set(self, alarm: Any, previous: dict[str, Any]) -> None:
        """Tell of a state set by hand; the next evaluation puts it right."""
        if alarm.state_value != previous["value"]:
            self._tell(alarm, previous)
        plan = self._plans.get(alarm.name)
        if plan is not None:
            self._at(plan, self._next_minute())

    def _check_actions(self, alarm: Any) -> None:
        for arn in [*alarm.alarm_actions, *alarm.ok_actions, *alarm.insufficient_data_actions]:
            if arn.split(":")[2] not in PRINCIPALS:
                raise ValidationError(f"the alarm action {arn} is not imitated")

    def _heard(self, plan: _Plan, second: float) -> None:
        """Plan an evaluation for the end of the period in which a value came in."""
        period = plan.watch.period
        end = (int(second) // period + 1) * period
        now = self.region.clock.now.timestamp()
        due = end if end > now else self._next_minute()
        plan.needed_until = max(plan.needed_until, due)
        self._at(plan, due)

    def _at(self, plan: _Plan, due: int) -> None:
        """Plan an evaluation, unless an earlier one is planned, which will look further itself."""
        when = datetime.fromtimestamp(due, UTC)
        if plan.timer is not None:
            if plan.timer.when <= when:
                return
            self.region.clock.cancel(plan.timer)
        plan.timer = self.region.clock.call_at(when, lambda: self._evaluate(plan), plan.watch.alarm.name)

    def _evaluate(self, plan: _Plan) -> None:
        plan.timer = None
        watch, alarm = plan.watch, plan.watch.alarm
        now = int(self.region.clock.now.timestamp())
        reading = watch.read(now)
        state = watch.state(reading.points, alarm.state_value)
        if state != alarm.state_value:
            previous = alarm_notices.state(alarm)
            alarm.update_state(*watch.reason(reading, state), state)
            self._tell(alarm, previous)
        if self._plans.get(alarm.name) is plan:
            self._plan_next(plan, reading, now)

    def _plan_next(self, plan: _Plan, reading: Any, now: int) -> None:
        watch = plan.watch
        end = now // watch.period * watch.period
        if plan.needed_until > now:
            self._at(plan, min(plan.needed_until, end + watch.period))
        if watch.expressions:  # silence may mean anything to an expression: look until all data has gone by
            if now < plan.needed_until + len(reading.points) * watch.period:
                self._at(plan, end + watch.period)
        elif (steps := watch.next_change(reading, watch.alarm.state_value)) is not None:
            self._at(plan, end + steps * watch.period)

    def _next_minute(self) -> int:
        return (int(self.region.clock.now.timestamp()) // MINUTE + 1) * MINUTE

    def _tell(self, alarm: Any, previous: dict[str, Any]) -> None:
        self.history.record(alarm.name, previous, alarm_notices.state(alarm))
        for callback in list(self._callbacks):
            callback(alarm.name, previous["value"], alarm.state_value)
        detail = alarm_notices.event_detail(alarm, previous)
        self.bus.publish("aws.cloudwatch", "CloudWatch Alarm State Change", detail, [alarm.alarm_arn])
        if alarm.actions_enabled:
            for arn in self._actions(alarm):
                self._act(alarm, arn, previous)

    def _actions(self, alarm: Any) -> list[str]:
        by_state = {ALARM: alarm.alarm_actions, OK: alarm.ok_actions}
        return list(by_state.get(alarm.state_value, alarm.insufficient_data_actions))

    def _act(self, alarm: Any, arn: str, previous: dict[str, Any]) -> None:
        service = arn.split(":")[2]
        shape = alarm_notices.topic_message if service == "sns" else alarm_notices.function_input
        payload = json.dumps(shape(alarm, previous, self.region.account_id))
        caller = Caller(PRINCIPALS[service], alarm.alarm_arn)
        try:
            self.targets.deliver(arn, payload, caller, {"Subject": alarm_notices.subject(alarm)})
        except TargetError as error:  # AWS notes a failed action in the alarm's history and goes on
            failed = ("Action", str(error), "{}", alarm.state_value, alarm.state_updated_timestamp)
            alarm.history.append(failed)
            self.metrics.put("AWS/CloudWatch", "FailedActions", 1, {"AlarmName": alarm.name}, "Count")
