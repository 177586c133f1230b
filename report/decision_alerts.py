"""Alerts about what people decide in the registry: a package waits for them, and what became of their decision."""

from __future__ import annotations

from collections.abc import Mapping

from kedge.comparisons import counted
from report.alert_words import (
    Detail,
    Message,
    bullets,
    deciding_reasons,
    gate_reasons,
    gate_table,
    package_link,
    run,
    section,
    version,
)
from report.approval_figures import figure_lines
from report.release_words import rollback_command, to_go_back, who_and_why


def package_registered(model: str, detail: Detail) -> Message:
    """Ask the approver, with the console's path and the command."""
    arn, trigger = str(detail.get("package_arn", "")), detail.get("trigger")
    why = trigger if isinstance(trigger, Mapping) else {}
    figures = figure_lines(
        detail.get("rows", []),
        champion=detail.get("champion") or {},
        snapshot=detail.get("snapshot") or {},
        live=why.get("live"),
    )
    automatic = detail.get("approval") == "automatic"
    decide = () if automatic else _how_to_decide(model, version(detail), arn)
    next_ = (
        "Kedge approves it by itself, because the model's YAML says approval: automatic. It is released then: as a canary that "
        "goes back if it misbehaves, or, if no endpoint serves yet, on a new one. To stop it, reject it in the registry."
        if automatic
        else "Nothing until you decide. If you approve it, it is released: as a canary that goes back if it misbehaves, or, if "
        "no endpoint serves yet, on a new one."
    )
    named = f"package version {version(detail)}"
    return Message(
        f"{named} passed the gate and is approved automatically" if automatic else f"please decide about {named}",
        (
            section("WHERE IT IS FROM", str(detail.get("taken", ""))),
            section("WHY IT WAS TRAINED", bullets(why["reasons"]) if why else ""),
            section("THE FIGURES", bullets(figures)),
            section("WHAT THE GATE FOUND, ALL PASSED", bullets(deciding_reasons(detail))),
            section("HOW IT WAS TUNED", str(detail.get("tuned", ""))),
            section("WHAT THE RETRAINING COST", str(detail.get("cost", ""))),
            section("WHAT TO LOOK AT", bullets(gate_reasons(detail, "WARN"))),
            section("THE GATE'S TABLE", "\n".join(gate_table(detail))),
            *decide,
            section("WHAT HAPPENS NEXT", next_),
            run(detail),
        ),
    )


def package_found(model: str, detail: Detail) -> Message:
    """A package that Kedge did not make is judged before anything else happens to it."""
    approved = detail.get("status") == "Approved"
    named = f"package version {version(detail)}"
    next_ = (
        f"Kedge compares {named} with the champion on the newest labelled rows. If it passes the gate, Kedge registers a copy of it, with the "
        "gate's table and a baseline, and you are asked to approve that copy: it is what is released. If it fails, you hear why."
    )
    changed = "Nothing was released: an approval counts for what has passed the gate. " if approved else ""
    return Message(
        f"{named} is approved and not released: it must pass the gate first"
        if approved
        else f"{named} is none of Kedge's: it is judged now",
        (
            section("WHY", bullets(detail.get("reasons", []))),
            section("WHO AND WHY", who_and_why(detail)),
            section("WHAT HAPPENS NEXT", changed + next_),
            run(detail),
        ),
    )


def approved_automatically(model: str, detail: Detail) -> Message:
    """Kedge approved what the gate had passed."""
    return Message(
        f"package version {version(detail)} was approved automatically",
        (
            section("WHY", bullets(detail.get("reasons", []))),
            section(
                "WHAT HAPPENS NEXT",
                "It is released. To stop that, reject the version in the registry, or go back at once:\n"
                f'kedge rollback {model} --now --reason "why"',
            ),
            run(detail),
        ),
    )


def second_approval_awaited(model: str, detail: Detail) -> Message:
    """One person has approved a package of a model that wants two, now or days ago."""
    days = detail.get("waiting_days")
    waits = f"has waited {counted(days, 'day')} for a second approval" if days else "needs a second approval"
    return Message(
        f"package version {version(detail)} {waits}",
        (
            section("WHO AND WHY", who_and_why(detail)),
            section("WHAT IS KNOWN", bullets(detail.get("reasons", []))),
            section(
                "WHAT TO DO",
                "Another person approves it, in their own name:\n"
                f'kedge approve {model} {version(detail)} --comment "why"\nor rejects it in the registry.',
            ),
            section("WHAT HAPPENS NEXT", "Nothing is released before that."),
        ),
    )


def _how_to_decide(model: str, package_version: str, arn: str) -> tuple[str, str]:
    """The way through the console, and the command."""
    console = f"SageMaker console > Models > Registered models > {model} > version {package_version} > Update status"
    command = f"aws sagemaker update-model-package --model-package-arn {arn} --model-approval-status"
    return (
        section("WHAT TO DO", "\n".join(part for part in (console, package_link(arn)) if part)),
        section("OR FROM A SHELL", f"To approve:\n{command} Approved\nTo reject:\n{command} Rejected"),
    )


def approved(_model: str, detail: Detail) -> Message:
    """An approval of a version that serves already, or a way back that found it serving: its canary has gone back by then."""
    back = detail.get("rollback") or {}
    headline = f"package version {back.get('to', '')} serves already" if back else "an approval changed nothing"
    return Message(
        headline,
        (section("WHO AND WHY", who_and_why(back)), section("WHY", bullets(detail.get("reasons", []))), run(detail)),
    )


