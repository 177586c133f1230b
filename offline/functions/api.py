"""Lambda's Invoke and GetFunctionConfiguration in moto: synchronous, asynchronous and dry invocations run handlers."""

from __future__ import annotations

import json
from typing import Any

from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.awslambda_simple.models import LambdaSimpleBackend

from offline.functions.errors import FunctionError
from offline.functions.events import FunctionEvents
from offline.functions.runtime import Functions
from offline.region import Region


def install(region: Region, functions: Functions, events: FunctionEvents) -> None:
    """Have moto's Lambda run handlers."""

    def answer(backend: Any, name: str, _qualifier: Any, body: Any, headers: Any, response_headers: Any) -> bytes:
        function, kind = functions.find(name), headers.get("X-Amz-Invocation-Type", "RequestResponse")
        payload = body if isinstance(body, bytes) else (body or "{}").encode()
        if kind == "DryRun":
            return b""
        if kind == "Event":
            events.invoke_later(name, json.loads(payload))
            return b""
        try:
            return functions.run(function, payload)
        except FunctionError as error:
            response_headers["x-amz-function-error"] = "Unhandled"
            return json.dumps(error.payload).encode()

    configuration = LambdaFunction.get_configuration

    def get_configuration(function: LambdaFunction, on_create: bool = False) -> dict[str, Any]:
        group = functions.log_group(function.function_name)
        return configuration(function, on_create) | {"LoggingConfig": {"LogFormat": "Text", "LogGroup": group}}

    region.patch(LambdaFunction, "get_configuration", get_configuration)
    region.patch(LambdaBackend, "invoke", answer)
    region.patch(LambdaSimpleBackend, "invoke", answer)
