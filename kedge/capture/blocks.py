"""Many plain records at once: one row in CSV, one answer in CSV, in BASE64 or not, read by Arrow in one go."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
from numpy.typing import NDArray

from kedge.capture.texts import ANSWER, GZIP_MARK, INPUT, decoded_text
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


def plain_rows(lines: Sequence[bytes], config: ModelConfig) -> tuple[NDArray[np.bool_], list[Any]] | None:
    """Read the plain records among these lines, or None where one of them is not even JSON of the usual types.

    Returns
    -------
    tuple of ndarray of bool, shape (n_lines,), and list of Array
        Which lines are read, and `row_id, event_id, time, features..., prediction, probabilities..., context...` of those.
    """
    field = _place(config)
    if field is None:
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
        return _read(table, field, config, alone)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None


def _place(config: ModelConfig) -> int | None:
    """Where the answer stands in a line of CSV; None where the YAML says that rows or answers are not plain."""
    described = config.endpoint
    if config.capture.mode != "InputAndOutput":
        return None
    if described.features_attribute or described.has_answer_path or described.header or described.excluded_places:
        return None
    by_places = described.answer_places != (None, None)
    if isinstance(config.prediction.field, str) or (by_places and config.prediction.probabilities):
        return None
    return config.answer_place


def _read(
    table: pa.Table, field: int, config: ModelConfig, alone: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], list[Any]]:
    capture, metadata = table.column(0).combine_chunks(), table.column(1).combine_chunks()
    (data, data_said), (answer, answer_said) = (_text(pc.struct_field(capture, name)) for name in (INPUT, ANSWER))
    event = pc.struct_field(metadata, "eventId")
    plain = pc.equal(pc.count_substring(data, ","), len(config.features) - 1)
    for condition in (
        pc.or_(data_said, pc.invert(pc.match_substring_regex(data, _LIBSVM))),
        pc.or_(answer_said, pc.match_substring_regex(answer, _NUMBERS)),
        pc.greater_equal(pc.count_substring(answer, ","), field + len(config.prediction.probabilities)),
        pc.invert(pc.match_substring_regex(data, _ODD)),
        pc.invert(pc.match_substring_regex(answer, _ODD)),
        pc.invert(pc.match_substring_regex(answer, _NO_ANSWER)),
        *_no_list_of_classes(answer, config),
        # A header line that came alone is no row.
        pc.invert(pc.match_substring_regex(data, _names(config.feature_names))),
        pc.greater(pc.utf8_length(data), 0),
        pc.greater(pc.utf8_length(answer), 0),
        pc.greater(pc.utf8_length(event), 0),
        pc.is_valid(pc.struct_field(metadata, "inferenceTime")),
        pc.not_equal(pc.fill_null(pc.struct_field(metadata, "inferenceId"), "-"), ""),
    ):
        plain = pc.and_(plain, condition)
    plain = pc.and_(pc.fill_null(plain, False), pa.array(~alone))
    data, answer, metadata = data.filter(plain), answer.filter(plain), metadata.filter(plain)
    event, name, moment = (pc.struct_field(metadata, part) for part in ("eventId", "inferenceId", "inferenceTime"))
    row_id = pc.coalesce(name, event)
    # A time that Arrow cannot read makes the whole block be read record by record.
    time = moment.cast(pa.timestamp("us", "UTC"))
    parts = pc.split_pattern(answer, ",")
    answers = [pc.list_element(parts, field + place) for place in range(len(config.answer_columns))]
    context = [pa.nulls(len(data), pa.string()) for _ in config.context]
    return plain.to_numpy(zero_copy_only=False), [row_id, event, time, *_csv_columns(data, config), *answers, *context]


def _no_list_of_classes(answer: Any, config: ModelConfig) -> list[Any]:
    """That an answer is no list of every class's probability, where no field says which of a list's values is the answer."""
    described = config.prediction.field is not None or config.endpoint.answer_places != (None, None)
    if described or config.problem == "regression":
        return []
    return [pc.not_equal(pc.count_substring(answer, ","), len(config.labels.classes) - 1)]


def _names(names: Sequence[str]) -> str:
    """What begins with the name of a column, as header lines do."""
    return rf"^\s*(?:{'|'.join(map(re.escape, names))})\s*(?:,|$)"


def _text(side: Any) -> tuple[Any, Any]:
    """The text of one side, null where it is not plain, and whether its header says that it is CSV."""
    data, encoding, kind = (pc.struct_field(side, name) for name in ("data", "encoding", "observedContentType"))
    kind = pc.list_element(pc.split_pattern(pc.fill_null(kind, ""), ";", max_splits=1), 0)
    by_json = pc.match_substring(kind, "json", ignore_case=True)
    mine = pc.and_not(pc.fill_null(pc.is_in(encoding, pa.array(["CSV", "BASE64"])), False), by_json)
    data = pc.if_else(mine, data, None)
    in_base64 = pc.fill_null(pc.equal(encoding, "BASE64"), False)
    if pc.any(in_base64).as_py():
        data = pc.replace_with_mask(data, in_base64, pa.array(map(_decoded, data.filter(in_base64)), pa.string()))
    bare = pc.and_not(pc.equal(pc.utf8_trim_whitespace(kind), ""), in_base64)
    said = pc.or_(pc.match_substring(kind, "csv", ignore_case=True), bare)
    return pc.utf8_rtrim(data, "\n"), said


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
