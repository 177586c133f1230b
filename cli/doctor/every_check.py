"""Every check, in the order in which a person corrects faults: an early one is often the cause of a later one."""

from __future__ import annotations

from cli.doctor.checks import (
    alarms,
    bootstrap,
    credentials,
    endpoints,
    executions,
    functions,
    keys,
    models,
    queues,
    quotas,
    roles,
    schedules,
    secrets,
    stacks,
    streams,
    subscriptions,
)
from cli.doctor.checks.installation import Check

CHECKS: dict[str, Check] = {
    "credentials": credentials.check,
    "bootstrap": bootstrap.check,
    "stacks": stacks.check,
    "quotas": quotas.check,
    "roles": roles.check,
    "keys": keys.check,
    "subscriptions": subscriptions.check,
    "secrets": secrets.check,
    "functions": functions.check,
    "schedules": schedules.check,
    "queues": queues.check,
    "alarms": alarms.check,
    "models": models.check,
    "endpoints": endpoints.check,
    "streams": streams.check,
    "executions": executions.check,
}
