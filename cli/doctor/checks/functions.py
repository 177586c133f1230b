"""Whether each function can be imported with its layers: it is invoked with an empty event, which it answers at once.

Nothing is written, and an answered invocation is not an error. A failed one adds one to the function's errors; its alarm begins
at three within an hour.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cli.doctor.checks.installation import FUNCTION, Installation
from cli.doctor.findings import Finding, failed, ok, warning
from cli.doctor.remedies import read_log, restore
from lambdas.steps.requests import IMPORTED

AT_ONCE = 4
HANDLERS = "lambdas.handlers."


def check(installation: Installation) -> Iterator[Finding]:
    """Invoke every function of Kedge's, a few at a time: a cold start takes seconds."""
    for resource in installation.resources(FUNCTION):
        if resource.physical_id not in installation.functions:
            yield failed(resource.physical_id, f"the function {resource.logical_id} is gone", restore(resource.stack))
    ours = [name for name, each in installation.functions.items() if each["Handler"].startswith(HANDLERS)]
    client = installation.client("lambda")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for name, answer in zip(ours, pool.map(lambda name: _invoke(client, name), ours), strict=True):
            yield verdict(name, answer, handler=installation.functions[name]["Handler"])


def verdict(name: str, answer: Mapping[str, Any], *, handler: str) -> Finding:
    """The finding from the answer to an empty event."""
    if answer == IMPORTED:
        return ok(name, f"{handler.removeprefix(HANDLERS).removesuffix('.handler')} can be imported")
    kind, told = answer.get("errorType", ""), answer.get("errorMessage", answer)
    log = read_log(name, hours=1)
    if kind.startswith("Runtime."):
        return failed(
            name, f"the function cannot be imported ({kind}): {told}", f"make layers && make deploy; its log: {log}"
        )
    if kind == "ValidationError":
        return warning(
            name, "the function runs an older version of Kedge, which does not know the empty event", "make deploy"
        )
    return failed(name, f"the function did not answer an empty event: {kind} {told}".rstrip(), log)


def _invoke(client: Any, name: str) -> dict[str, Any]:
    answer = client.invoke(FunctionName=name, Payload=b"{}")
    found = json.loads(answer["Payload"].read())
    return found if isinstance(found, dict) else {"errorMessage": found}
