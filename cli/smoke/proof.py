"""A step's result: what it saw and on which resource, or why it proves nothing and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StepVerdict(StrEnum):
    """How a step ended."""

    PASS = "PASS"  # noqa: S105  # a verdict, no password
    FAIL = "FAIL"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True)
class Proof:
    """What a step saw, in a sentence, and the resource that it saw it on."""

    arn: str
    cause: str


class NotProvedError(Exception):
    """A step saw something else than it must see."""

    def __init__(self, cause: str, *, arn: str, remedy: str) -> None:
        super().__init__(cause)
        self.cause, self.arn, self.remedy = cause, arn, remedy
