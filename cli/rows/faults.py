"""Why a file cannot be read as rows, in words that say what to do about it."""

from __future__ import annotations

import re

from cli.rows.formats import LINE_BYTES, LongValueError
from cli.rows.json_lines import BrokenLineError
from cli.rows.sources import NO_COLUMNS, RowSource

PARQUET_MAGIC, ENCRYPTED_MAGIC = b"PAR1", b"PARE"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_GZIP = b"\x1f\x8b"
_CUT_GZIP = re.compile("zlib|[Tt]runcated|inflate")
_SNIFFED_BYTES = 4096
_CSV_COLUMN = re.compile(r"CSV column #(\d+)")


def fault_of(source: RowSource, error: Exception, columns: list[str], *, is_parquet: bool) -> str:
    """Say what is wrong with a file that Arrow refused with this error.

    `columns` are the file's, or none where not even those can be read.
    """
    with source.open() as opened:
        start = bytes(opened.read(_SNIFFED_BYTES))
    if not start:
        return NO_COLUMNS
    if isinstance(error, LongValueError):
        return str(error)
    if is_parquet:
        return _parquet_fault(start, error)
    if start.startswith(PARQUET_MAGIC):
        return "this is Parquet under another name; rename it to .parquet"
    if source.name.lower().endswith(".gz"):
        return _gzip_fault(start, error) or _text_fault(error, columns)
    if start.startswith(_UTF16) or b"\0" in start:
        return "this is not text in UTF-8 (perhaps UTF-16, or not text at all); save it in UTF-8"
    return _text_fault(error, columns)


def _gzip_fault(start: bytes, error: Exception) -> str:
    """What is wrong with the compression; empty if it is in order."""
    if not start.startswith(_GZIP):
        return "this is not compressed; take .gz off its name"
    if _CUT_GZIP.search(str(error)):
        return f"the compressed file is cut short or damaged; copy or write it again ({first_line(error)})"
    return ""


def _text_fault(error: Exception, columns: list[str]) -> str:
    words = first_line(error)
    if isinstance(error, BrokenLineError):
        return words
    if isinstance(error, UnicodeDecodeError) or "invalid UTF8" in words:
        found = _CSV_COLUMN.search(words)
        number = int(found[1]) if found else len(columns)
        place = f"column {columns[number]!r}" if number < len(columns) else "its header"
        return f"{place} holds bytes that are not UTF-8; save it in UTF-8 (`iconv -f latin1 -t utf-8`)"
    if "straddl" in words or "Empty CSV file or block" in words:
        return f"a line has more than {LINE_BYTES:,} bytes, too many for a row; is a quote opened and never closed?"
    if "Expected" in words:
        return f"{words}: its lines have different numbers of values; quote values that hold commas or line ends"
    return words


def _parquet_fault(start: bytes, error: Exception) -> str:
    if start.startswith(ENCRYPTED_MAGIC) or "encrypt" in first_line(error):
        return "the Parquet file is encrypted; write it without Parquet's own encryption"
    if start.startswith(PARQUET_MAGIC):
        return f"the Parquet file is cut short or damaged; copy or write it again ({first_line(error)})"
    return "this is not Parquet; give it the right ending (.csv), or write it again"


def first_line(error: Exception) -> str:
    """An error's first line, without what made it."""
    text = str(error)
    return text.splitlines()[0].strip("'\" ") if text else type(error).__name__
