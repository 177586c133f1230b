"""What answers and was made by others, whichever kind it is: where its records lie, and what its YAML must say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

import pyarrow as pa

from cli.drafts.draft import ModelDraft
from cli.operator.deployment import Deployment
from kedge.config.capture_place import CapturePlace, split_uri
from kedge.config.model import ModelConfig
from kedge.config.sections import Source


@dataclass(frozen=True)
class CapturedRows:
    """Rows of a stretch of captures, all columns as text; how many records could not be read, and with which reason."""

    rows: pa.Table
    start: datetime
    end: datetime
    unread: int
    reason: str
    is_sample: bool


@dataclass(frozen=True, kw_only=True)
class Running(ABC):
    """An endpoint, the transform jobs of one destination, or a log.

    Attributes
    ----------
    name, arn : str
        Of the endpoint, or of one of the jobs; a log has its model's name and its URI. Versions are named after the ARN.
    config, model_name : str
        The endpoint config or the job, and the model of SageMaker; a log knows none.
    other_buckets : tuple of str
        Beside the captures' own, those that must be read.
    """

    source: ClassVar[Source]
    name: str
    arn: str
    capture_uri: str
    config: str = ""
    model_name: str = ""
    sampling_percentage: int = 100
    capture_key: str | None = None
    other_buckets: tuple[str, ...] = ()

    @property
    def captures(self) -> CapturePlace:
        """Where its captures lie."""
        bucket, prefix = split_uri(self.capture_uri)
        return CapturePlace(bucket, prefix, foreign=True)

    @property
    @abstractmethod
    def prefixes(self) -> tuple[str, ...]:
        """The prefixes below which its days are: of an endpoint, one of each production variant."""

    @property
    @abstractmethod
    def fields(self) -> Mapping[str, Any]:
        """What a YAML must say to describe it, beside `source` and `mode`."""

    @property
    @abstractmethod
    def told(self) -> Sequence[str]:
        """What a person is shown of it, in lines."""

    @abstractmethod
    def draft(self, deployment: Deployment, model: str, described: Mapping[str, Any]) -> tuple[ModelDraft, list[Any]]:
        """Infer the YAML from its newest records, with their answers; `described` are fields of `endpoint` that are known."""

    @abstractmethod
    def read(self, deployment: Deployment, config: ModelConfig, start: datetime, end: datetime) -> CapturedRows:
        """Read what it answered in `[start, end)`; no more than a baseline needs."""
