"""A window that has other columns than its baseline, where no YAML says which of them are meant."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cli.row_files import RowFiles, UnreadableFileError
from cli.schema_notes import changed_kinds, extra_columns

_REMEDY = "or name the columns to watch in a YAML (--config; `kedge init` writes one)"
# What pandas writes beside the columns, depending on what was filtered.
_INDEX = re.compile(r"^__index_level_\d+__$|^Unnamed: 0$")


def refuse_another_schema(before: RowFiles, now: RowFiles, compared: Iterable[str]) -> None:
    """End the check with a sentence where the window has a column more, or values of another type."""
    extra = [name for name in extra_columns(before, now) if not _INDEX.search(name)]
    if extra:
        reason = f"column {', '.join(map(repr, extra))} is not in {before.path}; take it out, renew the baseline with it, {_REMEDY}"
        raise UnreadableFileError(path=now.path, reason=reason)
    for name, was, found in changed_kinds(before, now, compared):
        reason = f"column {name!r} holds {found} where {before.path} holds {was}; mend what writes it, renew the baseline, {_REMEDY}"
        raise UnreadableFileError(path=now.path, reason=reason)
