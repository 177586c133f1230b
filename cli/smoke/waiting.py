"""How the smoke waits: on AWS time passes by itself; an offline account's clock is moved forward."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from typing import TypeVar

from cli.refusals import BadInputError

Found = TypeVar("Found")
PAUSE_SECONDS = 20.0


class SmokeWaiting:
    """Pauses, and counts how long the account has been waited for."""

    def __init__(self, clock: str | None = None) -> None:
        if clock is not None and not clock.startswith("http://"):
            raise BadInputError(f"--clock is {clock!r}: `kedge account serve` prints the address of its clock")
        self._clock, self._began, self._moved = clock, time.monotonic(), 0.0

    @property
    def elapsed_seconds(self) -> float:
        """How much of the account's time has passed since the start."""
        return time.monotonic() - self._began + self._moved

    def pause(self, seconds: float) -> None:
        """Let some of the account's time pass."""
        if self._clock is None:
            time.sleep(seconds)
            return
        body = json.dumps({"advance_seconds": seconds}).encode()
        with urllib.request.urlopen(self._clock, body) as answer:  # noqa: S310  # checked above: http
            answer.read()
        self._moved += seconds

    def until(
        self, condition: Callable[[], Found | None], *, minutes: float, pause_seconds: float = PAUSE_SECONDS
    ) -> Found | None:
        """The first true answer of the condition; its last answer where time is up."""
        waited = 0.0
        while not (found := condition()) and waited < minutes * 60:
            self.pause(pause_seconds)
            waited += pause_seconds
        return found
