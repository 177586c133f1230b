"""Input and output of a transform job, put together line by line as Data Capture's records: the one reader reads them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from kedge.capture.lines import LINE_BYTES_MAX
from kedge.capture.texts import ANSWER, INPUT
from kedge.capture.transform_filters import Filter, read_filter
from kedge.capture.transform_jobs import TransformJob
from kedge.config.model import ModelConfig
from kedge.errors import UnreadableTransformError
from kedge.instants import to_text

# What SageMaker adds to an output: the last two columns of CSV, fields of JSON.
_ID, _TIME, _OUTPUT = "SageMakerInferenceId", "SageMakerInferenceTime", "SageMakerOutput"
_CLOCKS_DIFFER = timedelta(minutes=1)
OpenLines = Callable[[], Iterator[bytes]]


class Side(NamedTuple):
    """One file of a job: how many bytes it has, and how its lines are read, once more each time."""

    size: int
    lines: OpenLines


class _Given(NamedTuple):
    """One answer apart from what SageMaker wrote beside it."""

    name: str | None
    time: datetime | None
    answer: str


def split_lines(stretches: Iterable[bytes]) -> Iterator[bytes]:
    r"""Cut content into lines, in bounded memory; an empty line within it stands for a record, a last one does not.

    >>> [*split_lines([b"1\n\n2", b"3\r\n"])]
    [b'1', b'', b'23']

    Raises
    ------
    UnreadableTransformError
        A line is longer than any record.
    """
    rest = b""
    for stretch in stretches:
        *whole, rest = (rest + stretch).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r")
        if len(rest) > LINE_BYTES_MAX:
            raise UnreadableTransformError(
                reason=f"a line is longer than the {LINE_BYTES_MAX:,} bytes that are read: set SplitType Line"
            )
    if rest:
        yield rest.removesuffix(b"\r")


def transform_records(
    job: TransformJob, file: str, asked: Side, answered: Side, config: ModelConfig
) -> Iterator[tuple[int, bytes]]:
    """Yield the number of each line with its record, in the order of the file.

    Parameters
    ----------
    file : str
        Which file of the job it is; with the job's name and the line's number it is a record's event id.

    Raises
    ------
    UnreadableTransformError
        Lines of input and output do not belong to each other, so that no later row would stand beside its own answer.
    """
    if job.compressed:
        raise UnreadableTransformError(reason="its input is compressed (CompressionType), which Kedge does not read")
    if job.output_filter != "$" and not _names_the_answer(config):
        raise UnreadableTransformError(
            reason="it cuts its output (OutputFilter): say in endpoint.inference_attribute or endpoint.probability_attribute where "
            "the answer stands in a line of the output, from 0, or its path"
        )
    chosen = read_filter(job.input_filter, "InputFilter")
    requests, answers = _paired(asked, answered, config, whole=not job.by_line)
    names = _column_names(asked, config) if config.context else []
    for number, (request, line) in enumerate(zip(requests, answers, strict=True), start=1):
        found = _of_line(line, request, job, config)
        if found.time is not None and not _of_this_run(found.time, job):
            raise UnreadableTransformError(reason="its output is another job's: it was replaced before Kedge read it")
        metadata: dict[str, Any] = {"eventId": f"{job.name}/{file}/{number}"}
        metadata |= {"inferenceId": found.name} if found.name else {}
        metadata["inferenceTime"] = to_text(job.began) if job.began else None
        if beside := _context(request, names, config):
            # As an endpoint's clients send it, so that one reader reads both.
            metadata["customAttributes"] = [json.dumps(beside)]
        sides = {INPUT: _side(_filtered(request, chosen, job)), ANSWER: _side(found.answer)}
        record = {"captureData": sides, "eventMetadata": metadata, "eventVersion": "0"}
        yield number, json.dumps(record).encode()


def _paired(
    asked: Side, answered: Side, config: ModelConfig, *, whole: bool
) -> tuple[Iterator[bytes], Iterator[bytes]]:
    """The requests, and an answer for each: counted before the first is read, for one line too few would shift all behind it."""
    before, after = _count(asked.lines()), _count(answered.lines())
    if whole and (document := _as_one(answered)) is not None:
        return iter([_read_whole(asked, "input")]), iter([document])
    if after == 1 < before and not _is_header(next(asked.lines()), config):
        # A container that answers a whole request with one document.
        return iter([_read_whole(asked, "input")]), answered.lines()
    requests, answers = asked.lines(), answered.lines()
    if before == after + 1 and _is_header(next(asked.lines()), config):
        next(requests)
    elif before != after:
        raise UnreadableTransformError(
            reason=f"its input has {before:,} lines and its output {after:,}, so no line can be put beside its own answer: let the "
            "container answer a line for each, and set AssembleWith Line"
        )
    elif config.endpoint.header:
        next(requests), next(answers)
    return requests, answers


def _count(lines: Iterator[bytes]) -> int:
    return sum(1 for _ in lines)


def _column_names(asked: Side, config: ModelConfig) -> list[str]:
    """The names in the header line of a CSV file; none without one."""
    first = next(asked.lines(), b"")
    return [cell.strip() for cell in _cells(first)] if _is_header(first, config) else []


def _context(request: bytes, names: list[str], config: ModelConfig) -> dict[str, Any]:
    """What an input row holds of the YAML's context, by its name in JSON or in the header line; InputFilter may keep it from the model."""
    if not config.context:
        return {}
    try:
        row = json.loads(request) if request.lstrip()[:1] == b"{" else dict(zip(names, _cells(request), strict=False))
    except (ValueError, RecursionError):
        return {}
    return {name: row[name] for name in config.context if row.get(name) is not None}


