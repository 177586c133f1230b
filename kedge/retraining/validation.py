"""Whether rows are worth a training: checked before it is paid for, each fault with its column, its figure and its limit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.arrays import Counts, Floats
from kedge.columns.casting import cast_numbers, columns_of
from kedge.comparisons import percent
from kedge.config.model import ModelConfig
from kedge.config.sections import Feature
from kedge.own_columns import LABEL, ROW_ID, TIME
from kedge.profile.baseline import Baseline
from kedge.profile.column_counting import count_cells
from kedge.retraining.population import Population, population_of
from kedge.retraining.snapshot import Split
from kedge.statistics.psi import psi_bias_corrected

# Below this a single feature's figure says nothing.
LEAKAGE_ROWS_MIN = 50
# The usual limits on the PSI are for about ten cells.
PSI_CELLS = 10
TOLD_MAX = 5
RARE_CLASS = 0.05


def faults_of(
    split: Split,
    config: ModelConfig,
    *,
    unparsable: Mapping[str, int],
    labelled_fraction: float | None = None,
    lacking: Collection[str] = (),
    population: Population | None = None,
) -> tuple[str, ...]:
    """Say in sentences why these rows must not train a model; empty if nothing is wrong.

    Parameters
    ----------
    split : Split
        As `split_in_time` returns it.
    unparsable : mapping of str to int
        Values of the rows of both sides that cannot be read as their column's type, by feature.
    labelled_fraction : float, optional
        Share of the answered rows, old enough for their label, that have one.
    lacking : collection of str
        Features that rows of older schemas do not have: that they are missing is no fault of the data.
    population : Population, optional
        Of all rows, if the split has only some of them, of each class another part.
    """
    rows = split.training
    if not rows.num_rows:
        return ()
    return (
        *_types(split, config, unparsable),
        *_missing(rows, config, lacking),
        *_ranges(rows, config),
        *_duplicates(rows, config),
        *_labels(population or population_of(split, config), config, labelled_fraction),
        *_across_the_split(split),
        *_predicts_alone(rows, config),
    )


@dataclass(frozen=True)
class TrainingDrift:
    """How far the training rows lie from those that the serving model learnt from: the largest PSI, the limit, what is beyond it."""

    worst: float
    limit: float
    sentences: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As the snapshot passes it on to the gate."""
        return {"worst": self.worst, "limit": self.limit, "sentences": list(self.sentences)}


def training_drift(training: pa.Table, before: Baseline | None, config: ModelConfig) -> TrainingDrift | None:
    """Say which features are distributed otherwise than in the rows that the serving model learnt from; it stops nothing.

    Parameters
    ----------
    before : Baseline or None
        Of the package that serves.
    """
    if before is None or not training.num_rows:
        return None
    limit, found = config.training.validation.drift_psi_warning, list[tuple[float, str]]()
    for column in columns_of(config):
        if column.role != "feature" or column not in before.columns:
            continue
        bins, own = before.bins[column.name], before.own[column.name]
        cells = count_cells(bins, column, training, TIME)[: bins.cells]
        if not cells.sum() or not own.cells.sum():
            continue
        # Of a number the neighbouring cells hold equal shares of the rows before; a category's levels are what they are.
        first, then = _about_ten(own.cells, cells) if column.is_number else (own.cells, cells)
        found.append((float(psi_bias_corrected(first, then)), column.name))
    told = [
        f"training rows drifted: {name} has a PSI of {moved:.2f} against the rows that the serving model learnt from; "
        f"training.validation.drift_psi_warning is {limit:g}"
        for moved, name in sorted(found, reverse=True)
        if moved > limit
    ]
    # An approver reads the first few: the rest would crowd out what the gate says.
    rest = [f"and {len(told) - TOLD_MAX} more features have drifted beyond it"] if len(told) > TOLD_MAX else []
    worst = max((moved for moved, _ in found), default=0.0)
    return TrainingDrift(worst, limit, (*told[:TOLD_MAX], *rest))


def _types(split: Split, config: ModelConfig, unparsable: Mapping[str, int]) -> Iterator[str]:
    total, limit = split.training.num_rows + split.holdout.num_rows, config.training.validation.unparsable_fraction_max
    for feature in config.features:
        count = unparsable.get(feature.name, 0)
        if count > limit * total:
            yield (
                f"feature {feature.name}: {_share(count, total)} cannot be read as {feature.kind}; "
                f"training.validation.unparsable_fraction_max is {percent(limit)}"
            )


