"""One look at a version that is tried beside the champion: the hours that are captured whole are read, and kept for the looks to come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from kedge.arrays import Floats
from kedge.capture.id_hashes import first_of_each, hash_ids
from kedge.capture.records import capture_batches
from kedge.columns.casting import cast_numbers
from kedge.config.capture_place import CapturePlace, capture_place
from kedge.config.model import ModelConfig
from kedge.config.policies import CHALLENGER, challenger_variant
from kedge.labels.join import join_labels, of_ids
from kedge.outcomes.columns import label_column
from kedge.own_columns import FIELD, LABEL, ROW_ID
from kedge.release.look_table import FleetCounts
from kedge.release.tried import TriedFleet
from lambdas.adapters import clients, metrics
from lambdas.adapters.bucket import label_days, package_schemas
from lambdas.adapters.captures import inference_logs
from lambdas.adapters.captures.captured_answers import FleetCaptures, answers_of, list_fleet
from lambdas.adapters.release import experiments
from lambdas.adapters.release.experiments import ANSWER, Experiment

HOUR = timedelta(hours=1)
# Captures come up to ten minutes late.
LATE = timedelta(minutes=20)
# Of an hour this much is read of each fleet, from its beginning, and this many of its rows are kept: those with the smallest hashes
# of their ids, which is an even sample.
HOUR_BYTES, HOUR_ROWS = 256 * 2**20, 2_000


@dataclass(frozen=True)
class TrialLook:
    """A version that answers since `began`, as it is looked at now."""

    config: ModelConfig
    experiment: Experiment
    began: datetime
    now: datetime
    bucket: str

    @property
    def ends(self) -> datetime:
        """When its days are over, at the latest; the YAML as it is now says how many there are."""
        release = self.config.release
        days = release.divided.days.maximum if self.experiment.strategy == "ab" else release.shadowed.days
        return self.began + timedelta(days=days)

    @property
    def variant(self) -> str:
        """The variant in which it answers."""
        return challenger_variant(self.experiment.package_version) if self.experiment.strategy == "ab" else CHALLENGER

    @property
    def place(self) -> CapturePlace:
        """Where both are captured."""
        return capture_place(self.config, self.experiment.champion_version, data_bucket=self.bucket)

    def schemas(self) -> tuple[ModelConfig, ModelConfig, tuple[str, ...]]:
        """By which the challenger's records are read, and the champion's, and the classes that either answers."""
        of_challenger, of_champion = (
            package_schemas.load(clients.s3(), self.bucket, self.config, version)
            for version in (self.experiment.package_version, self.experiment.champion_version)
        )
        classes = dict.fromkeys((*of_champion.labels.classes, *of_challenger.labels.classes))
        return of_challenger, of_champion, tuple(classes)

    def captures(self, variant: str, since: datetime, until: datetime) -> FleetCaptures:
        """What a variant answered from a time until before another."""
        fleet = f"{self.config.endpoint.name}/{variant}"
        return list_fleet(clients.s3(), self.place, fleet, since=since, until=until - timedelta(microseconds=1))


Hour = Callable[[TrialLook, datetime, datetime], pa.Table]


def read_on(look: TrialLook, read_hour: Hour, may_go_on: Callable[[], bool]) -> datetime:
    """Read the hours since the last look that are captured whole, and say up to where that is; what the time does not allow is left."""
    hour = look.experiment.read_until or _full_hour(look.began)
    last = min(look.now - LATE, look.ends)
    while hour + HOUR <= last and may_go_on():
        rows = read_hour(look, max(hour, look.began), hour + HOUR)
        if rows.num_rows:
            run = look.experiment.run
            experiments.save_hour(clients.s3(), look.bucket, look.config.model, run, hour, rows)
        hour += HOUR
    return hour


def read_answers(
    captures: FleetCaptures,
    schema: ModelConfig,
    classes: tuple[str, ...],
    keep: Callable[[pa.Table], pa.Table],
    columns: Sequence[str] = (),
) -> pa.Table:
    """The rows of an hour that are to be kept, each id once: id, answer, and columns as numbers."""
    kept = pa.schema([(ROW_ID, pa.string()), (ANSWER, pa.float64()), *((name, pa.float64()) for name in columns)])
    found, read = kept.empty_table(), 0
    for block in inference_logs.open_blocks(clients.s3(), captures.bucket, sorted(captures.objects)):
        tables = [found]
        for batch in capture_batches(((piece.key, piece.content) for piece in block.pieces), schema):
            rows = batch.table
            values = [answers_of(rows, schema, classes), *(_numbers(rows, name) for name in columns)]
            arrays = [rows.column(ROW_ID).combine_chunks(), *map(pa.array, values)]
            tables.append(pa.table(arrays, schema=kept))
        found = pa.concat_tables(tables)
        ids = found.column(ROW_ID).combine_chunks()
        found = keep(found.filter(pa.array(first_of_each(ids)))) if len(ids) else found
        read += sum(len(piece.content) for piece in block.pieces)
        if read >= HOUR_BYTES:
            break
    return found.combine_chunks()


def smallest(rows: pa.Table) -> pa.Table:
    """As many rows as are kept of an hour."""
    if rows.num_rows <= HOUR_ROWS:
        return rows
    return rows.take(pa.array(np.argsort(hash_ids(rows.column(ROW_ID)), kind="stable")[:HOUR_ROWS]))


def _numbers(rows: pa.Table, name: str) -> Floats:
    """A column as numbers; one that a package does not know has none."""
    if name not in rows.column_names:
        return np.full(rows.num_rows, np.nan)
    values: Floats = cast_numbers(rows.column(name), "float64").values
    return values


def labels_of(look: TrialLook, ids: pa.Array, fields: Sequence[str] = ()) -> tuple[Floats, dict[str, Floats]]:
    """What came true of each row, and each label field as numbers; NaN where no label is in."""
    config, first, last = look.config, look.began.date(), look.now.date()
    labels = label_days.load_days(clients.s3(), look.bucket, config.model, first=first, last=last, fields=fields)
    joined = join_labels(pa.table({ROW_ID: ids}), of_ids(labels, ids), fields)
    truth = label_column(joined.column(LABEL), config.problem, config.classes)
    beside = {name: cast_numbers(joined.column(f"{FIELD}{name}"), "float64").values for name in fields}
    return np.where(truth.known, truth.values, np.nan), beside


def fleets_of(look: TrialLook) -> tuple[TriedFleet, TriedFleet]:
    """The challenger's requests since it began, and the champion's, as CloudWatch counts them."""
    challenger, champion = (_fleet(look, variant) for variant in (look.variant, look.config.endpoint.variant))
    return challenger, champion


def _fleet(look: TrialLook, variant: str) -> TriedFleet:
    cloudwatch = clients.cloudwatch()
    where: dict[str, Any] = {"endpoint": look.config.endpoint.name, "variant": variant}
    where |= {"start": look.began, "end": look.now}
    sums = (
        round(metrics.endpoint_sum(cloudwatch, name, **where))
        for name in ("Invocations", "Invocation5XXErrors", "Invocation4XXErrors")
    )
    return TriedFleet(FleetCounts(*sums), metrics.slowest_day_ms(cloudwatch, **where))


def _full_hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)
