"""Whether captures may expire: nowhere that Kedge does not own, and not while something still reads them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kedge.config.sections import Cadence, Capture, Labels, Mode
from kedge.config.training import Training


def require_expiry(  # a section each
    capture: Capture, mode: Mode, *, read: Sequence[str], cadence: Cadence, labels: Labels, training: Training
) -> None:
    """Refuse captures that would expire where Kedge deletes nothing, or too early for the columns that are read from them alone."""
    days, uri = capture.expire_days, capture.uri
    if days is None:
        return
    if mode == "watch" and uri is not None:
        raise ValueError(
            f"capture.expire_days is {days}, and capture.uri is {uri}: Kedge reads there and deletes nothing; give that bucket a "
            f"lifecycle rule of {days} days or more, and remove the field"
        )
    if not read:
        return
    there = (
        f"capture.expire_days is {days}, and {', '.join(read)} stand in the captures alone (endpoint.custom_attributes)"
    )
    kept, horizon = "name them in context in place of it, which is kept with the answers", labels.label_horizon_days
    if horizon is None:
        raise ValueError(
            f"{there}: windows are counted by them until their labels are in, which takes nobody knows how long; write "
            f"labels.label_horizon_days, or {kept}"
        )
    if mode == "manage" and training.window == "expanding":
        raise ValueError(
            f"{there}: a retraining with training.window: expanding looks them up for rows of any age; write sliding, or {kept}"
        )
    # A window begins earlier, by up to its own length, where the horizon leaves less than half of it with labels.
    least = max(math.ceil(cadence.window_days + horizon), training.window_days if mode == "manage" else 0)
    if days < least:
        raise ValueError(f"{there}, where rows of up to {least} days are looked up: raise it to {least}, or {kept}")