def _missing(rows: pa.Table, config: ModelConfig, lacking: Collection[str]) -> Iterator[str]:
    policy = config.training.validation
    for name in config.feature_names:
        own, count = policy.rule_of(name).missing_fraction_max, rows.column(name).null_count
        limit = policy.missing_fraction_max if own is None else own
        if name not in lacking and count > limit * rows.num_rows:
            place = "missing_fraction_max" if own is None else f"columns.{name}.missing_fraction_max"
            yield (
                f"feature {name} is missing in {_share(count, rows.num_rows)}; training.validation.{place} is {percent(limit)}"
            )


def _ranges(rows: pa.Table, config: ModelConfig) -> Iterator[str]:
    policy = config.training.validation
    for name, rule in policy.columns.items():
        column = rows.column(name)
        if rule.levels:
            known = pc.is_in(column, value_set=pa.array(rule.levels, pa.string()))
            outside, what = pc.and_(pc.is_valid(column), pc.invert(known)), f"none of the {len(rule.levels)} levels"
        else:
            outside, what = _beyond(column, rule.at_least, rule.at_most)
        count = pc.sum(outside).as_py() or 0 if outside is not None else 0
        if count > policy.out_of_range_fraction_max * rows.num_rows:
            yield (
                f"feature {name} is {what} of training.validation.columns.{name} in {_share(count, rows.num_rows)}; "
                f"training.validation.out_of_range_fraction_max is {percent(policy.out_of_range_fraction_max)}"
            )


def _beyond(column: pa.ChunkedArray, least: float | None, most: float | None) -> tuple[Any, str]:
    below = pc.less(column, least) if least is not None else None
    above = pc.greater(column, most) if most is not None else None
    outside = below if above is None else above if below is None else pc.or_(below, above)
    bounds = [
        *([f"at_least {least:g}"] if least is not None else []),
        *([f"at_most {most:g}"] if most is not None else []),
    ]
    return outside, f"beyond {' and '.join(bounds)}"


def _duplicates(rows: pa.Table, config: ModelConfig) -> Iterator[str]:
    limit = config.training.validation.duplicate_fraction_max
    if limit >= 1:
        return
    alike = rows.select([*config.feature_names, LABEL])
    distinct = alike.group_by(alike.column_names).aggregate([]).num_rows
    count = rows.num_rows - distinct
    if count > limit * rows.num_rows:
        yield (
            f"{_share(count, rows.num_rows)} repeat another row, label included; "
            f"training.validation.duplicate_fraction_max is {percent(limit)}"
        )


def _labels(population: Population, config: ModelConfig, labelled_fraction: float | None) -> Iterator[str]:
    policy = config.training.validation
    if labelled_fraction is not None and labelled_fraction < policy.labelled_fraction_min:
        yield (
            f"{percent(labelled_fraction)} of the answered rows that are old enough have a label; "
            f"training.validation.labelled_fraction_min is {percent(policy.labelled_fraction_min)}"
        )
    counts = population.by_class(config)
    total = int(counts.sum())
    for name, count in zip(config.classes, counts.tolist(), strict=False):
        if count < policy.class_fraction_min * total:
            yield (
                f"class {name} is the label of {_share(count, total)}; "
                f"training.validation.class_fraction_min is {percent(policy.class_fraction_min)}"
            )


def _across_the_split(split: Split) -> Iterator[str]:
    """What the split itself promises, looked at once more: a row on both sides would let a model judge what it has learnt."""
    if not split.holdout.num_rows:
        return
    learnt = split.training.column(ROW_ID).combine_chunks()
    both = pc.sum(pc.is_in(split.holdout.column(ROW_ID), value_set=learnt)).as_py() or 0
    if both:
        yield f"leakage: {both:,} ids stand among the training rows and in the holdout; none may"
    newest, oldest = pc.max(split.training.column(TIME)).as_py(), pc.min(split.holdout.column(TIME)).as_py()
    if oldest <= newest:
        yield f"leakage: the oldest holdout row, of {oldest}, is not newer than the newest training row, of {newest}"


