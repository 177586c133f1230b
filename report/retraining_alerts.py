"""Alerts about a retraining: started, held, without data, refused by the gate, or failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kedge.release.shortage import is_shortage, quota_in
from report.alert_words import (
    Message,
    bullets,
    deciding_reasons,
    execution_link,
    gate_reasons,
    requested,
    retrain_command,
    section,
)
from report.failures import log_link, plain_failure
from report.release_alerts import going_back, release_name, run

Detail = Mapping[str, Any]

TRIGGERS = {
    "performance": "quality is lost",
    "estimate": "quality is estimated as lost, and labels are late",
    "drift": "drift is critical, and labels are late",
    "confidence": "the model is much less sure of its answers",
    "schedule": "it is due by the calendar",
    "manual": "a person asked",
    "initial": "the first training",
}
DECIDED_AGAIN = "Kedge decides again with every window, and starts it once the reason is gone."
HELD_NEXT = {
    "attempts": "Nothing by itself: a person must find out why.",
    "watched": "Kedge goes on judging each window. It retrains, releases and updates nothing.",
}
HOLDS = {
    "paused": "a person has paused it",
    "attempts": "earlier attempts did not help",
    "cooldown": "the last one was too recent",
    "budget": "the month's budget is spent",
    "no_new_labels": "there are too few new labels to learn from",
    "lease": "another execution works on the model",
    "watched": "the model is watched only",
}


def retraining_started(_model: str, detail: Detail) -> Message:
    """A retraining has started."""
    return Message(
        f"retraining started: {TRIGGERS.get(detail['trigger'], detail['trigger'])}",
        (
            section("WHY", bullets(detail["reasons"])),
            section(
                "WHAT HAPPENS NEXT",
                "Kedge trains a model. It compares it, on new rows, with the model that serves, or with a constant "
                "answer if none serves. You are asked to approve it only if it is better.",
            ),
            run(detail),
        ),
    )


def retraining_held(model: str, detail: Detail) -> Message:
    """Wanted, but not now."""
    command, what = f"kedge history {model}", HOLDS.get(detail["hold"], detail["hold"])
    if requested(detail) and detail["hold"] != "watched":
        return Message(
            f"a requested retraining was not started: {what}",
            (
                section("WHY", bullets(detail["reasons"])),
                section("WHAT HAPPENS NEXT", "Nothing by itself: Kedge does not keep the request."),
                section(
                    "WHAT YOU CAN DO",
                    f"When that has ended ({command} shows it), request it again:\n{retrain_command(model, detail)}",
                ),
            ),
        )
    return Message(
        f"a wanted retraining is held: {what}",
        (
            section("WHY", bullets(detail["reasons"])),
            section("WHAT HAPPENS NEXT", HELD_NEXT.get(detail["hold"], DECIDED_AGAIN)),
            section("WHAT YOU CAN DO", way_on(model, detail)),
        ),
    )


def way_on(model: str, detail: Detail) -> str:
    """The command for a person if Kedge holds a retraining; empty while another execution works on the model."""
    if detail["hold"] == "lease":
        return ""
    if detail["hold"] == "watched":
        return f"Retrain it where it was made, then take a new baseline: kedge adopt ENDPOINT --model {model} --apply"
    start = f"To start it anyway:\n{retrain_command(model, detail)}"
    if detail["hold"] != "paused":
        return start
    return f"To end the pause (to end one in the YAML, change it and deploy):\nkedge pause {model} --resume\n{start}"


def data_rejected(model: str, detail: Detail) -> Message:
    """The rows cannot be used."""
    again = (
        f"Correct the rows, then request it again:\n{retrain_command(model, detail)}"
        if requested(detail)
        else "Kedge decides again with each window once the cooldown is over. Correct the rows before then."
    )
    return Message(
        "the rows for a retraining were rejected",
        (
            section("WHY", bullets(detail.get("reasons", []))),
            section("WHAT HAPPENS NEXT", f"Nothing was trained or released. {again}"),
            run(detail),
        ),
    )


def gate_passed(_model: str, detail: Detail) -> Message:
    """The challenger is better."""
    return Message(
        "the challenger is better than the champion",
        (
            section("WHY", bullets(deciding_reasons(detail))),
            section("WHAT HAPPENS NEXT", "It is registered, and you are asked to approve it."),
            run(detail),
        ),
    )


def gate_failed(model: str, detail: Detail) -> Message:
    """The challenger was refused."""
    # An entry without a champion compared the model with a constant answer.
    champion = detail.get("champion", "that serves")
    headline = "the challenger is not clearly better, and was refused" if champion else "the first model was refused"
    again = (
        f"Change the rows or the training, then request it again:\n{retrain_command(model, detail)}"
        if requested(detail)
        else "After the cooldown Kedge tries again, if a retraining is still wanted."
    )
    return Message(
        headline,
        (
            section("WHAT FAILED", bullets(deciding_reasons(detail))),
            section("WHAT PASSED", bullets(gate_reasons(detail, "PASS"))),
            section(
                "WHAT HAPPENS NEXT",
                f"Nothing was released. {again}",
            ),
            run(detail),
        ),
    )


MACHINES = {"kedge-retrain": "the retraining", "kedge-release": "the release"}


def what_runs(machine: str, detail: Detail) -> str:
    """The machine in a word; for a rollback the two versions."""
    return release_name(detail) if detail.get("rollback") else MACHINES.get(machine, "a run")


ENDED = {"ABORTED": "was stopped", "TIMED_OUT": "took too long and was ended"}


def capacity_awaited(_model: str, detail: Detail) -> Message:
    """SageMaker has no instance for a step, or a quota allows none."""
    machine, cause = str(detail.get("machine", "")), str(detail.get("cause", ""))
    return Message(
        f"{what_runs(machine, detail)} waits for {'a quota' if quota_in(cause) else 'capacity'} "
        f"at {detail.get('state', 'a step')}",
        (
            section("WHY", plain_failure(str(detail.get("error", "unknown")), cause)),
            going_back(detail),
            section(
                "WHAT HAPPENS NEXT",
                "Kedge tries again for a day, first after 5 minutes, later every hour. You get another mail if it gives up. "
                "The endpoint serves as before. Until then nothing else works on the model; to end the wait, stop the execution.",
            ),
            section("WHAT YOU CAN DO", shortage_remedy(cause)),
            section("WHERE TO LOOK", execution_link(str(detail.get("execution", "")))),
            run(detail),
        ),
    )


def shortage_remedy(cause: str) -> str:
    """What a person can do about a quota, or about missing instances; empty if the cause is another."""
    if quota := quota_in(cause):
        return (
            f"Ask for more of the quota '{quota}' at https://console.aws.amazon.com/servicequotas/home/services/sagemaker/quotas "
            "(in the model's region), or stop something that uses it."
        )
    if is_shortage(cause):
        return "Choose another instance type in the model's YAML and deploy, or wait until AWS has instances again."
    return ""


def failed(model: str, detail: Detail) -> Message:
    """An execution broke."""
    machine, error = str(detail.get("machine", "")), str(detail.get("error", "unknown"))
    cause = str(detail.get("cause", ""))
    ended = ENDED.get(error) or f"failed at {detail.get('state', 'a step')}"
    links = [log_link(cause), execution_link(str(detail.get("execution", "")))]
    return Message(
        f"{what_runs(machine, detail)} {ended}",
        (
            section("WHY", plain_failure(error, cause)),
            going_back(detail),
            section("WHAT HAPPENS NEXT", RELEASE_NEXT if "release" in machine else retraining_next(model, detail)),
            section("WHAT YOU CAN DO", shortage_remedy(cause)),
            section("WHERE TO LOOK", "\n".join(link for link in links if link)),
            run(detail),
        ),
    )


RELEASE_NEXT = (
    "Nothing by itself. The endpoint is as the release left it: kedge history shows what serves. To start the release again, "
    "reject and then approve the package."
)


def retraining_next(model: str, detail: Detail) -> str:
    """Whether Kedge tries a failed retraining again."""
    if requested(detail):
        return (
            "Nothing was released, and Kedge does not try again by itself. Correct the cause, then request it again:\n"
            f"{retrain_command(model, detail)}"
        )
    return "Nothing was released. Kedge tries again with the next window that still needs it, at most retraining.attempts_maximum times."
