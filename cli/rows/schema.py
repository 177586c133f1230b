"""What differs between the columns of two sides of rows, in sentences that say what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from cli.rows.files import RowFiles, UnreadableFileError
from cli.rows.inferred_schema import value_type
from kedge.columns.casting import is_number
from kedge.errors import ColumnAbsentError

_REMEDY = "or name the columns to watch in a YAML (--config; `kedge init` writes one)"
# What pandas writes beside the columns, depending on what was filtered.
_INDEX = re.compile(r"^__index_level_\d+__$|^Unnamed: 0$")


def require_columns(names: Iterable[str], *sides: RowFiles) -> None:
    """Every side has each of these columns, and each of its rows has one value in it."""
    for name in names:
        for side in sides:
            if name not in side.schema.names:
                absent = ColumnAbsentError(column=name, found=side.schema.names)
                raise UnreadableFileError(
                    path=side.path, reason=f"{absent}; write it there, or take it out of the others"
                )
            kind = value_type(side.schema.field(name))
            if pa.types.is_nested(kind) or pa.types.is_binary(kind):
                reason = f"column {name!r} holds values of type {kind}; write one number or text a row, or leave it out"
                raise UnreadableFileError(path=side.path, reason=reason)


def schema_notes(before: RowFiles, now: RowFiles, compared: Iterable[str]) -> list[str]:
    """Columns that only the window has, and compared ones whose values are of another kind than the baseline's."""
    extra = extra_columns(before, now)
    notes = [_extra(before, now, extra)] if extra else []
    return notes + [
        f"{now.path}: column {name!r} holds {found}, but {before.path} holds {was}; "
        "what cannot be read as such counts as a type error: correct the program that writes it, or renew the baseline"
        for name, was, found in changed_kinds(before, now, compared)
    ]


def extra_columns(before: RowFiles, now: RowFiles) -> list[str]:
    """Columns that only the window has."""
    return sorted({*now.schema.names} - {*before.schema.names})


def changed_kinds(before: RowFiles, now: RowFiles, compared: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Columns whose values are of another kind than the baseline's: their name, what they were, and what they are."""
    for name in compared:
        was, found = (_family(side, name) for side in (before, now))
        if was is not None and found is not None and was != found:
            yield name, was, found


def _extra(before: RowFiles, now: RowFiles, names: list[str]) -> str:
    return (
        f"{now.path}: {_columns_are(names)} not judged: {before.path} has no such column; "
        "take it out, or renew the baseline with it"
    )


def _columns_are(names: list[str]) -> str:
    return f"column {names[0]!r} is" if len(names) == 1 else f"columns {', '.join(map(repr, names))} are"


def _family(side: RowFiles, name: str) -> str | None:
    """Numbers, booleans, times or text; None where the file does not say, because all of it is text or nothing."""
    kind: Any = value_type(side.schema.field(name))
    if pa.types.is_null(kind) or side.untyped:
        return None
    if pa.types.is_boolean(kind):
        return "booleans"
    if is_number(kind):
        return "numbers"
    return "times" if pa.types.is_temporal(kind) else "text"


def refuse_another_schema(before: RowFiles, now: RowFiles, compared: Iterable[str]) -> None:
    """End the check with a sentence where the window has a column more, or values of another type."""
    extra = [name for name in extra_columns(before, now) if not _INDEX.search(name)]
    if extra:
        reason = f"{_columns_are(extra)} not in {before.path}; take it out, renew the baseline with it, {_REMEDY}"
        raise UnreadableFileError(path=now.path, reason=reason)
    for name, was, found in changed_kinds(before, now, compared):
        reason = (
            f"column {name!r} holds {found}, but {before.path} holds {was}; correct the program that writes it, "
            f"renew the baseline, {_REMEDY}"
        )
        raise UnreadableFileError(path=now.path, reason=reason)
