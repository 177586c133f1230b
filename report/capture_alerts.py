"""Alerts that the model answers, and its captures are not watched: they cannot be read, or are not where they should be."""

from __future__ import annotations

from kedge.comparisons import counted
from kedge.config.capture_place import package_words
from report.alert_words import Detail, Message, bullets, run, section, version

_FAULTS = {
    "no answer": "The endpoint captures requests without their answers.",
    "no input": "The endpoint captures answers without their requests.",
    "answer": "The answers cannot be read.",
    "input": "The requests cannot be read.",
    "record": "The records themselves cannot be read.",
    "file": "The files of the newest transform job cannot be read:",
    "denied": "S3 refuses to list or to read them.",
}


def captures_unreadable(_model: str, detail: Detail) -> Message:
    """What came, what was expected, and how to correct it."""
    came = [
        f"{side}: content type {facts['content_type']}, encoding {facts['encoding']}, looks like {facts['shape']}"
        for side, facts in (detail.get("came") or {}).items()
    ]
    records, unread = detail["records"], detail["unread"]
    which = f"{unread:,} of them" if unread < records else "it" if records == 1 else "any of them"
    looked = f"Kedge looked at {counted(records, 'captured record')} and cannot read {which}."
    return Message(
        f"the captures of {package_words(str(detail['package_version']))} cannot be read",
        (
            f"{looked} The model answers, but none of those requests is watched for drift or quality.",
            section("WHAT IS WRONG", " ".join((_FAULTS[str(detail["fault"])], str(detail.get("reason", "")))).strip()),
            section("WHAT CAME (9 stands for numbers, a for words)", bullets(came)),
            section("WHAT WAS EXPECTED", str(detail["expected"])),
            section("HOW TO CORRECT IT", str(detail["remedy"])),
            section(
                "WHAT HAPPENS NEXT",
                "You get this mail once while it lasts. The captured records stay where they are; "
                "unreadable records of earlier runs are below quarantine/, with their reasons.",
            ),
        ),
    )


def capture_astray(_model: str, detail: Detail) -> Message:
    """A version serves, but the monitor does not see its captures."""
    if detail.get("mode") == "watch":
        return Message(
            "the watched endpoint does not capture as its YAML says",
            (
                section("WHAT WAS FOUND, AND WHAT TO DO", bullets(detail.get("reasons", []))),
                "You are told once for each endpoint config. Requests that were not captured cannot be judged.",
            ),
        )
    return Message(
        f"package version {version(detail)} serves, but is not captured where it should be",
        (
            section("WHY", bullets(detail.get("reasons", []))),
            section("WHAT TO DO", _how_to_capture_anew(detail)),
            run(detail),
        ),
    )


def _how_to_capture_anew(detail: Detail) -> str:
    # A config that Kedge made names its destination itself; one that a person made needs it.
    destination = (
        f", and a DataCaptureConfig that captures 100 % of input and output to {detail['destination']}"
        if "destination" in detail
        else ""
    )
    return (
        f"An update makes new instances, which capture anew. Copy the endpoint config {detail.get('endpoint_config', '')} under a "
        f"new name, with the instance count that runs now{destination}, then:\naws sagemaker update-endpoint --endpoint-name ENDPOINT "
        "--endpoint-config-name COPY --no-retain-all-variant-properties\n"
        "Requests that were not captured until then are not judged."
    )
