"""Alerts about a package on its way to the endpoint: approval, canary, promotion, rollback."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from report.alert_words import Message, bullets, deciding_reasons, package_link, section
from report.approval_figures import figure_lines

Detail = Mapping[str, Any]


def package_registered(model: str, detail: Detail) -> Message:
    """Ask the approver, with the console's path and the command."""
    arn, trigger = str(detail.get("package_arn", "")), detail.get("trigger")
    console = f"SageMaker console > Models > Registered models > {model} > version {version(detail)} > Update status"
    command = f"aws sagemaker update-model-package --model-package-arn {arn} --model-approval-status"
    figures = figure_lines(
        detail.get("rows", []),
        champion=detail.get("champion") or {},
        snapshot=detail.get("snapshot") or {},
        live=trigger.get("live") if isinstance(trigger, Mapping) else None,
    )
    return Message(
        f"please decide about package version {version(detail)}",
        (
            section("WHY IT WAS TRAINED", bullets(trigger["reasons"]) if isinstance(trigger, Mapping) else ""),
            section("THE FIGURES", bullets(figures)),
            section("WHAT THE GATE FOUND, ALL PASSED", bullets(deciding_reasons(detail))),
            section("WHAT TO DO", "\n".join(part for part in (console, package_link(arn)) if part)),
            f"or from a shell, to approve:\n{command} Approved\nand to reject:\n{command} Rejected",
            section(
                "WHAT HAPPENS NEXT",
                "Nothing until you decide. If you approve it, it is released: as a canary that goes back if it misbehaves, or, if "
                "no endpoint serves yet, on a new one.",
            ),
            run(detail),
        ),
    )


def approved(_model: str, detail: Detail) -> Message:
    """An approval of a version that serves already."""
    return Message("an approval changed nothing", (section("WHY", bullets(detail.get("reasons", []))), run(detail)))


def rejected(model: str, detail: Detail) -> Message:
    """A rejection; if the package serves, a person must act."""
    return taken_back(model, detail, "was rejected")


def approval_taken_back(model: str, detail: Detail) -> Message:
    """A package that was approved waits for a decision again."""
    return taken_back(model, detail, "waits for approval again")


