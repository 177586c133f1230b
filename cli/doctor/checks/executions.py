"""Whether retrainings and releases of the last days ended well."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cli.doctor.checks.installation import Installation
from cli.doctor.findings import Finding, ok, warning
from kedge.comparisons import counted

MACHINE = "AWS::StepFunctions::StateMachine"
DAYS = 7
TOLD_MAX = 5


def check(installation: Installation) -> Iterator[Finding]:
    """List what each machine ran lately, newest first."""
    client, since = installation.client("stepfunctions"), installation.now - timedelta(days=DAYS)
    for machine in installation.resources(MACHINE):
        pages = client.get_paginator("list_executions").paginate(stateMachineArn=machine.physical_id)
        newest_first = (execution for page in pages for execution in page["executions"])
        recent = list(itertools.takewhile(lambda each: _is_recent(each, since), newest_first))
        yield from state(machine.physical_id, recent, region=installation.region)


def state(machine: str, recent: Sequence[Mapping[str, Any]], *, region: str) -> Iterator[Finding]:
    """What failed; else how many ended well, and when the last one began."""
    broken = [each for each in recent if each["status"] in ("FAILED", "TIMED_OUT", "ABORTED")]
    for each in broken[:TOLD_MAX]:
        console = f"https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details"
        yield warning(
            each["executionArn"],
            f"the execution ended as {each['status']} at {each['stopDate']:%Y-%m-%d %H:%M} UTC",
            f"{console}/{each['executionArn']}; docs/operations.md#mails-about-a-model says what to do then",
        )
    if len(broken) > TOLD_MAX:
        yield warning(machine, f"{len(broken) - TOLD_MAX} more executions failed within {DAYS} days", "the same")
    if not broken:
        last = f"; the last began at {recent[0]['startDate']:%Y-%m-%d %H:%M} UTC" if recent else ""
        yield ok(machine, f"{counted(len(recent), 'execution')} within {DAYS} days, and none failed{last}")


def _is_recent(execution: Mapping[str, Any], since: datetime) -> bool:
    started: datetime = execution["startDate"]
    return started >= since
