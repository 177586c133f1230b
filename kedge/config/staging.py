"""A trial of a challenger before it is proposed, on a temporary endpoint: a part of a model's YAML."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from kedge.config.sections import Fraction, Section

# Of fewer requests the slowest one would be the percentile.
P99_REQUESTS_MIN = 100


class Staging(Section):
    """What is replayed to a challenger that the gate passed, and what it must reach; without this section there is no trial."""

    minutes: int = Field(default=10, ge=1, le=60)
    from_days: int = Field(default=7, ge=1, le=30)
    minimum_requests: int = Field(default=200, ge=10, le=10_000)
    requests_per_second_max: float = Field(default=50.0, gt=0, le=100)
    p50_milliseconds: float | None = Field(default=None, gt=0)
    p95_milliseconds: float | None = Field(default=None, gt=0)
    p99_milliseconds: float | None = Field(default=None, gt=0)
    error_fraction_max: Fraction = 0.01
    skew_fraction_max: Fraction = 0.01
    not_measured: Literal["WARN", "REFUSE"] = "WARN"

    @property
    def percentiles(self) -> tuple[tuple[int, float | None], ...]:
        """Each percentile of the latency that is told, with its limit in milliseconds."""
        return ((50, self.p50_milliseconds), (95, self.p95_milliseconds), (99, self.p99_milliseconds))

    @model_validator(mode="after")
    def _limits_do_not_contradict(self) -> Staging:
        given = [(f"staging.p{part}_milliseconds", limit) for part, limit in self.percentiles if limit is not None]
        for (name, limit), (higher, above) in pairwise(given):
            if limit > above:
                raise ValueError(
                    f"{name} is {limit:g} and {higher} {above:g}: a higher percentile is never the faster one; lower the first or "
                    "raise the second"
                )
        return self

    @model_validator(mode="after")
    def _the_requests_are_enough_and_fit_into_the_time(self) -> Staging:
        if self.p99_milliseconds is not None and self.minimum_requests < P99_REQUESTS_MIN:
            raise ValueError(
                f"staging.minimum_requests is {self.minimum_requests}, and staging.p99_milliseconds is there: of fewer than "
                f"{P99_REQUESTS_MIN} requests the slowest one is the 99th percentile; raise the first or remove the limit"
            )
        most = self.requests_per_second_max * self.minutes * 60
        if self.minimum_requests > most:
            raise ValueError(
                f"staging.minimum_requests is {self.minimum_requests}, and in {self.minutes} minutes at "
                f"{self.requests_per_second_max:g} requests a second {most:,.0f} are sent: lower the first, or raise "
                "staging.minutes or staging.requests_per_second_max"
            )
        return self
