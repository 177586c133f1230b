"""Alerts about a retraining: started, held, without data, refused by the gate, or failed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from report.alert_words import Message, bullets, execution_link, gate_reasons, section, what_broke
from report.release_alerts import run

Detail = Mapping[str, Any]

TRIGGERS = {
    "performance": "quality is lost",
    "estimate": "quality is estimated as lost and labels lag",
    "drift": "drift is critical and labels lag",
    "confidence": "the answers are critically less sure",
    "schedule": "the schedule asks for it",
    "manual": "a person asked",
    "initial": "the first training",
}
HOLDS = {
    "paused": "a person has paused it",
    "attempts": "earlier attempts did not help",
    "cooldown": "the last one was too recent",
    "budget": "the month's budget is spent",
    "no_new_labels": "there is too little new to learn from",
    "lease": "another execution works on the model",
}


def retraining_started(_model: str, detail: Detail) -> Message:
    """A challenger is on its way."""
    return Message(
        f"retraining started: {TRIGGERS.get(detail['trigger'], detail['trigger'])}",
        (
            section("WHY", bullets(detail["reasons"])),
            section(
                "WHAT HAPPENS NEXT",
                "A first model is trained. You are asked to approve it only if it is better than chance."
                if detail["trigger"] == "initial"
                else "A challenger is trained, and compared with the champion on the same fresh rows. You are asked to "
                "approve it only if it is better.",
            ),
            run(detail),
        ),
    )


def retraining_held(model: str, detail: Detail) -> Message:
    """Wanted, but not now."""
    needed = detail["hold"] == "attempts"
    return Message(
        f"a wanted retraining is held: {HOLDS.get(detail['hold'], detail['hold'])}",
        (
            section("WHY", bullets(detail["reasons"])),
            section(
                "WHAT HAPPENS NEXT",
                "Nothing by itself: a person must look."
                if needed
                else "It is decided again with every window, and starts once the reason is gone.",
            ),
            section("WHAT YOU CAN DO", f'To start it all the same:\nkedge retrain {model} --reason "why"'),
        ),
    )


def data_rejected(_model: str, detail: Detail) -> Message:
    """The rows were no good."""
    return Message(
        "the rows for a retraining were rejected",
        (
            section("WHY", bullets(detail.get("reasons", []))),
            section(
                "WHAT HAPPENS NEXT", "Nothing was trained; whatever serves, serves on. Mend the rows, then ask again."
            ),
            run(detail),
        ),
    )


def gate_passed(_model: str, detail: Detail) -> Message:
    """The challenger is better."""
    return Message(
        "the challenger is better than the champion",
        (
            section("WHY", bullets(gate_reasons(detail))),
            section("WHAT HAPPENS NEXT", "It is registered, and you are asked to approve it."),
            run(detail),
        ),
    )


def gate_failed(_model: str, detail: Detail) -> Message:
    """The challenger was refused."""
    return Message(
        "the challenger is no better, and was refused",
        (
            section("WHY", bullets(gate_reasons(detail))),
            section(
                "WHAT HAPPENS NEXT",
                "The champion serves unchanged. Another attempt follows the cooldown, if still wanted.",
            ),
            run(detail),
        ),
    )


def capacity_awaited(_model: str, detail: Detail) -> Message:
    """SageMaker has no instance for a step, or a quota allows none."""
    machine, cause = str(detail.get("machine", "a run")), str(detail.get("cause", ""))
    return Message(
        f"{machine} waits for {'a quota' if QUOTA.search(cause) else 'capacity'} at {detail.get('state', 'a step')}",
        (
            section("WHY", what_broke(str(detail.get("error", "unknown")), cause)),
            section(
                "WHAT HAPPENS NEXT",
                "Kedge tries again for a day, after 5 minutes first and every hour at last, and writes again where it gave up. "
                "Whatever serves, serves on. Nothing else works on the model meanwhile; to end the wait, stop the execution.",
            ),
            section("WHAT YOU CAN DO", shortage_remedy(cause)),
            section("WHERE TO LOOK", execution_link(str(detail.get("execution", "")))),
            run(detail),
        ),
    )


QUOTA = re.compile(r"service limit '([^']+)'")


def shortage_remedy(cause: str) -> str:
    """What a person can do about a quota, or about instances that AWS has not; nothing where the cause is another."""
    if found := QUOTA.search(cause):
        return (
            f"Ask for more of the quota '{found[1]}' at https://console.aws.amazon.com/servicequotas/home/services/sagemaker/quotas "
            "(in the model's region), or end what uses it."
        )
    if "CapacityError" in cause or "InsufficientInstanceCapacity" in cause or "ResourceLimitExceeded" in cause:
        return "Choose another instance type in the model's YAML and deploy, or wait until AWS has instances again."
    return ""


def failed(_model: str, detail: Detail) -> Message:
    """An execution broke."""
    machine = str(detail.get("machine", "a run"))
    again = (
        "The endpoint is as the release left it; look at it. To start another release, reject and then approve the package."
        if "release" in machine
        else "Whatever serves, serves on. A retraining that Kedge wanted is tried again with the next window, a limited number of "
        "times; one that a person asked for, the first training too, is not: ask again."
    )
    found = what_broke(str(detail.get("error", "unknown")), str(detail.get("cause", "not given")))
    return Message(
        f"{machine} failed at {detail.get('state', 'a step')}",
        (
            section("WHY", found),
            section("WHAT HAPPENS NEXT", again),
            section("WHAT YOU CAN DO", shortage_remedy(str(detail.get("cause", "")))),
            section("WHERE TO LOOK", execution_link(str(detail.get("execution", "")))),
            run(detail),
        ),
    )
