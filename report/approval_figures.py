"""The figures for an approver: champion and challenger on the same holdout rows, and the live model's values now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kedge.comparisons import counted, figures
from kedge.config.capture_place import package_words


def figure_lines(
    rows: Iterable[Mapping[str, Any]],
    *,
    champion: Mapping[str, Any],
    snapshot: Mapping[str, Any],
    live: Mapping[str, Any] | None,
) -> list[str]:
    """Each metric of both models, the holdout's rows and days, then the live values with their limits.

    >>> row = {"gate": "mae_improvement", "metric": "mae", "champion": 65.2, "challenger": 43.8}
    >>> figure_lines([row], champion={"package_version": "4"}, snapshot={"holdout_rows": 1616}, live=None)
    ['mae: champion (version 4) 65.2, challenger 43.8', 'holdout: 1,616 rows']
    """
    lines = [
        _compared(row, champion) for row in rows if "challenger" in row and not str(row["gate"]).startswith("slice")
    ]
    if "holdout_rows" in snapshot:
        lines.append(_holdout(snapshot))
    return lines + (_live(live) if live else [])


def _compared(row: Mapping[str, Any], champion: Mapping[str, Any]) -> str:
    known = champion.get("package_version")
    version = f" ({package_words(str(known)).removeprefix('package ')})" if known else ""
    *before, after = figures(*([row["champion"]] if "champion" in row else []), row["challenger"])
    serves = f"champion{version} {before[0]}" if before else "no champion serves"
    return f"{row['metric']}: {serves}, challenger {after}"


def _holdout(snapshot: Mapping[str, Any]) -> str:
    days = ""
    if "holdout_start" in snapshot:
        first, last = _day(snapshot["holdout_start"]), _day(snapshot["holdout_end"])
        days = f" from {first} to {last}, newer than all training rows"
    return f"holdout: {counted(snapshot['holdout_rows'], 'row')}{days}"


def _live(live: Mapping[str, Any]) -> list[str]:
    window = f"window {_day(live['start'])} to {_day(live['end'])}"
    return [
        f"live: {metric['name']} {', limit '.join(figures(metric['value'], metric['limit']))} "
        f"({metric['severity']}), {package_words(str(live['package_version'])).removeprefix('package ')} in the {window}"
        for metric in live["metrics"]
    ]


def _day(time: str) -> str:
    return time[:10]
