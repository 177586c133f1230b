"""Alerts about a retraining: started, held, without data, or judged by the gate."""

from __future__ import annotations

from report.alert_words import (
    Detail,
    Message,
    bullets,
    deciding_reasons,
    gate_reasons,
    gate_table,
    requested,
    retrain_command,
    run,
    section,
)

TRIGGERS = {
    "performance": "quality is lost",
    "sla": "fewer answers are right than retraining.confidence_min",
    "estimate": "quality is estimated as lost, and labels are late",
    "drift": "drift is critical, and labels are late",
    "confidence": "the model is much less sure of its answers",
    "event": "another program requested it",
    "new_rows": "enough new labelled rows have come",
    "schedule": "it is due by the calendar",
    "manual": "a person asked",
    "initial": "the first training",
    "package": "somebody else registered a package",
}

DECIDED_AGAIN = "Kedge decides again every hour and with every window, and starts it once the reason is gone."

HELD_NEXT = {
    "attempts": "Nothing by itself: a person must find out why.",
    "watched": "Kedge goes on judging each window. It retrains, releases and updates nothing.",
}

HOLDS = {
    "paused": "a person has paused it",
    "attempts": "earlier attempts did not help",
    "cooldown": "the last one was too recent",
    "budget": "the month's budget is spent",
    "money": "the month's money is spent",
    "no_new_labels": "there are too few new labels to learn from",
    "quiet": "these are quiet hours",
    "line": "other retrainings go first",
    "lease": "another execution works on the model",
    "watched": "the model is watched only",
}


def retraining_started(_model: str, detail: Detail) -> Message:
    """A retraining has started."""
    return Message(
        f"retraining started: {triggers(detail)}",
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


def triggers(detail: Detail) -> str:
    """What wanted it, in words: every trigger that was active."""
    return "; ".join(TRIGGERS.get(kind, kind) for kind in detail.get("triggers", [detail["trigger"]]))


def retrain_event_refused(model: str, detail: Detail) -> Message:
    """Another program's event was not followed."""
    return Message(
        "an event kedge.retrain was refused",
        (
            section("WHY", bullets(detail["reasons"])),
            section("WHO SENT IT", f"{detail['source']}, with the reason: {detail['requested']}"),
            section("WHAT HAPPENS NEXT", f"Nothing: Kedge does not keep the event. `kedge history {model}` shows it."),
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
            section("WHAT WOULD LIFT IT", bullets(detail.get("lifts", []))),
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
            section(
                "WHAT HAPPENS NEXT",
                f"Nothing was trained, so no instance was paid for, and nothing is released. {again}",
            ),
            run(detail),
        ),
    )


def mlflow_failed(_model: str, detail: Detail) -> Message:
    """A retraining has ended, and MLflow was not told."""
    return Message(
        "MLflow did not take a retraining's run",
        (
            section("WHY", bullets(detail.get("reasons", []))),
            section(
                "WHAT HAPPENS NEXT",
                "The retraining itself is as it was. Kedge tries again each day for a week, and you hear of this run no more.",
            ),
            section(
                "WHAT YOU CAN DO",
                "Look whether the MLflow of training.mlflow_arn runs and whether its network lets the function settle in. "
                "`kedge reconcile MODEL` does not wait for the next day.",
            ),
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
    refusing = [str(row["gate"]) for row in detail.get("rows", []) if row.get("verdict") == "REFUSE"]
    headline = "the challenger is not clearly better, and was refused" if champion else "the first model was refused"
    if refusing and all(gate.startswith("staging") for gate in refusing):
        headline = "the challenger did not stand its trial on staging, and was refused"
    again = (
        f"Change the rows or the training, then request it again:\n{retrain_command(model, detail)}"
        if requested(detail)
        else "After the cooldown Kedge tries again, if a retraining is still wanted."
    )
    return Message(
        headline,
        (
            section("WHAT FAILED", bullets(deciding_reasons(detail))),
            section("WHAT THE RETRAINING COST", str(detail.get("cost", ""))),
            section("WHAT TO LOOK AT", bullets(gate_reasons(detail, "WARN"))),
            section("WHAT PASSED", bullets(gate_reasons(detail, "PASS"))),
            section("THE GATE'S TABLE", "\n".join(gate_table(detail))),
            section(
                "WHAT HAPPENS NEXT",
                f"Nothing was released. {again}",
            ),
            run(detail),
        ),
    )
