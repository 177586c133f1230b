"""What a channel is given: an alert, and the topics that it may publish to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Topics:
    """Where alerts go."""

    people: str
    programs: str


@dataclass(frozen=True)
class Alert:
    """Something that happened to a model."""

    model: str
    kind: str
    time: datetime
    detail: Mapping[str, Any]


# Sends an alert with a client of SNS; a topic that cannot be reached raises botocore's error.
Channel = Callable[[Any, Topics, Alert], None]
