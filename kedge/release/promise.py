"""Whether a package keeps, in its first measured windows, what the gate promised: its metric on the holdout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kedge.comparisons import figures
from kedge.config.metrics import direction

# This number of measured windows after a promotion is held against the promise. Later ones are judged by the limits alone.
WINDOWS_HELD = 3


@dataclass(frozen=True)
class Promise:
    """A released config, the windows that were held against its promise so far, and why it was broken, if it was."""

    endpoint_config: str
    windows: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    def still_holds(self, window: str) -> bool:
        """Whether this window is one of those that are held against it.

        >>> Promise("m-v2", ("a", "b", "c")).still_holds("d"), Promise("m-v2", ("a", "b", "c")).still_holds("c")
        (False, True)
        """
        return window in self.windows or len(self.windows) < WINDOWS_HELD


def broken_promise(metric: str, performance: Mapping[str, Any]) -> str | None:
    """Say how the measured metric breaks its promise, empty where it keeps it; None where it was not measured.

    Broken means that chance is excluded: the window's whole interval is worse than the whole interval of the holdout.

    Parameters
    ----------
    metric : str
        The gate's.
    performance : mapping
        A window's measured quality as its report has it.

    >>> promised = {"auc": {"value": 0.9, "low": 0.88, "high": 0.92}}
    >>> worse = {"name": "auc", "value": 0.7, "low": 0.65, "high": 0.75}
    >>> broken_promise("auc", {"metrics": [worse], "reference": promised})
    'auc is 0.7 (0.65 to 0.75) in the window; the gate saw 0.9 (0.88 to 0.92) on the holdout'
    >>> broken_promise("auc", {"metrics": [worse | {"high": 0.89}], "reference": promised})
    ''
    >>> broken_promise("auc", {"metrics": [], "reference": promised}) is None
    True
    """
    found = next((row for row in performance.get("metrics", []) if row["name"] == metric), None)
    promised = performance.get("reference", {}).get(metric)
    if found is None or promised is None:
        return None
    better = direction(metric)
    worse = found["high"] < promised["low"] if better == "higher" else found["low"] > promised["high"]
    if not worse:
        return ""
    here, there = (figures(side["value"], side["low"], side["high"]) for side in (found, promised))
    return (
        f"{metric} is {here[0]} ({here[1]} to {here[2]}) in the window; the gate saw {there[0]} ({there[1]} to {there[2]}) on the "
        "holdout"
    )
