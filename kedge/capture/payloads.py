"""What stands inside one Data Capture record: its time, the rows that went in, and the answers that came out."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
import re
import zlib
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pyarrow as pa

from kedge.config.model import ModelConfig
from kedge.errors import UnreadableRecordError
from kedge.outcomes.columns import answer_column

# Wrappers of SageMaker's containers: TensorFlow Serving, the built-in algorithms, and one row of theirs.
_WRAPPERS, _ROW_WRAPPER = ("instances", "predictions"), "features"
INPUT, ANSWER = "endpointInput", "endpointOutput"
# What a page of a web server or a proxy begins with; a level such as <unknown> is none.
_MARKUP = re.compile(r"<(!doctype|!--|\?xml|html\b|[a-z][^<>]*>.*</)", re.IGNORECASE | re.DOTALL)
# An answer that begins so is a list, an object or a page in text, whatever a header says of it.
_NO_ANSWER = re.compile(r"\s*[\[{<]")
_LIBSVM = re.compile(r"\S+( \d+:\S+)+\s*(\n|$)")
_BINARY = {
    b"\x93NUMPY": "a NumPy array", b"\n#\xd7\xce": "RecordIO protobuf", b"PK\x03\x04": "a zip archive, as npz is",
    b"PAR1": "Parquet", b"\x80": "a pickle or another binary format",
}  # fmt: skip
# No request carries more as it stands, so none may carry more in gzip: a line of 8 kB could hold gigabytes.
_GZIP, _GZIP_BYTES_MAX = b"\x1f\x8b", 8 * 2**20
# What gzip begins with in BASE64.
GZIP_MARK = base64.b64encode(b"\x1f\x8b\x08").decode()


class Payload(NamedTuple):
    """The rows of one side, and whether only their look says that they are CSV or JSON."""

    rows: list[Any]
    guessed: bool


def record_rows(line: bytes, config: ModelConfig) -> list[list[Any]]:
    """`[row_id, event_id, time, features..., prediction, probabilities...]` of each row of one record, all but the time as text.

    Raises
    ------
    UnreadableRecordError
        Whatever is wrong with the line: no other error leaves this function.
    """
    capture, metadata = _parts(line)
    event, name = _identifier(metadata, "eventId"), None
    if metadata.get("inferenceId") is not None:
        name = _identifier(metadata, "inferenceId")
    time = _time(metadata.get("inferenceTime"))
    inputs, (outputs, guessed) = _payload(capture, INPUT).rows, _payload(capture, ANSWER)
    if len(config.features) == 1:
        inputs = _bare_rows(inputs, outputs)
    outputs = _one_answer_a_row(outputs, len(inputs))
    answers = [_answer(came, config) for came in outputs]
    _refuse_prose(answers, config, guessed=guessed)
    several = len(inputs) > 1
    return [
        [
            f"{name or event}/{i}" if several else name or event,
            event,
            time,
            *_features(given, config),
            *answer,
        ]
        for i, (given, answer) in enumerate(zip(inputs, answers, strict=True))
    ]


def input_rows(line: bytes) -> list[Any]:
    """The rows that one record's request held: lists, or mappings by name, before any YAML says what they should be.

    >>> input_rows(b'{"captureData": {"endpointInput": {"data": "1,a", "encoding": "CSV"}}, "eventMetadata": {}}')
    [['1', 'a']]

    Raises
    ------
    UnreadableRecordError
    """
    capture, _ = _parts(line)
    rows = _payload(capture, INPUT).rows
    return [row.get(_ROW_WRAPPER, row) if isinstance(row, dict) else row for row in rows]


def answered_rows(line: bytes) -> list[Any]:
    """The rows that one record's answer held, before any YAML says what they should be.

    >>> answered_rows(b'{"captureData": {"endpointOutput": {"data": "0.5", "encoding": "CSV"}}, "eventMetadata": {}}')
    [['0.5']]

    Raises
    ------
    UnreadableRecordError
    """
    capture, _ = _parts(line)
    return _payload(capture, ANSWER).rows


def _parts(line: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        text = line.decode("utf-8")
        record = _storable(json.loads(text), text)
    except (ValueError, RecursionError) as error:
        raise UnreadableRecordError(reason=f"not JSON: {error}") from error
    found = []
    for name in ("captureData", "eventMetadata"):
        part = record.get(name) if isinstance(record, dict) else None
        if not isinstance(part, dict):
            raise UnreadableRecordError(reason=f"no {name} in the record")
        found.append(part)
    return found[0], found[1]


def _loads(text: str) -> Any:
    # Numbers stay as they are written: they are stored as text, and Python reads no integer of 5,000 digits.
    return _storable(json.loads(text, parse_int=str, parse_float=str), text)


def _storable(found: Any, text: str) -> Any:
    if "\\u" in text:
        # Text that UTF-8 cannot write (a lone surrogate) could not be stored either.
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    return found


def _identifier(metadata: dict[str, Any], name: str) -> str:
    value = metadata.get(name)
    if not isinstance(value, str) or not value:
        raise UnreadableRecordError(reason=f"{name} is not a text")
    return value


def _time(text: Any) -> datetime:
    try:
        if isinstance(text, int | float) or str(text).isdigit():
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        time = datetime.fromisoformat(str(text))
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise UnreadableRecordError(reason="inferenceTime is not a time") from error


def _payload(capture: dict[str, Any], side: str) -> Payload:
    """The rows of one side: lists of text for CSV, whatever stands there for JSON.

    The content decides, not its header: containers answer JSON as `text/html`, and the capture stores in BASE64 what its
    config does not list. The header only settles what may be both.
    """
    block = capture.get(side)
    if not isinstance(block, dict) or not isinstance(block.get("data"), str):
        raise UnreadableRecordError(reason=f"no {side} in the record")
    encoding = block.get("encoding", "BASE64")
    if encoding not in ("CSV", "JSON", "BASE64"):
        raise UnreadableRecordError(reason=f"{side} is in an encoding that is neither CSV nor JSON nor BASE64")
    text = (decoded_text(block["data"], side) if encoding == "BASE64" else block["data"]).removeprefix("\ufeff")
    found = _read_text(text, _said(block.get("observedContentType"), encoding), side)
    if not found.rows:
        raise UnreadableRecordError(reason=f"{side} holds no row")
    return found


def _said(content_type: Any, encoding: str) -> str | None:
    """What both the content type and the encoding say that a payload is: CSV, JSON, or neither."""
    kind = str(content_type or "").partition(";")[0].strip().lower()
    named = "JSON" if "json" in kind else "CSV" if "csv" in kind else None
    if encoding == "BASE64":
        return named
    return encoding if not kind or named == encoding else None


def decoded_text(data: str, side: str) -> str:
    """The text that stands in BASE64, gzip undone; what is no text is refused with its name.

    >>> decoded_text("MC41", "endpointOutput")
    '0.5'

    Raises
    ------
    UnreadableRecordError
    """
    try:
        content = base64.b64decode(data, validate=True)
        if content.startswith(_GZIP):
            content = _unzipped(content)
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    except zlib.error as error:
        raise UnreadableRecordError(
            reason=f"{side} is gzip that is damaged, or holds more than {_GZIP_BYTES_MAX:,} bytes"
        ) from error
    except (binascii.Error, ValueError) as error:
        raise UnreadableRecordError(reason=f"{side} is not text in BASE64") from error
    if "\0" in text:
        what = next((name for start, name in _BINARY.items() if content.startswith(start)), "no UTF-8")
        raise UnreadableRecordError(reason=f"{side} is not text in BASE64 but {what}, so neither CSV nor JSON")
    return text


def _unzipped(content: bytes) -> bytes:
    unzip = zlib.decompressobj(wbits=31)
    found = unzip.decompress(content, _GZIP_BYTES_MAX)
    if not unzip.eof:
        raise zlib.error(f"more than {_GZIP_BYTES_MAX:,} bytes in gzip, or cut short")
    return found


def _read_text(text: str, said: str | None, side: str) -> Payload:
    start = text.lstrip()[:1]
    if start == "<" and _MARKUP.match(text.lstrip()):
        raise UnreadableRecordError(reason=f"{side} is a page of HTML or XML, neither CSV nor JSON")
    # What begins so can only be JSON; a text in quotes, or one number, may be both.
    only_json = start in ("[", "{")
    if only_json or said == "JSON" or (said is None and start == '"'):
        try:
            return Payload(_json_rows(text, side), guessed=said != "JSON")
        except json.JSONDecodeError as error:
            if only_json and said != "CSV":
                raise UnreadableRecordError(reason=f"{side} is not JSON: {error}") from error
        except (ValueError, RecursionError) as error:
            raise UnreadableRecordError(reason=f"{side} is not JSON that can be stored: {error}") from error
    if said != "CSV" and _LIBSVM.match(text):
        raise UnreadableRecordError(reason=f"{side} is libsvm, neither CSV nor JSON")
    return Payload(_csv_rows(text, side, strict=said != "CSV"), guessed=said != "CSV")


def _csv_rows(data: str, side: str, *, strict: bool) -> list[Any]:
    try:
        return [row for row in csv.reader(io.StringIO(data), strict=strict) if row]
    except csv.Error as error:
        raise UnreadableRecordError(reason=f"{side} is not CSV: {error}") from error


def _json_rows(data: str, side: str) -> list[Any]:
    """Rows in the shapes that SageMaker's containers use: a list, `instances`, `predictions`, lines, or one row."""
    try:
        found = _loads(data)
    except json.JSONDecodeError:
        found = [_loads(line) for line in data.splitlines() if line.strip()]
    if side == ANSWER and isinstance(found, str) and found.lstrip().startswith(("[", "{")):
        # Written as JSON twice, as a container does that dumps what is dumped already.
        found = _loads(found)
    if isinstance(found, dict):
        for wrapper in _WRAPPERS:
            if isinstance(found.get(wrapper), list):
                return list(found[wrapper])
    if isinstance(found, list):
        flat = bool(found) and side == INPUT and not any(isinstance(item, dict | list) for item in found)
        return [found] if flat else found
    return [found]


