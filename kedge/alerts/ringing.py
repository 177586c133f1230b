"""What `watch_monitor` rings for, and which models ring together: people hear of those that began at once in one message."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from kedge.instants import from_text, to_text

# How many models a message names; of more it says the number.
NAMED = 20
# A model whose definition is broken cannot be looked at for anything else.
BROKEN = "BrokenDefinitions"
# Requests that failed one by one are no endpoint that fails.
FAILED_MIN = 3


@dataclass(frozen=True)
class RingCause:
    """Something that is wrong with a model when its gauge reaches `at_least`."""

    at_least: float
    says: str
    reason: str
    remedy: str
    # What its owner may enter, where Kedge manages the model.
    command: str = ""


# The gauge of the age of the newest judgement, which `kedge status` works out by itself.
AGE = "JudgementAgeCadences"
CAUSES: Mapping[str, RingCause] = {
    AGE: RingCause(
        2,
        "not judged for 2 cadences",
        "The last judged window of {model} is {value:.1f} cadences old.",
        "Look at the dead-letter queues and at the errors of fan_out, measure_performance and detect_drift. The next tick also judges "
        "the last three windows that were missed.",
    ),
    "InvocationsWithoutCapture": RingCause(
        1,
        "invoked, but nothing is captured",
        "{model} answered {value:,.0f} requests in the last hours, and none of them was captured.",
        "Look at Data Capture in the endpoint's config, at its role's right to write, and at its disk: capture stops when it is three "
        "quarters full. Any update of the endpoint replaces its instances. What was not captured is lost.",
    ),
    "ServerErrors": RingCause(
        0.05,
        "its endpoint fails",
        "{value:.1%} of the last hours' requests to {model} ended in 5xx.",
        "Read the endpoint's log group. If it began with a release, go back. To hear of it within 15 minutes, set "
        "health.server_error_fraction, which is an alarm of its own.",
        'kedge rollback {model} --reason "why"',
    ),
    BROKEN: RingCause(
        1,
        "its definition in the data bucket cannot be followed",
        "The log of watch_monitor says what is wrong with the YAML. Until then the model is not watched.",
        "Correct the YAML, and deploy it, or write it with kedge models put where the model was adopted.",
    ),
}


@dataclass(frozen=True)
class Bundle:
    """Models that began to ring at the same look, for the same cause, and whose messages go the same way.

    Attributes
    ----------
    models : tuple of str
        Those that people were told of, and that ring or have stopped since.
    quiet : tuple of str
        Those of them that have stopped: one that rings again is told of anew.
    first : str
        In whose name it was told, whatever became of that model: a pager knows the incident by it.
    """

    cause: str
    since: datetime
    models: tuple[str, ...]
    quiet: tuple[str, ...] = ()
    first: str = ""

    @classmethod
    def began(cls, cause: str, since: datetime, models: Sequence[str]) -> Self:
        """Of models that nobody knows of yet."""
        return cls(cause, since, tuple(models), first=models[0])

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """As `to_json` wrote it."""
        return cls(
            found["cause"], from_text(found["since"]), tuple(found["models"]), tuple(found["quiet"]), found["first"]
        )

    def to_json(self) -> dict[str, Any]:
        """As it is kept for the next look."""
        return {
            "cause": self.cause,
            "since": to_text(self.since),
            "models": list(self.models),
            "quiet": list(self.quiet),
            "first": self.first,
        }

    @property
    def ringing(self) -> tuple[str, ...]:
        """The models that have not stopped."""
        return tuple(model for model in self.models if model not in self.quiet)

    def at_next(self, ringing: Collection[str]) -> Bundle:
        """The bundle one look later: some have stopped, and those that ring anew belong to another one."""
        still = {model for model in self.ringing if model in ringing}
        models = tuple(model for model in self.models if model in still or model not in ringing)
        return replace(self, models=models, quiet=tuple(model for model in models if model not in still))

    def detail(self, state: str, *, name: str, value: float = 0.0, managed: bool = False) -> dict[str, Any]:
        """What a message in the name of one of its models says about it; `value` is that model's gauge."""
        rings = state == "ALARM"
        cause, others = CAUSES[self.cause], [model for model in self.models if model != name]
        more = f"{len(others)} more models" if len(others) > 1 else "".join(others)
        says = f"{cause.says}, with {more}" if more else cause.says
        return {
            "alarm": self.cause,
            "says": f"Kedge: {says}",
            "state": state,
            "since": to_text(self.since),
            "first": self.first,
            "models": list(self.models[:NAMED]),
            "models_count": len(self.models),
            "reason": cause.reason.format(model=name, value=value) if rings else "None of these models rings any more.",
            "remedy": cause.remedy if rings else "",
            "command": cause.command.format(model=name) if rings and managed else "",
        }


@dataclass(frozen=True)
class Changes:
    """What began and what is over since the look before, and what stands as it was."""

    began: tuple[Bundle, ...]
    over: tuple[Bundle, ...]
    lasts: tuple[Bundle, ...]


def is_ringing(cause: str, value: float) -> bool:
    """Whether a gauge has reached its limit; one that no message tells of never rings.

    >>> is_ringing("JudgementAgeCadences", 1.9), is_ringing("JudgementAgeCadences", 2)
    (False, True)
    """
    return cause in CAUSES and value >= CAUSES[cause].at_least


def failed_share(failed: float, requests: float) -> float:
    """The share of the requests that failed; none while so few failed that it says nothing of an endpoint.

    >>> failed_share(2, 4), failed_share(3, 60)
    (0.0, 0.05)
    """
    return failed / requests if failed >= FAILED_MIN else 0.0


def changes(
    before: Sequence[Bundle], ringing: Mapping[str, Collection[str]], ways: Mapping[str, Hashable], now: datetime
) -> Changes:
    """Compare a look with the one before.

    A bundle lasts while one of its models rings. One that stopped meanwhile and rings again is told of anew.

    Parameters
    ----------
    ringing : mapping
        By cause, the models that ring now.
    ways : mapping
        By model, where its messages go, whatever stands for that; models without one share a way.
    """
    later = [each.at_next(ringing.get(each.cause, ())) for each in before]
    lasts = tuple(each for each in later if each.ringing)
    began = list[Bundle]()
    for cause, models in ringing.items():
        known = {model for each in lasts if each.cause == cause for model in each.ringing}
        together = defaultdict[Hashable, list[str]](list)
        for model in sorted({*models} - known):
            together[ways.get(model)].append(model)
        began += [Bundle.began(cause, now, found) for found in together.values()]
    return Changes(tuple(began), tuple(each for each in later if not each.ringing), lasts)
