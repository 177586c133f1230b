"""What came of a challenger's trial so far, as one stored thing: each stretch of requests adds to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple


class Sent(NamedTuple):
    """One request that was sent: how long its answer took, or why there is none."""

    milliseconds: float
    failure: str = ""


@dataclass(frozen=True)
class TrialRecord:
    """What is known of a trial.

    Attributes
    ----------
    compared, different : int
        Holdout rows that the endpoint answered, and those of them that it did not answer as the transform job had.
    milliseconds : tuple of float
        How long each replayed request took that was answered.
    failures : mapping of str to int
        Replayed requests that were not answered, by what was said.
    load : str
        What is replayed, in a sentence; empty before that is planned.
    wanted : int
        How many requests.
    per_second : float
    hour : str
        The hour in which they were captured; empty where they are rows of the holdout.
    refused : str
        Why SageMaker could not put the model into service: its container's own fault.
    unfinished : str
        Why the trial did not come to its end: nobody's fault, and nothing is known of the model.
    done : bool
    since : str
        When the endpoint was made.
    paid : mapping of str to float
        Instance seconds that it took, by instance type; known at its end.
    """

    compared: int = 0
    different: int = 0
    milliseconds: tuple[float, ...] = ()
    failures: Mapping[str, int] = field(default_factory=dict)
    load: str = ""
    wanted: int = 0
    per_second: float = 0.0
    hour: str = ""
    refused: str = ""
    unfinished: str = ""
    done: bool = False
    since: str = ""
    paid: Mapping[str, float] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether nothing more is to be measured."""
        return self.done or bool(self.refused or self.unfinished)

    @property
    def failed(self) -> int:
        """How many replayed requests were not answered."""
        return sum(self.failures.values())

    @property
    def sent(self) -> int:
        """How many requests were replayed."""
        return len(self.milliseconds) + self.failed

    def with_sent(self, sent: Sequence[Sent]) -> TrialRecord:
        """Count replayed requests in.

        >>> found = TrialRecord().with_sent([Sent(12.5), Sent(0.0, "HTTP 500")])
        >>> found.sent, found.failed, found.milliseconds
        (2, 1, (12.5,))
        """
        answered = tuple(round(one.milliseconds, 3) for one in sent if not one.failure)
        failures = Counter(self.failures) + Counter(one.failure for one in sent if one.failure)
        return replace(self, milliseconds=(*self.milliseconds, *answered), failures=dict(failures))

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> TrialRecord:
        """Read what `to_json` wrote.

        >>> TrialRecord.from_json(TrialRecord(compared=3).to_json()) == TrialRecord(compared=3)
        True
        """
        return cls(**{**found, "milliseconds": tuple(found["milliseconds"])})
