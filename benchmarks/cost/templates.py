"""What is paid for in the templates: alarms, keys, queues with a function behind them, scheduled ticks, and functions' memory."""

from __future__ import annotations

import functools
import json
from typing import Any

from kedge.config.cron import parse_cron
from tests.synthesised import STACKS, assembly

_MODELS = "KedgeModels-1"
_DAYS_A_WEEK, _DAYS_A_MONTH = 7, 730 / 24


def counted_in_templates() -> dict[str, float]:
    """What a deployment without channels has for itself, whatever its models are."""
    ticks = sum(_ticks(each["Properties"]["ScheduleExpression"]) for each in _resources("AWS::Scheduler::Schedule"))
    return {
        "alarms": len(_resources("AWS::CloudWatch::Alarm")) - len(_resources("AWS::CloudWatch::Alarm", _MODELS)),
        "keys": len(_resources("AWS::KMS::Key")),
        "queues": len(_resources("AWS::Lambda::EventSourceMapping")),
        "ticks": round(ticks, 1),
    }


def memory_and_timeout(function: str) -> tuple[int, int]:
    """A function's memory in MiB, and how long a run may last in seconds."""
    (found,) = (
        each["Properties"]
        for each in _resources("AWS::Lambda::Function")
        if each["Properties"]["Handler"] == f"lambdas.handlers.{function}.handler"
    )
    return found["MemorySize"], found["Timeout"]


def _ticks(expression: str) -> float:
    schedule = parse_cron(expression)
    days = _DAYS_A_MONTH / (_DAYS_A_WEEK if "MON" in expression else 1)
    return len(schedule.hours) * len(schedule.minutes) * days


def _resources(kind: str, *stacks: str) -> list[dict[str, Any]]:
    return [each for stack in stacks or STACKS for each in _template(stack).values() if each["Type"] == kind]


@functools.cache
def _template(stack: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((assembly() / f"{stack}.template.json").read_text(encoding="utf-8"))["Resources"]
    return found