def _predicts_alone(rows: pa.Table, config: ModelConfig) -> Iterator[str]:
    policy = config.training.validation
    if rows.num_rows < LEAKAGE_ROWS_MIN or policy.single_feature_max >= 1:
        return
    targets = _targets(rows, config)
    for feature in config.features:
        if policy.rule_of(feature.name).may_predict_alone:
            continue
        figure = max((_strength(rows.column(feature.name), feature, target, config) for target in targets), default=0.0)
        if figure > policy.single_feature_max:
            what = "a squared rank correlation" if config.problem == "regression" else "an AUC"
            yield (
                f"leakage: feature {feature.name} alone predicts the label with {what} of {figure:.4f}; "
                f"training.validation.single_feature_max is {policy.single_feature_max:g}. Take it out of the features, or say "
                f"training.validation.columns.{feature.name}.may_predict_alone: true"
            )


def _targets(rows: pa.Table, config: ModelConfig) -> list[Floats]:
    """The label as numbers: of a regression itself, of two classes the last, of several each against the rest."""
    labels = rows.column(LABEL)
    if config.problem == "regression":
        values = cast_numbers(labels, "float64").values
        return [values] if np.isfinite(values).all() else []
    classes = config.classes[1:] if config.problem == "binary_classification" else config.classes
    hits = [np.asarray(pc.equal(labels, name).to_numpy(), np.float64) for name in classes]
    # A rare class of several is often told by one feature, rightly: guests who pay nothing are the complementary ones.
    least = 0.0 if config.problem == "binary_classification" else RARE_CLASS * rows.num_rows
    return [hit for hit in hits if least < hit.sum() < len(hit)]


def _strength(column: pa.ChunkedArray, feature: Feature, target: Floats, config: ModelConfig) -> float:
    """How well the feature alone orders the label: the AUC, whichever way round, or the squared rank correlation.

    A category is scored by the mean label of its level among the older half of the rows, and judged on the newer half: levels
    with a row each would predict their own labels perfectly. Of a number both its value and whether it is there are looked at:
    a field that is filled in once the outcome is known leaks by being there.
    """
    order = _rank_correlation if config.problem == "regression" else _auc
    if feature.declared_dtype == "string":
        half = len(target) // 2
        codes = pc.fill_null(column, "").combine_chunks().dictionary_encode().indices.to_numpy()
        sums = np.bincount(codes[:half], target[:half], minlength=codes.max() + 1)
        counts = np.bincount(codes[:half], minlength=codes.max() + 1)
        means = np.where(counts > 0, sums / np.maximum(counts, 1), target[:half].mean())
        return order(means[codes[half:]], target[half:])
    numbers = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
    values = np.array(pc.cast(numbers, pa.float64(), safe=False).to_numpy(), np.float64)
    known = np.isfinite(values)
    return max(order(values[known], target[known]), order(known.astype(np.float64), target))


def _auc(values: Floats, target: Floats) -> float:
    positives, total = target.sum(), len(target)
    if positives in (0, total):
        return 0.0
    ranks = _ranks(values)
    auc = (ranks[target == 1].sum() - positives * (positives + 1) / 2) / (positives * (total - positives))
    return float(max(auc, 1 - auc))


def _rank_correlation(values: Floats, target: Floats) -> float:
    ranks, others = _ranks(values), _ranks(target)
    if len(values) < 2 or ranks.std() == 0 or others.std() == 0:
        return 0.0
    return float(np.corrcoef(ranks, others)[0, 1] ** 2)


def _ranks(values: Floats) -> Floats:
    """Ranks from 1, the mean of the places where values tie."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[places], np.float64)


def _about_ten(before: Counts, now: Counts) -> tuple[Counts, Counts]:
    """Neighbouring cells put together until each holds about a tenth of the rows before."""
    behind = np.concatenate([[0], np.cumsum(before)[:-1]])
    groups = np.minimum(behind * PSI_CELLS // max(int(before.sum()), 1), PSI_CELLS - 1)
    return tuple(np.bincount(groups, cells, minlength=PSI_CELLS).astype(np.int64) for cells in (before, now))  # type: ignore[return-value]


def _share(count: int, total: int) -> str:
    return f"{count:,} of {total:,} rows ({percent(count / total)})"
