"""Whether a package's captures could be read when they were last looked at: the state table's `captures` item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kedge.instants import from_text, to_text
from lambdas.adapters.state import state_items

ITEM = "captures"
# What could be read is looked at twice a day.
LOOK_AGAIN = timedelta(hours=12)


@dataclass(frozen=True)
class CaptureState:
    """One look at a package's captures; what cannot be read has been told.

    `captured_at` is where the stretch begins in which a look last found records: so much is certain of when something was captured.
    """

    package_version: str
    readable: bool
    seen_at: datetime
    captured_at: datetime | None = None

    def is_due(self, package_version: str, now: datetime) -> bool:
        """Whether the captures of the package that serves are looked at again."""
        return self.package_version != package_version or not self.readable or now - self.seen_at >= LOOK_AGAIN


def save(dynamodb: Any, table: str, model: str, state: CaptureState) -> None:
    """Remember the latest look."""
    item = {
        **state_items.key(model, ITEM),
        "package_version": {"S": state.package_version},
        "readable": {"BOOL": state.readable},
        "seen_at": {"S": to_text(state.seen_at)},
    }
    if state.captured_at is not None:
        item["captured_at"] = {"S": to_text(state.captured_at)}
    state_items.put(dynamodb, table, item)


def read(item: Mapping[str, Any] | None) -> CaptureState | None:
    """Read the latest look; None where nobody has looked."""
    return state_items.read(item, _state) if item is not None else None


def _state(item: Mapping[str, Any]) -> CaptureState:
    captured = item.get("captured_at")
    return CaptureState(
        item["package_version"]["S"],
        item["readable"]["BOOL"],
        from_text(item["seen_at"]["S"]),
        from_text(captured["S"]) if captured else None,
    )
