"""Columns whose values cannot be judged: none at all, none of their type, numbers that cannot be added up, too many levels."""

from __future__ import annotations

import numpy as np

from cli.check.profiles import CountedSides
from cli.rows.files import RowFiles, UnreadableFileError
from kedge.columns.casting import Column, cast_numbers
from kedge.drift.report import DriftReport
from kedge.profile.baseline import ColumnCounts
from kedge.profile.bins import Bins
from kedge.severity import Severity

# Sums of fewer than a hundred million such numbers are beyond a float.
_HUGE = 1e300
# Farther beyond the baseline's range than this many ranges, summed over rows, one of them may be huge.
_RANGES = 512
# Beyond this many levels a column names things, not kinds of things.
_LEVELS_MAX = 500_000
_LEAVE_OUT = "or leave the column out (in a YAML, --config, with watched: false)"


def refuse_faulty_values(report: DriftReport, sides: CountedSides, before: RowFiles, now: RowFiles) -> None:
    """End the check with a sentence that names the file and the column."""
    missing = {check.column: check.severity for check in report.quality if check.check == "missing"}
    for column in sides.baseline.columns:
        name, bins = column.name, sides.baseline.bins[column.name]
        was, found = sides.baseline.own[name], sides.baseline.column(sides.window, name)
        fault = _fault_of_baseline(column, bins, was)
        if fault:
            raise UnreadableFileError(path=before.path, reason=fault)
        fault = _fault_of_window(column, was, found, before.path)
        # A column that seldom has a value may have none in a small window.
        if fault and (found.unparsable or missing.get(name, Severity.OK) >= Severity.WARNING):
            raise UnreadableFileError(path=now.path, reason=fault)
        if column.kind == "numeric":
            _refuse_huge(column, bins, found, before, now)


_KINDS = {"numeric": "number", "timestamp": "time", "boolean": "true or false"}


def _fault_of_baseline(column: Column, bins: Bins, was: ColumnCounts) -> str:
    name = column.name
    if was.rows == was.missing:
        return f"column {name!r} has no value in any row; take it out of the file, {_LEAVE_OUT}"
    if was.rows == was.missing + was.unparsable:
        return f"column {name!r} has no {_KINDS[column.kind]} in any row; give its kind as categorical in the YAML, {_LEAVE_OUT}"
    levels = len(bins.levels) + len(bins.rare)
    if levels <= _LEVELS_MAX:
        return ""
    return (
        f"column {name!r} has {levels:,} different levels, too many to be compared; write what they have in common "
        f"(a group, the first digits), {_LEAVE_OUT}"
    )


def _fault_of_window(column: Column, was: ColumnCounts, found: ColumnCounts, baseline: str) -> str:
    if found.missing + found.unparsable < found.rows or was.missing + was.unparsable == was.rows:
        return ""
    if found.unparsable:
        kind = _KINDS[column.kind]
        return (
            f"column {column.name!r} has no {kind} in any row, as {baseline} has; write one, or renew the baseline if it is "
            "meant to hold text now"
        )
    share = 1 - was.missing / was.rows
    return (
        f"column {column.name!r} has no value in any row, where {baseline} has one in {share:.1%} of them; correct the program that writes "
        f"the file, {_LEAVE_OUT}"
    )


def _refuse_huge(column: Column, bins: Bins, found: ColumnCounts, before: RowFiles, now: RowFiles) -> None:
    suspects = [before] if max(-bins.edges[0], bins.edges[-1]) >= _HUGE else []
    if _may_be_huge(bins, found):
        suspects.append(now)
    for side in suspects:
        huge = 0
        for batch in side.batches([column.name]):
            values = np.abs(cast_numbers(batch.column(column.name), column.dtype).values)
            huge += int(((values >= _HUGE) & np.isfinite(values)).sum())
        if huge:
            reason = (
                f"column {column.name!r} holds {huge:,} numbers of {_HUGE:g} and beyond, which cannot be added up; leave such a value "
                "empty if it means that there is none"
            )
            raise UnreadableFileError(path=side.path, reason=reason)


def _may_be_huge(bins: Bins, found: ColumnCounts) -> bool:
    """Whether the outer cells' values, which count as far away as the grid goes, say that the column is worth a second reading."""
    below, above = float(bins.edges[0]), float(bins.edges[-1])
    rows = np.array([found.cells[0], found.cells[-1]], np.float64)
    if not rows.any() or not np.isfinite(above - below):
        return bool(rows.any())
    means = np.nan_to_num(found.means[[0, -1]])
    with np.errstate(over="ignore"):
        beyond = rows * np.array([below - means[0], means[1] - above])
        return bool(beyond[rows > 0].max() >= _RANGES * ((above - below) or abs(above) or 1.0))
