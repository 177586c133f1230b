"""What a channel is given: what happened, and the topics that it may publish to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lambdas.adapters.bucket.timeline import Entry


@dataclass(frozen=True)
class Topics:
    """Where alerts go."""

    people: str
    programs: str


# Sends an entry of the timeline with a client of SNS; a topic that cannot be reached raises botocore's error.
Channel = Callable[[Any, Topics, Entry], None]