def _refuse_prose(answers: list[list[str | None]], config: ModelConfig, *, guessed: bool) -> None:
    """Refuse answers that only look like CSV, a server's sentence or page; where a header vouches, a new class is kept."""
    words = [
        answer[0]
        for answer in answers
        if answer[0] is not None and not _is_number(answer[0]) and (guessed or _NO_ANSWER.match(answer[0]))
    ]
    if not words:
        return
    read = answer_column(pa.array(words), config.problem, config.labels.classes)
    if not (read.known | read.outside).all():
        unvouched = ", and no header says that it is CSV or JSON" if guessed else ""
        reason = f"{ANSWER} is text that is neither a number nor one of the YAML's classes{unvouched}"
        raise UnreadableRecordError(reason=reason)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _bare_rows(inputs: list[Any], outputs: list[Any]) -> list[Any]:
    """Rows of one feature that stand side by side, `[5, 6]`: as many as there are answers."""
    line = inputs[0]
    answers = outputs[0] if len(outputs) == 1 and isinstance(outputs[0], list) else outputs
    several = len(inputs) == 1 and isinstance(line, list) and len(line) == len(answers)
    return line if several else inputs


def _one_answer_a_row(outputs: list[Any], rows: int) -> list[Any]:
    """Answers as one a row: some containers write all on one line, others one answer as a list of its classes."""
    if len(outputs) == rows:
        return outputs
    if len(outputs) == 1 and isinstance(outputs[0], list) and len(outputs[0]) == rows:
        return outputs[0]
    if rows == 1 and not any(isinstance(item, dict | list) for item in outputs):
        return [outputs]
    raise UnreadableRecordError(reason=f"{rows} rows went in and {len(outputs)} came out")


