"""A log that somebody writes of a model's answers: what stands in its newest records, before any YAML describes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cli.drafts.draft import ModelDraft
from cli.refusals import BadInputError
from cli.rows.captures import columns_of_rows
from cli.rows.inferred_schema import kind_of
from kedge.capture.lines import Block
from kedge.capture.log_records import answer_in, read_record
from kedge.config.capture_place import CapturePlace, log_prefix
from kedge.config.sections import Feature
from kedge.errors import UnreadableRecordError
from lambdas.adapters.bucket import inference_logs, row_objects

FILES_READ, RECORDS_READ = 20, 5000


@dataclass(frozen=True)
class RunningLog:
    """Where a model's log lies, in the words of an endpoint that is adopted: whoever writes the log says all else."""

    name: str
    bucket: str
    config: str = ""
    variant: str = ""
    sampling_percentage: int = 100
    capture_key: str | None = None

    @property
    def captures(self) -> CapturePlace:
        """Where its records lie."""
        return CapturePlace(self.bucket, log_prefix(self.name))

    @property
    def capture_uri(self) -> str:
        """The same as a URI."""
        return self.captures.uri

    @property
    def arn(self) -> str:
        """What a version of it is named after."""
        return self.capture_uri

    @property
    def model_name(self) -> str:
        """A log names no model of SageMaker."""
        return ""

    @property
    def variant_prefix(self) -> str:
        """The prefix below which its days are."""
        return f"{self.captures.prefix}/"


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
    keys = sorted(row_objects.list_sizes(s3, place.bucket, log.variant_prefix), reverse=True)[:FILES_READ]
    for key in keys:
        # The first stretch of a large file says enough.
        block = next(inference_logs.open_blocks(s3, place.bucket, [key], row_objects.READ_AHEAD_BYTES), Block())
        for line in (line for piece in block.pieces for line in piece.content.split(b"\n") if line.strip()):
            try:
                yield read_record(line)
            except UnreadableRecordError:
                continue
