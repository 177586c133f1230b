"""Model Monitor's statistics.json read back: each column as values that count as its rows did, as far as the file says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from kedge.arrays import Floats, Ints
from kedge.errors import RefusedError

ROWS_MAX, FEATURES_MAX = 200_000, 10_000
# A sketch that holds less of its rows than this is none that Model Monitor wrote: other writers put a few values there.
_SKETCH_COVERS = 0.99

_STATISTICS = {"numerical_statistics", "string_statistics"}
# What another file is, by a part of one of its keys; the first that fits.
_OTHER_KINDS = {
    "bias_metrics": "a bias report of Clarify",
    "explanations": "a report of feature attributions",
    "violations": "a report of violations",
    "classification_metrics": "a model quality baseline",
    "regression_metrics": "a model quality baseline",
    "classification_constraints": "the constraints of model quality",
    "regression_constraints": "the constraints of model quality",
}

Source = Literal["sketch", "buckets", "values", "nothing"]


class MonitorFileError(RefusedError):
    """A file of Model Monitor's does not say what its schema promises."""

    def __init__(self, *, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place


@dataclass(frozen=True, eq=False)
class ColumnStatistics:
    """What statistics.json says of one column.

    Attributes
    ----------
    source : str
        Where the values are from: the KLL sketch, ten buckets of equal width, a category's counted values, or nothing.
    values, weights : sequence, ndarray of float
        Values, and how many rows each stands for; of buckets, a value inside of each.
    edges : ndarray of float
        Of buckets only: the edges between which rows were counted, as `Bins` has them; more is not known.
    unnamed : int
        Of a category: present rows whose value the file does not name.
    """

    name: str
    inferred_type: str
    present: int
    missing: int
    source: Source
    values: Sequence[Any] = ()
    weights: Floats = field(default_factory=lambda: np.empty(0))
    edges: Floats = field(default_factory=lambda: np.empty(0))
    unnamed: int = 0

    @property
    def rows(self) -> int:
        """Rows with and without a value."""
        return self.present + self.missing


@dataclass(frozen=True)
class MonitorStatistics:
    """A whole statistics.json."""

    rows: int
    columns: tuple[ColumnStatistics, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in the file's order."""
        return tuple(column.name for column in self.columns)


def read_statistics(document: Any, *, place: str) -> MonitorStatistics:
    """Read a parsed statistics.json (schema version 0).

    A KLL sketch holds in list i values that stand for 2^i rows each (Karnin, Lang, Liberty 2016, FOCS, as Deequ stores it).
    Up to about 2,000 rows these are all values. Where there is no sketch, or it covers less than the present rows, the ten
    buckets are taken.

    Raises
    ------
    MonitorFileError

    >>> common = {"num_present": 3, "num_missing": 1}
    >>> counted = {"common": common, "distribution": {"kll": {"sketch": {"data": [[5.0], [1.0]]}}}}
    >>> document = {"features": [{"name": "x", "inferred_type": "Integral", "numerical_statistics": counted}]}
    >>> column = read_statistics(document, place="s.json").columns[0]
    >>> column.source, column.values, column.weights.tolist()
    ('sketch', [5.0, 1.0], [1.0, 2.0])
    """
    features = document.get("features") if isinstance(document, Mapping) else None
    if not isinstance(features, list) or not features:
        problem = f"it has no list of features, so it is no statistics.json of data quality{_another_kind(document)}"
        raise MonitorFileError(place=place, problem=problem)
    known = {key for feature in features if isinstance(feature, Mapping) for key in feature}
    if "completeness" in known and not _STATISTICS & known:
        problem = "it has features without statistics, as constraints.json has: name statistics.json first, and this file behind it"
        raise MonitorFileError(place=place, problem=problem)
    if len(features) > FEATURES_MAX:
        raise MonitorFileError(place=place, problem=f"it has more than the {FEATURES_MAX:,} features that are read")
    columns = tuple(_column(feature, f"{place}, feature {number}") for number, feature in enumerate(features, start=1))
    doubled = {column.name for column in columns if [c.name for c in columns].count(column.name) > 1}
    if doubled:
        raise MonitorFileError(place=place, problem=f"it has {', '.join(sorted(doubled))} twice")
    rows = max(column.rows for column in columns)
    if not rows:
        raise MonitorFileError(place=place, problem="it was made of no rows")
    return MonitorStatistics(rows, columns)


def read_inferred_types(document: Any, *, place: str) -> tuple[dict[str, str], float | None]:
    """What a parsed constraints.json says of each column's type, which people correct there, and its limit of a distance."""
    features = document.get("features") if isinstance(document, Mapping) else None
    if not isinstance(features, list):
        problem = f"it has no list of features, so it is no constraints.json of data quality{_another_kind(document)}"
        raise MonitorFileError(place=place, problem=problem)
    types = {
        str(feature.get("name")): str(feature.get("inferred_type"))
        for feature in features
        if isinstance(feature, Mapping) and feature.get("inferred_type")
    }
    limit = _within(document, "monitoring_config", "distribution_constraints").get("comparison_threshold")
    return types, float(limit) if isinstance(limit, int | float) else None


def rebuilt_rows(statistics: MonitorStatistics, *, seed: int = 0) -> pa.Table:
    """Rows whose columns count as the file says, each column for itself; at most `ROWS_MAX`, in proportion.

    Which values stood in one row is not known. Each column's values are shuffled: in order, rows would look as if they depended on
    each other. A column without a distribution in the file has no value.
    """
    random = np.random.default_rng(seed)
    rows = min(statistics.rows, ROWS_MAX)
    arrays = {}
    for column in statistics.columns:
        places = random.permutation(rows)
        if column.source == "nothing":
            arrays[column.name] = pa.nulls(rows, pa.string())
            continue
        missing = round(rows * column.missing / column.rows)
        counts = _shares(column.weights, rows - missing)
        taken = np.append(np.repeat(np.arange(len(counts)), counts), np.full(missing, -1))[places]
        kind = pa.string() if column.source == "values" else pa.float64()
        values = pa.array(column.values, kind)
        arrays[column.name] = values.take(pa.array(taken, mask=taken < 0))
    return pa.table(arrays)


def _shares(weights: Floats, rows: int) -> Ints:
    """`rows` dealt out in proportion to the weights, with the largest remainders rounded up.

    >>> _shares(np.array([1.0, 1.0, 2.0]), 5).tolist()
    [1, 1, 3]
    """
    exact = weights / weights.sum() * rows
    counts = np.floor(exact).astype(np.int64)
    rest = rows - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:rest]] += 1
    shares: Ints = counts
    return shares


