"""How many requests are replayed to a challenger on trial, and how fast: what one instance has at production's busiest hour."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kedge.comparisons import counted, in_words
from kedge.config.staging import Staging
from kedge.staging.requests import ReplayRequest


@dataclass(frozen=True)
class BusyHour:
    """The hour of UTC in which a package got most requests.

    Attributes
    ----------
    requests : int
        That were captured.
    sampled : float
        The share of all requests that is captured, above 0 to 1.
    """

    start: datetime
    package_version: str
    requests: int
    sampled: float = 1.0


@dataclass(frozen=True)
class Load:
    """What is replayed, and its description for people."""

    requests: int
    per_second: float
    sentence: str


def load_of(policy: Staging, hour: BusyHour | None, requests: Sequence[ReplayRequest], *, instances: int) -> Load:
    """How much one instance on trial gets.

    It is the rate of the hour's busiest minute, divided by the instances that served; a minute's requests that were not read are
    made up for by the hour's mean. It is never above `requests_per_second_max`, and never so low that `minutes` pass with fewer
    than `minimum_requests`.

    Parameters
    ----------
    hour : BusyHour or None
        Of the last days; None where nothing was captured.
    requests : sequence of ReplayRequest
        Of that hour, as many as were read.

    >>> from datetime import UTC
    >>> hour = BusyHour(datetime(2026, 3, 2, 14, tzinfo=UTC), "3", 7200)
    >>> load = load_of(Staging(minutes=5), hour, [], instances=2)
    >>> load.requests, load.per_second
    (300, 1.0)
    """
    seconds = policy.minutes * 60
    least = policy.minimum_requests / seconds
    if hour is None:
        said = (
            f"no request was captured in the last {counted(policy.from_days, 'day')} that this model can read, so "
            f"{counted(policy.minimum_requests, 'request')} of one holdout row each were sent at {in_words(least)} a second"
        )
        return Load(policy.minimum_requests, least, said)
    minutes = Counter(request.minute for request in requests if request.minute)
    busiest = max([*minutes.values(), hour.requests / 60])
    peak = busiest / 60 / hour.sampled / max(instances, 1)
    rate = max(min(peak, policy.requests_per_second_max), least)
    number = math.ceil(rate * seconds - 1e-9)
    said = (
        f"{counted(number, 'request')} as captured at {hour.start:%Y-%m-%d %H}:00 UTC, the busiest hour of the last "
        f"{counted(policy.from_days, 'day')}, were sent to one instance at {in_words(rate)} a second"
    )
    share = f"each of the {instances} instances" if instances > 1 else "the one instance"
    if peak > rate:
        said += f"; {share} had {in_words(peak)} in the busiest minute, and staging.requests_per_second_max is lower"
    elif peak < rate:
        said += f"; {share} had {in_words(peak)} in the busiest minute, and staging.minimum_requests asks for more"
    else:
        said += f", as {share} had them in the busiest minute"
    return Load(number, rate, said)
