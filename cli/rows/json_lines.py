"""JSON lines as batches of rows: Arrow reads whole stretches of lines, Python those whose values change their type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

# A line longer than a block is not read.
BLOCK_BYTES = 8 * 1024 * 1024
# Arrow makes a type of each level and dies of some ten thousands; a line with fewer brackets cannot be as deep.
BRACKETS_MAX = 1000


class BrokenLineError(ValueError):
    """A line is not a JSON object."""


def json_batches(stream: Any) -> Iterator[pa.RecordBatch]:
    """Batches of some megabytes of lines, each with the columns and types that its own lines have."""
    for block, line in _blocks(stream):
        block = block.removeprefix(b"\xef\xbb\xbf") if line == 1 else block
        _require_utf8(block, line)
        for batch in _parsed(block, line):
            if batch.num_rows:
                yield batch


def _blocks(stream: Any) -> Iterator[tuple[bytes, int]]:
    """Stretches of whole lines, each with the number of its first."""
    rest, line = b"", 1
    while read := bytes(stream.read(BLOCK_BYTES)):
        whole, newline, rest = (rest + read).rpartition(b"\n")
        if newline:
            yield whole + newline, line
            line += whole.count(b"\n") + 1
        if len(rest) > BLOCK_BYTES:
            raise BrokenLineError(
                f"line {line} has more than {BLOCK_BYTES:,} bytes, too many for a row; write one row per line"
            )
    if rest.strip():
        yield rest + b"\n", line


def _require_utf8(block: bytes, first_line: int) -> None:
    """Arrow takes any bytes for text."""
    try:
        block.decode("utf-8")
    except UnicodeDecodeError as error:
        number = first_line + block.count(b"\n", 0, error.start)
        reason = f"line {number} holds bytes that are not UTF-8; save it in UTF-8 (`iconv -f latin1 -t utf-8`)"
        raise BrokenLineError(reason) from error


def _parsed(block: bytes, first_line: int) -> list[pa.RecordBatch]:
    from pyarrow import json as arrow_json

    options = arrow_json.ReadOptions(use_threads=False, block_size=max(len(block), 1))
    try:
        if _may_be_deep(block):
            raise pa.ArrowInvalid("nested too deep")
        table = arrow_json.read_json(pa.BufferReader(block), read_options=options)
    except pa.ArrowInvalid:
        table = pa.table(_as_text(block, first_line))
    batches: list[pa.RecordBatch] = table.to_batches()
    return batches


def _may_be_deep(block: bytes) -> bool:
    """Whether a line has more brackets than Arrow may be given; of flat rows it is known without looking at each."""
    brackets = block.count(b"{") + block.count(b"[") - block.count(b"\n")
    if brackets <= BRACKETS_MAX:
        return False
    return any(line.count(b"{") + line.count(b"[") > BRACKETS_MAX for line in block.split(b"\n"))


def _as_text(block: bytes, first_line: int) -> dict[str, pa.Array]:
    """The block's columns as text, for values that are numbers in one line and text in another."""
    rows = []
    for number, line in enumerate(block.split(b"\n"), first_line):
        if line.strip():
            rows.append(_flat(_object(line, number)))
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: pa.array([_text(row.get(name)) for row in rows], pa.string()) for name in names}


def _object(line: bytes, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise BrokenLineError(f"line {number} is not JSON, or is cut short ({error}); write it again") from error
    except RecursionError as error:
        raise BrokenLineError(f"line {number} is nested too deep; write one flat object per line") from error
    if line.count(b"{") > BRACKETS_MAX:
        raise BrokenLineError(f"line {number} is nested too deep; write one flat object a line")
    if not isinstance(row, dict):
        raise BrokenLineError(f"line {number} is not a JSON object; write one object per line")
    return row


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Values of objects by their path, as columns of Arrow's are named."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        below = _flat(value) if isinstance(value, dict) and value else None
        found |= {f"{name}.{inner}": one for inner, one in below.items()} if below else {name: value}
    return found


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
