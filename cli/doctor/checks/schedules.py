"""Whether the schedules are there and on, and whether they really fire, as their functions' logs show.

The metric of invocations does not prove it: `kedge doctor` itself invokes the functions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from cli.doctor.checks.installation import ROLE, Installation
from cli.doctor.findings import Finding, failed, ok, warning
from cli.doctor.refused import absent
from cli.doctor.remedies import read_log, restore
from cli.operator.deployment import MONITORING
from lambdas.stage import current
from lambdas.steps.requests import CADENCES

SCHEDULE = "AWS::Scheduler::Schedule"
# A tick may be tried again for an hour, and the run itself takes a while.
SLACK = timedelta(hours=2)
# What each scheduled function logs when it has done its work.
LOGGED = {
    "FanOut": "fanned out",
    "WatchMonitor": "watched the monitor",
    "KeepHistory": "the history is kept",
    "SendDigest": "digests sent",
    "WritePages": "page of all models written",
    "ExpireCaptures": "old captures are deleted",
}
_HOURS = re.compile(r"cron\(\d+ (?:\*|\d+/(\d+)) \* \* \? \*\)")
_WEEKLY = re.compile(r"cron\(\d+ \d+ \? \* [A-Z]{3} \*\)")
UNDELIVERED_DAYS = 7


@dataclass(frozen=True)
class Tick:
    """The log line of a schedule's function after a run for this schedule, and how often it should come."""

    period: timedelta
    facts: Mapping[str, str]


def check(installation: Installation) -> Iterator[Finding]:
    """Look at each schedule, at its role, and at the last run that it caused."""
    client, roles = installation.client("scheduler"), {role.physical_id for role in installation.resources(ROLE)}
    now = installation.now
    for resource in installation.resources(SCHEDULE):
        name = resource.physical_id
        try:
            schedule = client.get_schedule(Name=name)
        except ClientError as error:
            if not absent(error):
                raise
            yield failed(name, f"the schedule {resource.logical_id} is gone", restore(resource.stack))
            continue
        fault = state(schedule, roles=roles)
        yield fault or fired(schedule, _runs(installation, schedule, now), now)
    yield from dropped(_dropped(installation, now))


def state(schedule: Mapping[str, Any], *, roles: set[str]) -> Finding | None:
    """The fault that keeps the schedule from firing; None without one."""
    name, target = schedule["Name"], schedule["Target"]
    if schedule["State"] != "ENABLED":
        remedy = f"EventBridge console > Scheduler > Schedules > {name} > Enable"
        return failed(name, "the schedule is switched off, so nothing starts its function", remedy)
    if target["RoleArn"].rpartition("/")[2] not in roles:
        remedy = f"EventBridge console > Scheduler > Schedules > {name} > Edit: choose the role SchedulerRole of {current().named(MONITORING)}"
        return failed(name, f"the schedule fires as {target['RoleArn']}, which is not a role of Kedge's", remedy)
    return None


def tick(schedule: Mapping[str, Any]) -> Tick:
    """What to look for in the log of the schedule's function."""
    asked = json.loads(schedule["Target"].get("Input") or "{}")
    function = schedule["Target"]["Arn"].rpartition(":")[2]
    message = next(message for name, message in LOGGED.items() if f"-{name}" in function)
    if "cadence" in asked:
        facts = {"message": message, "step": asked["step"], "cadence": asked["cadence"]}
        return Tick(CADENCES[asked["cadence"]], facts)
    return Tick(period_of(schedule["ScheduleExpression"]), {"message": message})


def period_of(expression: str) -> timedelta:
    """How often a schedule fires: every few hours, on one day of the week, or daily.

    >>> [period_of(f"cron({cron})").days for cron in ("50 0/6 * * ? *", "10 4 * * ? *", "0 6 ? * MON *")]
    [0, 1, 7]
    """
    if hours := _HOURS.fullmatch(expression):
        return timedelta(hours=int(hours[1] or 1))
    return timedelta(days=7 if _WEEKLY.fullmatch(expression) else 1)


def fired(schedule: Mapping[str, Any], runs: Sequence[datetime], now: datetime) -> Finding:
    """Whether the schedule caused a run within its period."""
    name, period, since = schedule["Name"], tick(schedule).period, schedule["LastModificationDate"]
    if runs:
        return ok(name, f"fired at {max(runs):%Y-%m-%d %H:%M} UTC")
    if now - since < period + SLACK:
        return ok(name, f"on; deployed at {since:%Y-%m-%d %H:%M} UTC, and its first run is not due yet")
    function = schedule["Target"]["Arn"].rpartition(":")[2]
    return failed(
        name,
        f"no run of {function} that this schedule caused has ended since {now - period - SLACK:%Y-%m-%d %H:%M} UTC",
        f"look for errors in the queue Undelivered and in its log: {read_log(function, hours=_hours(period + SLACK))}",
    )


def dropped(ticks: int) -> Iterator[Finding]:
    """Ticks that EventBridge Scheduler gave up on, for all schedules of the default group."""
    if ticks:
        yield warning(
            "schedule group default",
            f"EventBridge Scheduler gave up on {ticks} ticks within {UNDELIVERED_DAYS} days; some may belong to other programs",
            "docs/operations.md#redrive-dead-letters: ticks of Kedge wait in the queue Undelivered",
        )


def _runs(installation: Installation, schedule: Mapping[str, Any], now: datetime) -> list[datetime]:
    wanted = tick(schedule)
    function = schedule["Target"]["Arn"].rpartition(":")[2]
    configuration = installation.functions.get(function, {})
    group = configuration.get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{function}")
    pages = (
        installation.client("logs")
        .get_paginator("filter_log_events")
        .paginate(
            logGroupName=group,
            filterPattern=f'"{wanted.facts["message"]}"',
            startTime=_milliseconds(now - wanted.period - SLACK),
            endTime=_milliseconds(now),
        )
    )
    events = [event for page in pages for event in page["events"]]
    return [
        datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
        for event in events
        if wanted.facts.items() <= _line(event["message"]).items()
    ]


def _line(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _dropped(installation: Installation, now: datetime) -> int:
    answer = installation.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Scheduler",
        MetricName="InvocationDroppedCount",
        Statistics=["Sum"],
        Period=86400,
        Dimensions=[{"Name": "ScheduleGroup", "Value": "default"}],
        StartTime=now - timedelta(days=UNDELIVERED_DAYS),
        EndTime=now,
    )
    return int(sum(point["Sum"] for point in answer["Datapoints"]))


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def _hours(period: timedelta) -> int:
    return int(period / timedelta(hours=1))