def _is_header(line: bytes, config: ModelConfig) -> bool:
    if config.endpoint.header is not None:
        return config.endpoint.header
    return {*config.feature_names} <= {cell.strip() for cell in _cells(line)}


def _as_one(side: Side) -> bytes | None:
    """A file that is one JSON document, or None."""
    first = next(side.lines(), b"").lstrip()[:1]
    if first not in (b"{", b"["):
        return None
    content = _read_whole(side, "output")
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return None
    return content


def _read_whole(side: Side, which: str) -> bytes:
    if side.size > LINE_BYTES_MAX // 2:
        raise UnreadableTransformError(
            reason=f"its {which} is one document of {side.size:,} bytes, and {LINE_BYTES_MAX // 2:,} are read at most: set SplitType Line"
        )
    return b"\n".join(side.lines())


def _of_line(line: bytes, request: bytes, job: TransformJob, config: ModelConfig) -> _Given:
    """The answer without what SageMaker put before and behind it."""
    if line.lstrip()[:1] in (b"{", b"[") and (found := _of_document(line, job, config)) is not None:
        return found
    cells, name, time = _cells(line), None, None
    if job.has_ids:
        if len(cells) < 3:
            raise UnreadableTransformError(reason="its output has no id and time at the end of a line")
        *cells, name, text = cells
        time = _read_time(text)
    if job.joins and job.output_filter == "$" and not _names_the_answer(config):
        given = _cells(request)
        if cells[: len(given)] != given:
            raise UnreadableTransformError(
                reason="its output was joined with another input than the one that is there now: keep each job's input"
            )
        cells = cells[len(given) :]
    return _Given(name, time, _line(cells))


def _of_document(line: bytes, job: TransformJob, config: ModelConfig) -> _Given | None:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        if not job.has_ids and not job.joins:
            return None
        raise UnreadableTransformError(reason="its output is not JSON") from error
    name, time = None, None
    if job.has_ids:
        if not isinstance(document, dict) or _ID not in document or _TIME not in document:
            raise UnreadableTransformError(reason=f"its output has no {_ID} and {_TIME}")
        name, time = str(document.pop(_ID)), _read_time(document.pop(_TIME))
    if isinstance(document, dict) and _OUTPUT in document and not config.endpoint.has_answer_path:
        document = document[_OUTPUT]
    return _Given(name, time, json.dumps(document))


def _names_the_answer(config: ModelConfig) -> bool:
    return config.endpoint.has_answer_path or config.endpoint.answer_places != (None, None)


def _filtered(request: bytes, chosen: Filter, job: TransformJob) -> str:
    text = _text(request)
    if job.input_filter == "$":
        return text
    if text.lstrip()[:1] not in ("{", "["):
        rows = [chosen(row) for row in csv.reader(io.StringIO(text))]
        return "\n".join(_line([row] if isinstance(row, str) else row) for row in rows)
    try:
        return json.dumps(chosen(json.loads(text)))
    except ValueError as error:
        raise UnreadableTransformError(reason="its input is not JSON") from error


def _side(text: str) -> dict[str, str]:
    is_json = text.lstrip()[:1] in ("{", "[")
    kind, encoding = ("application/json", "JSON") if is_json else ("text/csv", "CSV")
    return {"observedContentType": kind, "encoding": encoding, "data": text}


def _text(line: bytes) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableTransformError(reason="it is not text in UTF-8") from error


def _cells(line: bytes) -> list[str]:
    try:
        return next(csv.reader([_text(line)]), [])
    except csv.Error as error:
        raise UnreadableTransformError(reason=f"it is not CSV: {error}") from error


def _line(cells: Iterable[str]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow(cells)
    return written.getvalue()


def _read_time(text: Any) -> datetime:
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise UnreadableTransformError(reason="its output has no time beside the id") from error
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _of_this_run(time: datetime, job: TransformJob) -> bool:
    """Whether the time that stands in an output lies in the job's; it is written in whole seconds."""
    began, ended = job.began or time, job.ended or time
    return began - _CLOCKS_DIFFER <= time <= ended + _CLOCKS_DIFFER
