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
        Answers that were read for errors, and the wrong ones among them.
    behind : int
        Captured bytes that were not read for errors yet.
    sampled : bool
        Whether the answers that are compared are a sample.
    when : str
        When the champion gave the answers that are compared with them.
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

    `begun` is the mark of an object that is partly read, and `place` how far the reading has come.
    """

    found: AnswersRead = NOTHING_READ
    done: frozenset[bytes] = frozenset()
    begun: bytes = b""
    place: int = 0


NOTHING = Reading()
