"""The Amazon States Language where moto reads or writes it otherwise than the service, or slowly.

In the service a payload's `RoleArn.$` is a path like any other, the context object's times are ISO 8601 in milliseconds
with a Z, and a Choice compares times with and without a fraction of a second. Imitated: these. A definition and a path are
parsed once: neither holds an execution's state; and a state's data, which is JSON, is copied as such.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.common.payload.payloadvalue.payloadbinding.payload_binding import (
    PayloadBindingStringExpressionSimple,
    PayloadBindingValue,
)
from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringContextPath, StringJsonPath
from moto.stepfunctions.parser.asl.component.state import state as state_module
from moto.stepfunctions.parser.asl.component.state.choice.comparison.operator.implementations.is_operator import (
    IsTimestamp,
)
from moto.stepfunctions.parser.asl.eval import states
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
from moto.stepfunctions.parser.asl.utils import json_path
from moto.stepfunctions.parser.backend.execution import Execution

from offline.region import Region

_parse_definition = lru_cache(maxsize=64)(AmazonStateLanguageParser.parse)  # seconds each, for all accounts
_parse_path = lru_cache(maxsize=4096)(json_path.parse)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def install(region: Region) -> None:
    """Have moto read and write the language as the service does."""
    bind, details, state_data = (
        Preprocessor.visitPayload_binding_value,
        Execution.get_start_execution_details,
        state_module.StateData,
    )

    def binding(preprocessor: Any, ctx: Any) -> Any:
        return path_binding(bind(preprocessor, ctx))

    def entered(EnteredTime: str, Name: str) -> Any:  # noqa: N803  # the names of the context object
        return state_data(EnteredTime=iso_8601(datetime.fromisoformat(EnteredTime)), Name=Name)

    def started(execution: Any) -> Any:
        made = details(execution)
        made.start_time = iso_8601(execution.start_date)
        return made

    region.patch(Preprocessor, "visitPayload_binding_value", binding)
    region.patch(state_module, "StateData", entered)
    region.patch(Execution, "get_start_execution_details", started)
    region.patch(IsTimestamp, "string_to_timestamp", staticmethod(_moment))
    region.patch(AmazonStateLanguageParser, "parse", staticmethod(_parse_definition))
    region.patch(json_path, "parse", _parse_path)
    for module in (states, result_path):
        region.patch(module, "copy", SimpleNamespace(deepcopy=json_copy))


def path_binding(bound: PayloadBindingValue) -> Any:
    """Return a binding whose field ends in `.$` as the path that it is; to moto's lexer `RoleArn.$` is a keyword."""
    value = getattr(bound.payload_value, "val", None)
    if not bound.field.endswith(".$") or not isinstance(value, str):
        return bound
    path = StringContextPath(value) if value.startswith("$$") else StringJsonPath(value)
    return PayloadBindingStringExpressionSimple(field=bound.field[:-2], string_expression_simple=path)


def json_copy(value: Any) -> Any:
    """Return a copy of JSON data: some ten times as fast as deepcopy, which interpreters of JSON call all the time."""
    if isinstance(value, dict):
        return {key: json_copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_copy(item) for item in value]
    return value


def iso_8601(when: datetime) -> str:
    """Write a UTC time as the context object does.

    >>> iso_8601(datetime(2016, 1, 4, 2))
    '2016-01-04T02:00:00.000Z'
    """
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"
