"""InputFilter of a transform job: the small JSONPath that says which part of a record the model was given."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from kedge.errors import UnreadableTransformError

_STEP = re.compile(r"\.(\w+)|\[([^\]]+)\]")
_NUMBER, _SLICE = re.compile(r"-?\d+"), re.compile(r"(-?\d*):(-?\d*)")
Filter = Callable[[Any], Any]


def read_filter(path: str, name: str) -> Filter:
    """Read a path over the columns of a CSV line, or the fields of a JSON record.

    >>> read_filter("$[1:]", "InputFilter")(["id", "41", "gold"])
    ['41', 'gold']
    >>> read_filter("$['age','plan']", "InputFilter")({"id": 7, "age": 41, "plan": "gold"})
    {'age': 41, 'plan': 'gold'}

    Raises
    ------
    UnreadableTransformError
        The path is none that Kedge knows.
    """
    steps, place = list[Filter](), 1
    while place < len(path):
        found = _STEP.match(path, place) if path.startswith("$") else None
        step = _step(found) if found else None
        if found is None or step is None:
            raise UnreadableTransformError(reason=f"{name} is {path}, which Kedge cannot follow")
        steps.append(step)
        place = found.end()
    return lambda record: _follow(steps, record, name)


def _follow(steps: Sequence[Filter], record: Any, name: str) -> Any:
    try:
        for step in steps:
            record = step(record)
    except (LookupError, TypeError) as error:
        raise UnreadableTransformError(reason=f"{name} finds nothing in a record of the input") from error
    return record


def _step(found: re.Match[str]) -> Filter | None:
    if found[1]:
        return _field(found[1])
    parts = [part.strip() for part in found[2].split(",")]
    names = [part[1:-1] for part in parts if len(part) > 1 and part[0] in "'\"" and part[-1] == part[0]]
    if len(names) == len(parts):
        return _field(names[0]) if len(names) == 1 else lambda record: {name: record[name] for name in names}
    if all(_NUMBER.fullmatch(part) for part in parts):
        places = [int(part) for part in parts]
        return lambda record: record[places[0]] if len(places) == 1 else [record[place] for place in places]
    bounds = _SLICE.fullmatch(parts[0])
    if bounds is None or len(parts) > 1:
        return None
    first, last = (int(bound) if bound.lstrip("-") else None for bound in bounds.groups())
    return lambda record: record[first:last]


def _field(name: str) -> Filter:
    return lambda record: record[name]
