"""The monitor's monitor: gauges of what is no longer judged, and of what is invoked but not captured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel

from kedge.alerts.ringing import AGE, BROKEN, CAUSES, NAMED, failed_share, is_ringing
from kedge.config.capture_place import adopted_at, capture_place
from kedge.config.gauges import MODELS_IN_ALARM, alarm_group, sent
from kedge.config.model import ModelConfig
from kedge.errors import CapturesDeniedError
from lambdas.adapters import clients, metrics
from lambdas.adapters.captures import inference_logs
from lambdas.adapters.catalogue import Catalogue, load_catalogue
from lambdas.adapters.owners import mail_list
from lambdas.adapters.state import capture_states, champions, state_items, windows
from lambdas.adapters.state.capture_states import CaptureState
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.telling import desk_of
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.health.ringing import tell_ringing
from lambdas.steps.requests import CADENCES, newest_ends

# Capture files are minutes late: the stretch that is compared ended this long ago.
CAPTURE_DELAY, COMPARED = timedelta(hours=1), timedelta(hours=12)
READERS = 16
# Models without an hourly cadence are looked at as if the monitor were watched twice a day, also where others have it watched hourly.
LOOK_HOURS = 12


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    alert_topic_arn: str
    event_topic_arn: str


class Request(BaseModel, frozen=True):
    """A tick of the schedule."""

    time: AwareDatetime


@dataclass(frozen=True)
class ServingModel:
    """A model that serves, with the items that the watch reads of it."""

    config: ModelConfig
    champion: Champion
    captures: CaptureState | None
    judged: datetime | None


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Put the gauges of every deployed model, and tell of those that began or ceased to ring."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    catalogue = load_catalogue(settings.data_bucket)
    served = load_served(catalogue.models.values(), request.time, settings)
    # The schedule is hourly where a deployed model is (`stacks/parts/watch.py`), whatever the bucket's models are.
    is_hourly = any(config.cadence.is_hourly for config in catalogue.deployed.models.values())
    gauges = look(served, request.time, settings, is_hourly=is_hourly)
    values: dict[str | None, dict[str, float]] = {
        each.config.model: sent(gauges[each.config.model], each.config.metrics)
        for each in served
        # A metric is paid for by the hours with a value: one hourly model is no reason for all others to send each hour.
        if each.config.cadence.is_hourly or request.time.hour % LOOK_HOURS == 0
    }
    if any(config.firehose for config in catalogue.deployed.models.values()):
        failed = inference_logs.count_failed(clients.s3(), settings.data_bucket, request.time)
        values[None] = {"LogObjectsFailed": float(failed)}
    ringing = ringing_models(gauges, catalogue)
    values |= alarm_counts(ringing, catalogue)
    metrics.put_of_many(clients.cloudwatch(), values, time=request.time)
    tell_ringing(desk_of(settings), ringing, catalogue.models, request.time)
    # An event of CloudWatch Logs cannot hold the names of thousands.
    counts = {cause: {"count": len(found), "models": sorted(found)[:NAMED]} for cause, found in ringing.items()}
    logger.info("watched the monitor", models=len(gauges), ringing=counts)
    return gauges


def look(
    served: Iterable[ServingModel], now: datetime, settings: Settings, *, is_hourly: bool
) -> dict[str, dict[str, float]]:
    """The gauges of each model that serves; `is_hourly` says that the look before was an hour ago."""
    known = [*served]
    unseen, failing = uncaptured(known, now, settings), server_errors(known, now, is_hourly=is_hourly)
    gauges = {each.config.model: {AGE: judgement_age(each, now)} for each in known}
    for each in known:
        if each.config.has_endpoint:
            gauges[each.config.model]["InvocationsWithoutCapture"] = float(unseen.get(each.config.model, 0))
        if each.config.model in failing:
            gauges[each.config.model]["ServerErrors"] = failing[each.config.model]
    return gauges


def server_errors(served: Iterable[ServingModel], now: datetime, *, is_hourly: bool) -> dict[str, float]:
    """The share of the requests since a model's last look that its worst variant failed, where no alarm of its own looks at it."""
    end, found = now.replace(minute=0, second=0, microsecond=0), dict[str, float]()
    looked = [e.config for e in served if e.config.endpoint.name and e.config.health.enabled]
    looked = [config for config in looked if config.health.server_error_fraction is None]
    for hours in (1, LOOK_HOURS):
        of_model = {
            (config.endpoint.name, variant): config.model
            for config in looked
            if (is_hourly and config.cadence.is_hourly) == (hours == 1)
            for variant in config.endpoint.served_variants
        }
        start = end - timedelta(hours=hours)
        counts = metrics.server_errors(clients.cloudwatch(), [*of_model], start=start, end=end)
        found |= dict.fromkeys(of_model.values(), 0.0)
        for variant, count in counts.items():
            found[of_model[variant]] = max(failed_share(*count), found[of_model[variant]])
    return found


