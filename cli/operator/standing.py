"""How every model stands, gathered with few calls: items a hundred at a time, windows and starts of ten models at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cli.operator.deployment import Deployment
from cli.operator.every_model import known_models
from cli.refusals import BadInputError, why_unanswered
from kedge.alerts.holding import is_muted
from kedge.alerts.response_times import ResponseTimes, of_timeline
from kedge.alerts.ringing import AGE, CAUSES
from kedge.alerts.urgency import ModelStatus, Pending, by_urgency, nearest_limit
from kedge.config.capture_place import registry_number
from kedge.config.model import ModelConfig
from kedge.errors import KedgeError
from kedge.retraining.decision import decide_retraining
from kedge.retraining.state import RetrainingState
from kedge.severity import Severity, worst
from lambdas.adapters import executions
from lambdas.adapters.bucket import timeline
from lambdas.adapters.release import experiments, model_registry
from lambdas.adapters.state import (
    alert_episodes,
    approvals,
    champions,
    leases,
    mutes,
    pauses,
    state_items,
    windows,
    wishes,
)
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.state.state_items import Item
from lambdas.adapters.state.windows import StoredWindow
from lambdas.steps.health.ringing import load_bundles
from lambdas.steps.requests import CADENCES

# As many as a client of botocore keeps connections.
READERS = 10
# What is read of each model by name; the rest are its windows and starts.
ITEMS = (
    *(champions.ITEM, pauses.ITEM, mutes.ITEM, wishes.REQUESTED, experiments.ITEM),
    *("alert_episode", "lease", "waiting_release"),
)


@dataclass(frozen=True)
class Gathered:
    """What all models share: the clients, the account's time, the items, and the packages that wait."""

    dynamodb: Any
    table: str
    now: datetime
    items: Mapping[tuple[str, str], Item]
    pending: Mapping[str, tuple[Pending, ...]]
    rings: Mapping[str, tuple[str, ...]]
    # Whether the execution of this name has failed.
    failed: Callable[[str], bool]

    def item(self, model: str, name: str) -> Item | None:
        """An item of a model."""
        return self.items.get((model, name))


def statuses(deployment: Deployment, *, only: Sequence[str] = (), team: str | None = None) -> list[ModelStatus]:
    """Every model, or those that are named, the most urgent first."""
    known = known_models(deployment)
    if strange := sorted({*only} - {*known}):
        raise BadInputError(f"no model is named {strange[0]!r}; models are: {', '.join(sorted(known)) or 'none'}")
    wanted = [
        config
        for name, config in known.items()
        if (not only or name in only) and (team is None or config.owner.team == team)
    ]
    if team is not None and not wanted:
        teams = sorted({config.owner.team for config in known.values() if config.owner.team})
        raise BadInputError(f"no model belongs to team {team!r}; teams with models are: {', '.join(teams) or 'none'}")
    gathered = gather(deployment, [config.model for config in wanted])
    with ThreadPoolExecutor(READERS) as readers:
        return by_urgency([*readers.map(lambda config: status_or_why_not(config, gathered), wanted)])


def response_times(
    deployment: Deployment, found: Sequence[ModelStatus], days: int, now: datetime
) -> dict[str, ResponseTimes]:
    """How fast each model's losses of the last days were told and repaired, from its timeline; models without a loss are left out."""
    s3, bucket, since = deployment.client("s3"), deployment.bucket, now - timedelta(days=days)
    times = {one.model: of_timeline(timeline.load_timeline(s3, bucket, one.model, since=since)) for one in found}
    return {model: losses for model, losses in times.items() if losses.losses}


def gather(deployment: Deployment, names: Sequence[str]) -> Gathered:
    """The items of all models, and every package that waits for a person."""
    dynamodb, table = deployment.client("dynamodb"), deployment.table
    items = state_items.load_items(dynamodb, table, [(name, item) for name in names for item in ITEMS])
    stepfunctions = deployment.client("stepfunctions")

    def failed(run: str) -> bool:
        arn = executions.execution_arn(deployment.retrain_machine, run)
        return executions.status(stepfunctions, arn) in executions.ENDED_BADLY

    pending = {
        group: tuple(Pending(str(version), since) for version, since in sorted(found.items()))
        for group, found in model_registry.list_pending(deployment.client("sagemaker")).items()
    }
    return Gathered(dynamodb, table, deployment.now, items, pending, what_rings(deployment), failed)


def what_rings(deployment: Deployment) -> dict[str, tuple[str, ...]]:
    """What the monitor found at its last look at itself, by model; how late a judgement is the status knows by itself."""
    found = defaultdict[str, list[str]](list)
    for bundle in load_bundles(deployment.client("s3"), deployment.bucket):
        for model in bundle.ringing if bundle.cause != AGE else ():
            cause = CAUSES[bundle.cause]
            found[model].append(f"{cause.says}, since {bundle.since:%Y-%m-%d %H:%M} UTC. {cause.remedy}")
    return {model: tuple(sentences) for model, sentences in found.items()}


def status_or_why_not(config: ModelConfig, gathered: Gathered) -> ModelStatus:
    """How a model stands; what cannot be read of one says nothing about the others."""
    try:
        return status_of(config, gathered)
    except KedgeError as error:
        why = str(error)
    except (BotoCoreError, ClientError) as error:
        why = why_unanswered(error)
    return ModelStatus(config.model, config.owner.team, config.mode, unread=why)


