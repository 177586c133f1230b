"""Fold what an endpoint captured, or a log says, into each day's counts and the predictions table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import Any

from kedge.capture.source import source_of
from kedge.config.capture_place import tried_prefix
from kedge.config.gauges import sent
from kedge.config.model import ModelConfig
from kedge.errors import BaselineAbsentError
from kedge.profile.baseline import Baseline
from kedge.profile.look_back import LookBack, look_back
from lambdas.adapters import clients, metrics, queues
from lambdas.adapters.bucket import baselines, package_schemas
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.captures import inference_logs
from lambdas.adapters.catalogue import load_model
from lambdas.adapters.release import trials
from lambdas.adapters.release.trials import AbTrial
from lambdas.adapters.state import champions, progress, served, windows
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.telling import desk_of, record_and_tell
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.counting.counting_place import CountingPlace
from lambdas.steps.counting.day_folding import Folded, fold_day, uncounted
from lambdas.steps.requests import ProfileRequest, Stopped

# A run begins no batch when this little of its time is left: reading ends after a minute, an object of a gigabyte takes half of one.
# The search for ids that are known comes on top.
RESERVE_SECONDS = 120
# A run that stopped goes on in a message of its own, at most this often: Lambda ends loops of 16. The next tick goes on from there.
ROUNDS_MAX = 10
# One message names at most this many days.
DAYS_TOLD_MAX = 60


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    profile_queue_url: str
    alert_topic_arn: str
    event_topic_arn: str


@dataclass(frozen=True)
class CountedPackage:
    """A package whose answers are counted: on its own cells, and read by its own schema; also those of its A/B tests."""

    version: str
    baseline: Baseline
    config: ModelConfig
    tried: tuple[AbTrial, ...] = ()


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """List, diff and fold each package's days, newest first, as far as the time reaches."""
    request, settings = ProfileRequest.from_event(event), Settings.from_environment()
    config = load_model(request.model, settings.data_bucket)
    if request.until is not None:
        return count_again(request, settings, config, context)
    champion = champions.load(clients.dynamodb(), settings.state_table, config.model)
    view = view_of(request, settings, champion, late_days=source_of(config).late_days)
    tried = trials.load(clients.dynamodb(), settings.state_table, config.model)
    found = packages(config, request, settings, champion, tried, has_backlog=view.has_backlog)
    places = places_of(view.days, settings, found, view)
    left = places_left(places, request.stopped)
    folded, failed = fold_days(left, watch_of(context))
    if champion is not None and source_of(config).by_manifest:
        judge_champions_jobs(places, champion, request, settings)
    totals = totals_of(folded)
    metrics.put(clients.cloudwatch(), model=request.model, values=sent(totals, config.metrics), time=request.time)
    if failed is not None:
        raise failed
    if all(day.is_whole for day in folded):
        # Behind the counting, which must not wait for it. Until all of these days were looked at, they stay in view.
        leaving = places_of(view.leaving_days, settings, found, view)
        if tell_uncounted(leaving, request, settings, watch_of(context)):
            progress.save_profiled(clients.dynamodb(), settings.state_table, config.model, request.time)
    else:
        stopped, has_progress = where_stopped(left, folded)
        go_on(request, settings, stopped, has_progress=has_progress)
    logger.info("profiled", model=request.model, days=len(folded), added=totals)
    return totals


def judge_champions_jobs(
    places: list[CountingPlace], champion: Champion, request: ProfileRequest, settings: Settings
) -> None:
    """Judge the transform jobs of the champion, each by itself."""
    # It judges, and scipy takes long to import: not for those who only count.
    from lambdas.steps.judge_jobs import judge_jobs

    for place in places:
        if place.package_version == champion.package_version:
            judge_jobs(place, champion, desk_of(settings), request.time)