def _features(row: Any, config: ModelConfig) -> list[str | None]:
    names = config.feature_names
    if isinstance(row, dict) and isinstance(row.get(_ROW_WRAPPER), list | dict):
        row = row[_ROW_WRAPPER]
    if isinstance(row, dict):
        absent = [name for name in names if name not in row]
        if absent:
            raise UnreadableRecordError(reason=f"no {', '.join(absent)} in the input")
        return [_text(row[name], INPUT) for name in names]
    values = row if isinstance(row, list) else [row]
    if len(values) != len(names):
        reason = f"{len(values)} values came in, the YAML names {len(names)} features"
        raise UnreadableRecordError(reason=reason)
    return [_text(value, INPUT) for value in values]


def _answer(row: Any, config: ModelConfig) -> list[str | None]:
    """The prediction, and the probabilities by their names, or of a list those behind it; without one it is missing."""
    field, probabilities = config.prediction.field, config.prediction.probabilities
    if isinstance(row, dict):
        name = field if isinstance(field, str) else config.prediction.name
        if name not in row:
            raise UnreadableRecordError(reason=f"no {name} in the answer")
        return [_text(row.get(key), ANSWER) for key in (name, *probabilities)]
    values = row if isinstance(row, list) else [row]
    if not isinstance(field, int) or not 0 <= field < len(values):
        raise UnreadableRecordError(reason=f"no field {field!r} in an answer of {len(values)} values")
    places = range(field, field + 1 + len(probabilities))
    return [_text(values[place], ANSWER) if place < len(values) else None for place in places]


def _text(value: Any, side: str) -> str | None:
    """One value as text; TensorFlow Serving's clients write it as a list of one."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, list | dict):
        raise UnreadableRecordError(reason=f"{side} has a list or an object where one value belongs")
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)
