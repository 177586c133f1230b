"""What is for people to see and stops nothing: a call that AWS refuses is logged, and the work goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.logs import logger


@contextmanager
def optional(what: str, model: str) -> Iterator[None]:
    """Go on where AWS refuses: an organisation may forbid it, or a service is busy for too long."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        logger.warning("left out", what=what, model=model, reason=str(error))
