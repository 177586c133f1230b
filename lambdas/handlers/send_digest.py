"""Once a week, tell each team what its models did, what waits for it, and what that cost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AwareDatetime, BaseModel

from kedge.alerts.digest import COUNTED, RESPONSE_DAYS, WEEK, WeekOfModel, digest
from kedge.alerts.response_times import KINDS
from kedge.config.model import ModelConfig
from lambdas.adapters import clients
from lambdas.adapters.bucket import history
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.catalogue import load_models
from lambdas.adapters.release import model_registry
from lambdas.adapters.state import windows
from lambdas.adapters.telling import desk_of, tell_once
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment

# A call for each model that is released, all waiting.
READERS = 10


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    alert_topic_arn: str
    event_topic_arn: str


class Request(BaseModel, frozen=True):
    """A tick of the schedule."""

    time: AwareDatetime


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Read the history once, and tell each group of models that share their people."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    groups = of_same_people(load_models(settings.data_bucket).values())
    tables = load_tables(settings.data_bucket, request.time) if groups else {}
    for key, models in groups.items():
        facts = digest(week_of(models, tables, request.time, settings.state_table), end=request.time)
        owner = models[0].owner
        people = {"team": owner.team, "owner": {"team": owner.team, "runbook": owner.runbook}}
        # Told in the name of the first: each has the same people and the same routes.
        told = Entry(models[0].model, "digest", request.time, facts | people)
        tell_once(desk_of(settings), f"digest#{request.time:%Y-%m-%d}#{key}", told)
    logger.info("digests sent", groups=len(groups))
    return {"digests": len(groups)}


def of_same_people(models: Iterable[ModelConfig]) -> dict[str, list[ModelConfig]]:
    """The models that want a digest, by their people and routes; each group in the order of its names."""
    found: dict[str, list[ModelConfig]] = {}
    for config in sorted(models, key=lambda each: each.model):
        if config.alerts.digest:
            people = [
                config.owner.model_dump_json(),
                *(route.model_dump_json() for route in config.alerts.routes or ()),
            ]
            key = hashlib.sha256(json.dumps(people).encode()).hexdigest()[:12]
            found.setdefault(key, []).append(config)
    return found


def load_tables(bucket: str, now: datetime) -> dict[str, pa.Table]:
    """What the history holds of the time that a digest is about."""
    s3, kinds = clients.s3(), pa.array([*COUNTED, *KINDS])
    # A window of a week may end just before the week.
    since = {"windows": now - WEEK, "metrics": now - WEEK, "decisions": now - timedelta(days=RESPONSE_DAYS)}
    found = {name: history.load_history(s3, bucket, None, name, since=start) for name, start in since.items()}
    decisions = found["decisions"]
    found["decisions"] = decisions.filter(pc.is_in(decisions.column("kind"), kinds))
    return found


def week_of(
    models: Sequence[ModelConfig], tables: Mapping[str, pa.Table], now: datetime, state_table: str
) -> list[WeekOfModel]:
    """What is known of each model of a group."""
    names = pa.array([config.model for config in models])
    rows = {
        name: [_in_utc(row) for row in table.filter(pc.is_in(table.column("model"), names)).to_pylist()]
        for name, table in tables.items()
    }

    def of_model(config: ModelConfig) -> WeekOfModel:
        own = {name: [row for row in found if row["model"] == config.model] for name, found in rows.items()}
        paid = retrainings(config, state_table)
        return WeekOfModel(config.model, **own, pending=waiting(config, now), retrainings=paid)

    with ThreadPoolExecutor(READERS) as readers:
        return [*readers.map(of_model, models)]


def waiting(config: ModelConfig, now: datetime) -> dict[str, datetime]:
    """The packages that people are still reminded of."""
    if config.mode == "watch":
        return {}
    group, expires = config.package_group, timedelta(days=config.gate.approval_expires_days)
    pending = model_registry.list_pending(clients.sagemaker(), group).get(group, {})
    return {str(version): since for version, since in pending.items() if now - since < expires}


def retrainings(config: ModelConfig, state_table: str) -> dict[datetime, float | None]:
    """What each retraining cost, by when it started."""
    if config.mode == "watch":
        return {}
    starts = windows.load_starts(clients.dynamodb(), state_table, config.model)
    return {start.time: start.cost_usd for start in starts.values()}


def _in_utc(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v.replace(tzinfo=UTC) if isinstance(v, datetime) else v for k, v in row.items()}
