"""One look at a shadow: the hours that are captured whole are read, both models' answers are paired, and all pairs so far are judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.arrays import Floats
from kedge.capture.id_hashes import first_of_each, hash_ids
from kedge.capture.records import capture_batches
from kedge.config.capture_place import CapturePlace, capture_place
from kedge.config.model import ModelConfig
from kedge.config.policies import CHALLENGER
from kedge.outcomes.columns import label_column
from kedge.own_columns import LABEL, ROW_ID
from kedge.release.look_table import FleetCounts
from kedge.release.shadow import PairedAnswers, ShadowFleet, ShadowVerdict, judge_shadow
from lambdas.adapters import clients, metrics
from lambdas.adapters.bucket import label_days, package_schemas
from lambdas.adapters.captures import inference_logs
from lambdas.adapters.captures.captured_answers import FleetCaptures, answers_of, list_fleet
from lambdas.adapters.release import experiments
from lambdas.adapters.release.experiments import OF_CHALLENGER, OF_CHAMPION, PAIRS, Experiment

HOUR = timedelta(hours=1)
# Captures come up to ten minutes late.
LATE = timedelta(minutes=20)
# Of an hour this much is read of each fleet, from its beginning, and this many of its requests are kept, the same of both.
HOUR_BYTES, HOUR_PAIRS = 256 * 2**20, 2_000


@dataclass(frozen=True)
class ShadowLook:
    """A shadow that answers since `began`, as it is looked at now."""

    config: ModelConfig
    experiment: Experiment
    began: datetime
    now: datetime
    bucket: str

    @property
    def ends(self) -> datetime:
        """When its days are over; the YAML as it is now says how many there are."""
        return self.began + timedelta(days=self.config.release.shadowed.days)


def read_on(look: ShadowLook, may_go_on: Callable[[], bool]) -> datetime:
    """Pair the hours since the last look that are captured whole, and say up to where that is; what the time does not allow is left."""
    s3, hour = clients.s3(), look.experiment.read_until or _full_hour(look.began)
    version = look.experiment.champion_version
    place = capture_place(look.config, version, data_bucket=look.bucket)
    last = min(look.now - LATE, look.ends)
    while hour + HOUR <= last and may_go_on():
        pairs = pair_hour(s3, place, look, max(hour, look.began), hour + HOUR)
        if pairs.num_rows:
            experiments.save_hour(s3, look.bucket, look.config.model, look.experiment.run, hour, pairs)
        hour += HOUR
    return hour


def pair_hour(s3: Any, place: CapturePlace, look: ShadowLook, since: datetime, until: datetime) -> pa.Table:
    """What both answered to the same requests of an hour: those with the smallest hashes of their ids, which is an even sample."""
    config, endpoint = look.config, look.config.endpoint
    schemas = [
        package_schemas.load(s3, look.bucket, config, version)
        for version in (look.experiment.champion_version, look.experiment.package_version)
    ]
    classes = tuple(dict.fromkeys(name for schema in schemas for name in schema.labels.classes))
    inside = until - timedelta(microseconds=1)
    shadow = list_fleet(s3, place, f"{endpoint.name}/{CHALLENGER}", since=since, until=inside)
    ids, answers = _answers(s3, shadow, schemas[1], classes, _smallest)
    serving = list_fleet(s3, place, f"{endpoint.name}/{endpoint.variant}", since=since, until=inside)
    champions_ids, champions_answers = _answers(
        s3, serving, schemas[0], classes, lambda found, values: _among(ids, found, values)
    )
    here = pc.index_in(ids, value_set=champions_ids).to_numpy(zero_copy_only=False)
    paired = np.isfinite(here)
    there = here[paired].astype(np.int64)
    columns = [ids.filter(pa.array(paired)), pa.array(champions_answers[there]), pa.array(answers[paired])]
    return pa.table(columns, schema=PAIRS)


Keep = Callable[[pa.Array, Floats], tuple[pa.Array, Floats]]


def _answers(
    s3: Any, captures: FleetCaptures, schema: ModelConfig, classes: tuple[str, ...], keep: Keep
) -> tuple[pa.Array, Floats]:
    """The ids and answers of an hour that are to be kept, each id once."""
    ids, answers, read = pa.array([], pa.string()), np.empty(0), 0
    for block in inference_logs.open_blocks(s3, captures.bucket, sorted(captures.objects)):
        for batch in capture_batches(((piece.key, piece.content) for piece in block.pieces), schema):
            found = batch.table.column(ROW_ID).combine_chunks()
            ids = pa.concat_arrays([ids, found])
            answers = np.concatenate([answers, answers_of(batch.table, schema, classes)])
        once = first_of_each(ids) if len(ids) else np.zeros(0, bool)
        ids, answers = keep(ids.filter(pa.array(once)), answers[once])
        read += sum(len(piece.content) for piece in block.pieces)
        if read >= HOUR_BYTES:
            break
    return ids, answers


def _smallest(ids: pa.Array, answers: Floats) -> tuple[pa.Array, Floats]:
    if len(ids) <= HOUR_PAIRS:
        return ids, answers
    kept = np.argsort(hash_ids(ids), kind="stable")[:HOUR_PAIRS]
    return ids.take(pa.array(kept)), answers[kept]


def _among(wanted: pa.Array, ids: pa.Array, answers: Floats) -> tuple[pa.Array, Floats]:
    known = pc.is_in(ids, value_set=wanted)
    return ids.filter(known), answers[known.to_numpy(zero_copy_only=False)]


def judge(look: ShadowLook, *, days_are_over: bool) -> ShadowVerdict:
    """Judge all pairs so far, with the labels that are in, and both fleets' counts."""
    pairs = experiments.load_hours(clients.s3(), look.bucket, look.config.model, look.experiment.run)
    answers = PairedAnswers(
        pairs.column(OF_CHAMPION).to_numpy(), pairs.column(OF_CHALLENGER).to_numpy(), _labels(look, pairs)
    )
    challenger, champion = (_fleet(look, variant) for variant in (CHALLENGER, look.config.endpoint.variant))
    return judge_shadow(answers, challenger, champion, look.config, days_are_over=days_are_over)


def _labels(look: ShadowLook, pairs: pa.Table) -> Floats:
    """What came true of each pair; NaN where no label is in."""
    config, ids, found = look.config, pairs.column(ROW_ID).combine_chunks(), np.full(pairs.num_rows, np.nan)
    days = label_days.load_days(
        clients.s3(), look.bucket, config.model, first=look.began.date(), last=look.now.date(), fields=()
    )
    for day in days:
        places = pc.index_in(ids, value_set=day.column(ROW_ID).combine_chunks()).to_numpy(zero_copy_only=False)
        here = np.isfinite(places)
        truth = label_column(
            day.column(LABEL).take(pa.array(places[here].astype(np.int64))), config.problem, config.classes
        )
        found[here] = np.where(truth.known, truth.values, np.nan)
    return found


def _fleet(look: ShadowLook, variant: str) -> ShadowFleet:
    cloudwatch = clients.cloudwatch()
    where: dict[str, Any] = {"endpoint": look.config.endpoint.name, "variant": variant}
    where |= {"start": look.began, "end": look.now}
    sums = (
        round(metrics.endpoint_sum(cloudwatch, name, **where))
        for name in ("Invocations", "Invocation5XXErrors", "Invocation4XXErrors")
    )
    return ShadowFleet(FleetCounts(*sums), metrics.slowest_day_ms(cloudwatch, **where))


def _full_hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)