def count_again(request: ProfileRequest, settings: Settings, config: ModelConfig, context: Any) -> dict[str, Any]:
    """Count some past days for a person, however old they are, and say what was new and whether all of it is counted.

    What is counted stays, also where its captures have expired. There is no metric, no mail and no next message: while `is_whole`
    is false the caller calls again with `stopped`, which says where the time was over.
    """
    champion = champions.load(clients.dynamodb(), settings.state_table, config.model)
    last = request.until or request.time.date()
    view = LookBack(request.since or last, request.time.date(), late_days=source_of(config).late_days)
    days = [day for day in view.days if day <= last]
    tried = trials.load(clients.dynamodb(), settings.state_table, config.model)
    if request.package is not None:
        found = [package_of(config, settings, request.package, tried)]
    else:
        found = packages(config, request, settings, champion, tried, has_backlog=True)
    left = places_left(places_of(days, settings, found, view), request.stopped)
    folded, failed = fold_days(left, watch_of(context))
    if failed is not None:
        raise failed
    answer = totals_of(folded) | {"packages": [package.version for package in found], "is_whole": True}
    if not all(day.is_whole for day in folded):
        stopped, has_progress = where_stopped(left, folded)
        answer |= {"is_whole": False, "stopped": stopped.model_dump(mode="json"), "has_progress": has_progress}
    return answer


def watch_of(context: Any) -> Callable[[float], bool]:
    """Whether the time is enough for a batch, and for some seconds of work behind its reading."""
    return lambda seconds: context.get_remaining_time_in_millis() > (RESERVE_SECONDS + seconds) * 1000


def totals_of(folded: list[Folded]) -> dict[str, Any]:
    """What was new, by the names of its metrics."""
    return {
        "RowsCaptured": sum(day.rows for day in folded),
        "RecordsQuarantined": sum(day.quarantined for day in folded),
        "RowsDuplicated": sum(day.duplicates for day in folded),
    }


def view_of(request: ProfileRequest, settings: Settings, champion: Champion | None, *, late_days: int) -> LookBack:
    """The days to look at; before any run has completed, those since the champion began to answer."""
    completed = progress.load_profiled(clients.dynamodb(), settings.state_table, request.model)
    return look_back(
        request.time.date(),
        completed=completed.date() if completed else None,
        begun=champion.promoted_at.date() if champion else None,
        since=request.since,
        late_days=late_days,
    )


def places_of(
    days: Iterable[date], settings: Settings, packages: list[CountedPackage], view: LookBack
) -> list[CountingPlace]:
    """Each package's days, in their order."""
    return [
        CountingPlace(
            settings.data_bucket,
            found.config,
            found.version,
            found.baseline,
            day,
            only_gains=view.is_behind(day),
            beside=tried_places(found, day),
        )
        for day in days
        for found in packages
    ]


def tried_places(found: CountedPackage, day: date) -> tuple[str, ...]:
    """Where a package was captured on a day on which it answered beside a champion."""
    champions_then = dict.fromkeys(trial.champion_version for trial in found.tried if trial.has(day))
    return tuple(tried_prefix(found.config, found.version, champion_version=each) for each in champions_then)


def packages(
    config: ModelConfig,
    request: ProfileRequest,
    settings: Settings,
    champion: Champion | None,
    tried: tuple[AbTrial, ...],
    *,
    has_backlog: bool,
) -> list[CountedPackage]:
    """The champion's package, and those that were tried or replaced within the last days."""
    versions = set(served.load(clients.dynamodb(), settings.state_table, config.model, now=request.time))
    if champion:
        versions.add(champion.package_version)
        if champion.previous_package_arn and request.time - champion.promoted_at < served.REMEMBERED:
            versions.add(champion.previous_package_arn.rpartition("/")[2])
    versions |= {trial.package_version for trial in tried if request.time < trial.until + served.REMEMBERED}
    found = [package_of(config, settings, version, tried) for version in versions]
    if has_backlog:
        # A package that answered then may have been replaced since.
        captured = {*inference_logs.captured_packages(clients.s3(), settings.data_bucket, config.model)}
        for version in (captured | {trial.package_version for trial in tried}) - versions:
            try:
                found.append(package_of(config, settings, version, tried))
            except BaselineAbsentError:
                logger.info(
                    "not counted: captures of a package without a baseline", model=config.model, package=version
                )
    return sorted(found, key=lambda package: package.version)


