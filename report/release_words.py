"""How mails speak of a release: forth, back, by whom, and the way back from it."""

from __future__ import annotations

from kedge.config.capture_place import is_adopted
from report.alert_words import Detail, section, shortened, version


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
    headline = "A ROLLBACK AT ONCE" if at_once(detail) else "A ROLLBACK THAT A PERSON STARTED"
    return section(headline, f"{what} Started by {back.get('by', '')}: {back.get('reason', '')}")


def at_once(detail: Detail) -> bool:
    """Whether a version comes back by the fast way."""
    return "now" in (detail.get("rollback") or {})


def last_look(detail: Detail) -> str:
    """The table of the last look at the fleet that was tried; empty where there was none."""
    lines = [
        f"{row['what']}: {row['canary']}"
        + (f" (champion {row['champion']})" if row["champion"] else "")
        + (f", {row['limit']}" if row["limit"] else "")
        + (f": {row['verdict']}" if row["verdict"] else "")
        for row in detail.get("table", [])
    ]
    # Whole: a row that is left out may be the one that was looked for.
    return section("THE LAST LOOK", "\n".join(f"- {shortened(line)}" for line in lines)) if lines else ""


def who_and_why(detail: Detail) -> str:
    """The person and the reason, as far as the registry knows them."""
    by, why = detail.get("by"), str(detail.get("reason") or "")
    if not by:
        return why
    return f"By {by}: {why}" if why else f"By {by}."


def rollback_command(model: str, detail: Detail) -> str:
    """The command that brings the version before this one back."""
    before = str(detail.get("previous_version") or "")
    # What was adopted is no package in the registry, and cannot be named there.
    to = f" --to {before}" if before and not is_adopted(before) else ""
    return f'kedge rollback {model}{to} --reason "why"'


def to_go_back(model: str, detail: Detail) -> str:
    """How a person goes back from a version that serves; there may be none before it."""
    if detail.get("previous_version"):
        return f"To go back to version {detail['previous_version']}:\n{rollback_command(model, detail)}"
    return (
        "No version served before it. To release another version, approve it; to stop answering, delete the endpoint: aws sagemaker "
        "delete-endpoint --endpoint-name ENDPOINT"
    )
