"""How far a canary's captures were read for errors, kept from look to look."""

from __future__ import annotations

from dataclasses import dataclass

# Of an object's mark among those that were read.
MARK_BYTES = 8


SAME_MINUTES = "over the same minutes"


@dataclass(frozen=True)
class AnswersRead:
    """What all looks have read of the canary's captured answers.

    Attributes
    ----------
    rows, wrong : int
        Answers that were read for errors, and those of them that are no answers.
    behind : int
        Captured bytes that were not read for errors so far.
    sampled : bool
        Whether the answers that are compared are a sample.
    when : str
        When the champion gave the answers that they are compared with.
    """

    rows: int = 0
    wrong: int = 0
    behind: int = 0
    sampled: bool = False
    when: str = SAME_MINUTES


NOTHING_READ = AnswersRead()


@dataclass(frozen=True)
class Reading:
    """How far a canary's captures were read for errors: what was found, and the marks of the objects that are done.

    `begun` is the mark of an object whose reading is to go on, and `place` how far it has come.
    """

    found: AnswersRead = NOTHING_READ
    done: frozenset[bytes] = frozenset()
    begun: bytes = b""
    place: int = 0


NOTHING = Reading()
