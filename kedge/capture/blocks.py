"""Many plain records at once: a row in CSV or as an object of JSON, its answer, in BASE64 or not, read by Arrow in one go."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
from numpy.typing import NDArray

from kedge.arrays import Bools, Ints
from kedge.capture.answers import answer_rows
from kedge.capture.formats import Said, Text, loads, read_payload, said_by_header
from kedge.capture.payloads import payload_width, row_suffixes, rows_and_answers
from kedge.capture.requests import are_texts, features_of, request_rows
from kedge.capture.texts import ANSWER, BOM, GZIP_MARK, INPUT, decoded_text
from kedge.config.model import ModelConfig
from kedge.errors import UnreadableRecordError

_SIDE = pa.struct([("data", pa.string()), ("encoding", pa.string()), ("observedContentType", pa.string())])
_RECORD = pa.schema(
    [
        ("captureData", pa.struct([("endpointInput", _SIDE), ("endpointOutput", _SIDE)])),
        (
            "eventMetadata",
            pa.struct([("eventId", pa.string()), ("inferenceId", pa.string()), ("inferenceTime", pa.string())]),
        ),
    ]
)
# Where the YAML names a context, a record that has some is read by itself.
_ATTRIBUTES = b'"customAttributes"'
# A payload that holds one of these, or begins as a page does, is perhaps no single plain row: it is read by itself.
_ODD = r'["\r\n\x00\x{feff}\[{;\t|]|^\s*<'
# An answer's value that begins so is none: it is refused by itself.
_NO_ANSWER = r"(^|,)\s*[\[{<]"
# Where no header says CSV, an answer of words is looked at by itself, as libsvm is.
_NUMBERS, _LIBSVM = r"^[-+]?[0-9][-+0-9.eE,]*$", " [0-9]+:"
# One number as JSON writes it, and nothing else but names and brackets around it: 0.5, [[0.5]], {"predictions": [0.5]}.
_LONE = (
    r'^(?P<before>(?:[\[{\s]|"[^"\\]*"\s*:)*)'
    r"(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)"
    r"(?P<behind>[\]}\s]*)$"
)
# What is around a number is understood once for all numbers, from these.
_PROBES = ("0", "1", "0.75", "-3e2")
# Between texts that are one together; one that holds it is not understood.
_BETWEEN = "\x00"


def block_rows(lines: Sequence[bytes], config: ModelConfig) -> tuple[Ints, list[Any]] | None:
    """Read the sound records among these lines, or None where one of them is not even JSON of the usual types.

    Returns
    -------
    tuple of ndarray of int, shape (n_rows,), and list of Array
        The line of each row, and `row_id, event_id, time, features..., prediction, probabilities..., context...`. Lines
        that are broken or odd have no row.
    """
    if config.capture.mode != "InputAndOutput":
        return None
    content = b"\n".join(lines)
    try:
        content.decode("utf-8")
        options = pa.json.ParseOptions(explicit_schema=_RECORD, unexpected_field_behavior="ignore")
        reading = pa.json.ReadOptions(use_threads=False, block_size=len(content) + 1)
        table = pa.json.read_json(pa.BufferReader(content), reading, options)
        # Two records on one line would shift every line behind them.
        if table.num_rows != len(lines):
            return None
        alone = np.array([bool(config.context) and _ATTRIBUTES in line for line in lines], bool)
        return _read(table, config, alone)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None


def _place(config: ModelConfig) -> int | None:
    """Where the answer stands in a line of CSV; None where the YAML says that rows or answers of CSV are not plain."""
    described = config.endpoint
    if described.features_attribute or described.has_answer_path or described.header or described.excluded_places:
        return None
    by_places = described.answer_places != (None, None)
    if isinstance(config.prediction.field, str) or (by_places and config.prediction.probabilities):
        return None
    return config.answer_place


def _read(table: pa.Table, config: ModelConfig, alone: Bools) -> tuple[Ints, list[Any]]:
    capture, metadata = table.column(0).combine_chunks(), table.column(1).combine_chunks()
    request, answer = (_side(pc.struct_field(capture, name)) for name in (INPUT, ANSWER))
    whole = _are_whole(metadata) & ~alone
    number = _lone_numbers(answer, config)
    is_csv = whole & _are_csv(request, answer, number, config)
    places, suffixes, rows = _others(whole & ~is_csv, request, answer, number, config)
    columns = _csv_rows(request.text.filter(pa.array(is_csv)), answer.text, number, is_csv, config)
    found = np.concatenate([np.flatnonzero(is_csv), places])
    order = np.argsort(found, kind="stable")
    if rows:
        others = (pa.array(column, pa.string()) for column in zip(*rows, strict=True))
        columns = [pa.concat_arrays(both).take(pa.array(order)) for both in zip(columns, others, strict=True)]
    metadata = metadata.take(pa.array(found[order]))
    event, name, moment = (pc.struct_field(metadata, part) for part in ("eventId", "inferenceId", "inferenceTime"))
    row_id = pc.coalesce(name, event)
    if any(suffixes):
        behind = pa.array([*[""] * int(is_csv.sum()), *suffixes], pa.string())
        row_id = pc.binary_join_element_wise(row_id, behind.take(pa.array(order)), "")
    # A time that Arrow cannot read makes the whole block be read record by record.
    time = moment.cast(pa.timestamp("us", "UTC"))
    context = [pa.nulls(len(metadata), pa.string()) for _ in config.context]
    return found[order], [row_id, event, time, *columns, *context]


def _are_whole(metadata: Any) -> Bools:
    """Which records have their identifiers and a time."""
    event = pc.struct_field(metadata, "eventId")
    return _all(
        pc.greater(pc.utf8_length(event), 0),
        pc.is_valid(pc.struct_field(metadata, "inferenceTime")),
        pc.not_equal(pc.fill_null(pc.struct_field(metadata, "inferenceId"), "-"), ""),
    )


def _all(*conditions: Any) -> Bools:
    found = pc.fill_null(reduce(pc.and_kleene, conditions), False)
    return np.array(found.to_numpy(zero_copy_only=False))


def _are_csv(request: _Side, answer: _Side, number: Any, config: ModelConfig) -> Bools:
    """Which records are one row of CSV, answered by a number alone or by CSV."""
    field, data = _place(config), request.text
    if field is None:
        return np.zeros(len(data), bool)
    rows = _all(
        request.may_be_csv,
        pc.equal(pc.count_substring(data, ","), len(config.features) - 1),
        pc.or_(request.is_said_csv, pc.invert(pc.match_substring_regex(data, _LIBSVM))),
        pc.invert(pc.match_substring_regex(data, _ODD)),
        # A header line that came alone is no row.
        pc.invert(pc.match_substring_regex(data, _names(config.feature_names))),
        pc.greater(pc.utf8_length(data), 0),
    )
    text = answer.text
    listed = _all(
        answer.may_be_csv,
        pc.or_(answer.is_said_csv, pc.match_substring_regex(text, _NUMBERS)),
        pc.greater_equal(pc.count_substring(text, ","), field + len(config.prediction.probabilities)),
        pc.invert(pc.match_substring_regex(text, _ODD)),
        pc.invert(pc.match_substring_regex(text, _NO_ANSWER)),
        *_no_list_of_classes(text, config),
        pc.greater(pc.utf8_length(text), 0),
    )
    return rows & (listed | _all(pc.is_valid(number)))


def _others(
    chosen: Bools, request: _Side, answer: _Side, number: Any, config: ModelConfig
) -> tuple[Ints, list[str], list[list[str | None]]]:
    """The chosen records one by one: of each row its place, what stands behind its id, and `features..., prediction, probabilities...`."""
    nothing, names, width = [None] * len(config.prediction.probabilities), config.feature_names, payload_width(config)
    where = np.flatnonzero(chosen & _all(pc.is_valid(request.text), pc.is_valid(answer.text)))
    texts, came, alone = (column.take(pa.array(where)).to_pylist() for column in (request.text, answer.text, number))
    places: list[int] = []
    suffixes: list[str] = []
    rows: list[list[str | None]] = []
    for place, text, said, lone in zip(where.tolist(), texts, came, alone, strict=True):
        asked = Text(text.removeprefix(BOM), request.said[place], INPUT, width)
        row = _lone_row(asked, config, names) if lone is not None else None
        try:
            answered = Text(said.removeprefix(BOM), answer.said[place], ANSWER)
            found = [[*row, lone, *nothing]] if row is not None else rows_and_answers(asked, answered, config)
        except UnreadableRecordError:
            # It is read once more by itself, and kept aside with its reason.
            continue
        places += [place] * len(found)
        suffixes += row_suffixes(len(found))
        rows += found
    return np.array(places, np.int64), suffixes, rows


def _lone_numbers(answer: _Side, config: ModelConfig) -> Any:
    """The numbers that answers to one row are; null where an answer is something else, or its shape is not known."""
    parts = pc.extract_regex(answer.text, _LONE)
    before, number, behind = (pc.struct_field(parts, name) for name in ("before", "number", "behind"))
    shape = pc.fill_null(pc.binary_join_element_wise(before, behind, answer.header, _BETWEEN), "")
    known = _of_each(shape, partial(_is_its_number, config=config)).astype(bool)
    return pc.if_else(pa.array(known), number, None)


def _of_each(column: Any, meaning: Callable[[str], Any]) -> NDArray[np.object_]:
    """What each text of a column means, asked once of those that are equal."""
    found = column.dictionary_encode()
    means = np.array([meaning(text) for text in found.dictionary.to_pylist()], object)
    of_each: NDArray[np.object_] = means[found.indices.to_numpy()]
    return of_each


def _is_its_number(shape: str, config: ModelConfig) -> bool:
    """Whether an answer of this shape, which is what stands around a number and its header, is the number in it, whatever number that is."""
    before, *more = shape.split(_BETWEEN)
    if len(more) != 3:
        return False
    behind, kind, encoding = more
    said = said_by_header(kind, encoding)
    nothing = [None] * len(config.prediction.probabilities)
    try:
        return all(
            answer_rows(read_payload(Text(f"{before}{probe}{behind}", said, ANSWER)), 1, config) == [[probe, *nothing]]
            for probe in _PROBES
        )
    except UnreadableRecordError:
        return False


def _lone_row(request: Text, config: ModelConfig, names: Sequence[str]) -> list[str | None] | None:
    """The features of a request of one row, as text; None where it is anything else, or broken."""
    try:
        if request.text.startswith("{") and config.endpoint.features_attribute is None:
            row = loads(request.text)
            values = [row.get(name, row) for name in names]
            if are_texts(values):
                return values
        rows = request_rows(read_payload(request), config)
        return features_of(rows[0], config) if len(rows) == 1 else None
    except (ValueError, RecursionError, UnreadableRecordError):
        return None


def _csv_rows(data: Any, text: Any, number: Any, chosen: Bools, config: ModelConfig) -> list[Any]:
    """`features..., prediction, probabilities...` of the chosen records, which are rows of CSV."""
    text, number = text.filter(pa.array(chosen)), number.filter(pa.array(chosen))
    beside = range(1, len(config.answer_columns))
    # An answer that is one number has no more values.
    listed = pc.if_else(pc.is_valid(number), None, text)
    parts, first = pc.split_pattern(listed, ","), _place(config) or 0
    answers = [pc.coalesce(number, pc.list_element(parts, first)), *(pc.list_element(parts, first + n) for n in beside)]
    return [*_csv_columns(data, config), *answers]


def _no_list_of_classes(answer: Any, config: ModelConfig) -> list[Any]:
    """That an answer is no list of every class's probability, where no field says which of a list's values is the answer."""
    described = config.prediction.field is not None or config.endpoint.answer_places != (None, None)
    if described or config.problem == "regression":
        return []
    return [pc.not_equal(pc.count_substring(answer, ","), len(config.labels.classes) - 1)]


def _names(names: Sequence[str]) -> str:
    """What begins with the name of a column, as header lines do."""
    return rf"^\s*(?:{'|'.join(map(re.escape, names))})\s*(?:,|$)"


class _Side(NamedTuple):
    """One side of many records: its text, null where it is none or zipped; content type and encoding; and what these say."""

    text: Any
    header: Any
    said: NDArray[np.object_]

    @property
    def may_be_csv(self) -> Any:
        """Whether nothing says that it is JSON."""
        return pa.array(_of_each(self.header, _may_be_csv), pa.bool_())

    @property
    def is_said_csv(self) -> Any:
        """Whether its header says that it is CSV."""
        return pa.array(self.said == "CSV")


def _side(side: Any) -> _Side:
    data, encoding, kind = (pc.struct_field(side, name) for name in ("data", "encoding", "observedContentType"))
    data = pc.if_else(pc.is_in(encoding, pa.array(["CSV", "JSON", "BASE64"])), data, None)
    in_base64 = pc.fill_null(pc.equal(encoding, "BASE64"), False)
    if pc.any(in_base64).as_py():
        data = pc.replace_with_mask(data, in_base64, pa.array(map(_decoded, data.filter(in_base64)), pa.string()))
    header = pc.binary_join_element_wise(pc.fill_null(kind, ""), pc.fill_null(encoding, ""), _BETWEEN)
    return _Side(pc.utf8_rtrim(data, "\n"), header, _of_each(header, _said))


def _said(header: str) -> Said | None:
    kind, _, encoding = header.rpartition(_BETWEEN)
    return said_by_header(kind, encoding)


def _may_be_csv(header: str) -> bool:
    kind, _, encoding = header.rpartition(_BETWEEN)
    return encoding in ("CSV", "BASE64") and "json" not in kind.partition(";")[0].lower()


def _decoded(data: Any) -> str | None:
    text = data.as_py() or ""
    if text.startswith(GZIP_MARK):
        # A thousand times as long once unzipped, perhaps: it is read by itself.
        return None
    try:
        return decoded_text(text, INPUT)
    except UnreadableRecordError:
        return None


def _csv_columns(data: Any, config: ModelConfig) -> list[Any]:
    names = [str(i) for i in range(len(config.features))]
    if not len(data):
        return [pa.array([], pa.string()) for _ in names]
    content = "\n".join(data.to_pylist()).encode()
    table = pa.csv.read_csv(
        pa.BufferReader(content),
        pa.csv.ReadOptions(column_names=names, use_threads=False, block_size=len(content) + 1),
        pa.csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
        pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
    )
    if table.num_rows != len(data):
        raise pa.ArrowInvalid("rows were lost")
    return [column.combine_chunks() for column in table.columns]
