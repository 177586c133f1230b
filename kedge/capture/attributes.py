"""What callers said beside a request: the custom attributes of captured records, for groups and never for the model."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa


def attributes_by_request(
    contents: Iterable[bytes], names: Sequence[str], wanted: Collection[str]
) -> dict[str, tuple[str | None, ...]]:
    """The named attributes of each wanted request in capture objects, by the request's inference id, else event id.

    SageMaker hands `CustomAttributes` on as one text: `name=value` pairs between commas, or a JSON object. Lines that cannot be read
    are kept aside elsewhere (`capture_records`) and say nothing here.

    Parameters
    ----------
    contents : iterable of bytes
        JSON Lines.
    names : sequence of str
    wanted : collection of str
        Requests; what others said is not kept.

    >>> line = b'{"eventMetadata": {"eventId": "e", "customAttributes": ["sex=f,plan=a=b"]}}'
    >>> attributes_by_request([line], ["sex", "plan", "age"], {"e"})
    {'e': ('f', 'a=b', None)}
    """
    found = {}
    for content in contents:
        for line in content.split(b"\n"):
            # Most captures carry none at all: those are not parsed.
            if b'"customAttributes"' in line:
                found.update({name: said for name, said in _of_line(line, names).items() if name in wanted})
    return found


def requests_of(row_ids: Iterable[str]) -> set[str]:
    """The requests that rows may have come with: each by itself, or one of several (`id/0`, `id/1`, ...).

    >>> sorted(requests_of(["e/0", "e/1"]))
    ['e', 'e/0', 'e/1']
    """
    return {name for row in row_ids for name in (row, row.rpartition("/")[0]) if name}


def values_of_rows(
    row_ids: Sequence[str], requests: Mapping[str, tuple[str | None, ...]], names: Sequence[str]
) -> dict[str, Any]:
    """Each row's attributes; of a request with several rows (`id/0`, `id/1`, ...) all have the request's.

    >>> values_of_rows(["e/0", "x"], {"e": ("f",)}, ["sex"])["sex"].to_pylist()
    ['f', None]
    """
    none = (None,) * len(names)
    rows = [requests.get(row) or requests.get(row.rpartition("/")[0]) or none for row in row_ids]
    return {name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(names)}


# A longer value names no group.
CONTEXT_CHARACTERS_MAX = 256


def context_values(said: Mapping[str, Any], names: Sequence[str]) -> list[str | None]:
    """The values of the YAML's context, as text; what is no single value, or too long to name a group, is none.

    >>> context_values({"region": "north", "age": 3, "tags": ["a"]}, ["region", "age", "tags", "plan"])
    ['north', '3', None, None]
    """
    return [_as_group(said.get(name)) for name in names]


def _as_group(value: Any) -> str | None:
    if value is None or isinstance(value, list | dict):
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    return text if 0 < len(text) <= CONTEXT_CHARACTERS_MAX else None


def attributes_of(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The custom attributes of a record's `eventMetadata`; none where they cannot be read."""
    try:
        return parse_attributes(metadata.get("customAttributes"))
    except (ValueError, AttributeError, RecursionError):
        return {}


def _of_line(line: bytes, names: Sequence[str]) -> dict[str, tuple[str | None, ...]]:
    try:
        metadata = json.loads(line)["eventMetadata"]
        said = parse_attributes(metadata["customAttributes"])
        request = metadata.get("inferenceId") or metadata["eventId"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return {str(request): tuple(said.get(name) for name in names)}


def parse_attributes(said: Any) -> dict[str, str]:
    """Custom attributes as names and values.

    >>> parse_attributes(['{"sex": "f", "age": 3}']), parse_attributes("sex = f; trace")
    ({'sex': 'f', 'age': '3'}, {'sex': 'f'})
    """
    texts = said if isinstance(said, list) else [said]
    found: dict[str, str] = {}
    for text in texts:
        if not isinstance(text, str):
            continue
        if text.lstrip().startswith("{"):
            found |= {name: str(value) for name, value in json.loads(text).items() if value is not None}
        else:
            pairs = (part.partition("=") for part in text.replace(";", ",").split(","))
            found |= {name.strip(): value.strip() for name, equals, value in pairs if equals}
    return found
