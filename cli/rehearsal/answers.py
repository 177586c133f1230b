"""Answers of a rehearsed serving script, read as the transform job's and as the endpoint's captures would be read."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from kedge.capture.records import parse_capture
from kedge.comparisons import counted
from kedge.config.model import ModelConfig
from kedge.errors import UnreadableAnswerError
from kedge.own_columns import ROW_ID
from lambdas.adapters.training.transform_outputs import Answered, parse_answers

_PLACE = "what code/inference.py answered"
# Of numbers that were written as text: two ways to the same answer differ by less.
_RELATIVE = 1e-6


@dataclass(frozen=True)
class TriedAnswer:
    """One answer: its bytes, and its content type where the script named one."""

    body: bytes
    content_type: str | None


@dataclass(frozen=True)
class AnswerFindings:
    """What was answered, what is odd, and what would fail a retraining or blind the monitor."""

    facts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def answer_faults(
    config: ModelConfig,
    rows: pa.Table,
    served: Sequence[TriedAnswer],
    *,
    alone: Sequence[TriedAnswer],
    requests: Sequence[bytes],
) -> AnswerFindings:
    """Read the answers to `rows`, then those to the first rows alone, as Data Capture would keep them.

    Parameters
    ----------
    rows : Table
        What was scored.
    served : sequence of TriedAnswer
        What a batch transform would get: for CSV one answer with a line a row, else one answer a row.
    alone, requests : sequence
        The answers to one row each, and what was sent.
    """
    notes = []
    if any(answer.content_type is None for answer in served):
        notes.append(
            "output_fn returns bare text, which the image calls text/html and Data Capture stores as BASE64; return (body, content_type)"
        )
    ids = rows.column(ROW_ID).to_pylist()
    try:
        joined = _joined(config, ids, served)
        answers = [*parse_answers(io.BytesIO(joined), config, key=_PLACE)]
    except _WrongCountError as error:
        return AnswerFindings(notes=tuple(notes), faults=(str(error),))
    except UnreadableAnswerError as error:
        return AnswerFindings(
            notes=tuple(notes), faults=(f"{error}; the script's first answer begins {served[0].body[:120]!r}",)
        )
    faults = [*_odd_values(config, answers), *_captured(config, answers, requests, alone)]
    if len({answer.value for answer in answers}) == 1 and len(answers) > 1:
        notes.append(f"all {len(answers)} answers are the same")
    return AnswerFindings((_told(config, answers),), tuple(notes), tuple(faults))


class _WrongCountError(ValueError):
    pass


def _joined(config: ModelConfig, ids: Sequence[str], served: Sequence[TriedAnswer]) -> bytes:
    """What SageMaker's join leaves of the answers: an id and an answer a line."""
    if config.endpoint.content_type != "text/csv":
        return b"".join(_json_line(name, answer.body) for name, answer in zip(ids, served, strict=True))
    lines = [line for line in csv.reader(io.StringIO(served[0].body.decode("utf-8", "replace"), newline="")) if line]
    if len(lines) != len(ids):
        raise _WrongCountError(
            f"code/inference.py answered {counted(len(lines), 'line')} to {counted(len(ids), 'row')} of CSV: the transform job would fail"
        )
    text = io.StringIO()
    place, width = config.answer_place, len(config.answer_columns)
    csv.writer(text, lineterminator="\n").writerows(
        [name, *line[place : place + width]] for name, line in zip(ids, lines, strict=True)
    )
    return text.getvalue().encode()


def _json_line(name: str, body: bytes) -> bytes:
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    return json.dumps({"id": name, "SageMakerOutput": answer}).encode() + b"\n"


def _odd_values(config: ModelConfig, answers: Sequence[Answered]) -> list[str]:
    values = [answer.value for answer in answers]
    if config.problem == "multiclass_classification":
        strange = sorted({str(value) for value in values} - {*config.labels.classes})
        known = ", ".join(config.labels.classes)
        return [f"answers that are none of labels.classes ({known}): {', '.join(strange[:5])}"] if strange else []
    numbers = [float(value) for value in values]
    if broken := sum(not math.isfinite(number) for number in numbers):
        return [f"{counted(broken, 'answer')} of {len(numbers)} is no finite number"]
    if config.problem == "binary_classification" and (outside := sum(not 0 <= number <= 1 for number in numbers)):
        return [
            f"{outside} of {len(numbers)} answers are no probability between 0 and 1 ({min(numbers):g} to {max(numbers):g})"
        ]
    return []


def _captured(
    config: ModelConfig, answers: Sequence[Answered], requests: Sequence[bytes], alone: Sequence[TriedAnswer]
) -> list[str]:
    """Read the single requests as captured records; what the monitor reads must be what the transform read."""
    lines = [_record(config, request, answer) for request, answer in zip(requests, alone, strict=False)]
    batch = parse_capture(b"\n".join(lines), config, "2026/01/01/00/rehearsal.jsonl")
    if batch.quarantined:
        return [f"Kedge could not read what the endpoint would capture: {batch.quarantined[0].reason}"]
    read = batch.table.column(config.prediction.name).to_pylist()
    differing = [
        f"row {number} is answered {found} alone and {answer.value} among others"
        for number, (found, answer) in enumerate(zip(read, answers, strict=False), start=1)
        if not _same(found, answer.value)
    ]
    return differing[:1]


def _same(captured: object, scored: float | str) -> bool:
    if isinstance(scored, str):
        return captured == scored
    return math.isclose(float(str(captured)), scored, rel_tol=_RELATIVE, abs_tol=_RELATIVE)


def _record(config: ModelConfig, request: bytes, answer: TriedAnswer) -> bytes:
    sides = {
        "endpointInput": (request, config.endpoint.content_type),
        "endpointOutput": (answer.body, answer.content_type),
    }
    capture = {
        side: {
            "observedContentType": kind or "text/html",
            "mode": side.removeprefix("endpoint").upper(),
            "data": body.decode("utf-8", "replace"),
            "encoding": "CSV" if (kind or "").startswith("text/csv") else "JSON",
        }
        for side, (body, kind) in sides.items()
    }
    metadata = {"eventId": str(hash(request)), "inferenceTime": "2026-01-01T00:00:00Z"}
    return json.dumps({"captureData": capture, "eventMetadata": metadata, "eventVersion": "0"}).encode()


def _told(config: ModelConfig, answers: Sequence[Answered]) -> str:
    answered = f"code/inference.py answered {counted(len(answers), 'row')}"
    values = [answer.value for answer in answers]
    if config.problem == "multiclass_classification":
        return f"{answered}: {', '.join(sorted({str(value) for value in values}))}"
    numbers = [float(value) for value in values]
    return f"{answered}, from {min(numbers):.3g} to {max(numbers):.3g}"
