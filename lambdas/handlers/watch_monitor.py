"""The monitor's monitor: gauges of what is no longer judged, and of what is invoked but not captured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel

from kedge.config.capture_place import adopted_at, capture_place
from kedge.config.gauges import sent
from kedge.config.model import ModelConfig
from kedge.errors import CapturesDeniedError
from lambdas.adapters import clients, metrics
from lambdas.adapters.captures import inference_logs
from lambdas.adapters.catalogue import load_catalogue
from lambdas.adapters.state import capture_states, champions, state_items, windows
from lambdas.adapters.state.capture_states import CaptureState
from lambdas.adapters.state.champions import Champion
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.requests import CADENCES, newest_ends

# Capture files are minutes late: the stretch that is compared ended this long ago.
CAPTURE_DELAY, COMPARED = timedelta(hours=1), timedelta(hours=12)
# The metrics' dimension where the worst of the models in the bucket stands: no model can have this name.
IN_BUCKET = "models/"
READERS = 16


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str


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
    """Put the gauges of every deployed model."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    catalogue = load_catalogue(settings.data_bucket)
    served = load_served(catalogue.models.values(), request.time, settings)
    unseen = uncaptured(served, request.time, settings)
    gauges: dict[str, dict[str, float]] = {}
    for each in served:
        gauges[each.config.model] = {"JudgementAgeCadences": judgement_age(each, request.time)}
        if each.config.has_endpoint:
            gauges[each.config.model]["InvocationsWithoutCapture"] = float(unseen.get(each.config.model, 0))
    values: dict[str | None, dict[str, float]] = {
        each.config.model: sent(gauges[each.config.model], each.config.metrics) for each in served
    }
    if any(config.firehose for config in catalogue.deployed.values()):
        failed = inference_logs.count_failed(clients.s3(), settings.data_bucket, request.time)
        values[None] = {"LogObjectsFailed": float(failed)}
    # A model that needs no deployment has no alarms of its own: these gauges' alarms are deployed for all of them.
    adopted = [gauges[model] for model in gauges if model not in catalogue.deployed]
    names = {name for found in adopted for name in found}
    worst = {name: max(found[name] for found in adopted if name in found) for name in sorted(names)}
    if adopted or catalogue.adopted.broken:
        worst["BrokenDefinitions"] = float(len(catalogue.adopted.broken))
    metrics.put_of_many(clients.cloudwatch(), values | {IN_BUCKET: worst}, time=request.time)
    logger.info("watched the monitor", models=len(gauges))
    return gauges


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
