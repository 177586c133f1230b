"""The fast way back: which package came before, and how its kept endpoint config takes all traffic again at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kedge.release.traffic import Rollout, Routing

# This number of packages is remembered. SageMaker keeps a config until somebody deletes it.
KEPT_MAX = 10
# All traffic is back when this begins. It is long enough for captures, which come minutes late, to be looked at.
BAKE_SECONDS = 600
_LONGEST_SECONDS = 3600


@dataclass(frozen=True)
class Kept:
    """A package that served, with its endpoint config and all that the champion item must say once it serves again."""

    package_arn: str
    package_version: str
    baseline: str
    endpoint_config: str
    model_name: str
    training_end: datetime | None = None


def kept_after(serves: Kept | None, earlier: Sequence[Kept], *, package_arn: str) -> tuple[Kept, ...]:
    """The packages to go back to, newest first, once another package serves.

    A package that comes back forgets what came after it. So going back twice goes two packages back, and never to the
    one that was left.

    Parameters
    ----------
    serves : Kept or None
        What serves before.
    earlier : sequence of Kept
        What there was to go back to from there.
    package_arn : str
        The package that serves from now on.

    >>> one, two = (Kept(f"arn/{n}", n, n, f"m-v{n}", f"m-v{n}") for n in ("1", "2"))
    >>> [kept.package_version for kept in kept_after(two, [one], package_arn="arn/3")]
    ['2', '1']
    >>> kept_after(two, [one], package_arn="arn/1")
    ()
    """
    stack = (*((serves,) if serves else ()), *earlier)
    for place, kept in enumerate(stack):
        if kept.package_arn == package_arn:
            return stack[place + 1 :]
    return stack[:KEPT_MAX]


@dataclass(frozen=True)
class WayBack:
    """The package to go back to, and why newer ones were passed over; without any, why there is none."""

    kept: Kept | None
    reasons: tuple[str, ...]


def choose(model: str, earlier: Sequence[Kept], faults: Mapping[str, str]) -> WayBack:
    """The newest kept package without a fault.

    Parameters
    ----------
    faults : mapping of str to str
        By endpoint config, why it cannot serve again.

    >>> choose("m", (), {}).reasons[0][:48]
    'no earlier package of m is kept that could serve'
    """
    passed = tuple(faults[kept.endpoint_config] for kept in earlier if kept.endpoint_config in faults)
    for place, kept in enumerate(earlier):
        if kept.endpoint_config not in faults:
            return WayBack(kept, passed[:place])
    remedy = f'to release an earlier package with a canary: kedge rollback {model} --to VERSION --reason "why"'
    return WayBack(None, (f"no earlier package of {model} is kept that could serve at once", *passed, remedy))


def run_name(resource_name: str, version: str, *cause: str) -> str:
    """Name the execution by its cause: whoever goes back for the same cause starts the same one.

    >>> run_name("hotel", "3", "hotel-v4-0a1b2c3d")
    'hotel-v3-back-0204854ed9d8'
    """
    return f"{resource_name}-v{version}-back-{hashlib.sha256('#'.join(cause).encode()).hexdigest()[:12]}"


def rollout_back(*, instances: int) -> Rollout:
    """All traffic at once, and a few minutes in which the old fleet still stands while the answers are looked at."""
    words = (
        f"all traffic goes back at once, to {instances} instance{'s' * (instances != 1)} with the endpoint config that served before; "
        f"its answers are looked at for {BAKE_SECONDS // 60} minutes, and nothing goes forward again by itself"
    )
    return Rollout(Routing("ALL_AT_ONCE", words), BAKE_SECONDS, 0, _LONGEST_SECONDS)
