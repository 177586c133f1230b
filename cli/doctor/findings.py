"""A check's finding about one thing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The state of one thing; `unknown` is not ok: the check could not look."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One line of the checklist: a resource by its name or ARN, its state in one sentence, and what to do about it."""

    subject: str
    verdict: Verdict
    reason: str
    remedy: str = ""
    check: str = ""


def ok(subject: str, reason: str) -> Finding:
    """Nothing to do."""
    return Finding(subject, Verdict.OK, reason)


def warning(subject: str, reason: str, remedy: str) -> Finding:
    """Kedge works, and a person should look at this."""
    return Finding(subject, Verdict.WARNING, reason, remedy)


def failed(subject: str, reason: str, remedy: str) -> Finding:
    """Something does not work until a person acts."""
    return Finding(subject, Verdict.FAILED, reason, remedy)


def unknown(subject: str, reason: str, remedy: str) -> Finding:
    """The check could not look."""
    return Finding(subject, Verdict.UNKNOWN, reason, remedy)


def exit_code(findings: Iterable[Finding], *, fail_on: Verdict = Verdict.FAILED) -> int:
    """0: nothing below `fail_on`; 1: something failed (or warned); 2: nothing failed, but a check could not look."""
    found = {finding.verdict for finding in findings}
    if Verdict.FAILED in found or (fail_on is Verdict.WARNING and Verdict.WARNING in found):
        return 1
    return 2 if Verdict.UNKNOWN in found else 0
