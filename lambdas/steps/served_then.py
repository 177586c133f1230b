"""Which package a window is judged for (the champion, or the package that served then), and where its reports stand."""

from __future__ import annotations

from typing import Any

from kedge.errors import WindowRefusedError
from kedge.instants import to_text
from lambdas.adapters.bucket import layout
from lambdas.adapters.state import champions
from lambdas.adapters.state.champions import Champion
from lambdas.steps.requests import JudgeRequest


def champion_of(dynamodb: Any, table: str, request: JudgeRequest) -> Champion | None:
    """The champion, or the package that the request names, as it was when it served; None where no package serves.

    A baseline is named like its package. When an earlier champion's training ended is not kept: no row counts as new for it.
    """
    champion, window = champions.load(dynamodb, table, request.model), request.window
    if not window.start < window.end <= request.time:
        order = f"from {to_text(window.start)} to {to_text(window.end)}"
        reason = f"{order} is no window that has ended by {to_text(request.time)}"
        raise WindowRefusedError(model=request.model, reason=reason)
    if request.package is None:
        if request.is_aside and champion is not None and window.end <= champion.promoted_at:
            reason = (
                f"package version {champion.package_version} serves since {to_text(champion.promoted_at)}, and the window "
                f"ends before; name the package that served then"
            )
            raise WindowRefusedError(model=request.model, reason=reason)
        return champion
    if champion is not None and champion.package_version == request.package:
        return champion
    promoted_at = request.promoted_at or window.start
    return Champion("", request.package, request.package, promoted_at, None, "", "")


def report_prefix(request: JudgeRequest, baseline: str) -> str:
    """Where a window's reports stand: beside the schedule's where it was judged on the side."""
    window = request.window
    if request.is_aside:
        return layout.aside_prefix(request.model, baseline, window.start, window.end)
    return layout.window_prefix(request.model, baseline, window.end)
