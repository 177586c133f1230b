"""Whether groups of people are treated alike: selection and true positive rates by group, on any rows and on a window."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kedge.comparisons import counted, figures
from kedge.config.model import ModelConfig
from kedge.config.policies import FairnessPolicy
from kedge.intervals import Estimate, difference_interval, ratio_interval, wilson_interval, z_of
from kedge.severity import Severity, worst
from kedge.slices.group_counts import FAVOURABLE, LEVELS_MAX, GroupCounts, count_sensitive, read_decisions
from kedge.slices.groupings import MISSING, Grouping, freeze_grouping

# Rows of the favourable truth that a group's true positive rate needs.
FAVOURABLE_ROWS_MIN = 30
EQUAL = {"disparate_impact": 1.0, "demographic_parity_difference": 0.0, "equal_opportunity_difference": 0.0}


@dataclass(frozen=True)
class GroupRates:
    """One group: its rows, and its rates if there are enough rows."""

    group: str
    rows: int
    selection_rate: Estimate | None = None
    true_positive_rate: Estimate | None = None

    def to_json(self) -> dict[str, Any]:
        """As the report holds it; fields that do not apply are absent."""
        found: dict[str, Any] = {"group": self.group, "rows": self.rows}
        for rate in (self.selection_rate, self.true_positive_rate):
            if rate is not None:
                found[rate.name] = {"value": rate.value, "low": rate.low, "high": rate.high}
        return found


@dataclass(frozen=True)
class Disparity:
    """The widest distance between two groups of a column, in one measure.

    `groups` are the worst group and the best one.
    """

    estimate: Estimate
    groups: tuple[str, str]
    severity: Severity
    limit: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As the report holds it; without a limit nothing is judged."""
        found = {"name": self.estimate.name, "value": self.estimate.value, "low": self.estimate.low}
        found |= {"high": self.estimate.high, "groups": list(self.groups)}
        return found if self.limit is None else found | {"limit": self.limit, "severity": self.severity.value}


@dataclass(frozen=True)
class ColumnFairness:
    """The verdict on one sensitive column."""

    column: str
    severity: Severity
    reason: str
    groups: tuple[GroupRates, ...]
    disparities: tuple[Disparity, ...]

    def to_json(self) -> dict[str, Any]:
        """As the report's "performance" holds it under "fairness"."""
        return {
            "column": self.column,
            "severity": self.severity.value,
            "reason": self.reason,
            "groups": [group.to_json() for group in self.groups],
            "metrics": [disparity.to_json() for disparity in self.disparities],
        }


def judge_fairness(columns: Sequence[GroupCounts], policy: FairnessPolicy) -> tuple[ColumnFairness, ...]:
    """Judge every sensitive column.

    Per column: the lowest selection rate divided by the highest (disparate impact; the four-fifths rule, 29 CFR 1607.4 D), their
    difference (demographic parity, Dwork et al. 2012, ITCS 214), and the widest difference of true positive rates (equal
    opportunity, Hardt, Price and Srebro 2016, NeurIPS 29). The two groups are chosen because they lie furthest apart, so
    the intervals have Bonferroni's correction over all pairs of groups and all columns. CRITICAL: all of the interval is beyond the limit.
    WARNING: the value is beyond it, and the groups differ beyond chance. For groups of fewer than `minimum_group_rows`
    rows, and rows without a value, only the number is shown.

    Parameters
    ----------
    columns : sequence of GroupCounts
        Counts per sensitive column, of the same rows.

    >>> counts = {"f": np.array([[300, 30, 0], [100, 70, 0]]), "m": np.array([[150, 10, 0], [250, 90, 0]])}
    >>> (found,) = judge_fairness([GroupCounts("sex", counts)], FairnessPolicy())
    >>> found.severity.value, round(found.disparities[0].estimate.value, 2), found.disparities[0].groups
    ('CRITICAL', 0.5, ('f', 'm'))
    """
    return tuple(_judge(counts, policy, len(columns)) for counts in columns)


