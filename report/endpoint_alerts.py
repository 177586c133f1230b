"""The alert that an endpoint does not serve what Kedge knows of: others changed it, or its package in the registry."""

from __future__ import annotations

from report.alert_words import Detail, Message, bullets, section

CHANGED_IN_REGISTRY = {
    "rejected": "the version that serves is no longer approved",
    "pendingmanualapproval": "the version that serves is no longer approved",
    "unregistered": "the version that serves was deleted in the registry",
}


def endpoint_changed(_model: str, detail: Detail) -> Message:
    """The endpoint does not serve what Kedge released last."""
    found, state = section("WHAT WAS FOUND", bullets(detail.get("reasons", []))), str(detail.get("state", ""))
    in_registry = next((said for start, said in CHANGED_IN_REGISTRY.items() if state.startswith(start)), None)
    if in_registry is not None:
        # When and by whom the endpoint was changed last has nothing to do with it.
        return Message(in_registry, (found, "You are told once."))
    if detail.get("followed"):
        return Message("the endpoint was changed outside of Kedge", (found, *when_and_by_whom(detail)))
    headline = (
        "the watched endpoint is not in order"
        if detail.get("mode") == "watch"
        else "the endpoint does not serve what Kedge released"
    )
    once = "You get this mail once; Kedge looks again every hour."
    return Message(headline, (found, *when_and_by_whom(detail), once))


def when_and_by_whom(detail: Detail) -> tuple[str, ...]:
    """The last change of the endpoint; what is not known says where to look."""
    by = f" by {detail['by']} ({detail['call']})" if {"by", "changed_at"} <= {*detail} else ""
    return (
        f"Changed at {detail['changed_at']}{by}." if "changed_at" in detail else "",
        ""
        if "by" in detail
        else "CloudTrail did not show who did it; its events come about 15 minutes late: look for UpdateEndpoint "
        "and DeleteEndpoint in its event history.",
    )