def paused(model: str, detail: Detail) -> Message:
    """A person holds the retraining."""
    next_ = (
        "No retraining starts by itself. Windows are judged and told as before. To end the pause:\n"
        f"kedge pause {model} --resume"
    )
    return Message(
        "retraining is paused",
        (section("WHO AND WHY", who_and_why(detail)), section("WHAT HAPPENS NEXT", next_)),
    )


def muted(model: str, detail: Detail) -> Message:
    """A person holds the messages."""
    until = str(detail["until"]).replace("T", " ")[:16]
    next_ = (
        f"Nothing more is told of it until {until} UTC. Then one message says what still stands. To end the mute earlier:\n"
        f"kedge mute {model} --off"
    )
    return Message(
        "messages are muted",
        (section("WHO AND WHY", who_and_why(detail)), section("WHAT HAPPENS NEXT", next_)),
    )


def rejected(model: str, detail: Detail) -> Message:
    """A rejection; if the package serves, a person must act."""
    return taken_back(model, detail, "was rejected")


def approval_taken_back(model: str, detail: Detail) -> Message:
    """A package that was approved waits for a decision again."""
    return taken_back(model, detail, "waits for approval again")


def taken_back(model: str, detail: Detail, what: str) -> Message:
    """A decision against a version, depending on where the version is."""
    headline, said = f"package version {version(detail)} {what}", section("WHO AND WHY", who_and_why(detail))
    if detail.get("releasing"):
        return Message(
            f"{headline} while it is released", (said, section("WHAT HAPPENS NEXT", _perhaps_too_late(model, detail)))
        )
    if not detail.get("serving"):
        return Message(headline, (said, "It will not be released."))
    if detail.get("way_back"):
        return Message(
            f"{headline}: version {detail['way_back']} comes back at once",
            (
                said,
                section("PASSED OVER", bullets(detail["passed_over"])) if detail.get("passed_over") else "",
                section("WHAT HAPPENS NEXT", "All traffic goes back in minutes. Another mail says when it serves."),
                run(detail),
            ),
        )
    if detail.get("no_way_back"):
        return Message(
            f"{headline} and serves: nothing can come back",
            (said, section("WHY", bullets(detail["no_way_back"])), "It serves on, and it is judged as before."),
        )
    return Message(
        f"{headline} while it serves",
        (
            said,
            section("WHAT HAPPENS NEXT", "Nothing by itself: it serves on, and it is judged as before."),
            section(
                "WHAT TO DO",
                f"{to_go_back(model, detail)}\nTo let it serve on, approve it in the registry: what serves is not released again.",
            ),
        ),
    )


def _perhaps_too_late(model: str, detail: Detail) -> str:
    return (
        "The release goes back by itself; in its last minutes that may come too late. You get a mail either way. If it "
        f"serves nevertheless, go back with: {rollback_command(model, detail)}"
    )


def approved_absent(model: str, detail: Detail) -> Message:
    """The champion is approved, but its endpoint does not exist."""
    return Message(
        f"package version {version(detail)} is approved, but its endpoint does not exist",
        (
            section(
                "WHAT WAS FOUND",
                f"The version served at the endpoint {detail.get('endpoint', '')}, which was deleted. It was approved before, and now its "
                "package was changed, perhaps by another approval. That alone starts nothing: a change of a "
                "description looks the same.",
            ),
            section("WHAT TO DO", f'To bring it back:\nkedge rollback {model} --to {version(detail)} --reason "why"'),
        ),
    )


def decision_overtaken(_model: str, detail: Detail) -> Message:
    """A decision that was taken back before Kedge saw it."""
    return Message(
        f"a decision about package version {version(detail)} was taken back",
        (
            section("WHY", bullets(detail.get("reasons", []))),
            section("WHAT HAPPENS NEXT", "Nothing until you decide again in the registry."),
        ),
    )


def release_superseded(_model: str, detail: Detail) -> Message:
    """An older approval gives way to a newer one."""
    newer = detail.get("newer_version", "")
    return Message(
        f"package version {version(detail)} is not released: version {newer} was approved after it",
        (
            section("WHY", bullets(detail.get("reasons", []))),
            section("WHAT YOU CAN DO", "To release it nevertheless, reject it in the registry, then approve it again."),
        ),
    )


def release_withheld(_model: str, detail: Detail) -> Message:
    """An approved version of a model that is only watched."""
    return Message(
        f"package version {version(detail)} is approved, but not released: it is watched only",
        (
            section("WHO AND WHY", who_and_why(detail)),
            section("WHY IT IS NOT RELEASED", bullets(detail.get("reasons", []))),
            section("WHAT HAPPENS NEXT", "Nothing: the endpoint serves what its owners gave it."),
            section(
                "WHAT YOU CAN DO",
                "To release it: let Kedge manage the model, then reject the version in the registry and approve it again.",
            ),
        ),
    )


def release_refused(model: str, detail: Detail) -> Message:
    """The package to release is not the one that passed the gate."""
    return Message(
        f"package version {version(detail)} is not released: it was changed after its gate",
        (
            section("WHY", bullets(detail.get("reasons", []))),
            section(
                "WHAT HAPPENS NEXT",
                "Nothing by itself. Nothing was touched, and the endpoint serves as before. This version cannot be released.",
            ),
            section(
                "WHAT TO DO",
                "Find out who changed it: the data bucket's access logs name the role and the time (docs/security.md). Reject "
                f'the version in the registry, then train another one:\nkedge retrain {model} --reason "why"',
            ),
            run(detail),
        ),
    )