def _judge(counts: GroupCounts, policy: FairnessPolicy, columns: int) -> ColumnFairness:
    large = [
        name for name, rows in counts.groups.items() if name != MISSING and rows.sum() >= policy.minimum_group_rows
    ]
    pairs = max(len(large) * (len(large) - 1) // 2, 1) * columns
    z = z_of(1 - (1 - policy.confidence) / pairs)
    groups = tuple(_rates(name, rows, z, name in large) for name, rows in counts.groups.items())
    disparities = _disparities(groups, policy)
    if len(large) < 2:
        reason = f"{counts.column}: {counted(len(large), 'group')} with at least {policy.minimum_group_rows:,} rows; 2 are needed"
        return ColumnFairness(counts.column, Severity.INSUFFICIENT_DATA, reason, groups, disparities)
    severity = worst(d.severity for d in disparities if d.limit is not None)
    return ColumnFairness(counts.column, severity, _reason(counts.column, disparities), groups, disparities)


def _rates(name: str, counts: NDArray[np.int64], z: float, large: bool) -> GroupRates:
    rows = int(counts.sum())
    if not large:
        return GroupRates(name, rows)
    favourable = int(counts[:, FAVOURABLE].sum())
    return GroupRates(
        name,
        rows,
        wilson_interval("selection_rate", int(counts[1].sum()), rows, z),
        wilson_interval("true_positive_rate", int(counts[1, FAVOURABLE]), favourable, z)
        if favourable >= FAVOURABLE_ROWS_MIN
        else None,
    )


def _disparities(groups: Sequence[GroupRates], policy: FairnessPolicy) -> tuple[Disparity, ...]:
    selected = {g.group: g.selection_rate for g in groups if g.selection_rate}
    hits = {g.group: g.true_positive_rate for g in groups if g.true_positive_rate}
    found = []
    for name, rates, limit in (
        ("disparate_impact", selected, policy.disparate_impact_min),
        ("demographic_parity_difference", selected, policy.demographic_parity_difference_max),
        ("equal_opportunity_difference", hits, policy.equal_opportunity_difference_max),
    ):
        disparity = _widest(name, rates, limit)
        if disparity is not None:
            found.append(disparity)
    return tuple(found)


def _widest(name: str, rates: Mapping[str, Estimate], limit: float | None) -> Disparity | None:
    if len(rates) < 2:
        return None
    least, most = (pick(rates, key=lambda group: rates[group].value) for pick in (min, max))
    if name == "disparate_impact":
        if rates[most].value == 0.0:
            # No row was selected, so there is no ratio.
            return None
        estimate = ratio_interval(name, rates[least], rates[most])
    else:
        estimate = difference_interval(name, rates[most], rates[least])
    return Disparity(estimate, (least, most), _severity(estimate, limit), limit)


def _severity(estimate: Estimate, limit: float | None) -> Severity:
    if limit is None:
        return Severity.INSUFFICIENT_DATA
    sign = 1.0 if estimate.name == "disparate_impact" else -1.0
    favourable_end = estimate.high if sign > 0 else estimate.low
    if sign * (limit - favourable_end) > 0:
        return Severity.CRITICAL
    beyond_chance = sign * (EQUAL[estimate.name] - favourable_end) > 0
    return Severity.WARNING if beyond_chance and sign * (limit - estimate.value) > 0 else Severity.OK


def _reason(column: str, disparities: Sequence[Disparity]) -> str:
    judged = [d for d in disparities if d.limit is not None]
    if not judged:
        return f"{column}: no limit is set, or no row was selected"
    severity = worst(d.severity for d in judged)
    # If all is fair the first limit is enough; otherwise every broken limit is named.
    told = [d for d in judged if d.severity is severity] if severity >= Severity.WARNING else judged[:1]
    return f"{column}: {'; '.join(map(_said, told))}"


def _said(disparity: Disparity) -> str:
    e, (one, other) = disparity.estimate, disparity.groups
    side = "at least" if e.name == "disparate_impact" else "at most"
    value, low, high = figures(e.value, e.low, e.high)
    return (
        f"{e.name.replace('_', ' ')} is {value} ({low} to {high}) between {one} and {other}; "
        f"limit: {side} {disparity.limit:g}"
    )


@dataclass(frozen=True)
class WindowRows:
    """A window's rows with their labels so far.

    Attributes
    ----------
    table : Table
        The prediction, the label (null without one), and every column that cuts slices.
    prediction, label : str
        Its columns.
    ripe : ndarray of bool, shape (n_rows,)
        Rows old enough for their label to be in.
    """

    table: pa.Table
    prediction: str
    label: str
    ripe: NDArray[np.bool_]


def fairness_severity(columns: Sequence[ColumnFairness], sensitive: Collection[str]) -> Severity:
    """The worst verdict; OK only where of every sensitive column some values are known, for what was not looked at may be unfair.

    >>> fair = ColumnFairness("sex", Severity.OK, "", (GroupRates("f", 9),), ())
    >>> [fairness_severity([fair], names).value for names in (["sex"], ["sex", "age"])]
    ['OK', 'INSUFFICIENT_DATA']
    >>> fairness_severity([replace(fair, severity=Severity.WARNING)], ["sex", "age"]).value
    'WARNING'
    """
    severity = worst(column.severity for column in columns)
    lacking = {*sensitive} - {c.column for c in columns if any(group.group != MISSING for group in c.groups)}
    return Severity.INSUFFICIENT_DATA if lacking and severity is Severity.OK else severity


def fairness_json(columns: Sequence[ColumnFairness], severity: Severity) -> dict[str, Any]:
    """The part "fairness" of the report's "performance": the verdict on all, and each column's."""
    return {"fairness": {"severity": severity.value, "columns": [column.to_json() for column in columns]}}


def sensitive_counts(
    rows: WindowRows, config: ModelConfig, known: Mapping[str, Grouping], *, mark_key: str = ""
) -> list[GroupCounts]:
    """Count the sensitive columns that the rows have: decisions of all rows, and the labels of the ripe ones.

    Parameters
    ----------
    known : mapping of str to Grouping
        Groups of the features.
    mark_key : str
        By it the hidden levels of the other columns are named alike in every window; without it they are numbered in these rows.
    """
    place = rows.table.column_names.index(rows.label)
    label = rows.table.column(place)
    believed = pc.if_else(pa.array(rows.ripe), label, pa.scalar(None, label.type))
    # A column that is not a feature has only the groups of these rows; with many levels, no level is shown by its name.
    beside = [name for name in config.fairness.columns if name in rows.table.column_names and name not in known]
    known = {**known} | {
        name: replace(
            freeze_grouping(name, "categorical", rows.table.column(name), levels=LEVELS_MAX), mark_key=mark_key
        )
        for name in beside
    }
    return group_counts(rows.table.set_column(place, rows.label, believed), rows.prediction, rows.label, config, known)


def group_counts(
    table: pa.Table,
    prediction: str,
    label: str,
    config: ModelConfig,
    known: Mapping[str, Grouping],
    *,
    mark_key: str = "",
) -> list[GroupCounts]:
    """Count the answered rows by the groups of each sensitive column that the rows have.

    Counts of several tables add only with one `mark_key`: without it, hidden levels that `known` lacks are numbered in each table.
    """
    names = [name for name in config.fairness.columns if name in table.column_names]
    if not names:
        return []
    decisions, answered = read_decisions(table, prediction, label, config)
    kept = table.select(names).filter(pa.array(answered))
    return count_sensitive(dict(zip(names, kept.columns, strict=True)), decisions, config, known, mark_key=mark_key)


def added_groups(totals: Mapping[str, GroupCounts], counts: Iterable[GroupCounts]) -> dict[str, GroupCounts]:
    """Totals by column, with more rows added."""
    more = {found.column: found for found in counts}
    return {**totals, **{name: totals[name] + found if name in totals else found for name, found in more.items()}}