def status_of(config: ModelConfig, gathered: Gathered) -> ModelStatus:
    """How a model stands, from its items and its windows."""
    model, now = config.model, gathered.now
    champion = champions.read(gathered.item(model, champions.ITEM))
    pending = gathered.pending.get(config.package_group, ())
    expires = timedelta(days=config.gate.approval_expires_days)
    waiting = tuple(one for one in pending if now - one.since < expires)
    found = ModelStatus(
        model,
        config.owner.team,
        config.mode,
        counted_percentage=config.capture.counted_percentage,
        rings=gathered.rings.get(model, ()),
    )
    if champion is None:
        return replace(found, pending=waiting)
    newer = tuple(one for one in waiting if registry_number(one.version) > registry_number(champion.package_version))
    judged = windows.load_windows(gathered.dynamodb, gathered.table, model, since=champion.promoted_at)
    own = [window for window in judged if window.package_version == champion.package_version]
    last = own[-1] if own else None
    seen = max(champion.promoted_at, last.verdict.end if last else champion.promoted_at)
    alarming = alarming_part(gathered.item(model, "alert_episode"))
    found = replace(
        found,
        serves=champion.package_version,
        serves_since=champion.promoted_at,
        judged=last.verdict.end if last else None,
        judged_cadences=(now - seen) / CADENCES[config.cadence.judge],
        pending=newer,
        holds=dict(holds_of(config, champion, own, gathered)),
        at_work=work_of(gathered.item(model, "lease"), gathered.item(model, experiments.ITEM)),
        severity=alarming[0],
        alarming_since=alarming[1],
        alarming=alarming[2],
    )
    return found if last is None else with_window(found, last, own)


def with_window(found: ModelStatus, last: StoredWindow, own: Sequence[StoredWindow]) -> ModelStatus:
    """The status with what the newest window says; its traffic is that of the newest stretch whose hours are known."""
    verdict = last.verdict
    parts = [verdict.drift, verdict.performance, verdict.estimate, verdict.confidence]
    hours = next((window.rows_by_hour for window in reversed(own) if window.rows_by_hour), ())
    return replace(
        found,
        severity=worst([found.severity, *(part for part in parts if part is not None)]),
        quality=nearest_limit(last.live),
        estimated=verdict.estimate,
        estimate=nearest_limit(last.estimates) if verdict.estimate else None,
        drift=verdict.drift,
        rows_per_day=24 * sum(hours) / len(hours) if hours else 0.0,
    )


def alarming_part(item: Item | None) -> tuple[Severity, datetime | None, tuple[str, ...]]:
    """How bad an episode of alarms that lasts is, since when, and by which parts."""
    episode = alert_episodes.read(item)[0]
    if episode is None or episode.ended is not None:
        return Severity.INSUFFICIENT_DATA, None, ()
    severity = worst(alarm.severity for alarm in episode.alarms.values())
    return severity, episode.since, tuple(name for name, one in episode.alarms.items() if one.severity is severity)


def holds_of(
    config: ModelConfig, champion: Champion, own: Sequence[StoredWindow], gathered: Gathered
) -> Iterator[tuple[str, str]]:
    """What is held: messages, by a mute or quiet hours; a retraining, by a pause or its own rules; an approved package that waits."""
    mute = mutes.read(gathered.item(config.model, mutes.ITEM))
    if mute is not None and is_muted(mute, gathered.now):
        yield "muted", f"no message before {mute.until:%Y-%m-%d %H:%M} UTC: {mute.reason}"
    hours = config.alerts.quiet_hours
    if hours is not None and hours.include(gathered.now):
        yield "quiet", f"quiet hours ({hours.in_words()}): only what is CRITICAL is sent now"
    paused = windows.read_pause(gathered.item(config.model, pauses.ITEM))
    if paused is not None:
        yield "paused", paused
    waiting = approvals.read_waiting(gathered.item(config.model, "waiting_release"))
    if waiting is not None:
        yield "lease", f"version {waiting.package_version} is approved, and waits until nobody works on the model"
    if config.mode == "watch":
        return
    starts = windows.load_starts(gathered.dynamodb, gathered.table, config.model)
    state = RetrainingState(
        windows=tuple(window.verdict for window in own),
        starts=tuple(starts.values()),
        champion_since=champion.promoted_at,
        new_labelled_rows=own[-1].new_labelled_rows if own else 0,
        paused=paused,
        request=wishes.read_request(gathered.item(config.model, wishes.REQUESTED)),
    )
    decision = decide_retraining(state, config.retraining, gathered.now, config.performance)
    if decision.action != "NONE" and starts:
        # How each retraining ended costs a call, so it is looked up only where a retraining is wanted.
        lately = {run for run, start in starts.items() if gathered.now - start.time < executions.REMEMBERED}
        ended = tuple(replace(start, failed=run in lately and gathered.failed(run)) for run, start in starts.items())
        state = replace(state, starts=ended)
        decision = decide_retraining(state, config.retraining, gathered.now, config.performance)
    if decision.hold is not None and decision.hold != "paused":
        yield decision.hold, f"{'; '.join(decision.why_held)}. What lifts it: {'; '.join(decision.lifts)}"


def work_of(lease_item: Item | None, experiment_item: Item | None) -> str | None:
    """What works on the model; the hourly settlement gives back a lease whose execution has ended."""
    lease, experiment = leases.read(lease_item), experiments.read(experiment_item)
    if lease is None:
        return None
    if experiment is None or experiment.is_decided:
        return lease.purpose
    how = f"answers {100 * experiment.share:g} %" if experiment.strategy == "ab" else "is a shadow"
    return f"{lease.purpose}: v{experiment.package_version} {how}"
