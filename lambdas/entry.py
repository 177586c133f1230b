"""The one way into a function: its log line, its trace, and the answer to whoever asks whether it can be imported."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from lambdas.logs import logger, tracer
from lambdas.steps.requests import IMPORTED

# A widget of a dashboard answers with HTML.
Answer = dict[str, Any] | str
Handler = Callable[[dict[str, Any], Any], Answer]


def entry(handler: Handler) -> Handler:
    """Log and trace each invocation, and answer an empty event without calling the handler."""

    @logger.inject_lambda_context
    # An answer may hold what must not be kept beside a trace, such as the environment of a container that a person made.
    @tracer.capture_lambda_handler(capture_response=False)
    @wraps(handler)
    def enter(event: dict[str, Any], context: Any) -> Answer:
        return handler(event, context) if event else dict(IMPORTED)

    entered: Handler = enter
    return entered
