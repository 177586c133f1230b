"""Labels as Model Monitor's users upload them: ground truth in JSON Lines, dated by when it was collected."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lambdas.adapters import objects


@dataclass(frozen=True)
class LabelFiles:
    """What some label objects said.

    `labels` holds, by row id, the last collected text and when it was collected (seconds since the epoch); `broken`
    counts lines that could not be read, by reason.
    """

    labels: dict[str, tuple[str, float]] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)


def load_labels(s3: Any, bucket: str, model: str, *, since: datetime, until: datetime) -> LabelFiles:
    """Read the labels collected in `[since, until)`; of two for one id the last collected wins."""
    found = LabelFiles()
    prefix = f"labels/{model}/"
    # '/' sorts before '0', so every object of the first hour sorts after this.
    listed = objects.list_objects(s3, bucket, prefix, start_after=f"{prefix}{since:%Y/%m/%d/%H}")
    for key in sorted(listed):
        collected = _collected(key.removeprefix(prefix))
        if collected is None:
            found.broken[f"{key} is not below yyyy/mm/dd/hh"] = 1
        elif collected < until and (answer := objects.read(s3, bucket, key)) is not None:
            _read_lines(answer[0], collected.timestamp(), found)
    return found


def _read_lines(content: bytes, collected: float, found: LabelFiles) -> None:
    for line in content.splitlines():
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            row, text = record["eventMetadata"]["eventId"], str(record["groundTruthData"]["data"]).strip()
        except (ValueError, KeyError, TypeError) as error:
            reason = f"{type(error).__name__} in a label record"
            found.broken[reason] = found.broken.get(reason, 0) + 1
            continue
        found.labels[row] = (text, collected)


def _collected(path: str) -> datetime | None:
    try:
        return datetime.strptime(path[:13], "%Y/%m/%d/%H").replace(tzinfo=UTC)
    except ValueError:
        return None
