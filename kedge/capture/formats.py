"""A payload's text as documents: what JSON holds, or the rows of CSV. The content says which it is, never its header alone."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from kedge.errors import UnreadableRecordError

Said = Literal["CSV", "JSON"]
# What a page of a web server or a proxy begins with; a level such as <unknown> is none.
_MARKUP = re.compile(r"<(!doctype|!--|\?xml|html\b|[a-z][^<>]*>.*</)", re.IGNORECASE | re.DOTALL)
_LIBSVM = re.compile(r"\S+( \d+:\S+)+\s*(\n|$)")
_DELIMITERS = ",;\t|"
# Made once: `json.loads` with other ways to read numbers makes a decoder for each text.
_AS_WRITTEN = json.JSONDecoder(parse_int=str, parse_float=str)
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+([eE][+-]?\d+)?\s*")


class Payload(NamedTuple):
    """What one side holds.

    Attributes
    ----------
    documents : list
        Of JSON the document, or one a line; of CSV the rows as lists of text.
    kind : str
        "CSV" or "JSON".
    guessed : bool
        Whether only its look says so, and no header.
    """

    documents: list[Any]
    kind: Said
    guessed: bool


class Text(NamedTuple):
    """A payload before it is read: its text, what its header says, its side, and how many values a row should have, if known."""

    text: str
    said: Said | None
    side: str
    width: int | None = None

    @property
    def start(self) -> str:
        """The first character that is no blank."""
        return self.text.lstrip()[:1]


def said_by_header(content_type: Any, encoding: str) -> Said | None:
    """What both the content type and the encoding say that a payload is: CSV, JSON, or neither.

    >>> said_by_header("text/csv; charset=utf-8", "BASE64"), said_by_header("text/html", "CSV")
    ('CSV', None)
    """
    kind = str(content_type or "").partition(";")[0].strip().lower()
    named: Said | None = "JSON" if "json" in kind else "CSV" if "csv" in kind else None
    if encoding == "BASE64":
        return named
    vouched: Said = "CSV" if encoding == "CSV" else "JSON"
    return vouched if not kind or named == vouched else None


def read_payload(given: Text) -> Payload:
    """Read a text as the first of `FORMATS` that it can be.

    >>> read_payload(Text("[0.2, 0.7]", None, "endpointOutput")).documents
    [['0.2', '0.7']]
    >>> read_payload(Text("41,gold", "CSV", "endpointInput")).documents
    [['41', 'gold']]

    Raises
    ------
    UnreadableRecordError
    """
    found = next(found for read in FORMATS if (found := read(given)) is not None)
    if not found.documents:
        raise UnreadableRecordError(reason=f"{given.side} holds no row")
    return found


def _page(given: Text) -> Payload | None:
    if given.start == "<" and _MARKUP.match(given.text.lstrip()):
        raise UnreadableRecordError(reason=f"{given.side} is a page of HTML or XML, neither CSV nor JSON")
    return None


def _json(given: Text) -> Payload | None:
    # What begins so can only be JSON; a text in quotes, or one number, may be both.
    only_json = given.start in ("[", "{")
    if not (only_json or given.said == "JSON" or (given.said is None and given.start == '"')):
        return None
    try:
        documents = _documents(given.text)
    except json.JSONDecodeError as error:
        if only_json and given.said != "CSV":
            raise UnreadableRecordError(reason=f"{given.side} is not JSON: {error}") from error
        return None
    except (ValueError, RecursionError) as error:
        raise UnreadableRecordError(reason=f"{given.side} is not JSON that can be stored: {error}") from error
    if len(documents) == 1 and isinstance(documents[0], str) and documents[0].lstrip().startswith(("[", "{")):
        # Written as JSON twice, as a container does that dumps what is dumped already.
        return read_payload(given._replace(text=documents[0]))
    return Payload(documents, "JSON", guessed=given.said != "JSON")


def _libsvm(given: Text) -> Payload | None:
    if given.said != "CSV" and _LIBSVM.match(given.text):
        raise UnreadableRecordError(reason=f"{given.side} is libsvm, neither CSV nor JSON")
    return None


def _csv(given: Text) -> Payload:
    strict = given.said != "CSV"
    try:
        delimiter = _delimiter(given)
        rows = [row for row in csv.reader(io.StringIO(given.text), delimiter=delimiter, strict=strict) if row]
    except csv.Error as error:
        raise UnreadableRecordError(reason=f"{given.side} is not CSV: {error}") from error
    if delimiter != ",":
        rows = [[v.replace(",", ".") if _DECIMAL_COMMA.fullmatch(v) else v for v in row] for row in rows]
    return Payload(rows, "CSV", guessed=strict)


# Each reads a text, refuses it with its name, or leaves it (None) to the next; the last reads whatever is left.
FORMATS: tuple[Callable[[Text], Payload | None], ...] = (_page, _json, _libsvm, _csv)


def _delimiter(given: Text) -> str:
    """A comma, unless the first line has as many values as it should, or any at all, only by another sign."""
    first = given.text.lstrip().partition("\n")[0].rstrip("\r")
    fields = {sign: next(csv.reader([first], delimiter=sign)) for sign in _DELIMITERS if sign in first}
    if not fields or {*fields} == {","}:
        return ","
    # Between other signs a comma stands in a number only, as its decimal sign.
    others = [
        s
        for s in _DELIMITERS[1:]
        if s in fields and all("," not in v or _DECIMAL_COMMA.fullmatch(v) for v in fields[s])
    ]
    if given.width is None:
        return others[0] if others else ","
    return next((sign for sign in others if len(fields[sign]) == given.width), ",")


def loads(text: str) -> Any:
    """JSON whose numbers stay as they are written: they are stored as text, and Python reads no integer of 5,000 digits.

    >>> loads('[1, 2.50, "a"]')
    ['1', '2.50', 'a']
    """
    return storable(_AS_WRITTEN.decode(text), text)


def storable(found: Any, text: str) -> Any:
    """What was read, once it is sure that UTF-8 can write it: a lone surrogate could not be stored.

    >>> storable(["a"], '["a"]')
    ['a']
    """
    if "\\u" in text:
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    return found


def _documents(text: str) -> list[Any]:
    try:
        return [loads(text)]
    except json.JSONDecodeError:
        # Lines end at line feeds only: a text may hold other separators, such as U+2028.
        return [loads(line) for line in text.split("\n") if line.strip()]