def package_of(config: ModelConfig, settings: Settings, version: str, tried: tuple[AbTrial, ...]) -> CountedPackage:
    """A package by its baseline, which is named like it, and by its own schema."""
    s3, bucket = clients.s3(), settings.data_bucket
    baseline = baselines.load_baseline(s3, bucket, config.model, version)
    mine = tuple(trial for trial in tried if trial.package_version == version)
    return CountedPackage(version, baseline, package_schemas.load(s3, bucket, config, version), mine)


def places_left(places: list[CountingPlace], stopped: Stopped | None) -> list[CountingPlace]:
    """The days that are left where an earlier run stopped, and the first one as far as it is left."""
    if stopped is None:
        return places
    left = [
        place
        for place in places
        if place.day < stopped.day or (place.day == stopped.day and place.package_version >= stopped.package)
    ]
    first = [replace(p, after=stopped.after) for p in left[:1] if stopped == stopped_at(p, stopped.after)]
    return [*first, *left[len(first) :]]


def stopped_at(place: CountingPlace, after: str) -> Stopped:
    """Where a run begins that begins with a day, or behind a key of it."""
    return Stopped(day=place.day, package=place.package_version, after=after)


def fold_days(places: list[CountingPlace], has_time: Callable[[float], bool]) -> tuple[list[Folded], Exception | None]:
    """Fold one day after the other, until the time is over; one that fails keeps no other waiting, and its error is for the end."""
    folded, failed = list[Folded](), None
    for place in places:
        try:
            folded.append(fold_day(place, has_time))
        except Exception as error:
            logger.exception("a day was not counted", model=place.config.model, day=str(place.day))
            failed = failed or error
            continue
        failed = failed or folded[-1].failed
        if not folded[-1].is_whole:
            break
    return folded, failed


def where_stopped(left: list[CountingPlace], folded: list[Folded]) -> tuple[Stopped, bool]:
    """Where another run goes on with the days of one whose time was over, and whether this one came further at all."""
    stopped = stopped_at(left[len(folded) - 1], folded[-1].after)
    return stopped, stopped != stopped_at(left[0], left[0].after) or folded[-1].saves > 0


def go_on(request: ProfileRequest, settings: Settings, stopped: Stopped, *, has_progress: bool) -> None:
    """Ask for another run at once; where this one got nowhere, or many went before it, the next tick goes on."""
    if has_progress and request.round < ROUNDS_MAX:
        news = {"round": request.round + 1, "stopped": stopped}
        body = request.model_copy(update=news).model_dump(mode="json", exclude_none=True)
        queues.send(clients.sqs(), settings.profile_queue_url, body)
    logger.info("not all is counted: the time is over", model=request.model, round=request.round)


def tell_uncounted(
    leaving: list[CountingPlace], request: ProfileRequest, settings: Settings, has_time: Callable[[float], bool]
) -> bool:
    """Say which days leave the look-back with objects that are not counted, each once; whether the time was enough for all of them."""
    dynamodb, table, model = clients.dynamodb(), settings.state_table, request.model
    news, is_whole = dict[date, int](), True
    for day, places in groupby(leaving, lambda place: place.day):
        if windows.is_told(dynamodb, table, model, told(day)):
            continue
        if not has_time(0):
            is_whole = False
            break
        if count := sum(map(uncounted, places)):
            news[day] = count
    if not news:
        return is_whole
    detail = {"days": {str(day): count for day, count in [*news.items()][-DAYS_TOLD_MAX:]}, "since": str(min(news))}

    def remember() -> None:
        for day in news:
            windows.remember_told(dynamodb, table, model, told(day), now=request.time)

    # A topic that refuses keeps the message, and keeps nothing from being counted.
    record_and_tell(desk_of(settings), Entry(model, "rows_uncounted", request.time, detail), when_kept=remember)
    return is_whole


def told(day: date) -> str:
    """Under which name it is remembered that a day was told."""
    return f"uncounted#{day}"
