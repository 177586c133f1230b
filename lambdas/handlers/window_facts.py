"""What is known of a window beside its columns: rows by hour, earlier weeks, and what the endpoint answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from kedge.day_profile import DayProfile
from kedge.model_config import ModelConfig
from kedge.window_facts import WindowFacts, by_hour
from lambdas.adapters import clients, days, metrics, served, windows
from lambdas.handlers.requests import CADENCES, JudgeRequest

_WEEK = timedelta(days=7)
Days = Mapping[date, DayProfile]


@dataclass(frozen=True)
class Place:
    """Whose window it is, and where its facts are found."""

    bucket: str
    table: str
    config: ModelConfig
    package_version: str

    @property
    def cadence(self) -> timedelta:
        """How much of a window is new when it is judged."""
        return CADENCES[self.config.cadence.judge]


def gather_facts(place: Place, request: JudgeRequest, counted: Days) -> WindowFacts:
    """Put together what the champion's days, the state table and CloudWatch know of the window."""
    start, end = request.window.start, request.window.end
    facts = WindowFacts(
        end, place.cadence, by_hour({day: rows_of(found) for day, found in counted.items()}, start, end),
        records=sum(sum(found.requests.values()) for found in counted.values()),
        quarantined=sum(found.quarantined for found in counted.values()),
        duplicates=sum(found.duplicates for found in counted.values()),
    )  # fmt: skip
    # A package promoted within the new stretch has not answered all of it.
    return with_stretch(facts, place, request, counted) if end - place.cadence >= start else facts


def with_stretch(facts: WindowFacts, place: Place, request: JudgeRequest, counted: Days) -> WindowFacts:
    """Add what is known of the stretch that is new since the last judgement."""
    end, endpoint = request.window.end, place.config.endpoint
    invocations = metrics.endpoint_invocations(
        clients.cloudwatch(), endpoint=endpoint.name, variant=endpoint.variant, start=end - place.cadence, end=end
    )
    return replace(
        facts, earlier_weeks=earlier_weeks(place, end), invocations=invocations,
        requests=count_requests(place, request, counted),
    )  # fmt: skip


def rows_of(day: DayProfile) -> dict[int, int]:
    """Rows of each hour of a day."""
    return {hour: profile.rows for hour, profile in day.hours.items()}


def earlier_weeks(place: Place, end: datetime) -> list[tuple[int, ...]]:
    """Rows of the same hours in earlier weeks, whichever package answered them, as they were judged then."""
    ends = [end - week * _WEEK for week in range(1, place.config.quality.volume_weeks + 1)]
    found = [windows.load_window(clients.dynamodb(), place.table, place.config.model, end) for end in ends]
    hours = place.cadence // timedelta(hours=1)
    return [window.rows_by_hour for window in found if window is not None and len(window.rows_by_hour) == hours]


def count_requests(place: Place, request: JudgeRequest, counted: Days) -> int:
    """Captured requests of the new stretch, of every package that answered: the endpoint counts them together."""
    model, start, end = place.config.model, request.window.end - place.cadence, request.window.end
    answered = [counted]
    for version in served.load(clients.dynamodb(), place.table, model, now=request.time):
        if version != place.package_version:
            found = days.load_days(
                clients.s3(), place.bucket, model=model, package_version=version, baseline=version,
                first=start.date(), last=(end - timedelta(microseconds=1)).date(),
            )  # fmt: skip
            answered.append(found)
    return sum(sum(by_hour({day: f.requests for day, f in found.items()}, start, end)) for found in answered)
