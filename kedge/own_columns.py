"""Kedge's own columns, with names that no column of a model can have. Only this module names them, and it reads their earlier names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

# Every name begins with this. A YAML with such a column is refused.
PREFIX = "kedge_"
# For an answered row: the caller's id, the request's id, the time of the answer, and the hour of its capture file.
ROW_ID, EVENT_ID, TIME, HOUR = "kedge_row_id", "kedge_event_id", "kedge_time", "kedge_hour"
# For a row of an endpoint with several production variants: the one that answered.
VARIANT = "kedge_variant"
# For a label: when it was collected, its file, and the beginning of each extra field's name. The truth itself keeps the one
# name that training scripts and first rows use.
LABEL, COLLECTED, SOURCE, FIELD = "label", "kedge_collected", "kedge_source", "kedge_field_"
# The beginning of the champion's features, if rows have two schemas side by side.
OF_CHAMPION = "kedge_champion_"
# For the user's first rows: when the label was known.
LABEL_TIME = "kedge_label_time"
# The users' names in the first rows.
_IN_FIRST_ROWS = {ROW_ID: ("id", "row_id"), TIME: ("timestamp", "time"), LABEL_TIME: ("label_time",)}
# Earlier names of these columns; a table with them has no `kedge_row_id`.
_BEFORE = {ROW_ID: "row_id", EVENT_ID: "event_id", TIME: "time", COLLECTED: "collected", SOURCE: "source"}


def is_own(name: str) -> bool:
    """Whether only Kedge may use this name, in upper or lower case: Athena does not tell them apart.

    >>> is_own("Label"), is_own("kedge_hour"), is_own("hour")
    (True, True, False)
    """
    return name.lower() == LABEL or name.lower().startswith(PREFIX)


def name_before(name: str) -> str | None:
    """The earlier name of one of our columns; None for a column of the model.

    >>> name_before("kedge_time"), name_before("kedge_field_refund"), name_before("time")
    ('time', 'field_refund', None)
    """
    if name.startswith(FIELD):
        return "field_" + name.removeprefix(FIELD)
    return _BEFORE.get(name)


def names_in_file(wanted: Iterable[str], in_file: Sequence[str]) -> dict[str, str]:
    """The name of each wanted column in a part of the predictions table; a column that the file lacks is left out.

    >>> names_in_file(["kedge_time", "time"], ["kedge_row_id", "kedge_time", "time"])
    {'kedge_time': 'kedge_time', 'time': 'time'}
    >>> names_in_file(["kedge_time", "time", "x"], ["row_id", "time", "x"])
    {'kedge_time': 'time', 'x': 'x'}
    """
    stored = {name: theirs for theirs, name in zip(in_file, rows_named_now(in_file), strict=True)}
    return {name: stored[name] for name in wanted if name in stored}


def rows_named_now(in_file: Iterable[str]) -> list[str]:
    """The columns of a stored table of rows under our present names; all other columns keep their names.

    >>> rows_named_now(["row_id", "time", "source"])
    ['kedge_row_id', 'kedge_time', 'source']
    """
    return _named_now([*in_file], (ROW_ID, EVENT_ID, TIME))


def labels_named_now(in_file: Iterable[str]) -> list[str]:
    """The columns of a stored table of labels under our present names.

    >>> labels_named_now(["row_id", "label", "collected", "field_refund"])
    ['kedge_row_id', 'label', 'kedge_collected', 'kedge_field_refund']
    """
    names = _named_now([*in_file], (ROW_ID, COLLECTED, SOURCE))
    return [FIELD + name.removeprefix("field_") if name.startswith("field_") else name for name in names]


def _named_now(in_file: list[str], ours: tuple[str, ...]) -> list[str]:
    if ROW_ID in in_file:
        return in_file
    now = {_BEFORE[name]: name for name in ours}
    return [now.get(name, name) for name in in_file]


def first_rows_names(in_file: Sequence[str], features: Iterable[str]) -> list[str]:
    """The columns of the user's first rows under our names; a feature keeps its own.

    >>> first_rows_names(["id", "timestamp", "time", "label"], ["time"])
    ['kedge_row_id', 'kedge_time', 'time', 'label']
    """
    found = {theirs: ours for ours in _IN_FIRST_ROWS if (theirs := name_in_first_rows(ours, in_file, features)) != ours}
    return [found.get(name, name) for name in in_file]


def name_in_first_rows(ours: str, in_file: Sequence[str], features: Iterable[str]) -> str:
    """The users' name for one of our columns in a file of first rows; our own name if each of theirs is a feature.

    >>> name_in_first_rows("kedge_time", [], ["time"]), name_in_first_rows("kedge_time", [], ["time", "timestamp"])
    ('timestamp', 'kedge_time')
    """
    taken = {*features}
    free = [name for name in _IN_FIRST_ROWS.get(ours, ()) if name not in taken]
    if ours in in_file or not free:
        return ours
    return next((name for name in free if name in in_file), free[0])