def ringing_models(gauges: Mapping[str, Mapping[str, float]], catalogue: Catalogue) -> dict[str, dict[str, float]]:
    """The models that ring, by cause, each with its value."""
    found: dict[str, dict[str, float]] = {cause: {} for cause in CAUSES}
    for model, values in gauges.items():
        for cause, value in values.items():
            if is_ringing(cause, value):
                found[cause][model] = value
    found[BROKEN] = dict.fromkeys(catalogue.broken, 1.0)
    return found


def alarm_counts(
    ringing: Mapping[str, Mapping[str, float]], catalogue: Catalogue
) -> dict[str | None, dict[str, float]]:
    """How many models of each list that has an alarm ring; those of the bucket whose list is not deployed count for the deployment's."""
    lists = {mail_list(config) for config in catalogue.deployed.models.values()} | {None}
    counts = Counter(dict.fromkeys(lists, 0))
    for model in {model for found in ringing.values() for model in found}:
        config = catalogue.models.get(model)
        name = mail_list(config) if config else None
        counts[name if name in lists else None] += 1
    return {alarm_group(name): {MODELS_IN_ALARM: float(count)} for name, count in counts.items()}


def load_served(models: Iterable[ModelConfig], now: datetime, settings: Settings) -> list[ServingModel]:
    """Every model that serves, by a call for some twenty of them; one that is late with its judgement costs a Query."""
    dynamodb, table = clients.dynamodb(), settings.state_table
    known = {config.model: config for config in models}
    ends = {model: newest_ends(config.cadence.judge, now) for model, config in known.items()}
    judged = windows.judged_of(dynamodb, table, [(model, end) for model, found in ends.items() for end in found])
    keys = [(model, item) for model in known for item in (champions.ITEM, capture_states.ITEM)]
    items = state_items.load_items(dynamodb, table, keys)
    served = []
    for model, config in known.items():
        if (champion := champions.read(items.get((model, champions.ITEM)))) is not None:
            newest = next((end for end in ends[model] if (model, end) in judged), None)
            last = newest or windows.newest_end(dynamodb, table, model)
            served.append(
                ServingModel(config, champion, capture_states.read(items.get((model, capture_states.ITEM))), last)
            )
    return served


def judgement_age(served: ServingModel, now: datetime) -> float:
    """Cadences since the last window that was judged, the promotion or the adoption, whose captures may have begun long before."""
    champion = served.champion
    begun = (champion.promoted_at, served.judged, adopted_at(champion.package_version))
    return (now - max(at for at in begun if at is not None)) / CADENCES[served.config.cadence.judge]


def uncaptured(served: Iterable[ServingModel], now: datetime, settings: Settings) -> dict[str, int]:
    """Requests of the last hours to each model's variants without a single captured one; models whose capture works are left out.

    CloudWatch is asked where nothing was captured, and S3 where no look at the captures has found something in these hours.
    """
    end, found = now - CAPTURE_DELAY, Counter[str]()
    looked = [(each, max(end - COMPARED, each.champion.promoted_at)) for each in served if each.config.has_endpoint]
    unknown = [
        (each, variant, start)
        for each, start in looked
        if start < end and not is_known_captured(each, start)
        for variant in each.config.endpoint.served_variants
    ]
    with ThreadPoolExecutor(READERS) as readers:
        captured = readers.map(lambda asked: is_captured(asked[0], asked[1], (asked[2], end), settings), unknown)
        without = [asked for asked, is_there in zip(unknown, captured, strict=True) if not is_there]
    # Models that were promoted lately have a stretch of their own; all others share one.
    for start in sorted({start for _, _, start in without}):
        of_model = {
            (e.config.endpoint.name, variant): e.config.model for e, variant, since in without if since == start
        }
        counts = metrics.endpoint_invocations(clients.cloudwatch(), [*of_model], start=start, end=end)
        for variant, count in counts.items():
            found[of_model[variant]] += count
    return found


def is_known_captured(served: ServingModel, start: datetime) -> bool:
    """Whether a look of `watch_captures` has found records of this stretch; of several variants it says nothing of each."""
    seen = served.captures
    if seen is None or seen.package_version != served.champion.package_version or seen.captured_at is None:
        return False
    return seen.captured_at >= start and len(served.config.endpoint.served_variants) == 1


def is_captured(served: ServingModel, variant: str, span: tuple[datetime, datetime], settings: Settings) -> bool:
    """Whether any request to a variant in a stretch was captured; a bucket that refuses shows nothing, and `watch_captures` tells why."""
    config, (start, end) = served.config, span
    place = capture_place(config, served.champion.package_version, data_bucket=settings.data_bucket)
    try:
        with inference_logs.readable(place):
            return any(
                inference_logs.any_after(
                    clients.s3(), place.bucket, inference_logs.day_prefixes(place, config, day)[variant], start
                )
                for day in {start.date(), end.date()}
            )
    except CapturesDeniedError as error:
        logger.warning("captures cannot be seen", model=config.model, reason=str(error))
        return False
