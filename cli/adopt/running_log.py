"""A log that somebody writes of a model's answers: what stands in its newest records, before any YAML describes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cli.adopt.captured_days import read_days
from cli.adopt.running import CapturedRows, Running
from cli.drafts.draft import ModelDraft
from cli.models import read_model
from cli.operator.deployment import Deployment
from cli.refusals import BadInputError
from cli.rows.captures import columns_of_rows
from cli.rows.inferred_schema import kind_of
from kedge.capture.lines import Block
from kedge.capture.log.records import answer_in, read_record
from kedge.config.capture_place import log_prefix
from kedge.config.model import ModelConfig
from kedge.config.sections import Feature
from kedge.errors import UnreadableRecordError
from lambdas.adapters.bucket import row_objects
from lambdas.adapters.captures import inference_logs

FILES_READ, RECORDS_READ = 20, 5000


@dataclass(frozen=True, kw_only=True)
class RunningLog(Running):
    """The log of a model. The team that writes it serves the model, and tells everything else."""

    source = "log"

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The prefix below which its days are."""
        return (self.captures.of(""),)

    @property
    def fields(self) -> Mapping[str, Any]:
        """What a YAML must say to describe it."""
        return {"model": self.name}

    @property
    def told(self) -> Sequence[str]:
        """Where it lies."""
        return (f"log        below {self.capture_uri}/yyyy/mm/dd/hh/",)

    def draft(self, deployment: Deployment, model: str, described: Mapping[str, Any]) -> tuple[ModelDraft, list[Any]]:
        """Infer the YAML from the newest records."""
        return draft_from_log(deployment.client("s3"), self)

    def read(self, deployment: Deployment, config: ModelConfig, start: datetime, end: datetime) -> CapturedRows:
        """Read the records that arrived on some days."""
        return read_days(deployment.client("s3"), self, config, start=start, end=end)


def look_at_log(model: str, yaml: Path, bucket: str) -> RunningLog:
    """Say where a model's log lies: where its YAML says, or in the data bucket."""
    said = read_model(yaml).capture.uri if yaml.exists() else None
    uri = (said or f"s3://{bucket}/{log_prefix(model)}").rstrip("/")
    return RunningLog(name=model, arn=uri, capture_uri=uri)


def draft_from_log(s3: Any, log: RunningLog) -> tuple[ModelDraft, list[Any]]:
    """Infer the features from the newest records; with their answers."""
    records = [record for record, _ in zip(_records(s3, log), range(RECORDS_READ), strict=False)]
    rows = [record.get("features") for record in records]
    if not rows or not all(isinstance(row, dict) and row for row in rows):
        why = "has no object `features`" if rows else "can be read"
        raise BadInputError(
            f"{'a record' if rows else 'no record'} below {log.capture_uri}/ {why}, so the features are not known: write the YAML "
            "by hand, and adopt again (docs/models.md shows a record)"
        )
    try:
        names, columns = columns_of_rows(rows)
    except ValueError as error:
        raise BadInputError(f"the records below {log.capture_uri}/ do not all have the same features") from error
    draft = ModelDraft(
        name=log.name,
        endpoint={},
        features=tuple(Feature(name=n, kind=kind_of(v)) for n, v in zip(names or (), columns, strict=True)),
        notes=(f"inferred from {len(rows)} records of the log: check the kinds",),
    )
    return draft, [answer_in(record) for record in records]


def _records(s3: Any, log: RunningLog) -> Iterator[dict[str, Any]]:
    place = log.captures
    (prefix,) = log.prefixes
    keys = sorted(row_objects.list_sizes(s3, place.bucket, prefix), reverse=True)[:FILES_READ]
    for key in keys:
        # The first stretch of a large file says enough.
        block = next(inference_logs.open_blocks(s3, place.bucket, [key], row_objects.READ_AHEAD_BYTES), Block())
        for line in (line for piece in block.pieces for line in piece.content.split(b"\n") if line.strip()):
            try:
                yield read_record(line)
            except UnreadableRecordError:
                continue