def taken_back(model: str, detail: Detail, what: str) -> Message:
    """A decision against a version, depending on where the version is."""
    said = section("WHO AND WHY", who_and_why(detail))
    if detail.get("releasing"):
        return Message(
            f"package version {version(detail)} {what} while it is released",
            (
                said,
                section(
                    "WHAT HAPPENS NEXT",
                    "The release goes back by itself; in its last minutes that may come too late. You get a mail either way. If it "
                    f"serves nevertheless, go back with: {rollback_command(model, detail)}",
                ),
            ),
        )
    if not detail.get("serving"):
        return Message(f"package version {version(detail)} {what}", (said, "It will not be released."))
    return Message(
        f"package version {version(detail)} {what} while it serves",
        (
            said,
            section("WHAT HAPPENS NEXT", "Nothing by itself: it serves on, and it is judged as before."),
            section(
                "WHAT TO DO",
                f"{to_go_back(model, detail)}\nTo let it serve on, approve it in the registry: what serves is not released again.",
            ),
        ),
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


def who_and_why(detail: Detail) -> str:
    """The person and the reason, as far as the registry knows them."""
    found = [f"By {detail['by']}." if detail.get("by") else "", str(detail.get("reason") or "")]
    return " ".join(part for part in found if part)


def rollback_command(model: str, detail: Detail) -> str:
    """The command that brings the version before this one back."""
    to = f" --to {detail['previous_version']}" if detail.get("previous_version") else ""
    return f'kedge rollback {model}{to} --reason "why"'


def to_go_back(model: str, detail: Detail) -> str:
    """How a person goes back from a version that serves; there may be none before it."""
    if detail.get("previous_version"):
        return f"To go back to version {detail['previous_version']}:\n{rollback_command(model, detail)}"
    return (
        "No version served before it. To release another version, approve it; to stop answering, delete the endpoint: aws sagemaker "
        "delete-endpoint --endpoint-name ENDPOINT"
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


def endpoint_changed(_model: str, detail: Detail) -> Message:
    """The endpoint does not serve what Kedge released last."""
    followed, state = detail.get("followed"), str(detail.get("state", ""))
    differs = (
        "the watched endpoint is not in order"
        if detail.get("mode") == "watch"
        else "the endpoint does not serve what Kedge released"
    )
    in_registry = next((said for start, said in CHANGED_IN_REGISTRY.items() if state.startswith(start)), None)
    if in_registry is not None:
        # When and by whom the endpoint was changed last has nothing to do with it.
        return Message(
            in_registry, (section("WHAT WAS FOUND", bullets(detail.get("reasons", []))), "You are told once.")
        )
    return Message(
        "the endpoint was changed outside of Kedge" if followed else differs,
        (
            section("WHAT WAS FOUND", bullets(detail.get("reasons", []))),
            f"Changed at {detail['changed_at']}{changed_by(detail)}." if "changed_at" in detail else "",
            ""
            if "by" in detail
            else "CloudTrail did not show who did it; its events come about 15 minutes late: look for UpdateEndpoint "
            "and DeleteEndpoint in its event history.",
            "" if followed else "You get this mail once; Kedge looks again every hour.",
        ),
    )


CHANGED_IN_REGISTRY = {
    "rejected": "the version that serves is no longer approved",
    "pendingmanualapproval": "the version that serves is no longer approved",
    "unregistered": "the version that serves was deleted in the registry",
}


def changed_by(detail: Detail) -> str:
    """Who did it, if known."""
    return f" by {detail['by']} ({detail['call']})" if "by" in detail else ""


def canary_started(_model: str, detail: Detail) -> Message:
    """A canary bakes."""
    return Message(
        f"{release_name(detail)} started",
        (
            going_back(detail),
            section("HOW IT IS TRIED", str(detail.get("traffic", ""))),
            "Errors, latency and its answers are watched.",
            section("WHAT HAPPENS NEXT", "It is promoted or goes back by itself; you get a mail either way."),
            run(detail),
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


def capture_astray(_model: str, detail: Detail) -> Message:
    """A version serves, but the monitor does not see its captures."""
    config = detail.get("endpoint_config", "")
    if detail.get("mode") == "watch":
        return Message(
            "the watched endpoint does not capture as its YAML says",
            (
                section("WHAT WAS FOUND, AND WHAT TO DO", bullets(detail.get("reasons", []))),
                "You are told once for each endpoint config. Requests that were not captured cannot be judged.",
            ),
        )
    # A config that Kedge made names its destination itself; one that a person made needs it.
    destination = (
        f", and a DataCaptureConfig that captures 100 % of input and output to {detail['destination']}"
        if "destination" in detail
        else ""
    )
    return Message(
        f"package version {version(detail)} serves, but is not captured where it should be",
        (
            section("WHY", bullets(detail.get("reasons", []))),
            section(
                "WHAT TO DO",
                f"An update makes new instances, which capture anew. Copy the endpoint config {config} under a new name, with the "
                f"instance count that runs now{destination}, then:\naws sagemaker update-endpoint --endpoint-name ENDPOINT "
                "--endpoint-config-name COPY --no-retain-all-variant-properties\n"
                "Requests that were not captured until then are not judged.",
            ),
            run(detail),
        ),
    )


def canary_promoted(model: str, detail: Detail) -> Message:
    """A release was proved."""
    return Message(
        serves_now(detail),
        (
            came_too_late(model, detail),
            going_back(detail),
            "The canary was proved, and the endpoint serves it. It is judged against its own baseline from now on.",
            run(detail),
        ),
    )


def baseline_switched(model: str, detail: Detail) -> Message:
    """A first endpoint is in service; later releases send the canary's mail."""
    what = "It came back" if detail.get("rollback") else "It is the first"
    return Message(
        serves_now(detail),
        (
            came_too_late(model, detail),
            going_back(detail),
            f"Version {detail['replaces']} served before, and the endpoint {detail.get('endpoint', '')} was gone when this release "
            "began: somebody had deleted it. It was made anew, so this version was not tried as a canary; it is judged "
            "from now on. CloudTrail's event history shows who called DeleteEndpoint."
            if "replaces" in detail
            else f"{what}: the endpoint {detail.get('endpoint', '')} is in service. Send requests and labels; its windows "
            "are judged from now on.",
            run(detail),
        ),
    )


def serves_now(detail: Detail) -> str:
    """The headline of a version that serves, also if a person had taken its approval back."""
    late, back = detail.get("too_late"), detail.get("rollback") or {}
    if late:
        return f"package version {version(detail)} serves, although it is {late.get('approval_status', 'not approved')}"
    again = f" again, in place of version {back['from']}" if back.get("from", back.get("to")) != back.get("to") else ""
    return f"package version {version(detail)} serves{again or ' now'}"


def came_too_late(model: str, detail: Detail) -> str:
    """A person's decision in the last minutes of the bake, and the way back."""
    late = detail.get("too_late")
    if not late:
        return ""
    by = f" by {late['by']}" if late.get("by") else ""
    why = f" ({late['reason']})" if late.get("reason") else ""
    return section(
        "THE DECISION CAME TOO LATE",
        f"The version is {late.get('approval_status', 'not approved')} in the registry{by}{why}, but the endpoint had changed over already. "
        f"Kedge does not go back by itself: that is a new release, which a person starts.\n{to_go_back(model, late)}",
    )


def release_name(detail: Detail) -> str:
    """The running release, or the rollback from one version to another."""
    back = detail.get("rollback")
    if not back:
        return f"the release of package version {version(detail)}"
    if back.get("from") == back.get("to"):
        return f"the return of package version {back.get('to', '')}"
    return f"the rollback from package version {back.get('from', '')} to {back.get('to', '')}"


def going_back(detail: Detail) -> str:
    """Who wanted the rollback, and why; empty for a release that an approval started."""
    back = detail.get("rollback")
    if not back:
        return ""
    what = f"Version {back.get('to', '')} will serve instead of version {back.get('from', '')}."
    if back.get("from") == back.get("to"):
        what = f"Version {back.get('to', '')} will serve again."
    return section(
        "A ROLLBACK THAT A PERSON STARTED", f"{what} Started by {back.get('by', '')}: {back.get('reason', '')}"
    )


def canary_rolled_back(_model: str, detail: Detail) -> Message:
    """A canary misbehaved."""
    headline = f"the canary of package version {version(detail)} was rolled back"
    return Message(
        f"{release_name(detail)} failed: its canary went back" if detail.get("rollback") else headline,
        (
            section("WHY", bullets(detail.get("reasons", []))),
            going_back(detail),
            section(
                "WHAT HAPPENS NEXT",
                "Nothing by itself: the champion serves untouched. The package stays approved in the registry. If it must not be "
                "tried again, reject it there; to try it once more, reject and then approve it.",
            ),
            section(
                "WHERE TO LOOK",
                "CloudWatch keeps the history of the alarms for weeks. There is one alarm each for behaviour, client-errors, latency, "
                "server-errors and unwatched:\naws cloudwatch describe-alarm-history --alarm-name "
                f"kedge-{detail['endpoint_config']}-{rung_first(detail)}"
                if "endpoint_config" in detail
                else "",
            ),
            run(detail),
        ),
    )


def rung_first(detail: Detail) -> str:
    """The last part of the name of the alarm that the reasons name first."""
    found = (re.match(r"alarm ([a-z-]+) rang", str(reason)) for reason in detail.get("reasons", []))
    return next((match[1] for match in found if match), "server-errors")


def release_unproven(model: str, detail: Detail) -> Message:
    """A canary saw too little to be proved."""
    return Message(
        serves_now(detail) if detail.get("too_late") else f"{release_name(detail)} could not be proved",
        (
            came_too_late(model, detail),
            section("WHY", bullets(detail.get("reasons", []))),
            going_back(detail),
            section(
                "WHAT HAPPENS NEXT",
                "Nothing by itself: "
                + (
                    "the endpoint serves this version, and it is judged from now on. To go back: kedge rollback "
                    f'{model} --reason "why".'
                    if detail.get("serving")
                    else "another mail says what serves now. To release this version, reject and then approve it."
                    if detail.get("overtaken")
                    else "the champion serves untouched. To try once more when there is more traffic, reject and then "
                    "approve the package, or lower canary.minimum_requests in the model's YAML. If no answer was "
                    "compared, first correct what could not be read: docs/operations.md says how."
                ),
            ),
            run(detail),
        ),
    )


def version(detail: Detail) -> str:
    """The package's version, given or taken from its ARN."""
    return str(detail.get("package_version") or str(detail.get("package_arn", "")).rpartition("/")[2])


def run(detail: Detail) -> str:
    """The execution's name, if there is one."""
    return f"Execution: {detail['run']}" if "run" in detail else ""