def _another_kind(document: Any) -> str:
    """What else it is of what SageMaker writes, in words."""
    keys = [str(key) for key in document] if isinstance(document, Mapping) else []
    found = next((what for part, what in _OTHER_KINDS.items() if any(part in key for key in keys)), None)
    return f" (it is {found}: name the baseline of data quality)" if found else ""


def _column(feature: Any, place: str) -> ColumnStatistics:
    feature = feature if isinstance(feature, Mapping) else {}
    name = feature.get("name")
    if not isinstance(name, str) or not name.strip():
        raise MonitorFileError(place=place, problem="it has no name")
    kind, place = str(feature.get("inferred_type") or "Unknown"), f"{place} ({name})"
    numeric, text = feature.get("numerical_statistics"), feature.get("string_statistics")
    said = numeric if isinstance(numeric, Mapping) else text if isinstance(text, Mapping) else {}
    common = _within(said, "common")
    present, missing = (_count(common.get(key, 0), f"{place}, common.{key}") for key in ("num_present", "num_missing"))
    found = ColumnStatistics(name, kind, present, missing, "nothing")
    if not present:
        return found
    if isinstance(numeric, Mapping):
        return _number(found, _within(numeric, "distribution", "kll"), place)
    return _category(found, _within(said, "distribution", "categorical"), place)


def _number(found: ColumnStatistics, kll: Mapping[str, Any], place: str) -> ColumnStatistics:
    values, weights = _sketch(_within(kll, "sketch").get("data"), place)
    if weights.sum() >= _SKETCH_COVERS * found.present:
        return _with(found, "sketch", values.tolist(), weights)
    buckets = _list(kll.get("buckets"))
    bounds = [[_finite(bucket, key, place) for key in ("lower_bound", "upper_bound")] for bucket in buckets]
    counts = np.array([_finite(bucket, "count", place) for bucket in buckets])
    if not buckets or counts.min() < 0 or not counts.sum():
        return found
    low, high = np.array(bounds).T
    if (low > high).any() or (np.diff(low) < 0).any():
        raise MonitorFileError(place=place, problem="its buckets are not in ascending order")
    # A bucket holds lower <= x < upper, the last one its upper bound too; a cell of Kedge's holds its upper edge.
    edges = np.unique(np.append(np.nextafter(low, -np.inf), high[-1]))
    return _with(found, "buckets", [_inside(*pair) for pair in bounds], counts, edges=edges)


def _inside(low: float, high: float) -> float:
    """A value of a bucket, a whole number where one is in it: the column may be declared int64."""
    whole = float(math.ceil(low))
    return whole if whole < high or low == high else (low + high) / 2


def _category(found: ColumnStatistics, categorical: Mapping[str, Any], place: str) -> ColumnStatistics:
    buckets = _list(categorical.get("buckets"))
    counts = np.array([_finite(bucket, "count", place) for bucket in buckets])
    if not buckets or counts.min() < 0 or not counts.sum():
        return found
    values = [str(bucket.get("value", "")) for bucket in buckets]
    return _with(found, "values", values, counts, unnamed=max(0, found.present - round(float(counts.sum()))))


def _with(
    found: ColumnStatistics,
    source: Source,
    values: Sequence[Any],
    weights: Floats,
    *,
    edges: Floats | None = None,
    unnamed: int = 0,
) -> ColumnStatistics:
    edges = np.empty(0) if edges is None else edges
    return ColumnStatistics(
        found.name, found.inferred_type, found.present, found.missing, source, values, weights, edges, unnamed
    )


def _sketch(data: Any, place: str) -> tuple[Floats, Floats]:
    """The values that a sketch kept, and how many rows each stands for."""
    values, weights = [], []
    for level, kept in enumerate(_list(data)):
        if level >= 63:
            raise MonitorFileError(place=place, problem="its sketch has more levels than a sketch can have")
        finite = [float(value) for value in _list(kept) if _is_number(value) and math.isfinite(value)]
        values += finite
        weights += [2.0**level] * len(finite)
    return np.array(values), np.array(weights)


def _within(said: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for key in path:
        inner = said.get(key)
        said = inner if isinstance(inner, Mapping) else {}
    return said


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _finite(bucket: Any, key: str, place: str) -> float:
    value = bucket.get(key) if isinstance(bucket, Mapping) else None
    if not _is_number(value) or not math.isfinite(float(value or 0)):
        raise MonitorFileError(place=place, problem=f"a bucket's {key} is {value!r}, not a number")
    return float(value or 0)


def _count(value: Any, place: str) -> int:
    # Model Monitor writes counts as 100 and as 100.0.
    if not _is_number(value) or not math.isfinite(value) or value < 0:
        raise MonitorFileError(place=place, problem=f"it is {value!r}, not a number of rows")
    return round(float(value))
