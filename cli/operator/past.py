"""Any past window judged, and a past stretch counted and judged again, by the deployed functions themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cli.operator.deployment import Deployment
from cli.operator.every_model import find_known, known_models
from cli.refusals import BadInputError
from kedge.config.model import ModelConfig
from kedge.errors import UnknownModelError
from kedge.instants import from_text, to_text
from kedge.profile.day import WindowDigest
from lambdas.adapters.bucket import days, layout, reports, timeline
from lambdas.adapters.state import champions
from lambdas.steps.requests import CADENCES, JUDGED_AFTER

# A person's mistake in a date should not judge for a week.
WINDOWS_MAX = 1000


@dataclass(frozen=True)
class ServedPackage:
    """A package, and since when it served; None where that is not written down."""

    package: str
    since: datetime | None


@dataclass(frozen=True)
class PastWindow:
    """What is to be judged, for whom, and with the labels that had come by when."""

    start: datetime
    end: datetime
    served: ServedPackage
    time: datetime


@dataclass(frozen=True)
class Past:
    """A model's past in a deployment."""

    deployment: Deployment
    config: ModelConfig
    promotions: tuple[ServedPackage, ...]

    @property
    def model(self) -> str:
        """Whose past it is."""
        return self.config.model

    @classmethod
    def of(cls, deployment: Deployment, model: str) -> Past:
        """Read who served when: the champion, and the promotions that the timeline tells of."""
        config = find_known(deployment, model)
        if config is None:
            raise BadInputError(str(UnknownModelError(model=model, known=sorted(known_models(deployment)))))
        champion = champions.load(deployment.client("dynamodb"), deployment.table, model)
        if champion is None:
            raise BadInputError(f"no package of {model!r} serves yet: nothing of it was ever judged")
        entries = timeline.load_timeline(deployment.client("s3"), deployment.bucket, model, kind="baseline_switched")
        told = {(from_text(entry["time"]), str(entry["detail"]["package_version"])) for entry in entries}
        found = sorted({*told, (champion.promoted_at, champion.package_version)})
        return cls(deployment, config, tuple(ServedPackage(version, since) for since, version in found))

    def served(self, end: datetime, package: str | None) -> ServedPackage:
        """Who served before an instant, or the package that a person names."""
        if package is not None:
            since = [one for one in self.promotions if one.package == package]
            return since[-1] if since else ServedPackage(package, None)
        found = [one for one in self.promotions if one.since is not None and one.since < end]
        if not found:
            first = self.promotions[0]
            raise BadInputError(
                f"no package of {self.model} served before {to_text(end)}: the first, version {first.package}, was promoted at "
                f"{to_text(first.since or end)}; name another with --package"
            )
        return found[-1]

    def window(
        self, start: datetime, end: datetime, *, package: str | None, as_of: datetime | None = None
    ) -> PastWindow:
        """The window as its schedule would have judged it: of one package, and never from before its promotion."""
        served = self.served(end, package)
        if package is None and served.since is not None:
            start = max(start, served.since)
        usual = end + JUDGED_AFTER[self.config.cadence.judge]
        return PastWindow(start, end, served, min(as_of or usual, self.deployment.caller.time))

    def windows(self, start: datetime, end: datetime, *, package: str | None) -> list[PastWindow]:
        """Each window that a schedule judges at the end of one of its steps between two instants, oldest first."""
        length, cadence = timedelta(days=self.config.cadence.window_days), self.config.cadence.judge
        step = CADENCES[cadence]
        # The calendar's first day was a Monday, on which a weekly schedule judges.
        origin = datetime(1, 1, 1, tzinfo=UTC)
        ends = origin + -(-(start - origin) // step) * step
        if ends == start:
            ends += step
        if (end - ends) // step >= WINDOWS_MAX:
            raise BadInputError(f"these are more than {WINDOWS_MAX:,} windows; name a shorter stretch")
        found = []
        first = self.promotions[0].since
        while ends <= end:
            if package is not None or first is None or first < ends:
                found.append(self.window(ends - length, ends, package=package))
            ends += step
        if not found:
            raise BadInputError(
                f"no {cadence} window of {self.model} that some package answered ends from {to_text(start)} to {to_text(end)}"
            )
        return found


def check_span(deployment: Deployment, start: datetime, end: datetime) -> None:
    """Refuse what is no past stretch of whole hours."""
    now = deployment.caller.time
    if start >= end:
        raise BadInputError(f"--from {to_text(start)} is not before --to {to_text(end)}")
    if end > now:
        raise BadInputError(f"--to {to_text(end)} is in the future: it is {to_text(now)} in the account")
    if any((moment - moment.replace(minute=0, second=0, microsecond=0)) for moment in (start, end)):
        raise BadInputError("requests are counted by the hour: let --from and --to be full hours, UTC")


def instant(text: str, option: str) -> datetime:
    """A date or a time in ISO 8601, UTC unless it says otherwise."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInputError(f"{option} {text!r} is no time; write 2026-03-01 or 2026-03-01T06:00:00Z") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def judge(past: Past, window: PastWindow, *, tell: bool) -> dict[str, Any]:
    """Have the functions measure the window and judge it; nothing passes a queue."""
    deployment = past.deployment
    event: dict[str, Any] = {
        "model": past.model,
        "time": to_text(window.time),
        "window": {"start": to_text(window.start), "end": to_text(window.end)},
        "package": window.served.package,
        "tell": tell,
    }
    if window.served.since is not None:
        event["promoted_at"] = to_text(window.served.since)
    measured = deployment.call(deployment.measure_function, event)
    if "start" in measured:
        # Too large for one function's memory.
        joined = deployment.call(deployment.join_function, measured)
        measured = deployment.call(deployment.measure_function, joined)
    return deployment.call(deployment.drift_function, measured)


def load_report(past: Past, answer: dict[str, Any]) -> dict[str, Any]:
    """The report that an answer names."""
    deployment = past.deployment
    return reports.load_json(deployment.client("s3"), deployment.bucket, answer["report_key"]) or {}


def count(past: Past, first: date, last: date, *, package: str | None) -> Iterator[tuple[date, dict[str, Any]]]:
    """Count each day's captures until none is left; oldest first, so that after a break the beginning is done."""
    deployment = past.deployment
    for day in (first + timedelta(days=n) for n in range((last - first).days + 1)):
        event = {
            "model": past.model,
            "time": to_text(deployment.caller.time),
            "since": str(day),
            "until": str(day),
            **({"package": package} if package else {}),
        }
        answer = deployment.call(deployment.profile_function, event)
        yield day, answer
        while not answer["is_whole"]:
            # It knows what it counted, but not how far it listed.
            if not answer["has_progress"]:
                raise BadInputError(
                    f"{day} is not counted to its end: a whole run of {deployment.profile_function} came no further; the log of "
                    "that function says why. Type the command again to go on with this day"
                )
            answer = deployment.call(deployment.profile_function, event | {"stopped": answer["stopped"]})
            yield day, answer


def judged_already(past: Past, window: PastWindow) -> dict[str, Any] | None:
    """The report that an earlier run left of the same window over the same captures; None where there is none."""
    deployment, version = past.deployment, window.served.package
    s3, bucket = deployment.client("s3"), deployment.bucket
    prefix = layout.aside_prefix(past.model, version, window.start, window.end)
    report = reports.load_json(s3, bucket, f"{prefix}/{layout.ASIDE_DRIFT}")
    if report is None:
        return None
    counted = days.each_day(
        s3,
        bucket,
        layout.profile_days_prefix(past.model, version, version),
        first=window.start.date(),
        last=(window.end - timedelta(microseconds=1)).date(),
    )
    digest = WindowDigest()
    for day, found in counted:
        digest.add(day, found.counted)
    return report if report["manifests_digest"] == digest.name else None
