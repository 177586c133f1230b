"""Parts of a payload that the YAML addresses as Model Monitor does: by JMESPath."""

from __future__ import annotations

from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from kedge.capture.formats import Payload
from kedge.errors import UnreadableRecordError


def found_at(path: str, payload: Payload, field: str, side: str) -> list[Any]:
    """What a path finds in each document of a payload.

    >>> found_at("instances[*].age", Payload([{"instances": [{"age": "41"}]}], "JSON", guessed=False), "f", "endpointInput")
    [['41']]

    Parameters
    ----------
    field : str
        The YAML's field that holds the path, for the reason.

    Raises
    ------
    UnreadableRecordError
    """
    if payload.kind == "CSV":
        raise UnreadableRecordError(reason=f"{side} is CSV, in which {field} finds nothing: it is a path into JSON")
    try:
        found = [jmespath.search(path, document) for document in payload.documents]
    except (JMESPathError, RecursionError) as error:
        # The library's own words would quote the value.
        raise UnreadableRecordError(reason=f"{side} does not fit {field} ({type(error).__name__})") from error
    if any(one is None for one in found):
        raise UnreadableRecordError(reason=f"{side} has nothing where {field} says")
    return found
