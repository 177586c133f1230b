"""Alerts about a release: it is tried beside the champion, its canary started, and what became of it."""

from __future__ import annotations

import re

from report.alert_words import Detail, Message, bullets, run, section, version
from report.release_words import at_once, going_back, last_look, release_name, to_go_back


def experiment_started(_model: str, detail: Detail) -> Message:
    """A version answers copies of the requests from now on, or a share of them."""
    return Message(
        f"package version {version(detail)} is tried beside the champion",
        (
            section("HOW IT IS TRIED", str(detail.get("traffic", ""))),
            "Errors, latency, its answers and how the requests are divided are watched. Once labels are in, its quality and the business "
            "figures are compared with the champion's."
            if is_ab(detail)
            else "Its errors, its answers and its latency are compared with the champion's on the same requests, and its quality on the rows "
            "whose label is in.",
            section(
                "WHAT HAPPENS NEXT",
                "What is proved better is released by a canary by itself, what is worse or stays undecided is withdrawn; you get a mail "
                "either way. To end it before, reject the version in the registry: that is heard within the hour. A newer approval ends it too."
                if is_ab(detail)
                else "If it holds it is released by a canary by itself, else it is withdrawn; you get a mail either way. To end it before, "
                "reject the version in the registry: that is heard within the hour. A newer approval ends it too.",
            ),
            run(detail),
        ),
    )


def experiment_proved(_model: str, detail: Detail) -> Message:
    """It held, and its release begins."""
    return Message(
        f"package version {version(detail)} held beside the champion: its canary begins",
        (
            section("WHY", bullets(detail.get("reasons", []))),
            last_look(detail),
            section("WHAT HAPPENS NEXT", "It is released like any version: a mail says when its canary starts."),
            run(detail),
        ),
    )


def experiment_withdrawn(_model: str, detail: Detail) -> Message:
    """It did not hold, or something ended it."""
    kept = (
        "The package stays as it is in the registry. If it must not be tried again, reject it there; to try it once more, reject and then "
        "approve it."
    )
    return Message(
        f"package version {version(detail)} was withdrawn: it is not released",
        (
            section("WHY", bullets(detail.get("reasons", []))),
            last_look(detail),
            section(
                "WHAT HAPPENS NEXT",
                f"Nothing by itself: clients get the champion's answers alone again. {kept}"
                if is_ab(detail)
                else f"Nothing by itself: nobody got this version's answers, and the champion was never touched. {kept} If too few "
                "rows were compared, let the clients send an InferenceId with each request: by it the two answers are paired.",
            ),
            run(detail),
        ),
    )


def is_ab(detail: Detail) -> bool:
    """Whether clients got the answers of a version that was tried."""
    return detail.get("strategy") == "ab"


def canary_started(_model: str, detail: Detail) -> Message:
    """A release moves traffic."""
    if at_once(detail):
        return Message(
            f"{release_name(detail)} started",
            (
                going_back(detail),
                section("HOW IT GOES", str(detail.get("traffic", ""))),
                "Another mail says when it serves.",
                run(detail),
            ),
        )
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


def canary_promoted(model: str, detail: Detail) -> Message:
    """A release was proved."""
    if at_once(detail):
        return Message(
            f"package version {version(detail)} is back" if not detail.get("too_late") else serves_now(detail),
            (
                came_too_late(model, detail),
                going_back(detail).replace(" will serve ", " serves "),
                section("WHAT WAS SEEN", bullets(detail.get("reasons", []))),
                "It is judged against its own baseline from now on. The version that was left stays as it is in the registry: so that "
                "it is not released again, reject it there.",
                run(detail),
            ),
        )
    return Message(
        serves_now(detail),
        (
            came_too_late(model, detail),
            going_back(detail),
            "The canary was proved, and the endpoint serves it. It is judged against its own baseline from now on.",
            last_look(detail),
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


def canary_rolled_back(model: str, detail: Detail) -> Message:
    """A canary misbehaved."""
    differs = any(reason.startswith("the canary's answers differ") for reason in detail.get("reasons", []))
    headline = f"the canary of package version {version(detail)} was rolled back"
    return Message(
        f"{release_name(detail)} failed: its canary went back" if detail.get("rollback") else headline,
        (
            section("WHY", bullets(detail.get("reasons", []))),
            last_look(detail),
            going_back(detail),
            section(
                "WHAT HAPPENS NEXT",
                "Nothing by itself: the champion serves untouched. The package stays approved in the registry. If it must not be "
                "tried again, reject it there; to try it once more, reject and then approve it."
                + (
                    f" If it is meant to answer so differently, first raise canary.behaviour_effect_max in {model}.yaml and deploy."
                    if differs
                    else ""
                ),
            ),
            section(
                "WHERE TO LOOK",
                "CloudWatch keeps the history of the alarms for weeks. There is one alarm each for behaviour, client-errors, latency, "
                "server-errors and unwatched:\naws cloudwatch describe-alarm-history --alarm-name "
                f"{detail['alarms']}-{rung_first(detail)}"
                if "alarms" in detail
                else "",
            ),
            run(detail),
        ),
    )


def release_unproven(model: str, detail: Detail) -> Message:
    """A canary saw too little to be proved."""
    return Message(
        serves_now(detail) if detail.get("too_late") else f"{release_name(detail)} could not be proved",
        (
            came_too_late(model, detail),
            section("WHY", bullets(detail.get("reasons", []))),
            last_look(detail),
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


def promise_broken(model: str, detail: Detail) -> Message:
    """What serves is worse than the gate saw it."""
    back = detail.get("answer") == "rollback"
    return Message(
        f"package version {version(detail)} does not keep what the gate promised",
        (
            section("WHAT WAS MEASURED", bullets(detail.get("reasons", []))),
            section(
                "WHAT HAPPENS NEXT",
                "Within the hour Kedge goes back at once to the newest version before it that is kept, as release.broken_promise of "
                f"{model}.yaml says; another mail says when it serves."
                if back
                else f'Nothing by itself: it serves on. To go back at once: kedge rollback {model} --now --reason "why"',
            ),
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
        + (
            "Kedge goes back to the newest version before it, if one is kept; another mail says so."
            if late.get("approval_status") == "Rejected"
            else "Kedge does not go back by itself: the approval was only taken back."
        )
        + f"\n{to_go_back(model, late)}",
    )


def rung_first(detail: Detail) -> str:
    """The last part of the name of the alarm that the reasons name first."""
    found = (re.match(r"alarm ([a-z-]+) rang", str(reason)) for reason in detail.get("reasons", []))
    return next((match[1] for match in found if match), "server-errors")
