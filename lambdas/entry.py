"""The one way into a function: its log line, its trace, what it does afterwards, and the answer to whoever asks whether it can be imported."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from functools import wraps
from typing import Any

from lambdas.afterwards import Waiting, collected
from lambdas.logs import logger, tracer
from lambdas.steps.requests import IMPORTED

# With less time left nothing is begun afterwards: Lambda would end the function, and try the whole of it again.
RESERVE_SECONDS = 15
# A widget of a dashboard answers with HTML.
Answer = dict[str, Any] | str
Handler = Callable[[dict[str, Any], Any], Answer]
# Lambda says where a process asks for its events; nothing else runs in such a process.
_RUNS_ALONE = "AWS_LAMBDA_RUNTIME_API" in os.environ


def entry(handler: Handler) -> Handler:
    """Log and trace each invocation, and answer an empty event without calling the handler."""
    if _RUNS_ALONE:
        # What was imported stays. To look through it again and again for garbage took two fifths of a long listing.
        gc.freeze()

    @logger.inject_lambda_context
    # An answer may hold what must not be kept beside a trace, such as the environment of a container that a person made.
    @tracer.capture_lambda_handler(capture_response=False)
    @wraps(handler)
    def enter(event: dict[str, Any], context: Any) -> Answer:
        if not event:
            return dict(IMPORTED)
        with collected() as waiting:
            try:
                return handler(event, context)
            finally:
                _do(waiting, context)

    entered: Handler = enter
    return entered


def _do(waiting: Waiting, context: Any) -> None:
    """Do what was left for afterwards; what fails is logged, and `keep_history` makes up for it at night."""
    for name, work in waiting.items():
        if context.get_remaining_time_in_millis() < RESERVE_SECONDS * 1000:
            logger.warning("no time was left afterwards", left=name)
            continue
        try:
            work()
        except Exception:
            logger.exception("failed afterwards", left=name)
