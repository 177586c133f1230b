"""Which of the rows that may train or judge a model do: classes balanced, the newest of too many, no more than fit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
import pyarrow as pa

from kedge.arrays import Ints
from kedge.comparisons import counted
from kedge.config.model import ModelConfig
from kedge.own_columns import ROW_ID
from kedge.retraining.population import Population, counts_of
from kedge.retraining.snapshot import Split, together

# Rows times columns of what one function can split, check and write: 1.7 million rows of 20 features take 2.4 GiB of 4.
VALUES_MAX = 40_000_000
# A row's hash: as many bits of the SHA-256 of its id. Two of a million rows share one in 0.2 % of all cases.
HASH_BITS = 48


@dataclass(frozen=True)
class Pool:
    """The rows that some are taken from: those of a class since a full hour.

    Attributes
    ----------
    code : int
        Of the class, as `class_codes` gives it.
    since : int
        Microseconds since 1970.
    there, used : int
        Rows of the pool, and those of them that are used.
    evenly : bool
        Whether the rows with the smallest hashes are used: evenly over time. Else the newest are.
    """

    code: int
    since: int
    there: int
    used: int
    evenly: bool

    @property
    def hash_limit(self) -> int | None:
        """A hash that enough of the pool's rows, and few more, are below; None where all rows may be needed."""
        return hash_limit(self.used, self.there) if self.evenly else None


def capacity_rows(config: ModelConfig) -> int:
    """Rows that one function can hold, of both sides of a split."""
    return VALUES_MAX // (len(config.features) + 3)


def holdout_rows(population: Population, config: ModelConfig) -> int:
    """Rows of the holdout that are judged on: evenly over its time, where it has more than narrow an interval, or fit."""
    fitting = int(capacity_rows(config) * config.training.holdout_fraction)
    return min(population.holdout, config.training.maximum_holdout_rows, fitting)


def pools(population: Population, config: ModelConfig, older_rows: int = 0) -> tuple[Pool, ...]:
    """Decide by counts alone which training rows are used.

    Larger classes are thinned to `training.class_ratio_max` times the smallest; of more than `training.maximum_rows` the newest
    are used, each class with its share; and of more than one function can hold, an even part of the same time.

    Parameters
    ----------
    older_rows : int
        The user's first rows from before the window: what `training.initial_fraction` wants of them needs room too.
    """
    policy, counts = config.training, population.by_class(config)
    room = capacity_rows(config) - holdout_rows(population, config)
    balanced = _balanced(counts, config)
    newest = _shares(balanced, _without_older(policy.maximum_rows, config, older_rows))
    # All classes from the same time on: as much of each class as is left of it once it is balanced.
    reached = -(-counts * newest // np.maximum(balanced, 1))
    used = _shares(newest, _without_older(room, config, older_rows))
    return tuple(
        _pool(population, code, int(reached[code]), int(used[code])) for code in np.flatnonzero(counts).tolist()
    )


def _without_older(rows: int | None, config: ModelConfig, older_rows: int) -> int | None:
    return None if rows is None else rows - min(older_rows, round(rows * config.training.initial_fraction))


def _pool(population: Population, code: int, reached: int, used: int) -> Pool:
    own = population.training.only(population.training.codes == code)
    hours, places = np.unique(own.hours, return_inverse=True)
    behind = np.cumsum(np.bincount(places, own.rows).astype(np.int64)[::-1])
    place = int(np.searchsorted(behind, reached))
    return Pool(code, int(hours[::-1][place]), int(behind[place]), used, evenly=used < reached)


def _balanced(counts: Ints, config: ModelConfig) -> Ints:
    # What is no class, or what a regression has, is not balanced.
    of_classes = counts[: len(config.classes)]
    if config.training.class_ratio_max is None or not of_classes.any():
        return counts
    most = max(1, int(config.training.class_ratio_max * of_classes[of_classes > 0].min()))
    return np.concatenate([np.minimum(of_classes, most), counts[len(of_classes) :]])


def _shares(counts: Ints, most: int | None) -> Ints:
    """At most this number of rows, of each class its share of them; a class of few rows keeps at least one."""
    if most is None or counts.sum() <= most:
        return counts
    shares = counts * most / counts.sum()
    quotas = np.where(counts > 0, np.maximum(np.floor(shares).astype(np.int64), 1), 0)
    left = max(0, most - int(quotas.sum()))
    # The largest remainders; a class that has got its one row already has none left.
    quotas[np.argsort(quotas - shares, kind="stable")[:left]] += 1
    return quotas


def selected(
    split: Split, config: ModelConfig, population: Population, older: pa.Table | None = None
) -> tuple[Split, tuple[str, ...]]:
    """The split with the training rows that the YAML wants and that fit, and what was done to them, in sentences.

    Parameters
    ----------
    split : Split
        As `split_in_time` returns it; or no more than the rows of its `pools`, some hashes more or less.
    population : Population
        Of all rows, also of those that are not in `split`.
    older : Table, optional
        The user's first rows from before the window, oldest first.
    """
    policy, rows = config.training, split.training
    older_rows = older.num_rows if older is not None else 0
    chosen = pools(population, config, older_rows)
    if sum(pool.used for pool in chosen) < population.training.rows.sum():
        rows = rows.take(pa.array(_taken(rows, config, chosen)))
    notes = _notes(population, config, chosen, older_rows)
    if policy.initial_fraction and older is not None and older.num_rows:
        wanted = round(rows.num_rows * policy.initial_fraction / (1 - policy.initial_fraction))
        taken = older.take(pa.array(_spread(older.num_rows, wanted)))
        rows = together([taken, rows])
        notes.append(
            f"{counted(taken.num_rows, 'first row')} from before the window are mixed in (training.initial_fraction)"
        )
    return replace(split, training=rows), tuple(notes)


def _taken(rows: pa.Table, config: ModelConfig, chosen: Iterable[Pool]) -> Ints:
    tally, places = counts_of(rows, config), [np.zeros(0, np.int64)]
    for pool in chosen:
        there = np.flatnonzero((tally.codes == pool.code) & (tally.times >= pool.since))
        if pool.evenly:
            places.append(there[_smallest(rows.column(ROW_ID).take(pa.array(there)), pool.used)])
        else:
            places.append(there[-pool.used :])
    return np.sort(np.concatenate(places))


def _notes(population: Population, config: ModelConfig, chosen: Iterable[Pool], older_rows: int) -> list[str]:
    policy, counts, notes = config.training, population.by_class(config), list[str]()
    balanced = _balanced(counts, config)
    if left := int((counts - balanced).sum()):
        notes.append(
            f"{left:,} training rows of larger classes are left out, evenly over time "
            f"(training.class_ratio_max {policy.class_ratio_max:g}): the model's probabilities are of this mixture"
        )
    newest = _shares(balanced, _without_older(policy.maximum_rows, config, older_rows))
    if (rows := int(newest.sum())) < (before := int(balanced.sum())):
        notes.append(f"the newest {rows:,} of {before:,} training rows are used (training.maximum_rows)")
    if (used := sum(pool.used for pool in chosen)) < rows:
        notes.append(
            f"{used:,} of {rows:,} training rows are used, evenly over time: more do not fit into the function that splits them; "
            "training.maximum_rows names a smaller number, of the newest"
        )
    return notes


def with_holdout_that_fits(split: Split, config: ModelConfig, population: Population) -> tuple[Split, tuple[str, ...]]:
    """The split with the holdout rows that are judged on, and what was done to them, in sentences."""
    used = holdout_rows(population, config)
    if used == population.holdout:
        return split, ()
    places = np.sort(_smallest(split.holdout.column(ROW_ID), used))
    note = (
        f"{used:,} of {population.holdout:,} holdout rows are judged on, evenly over time (training.maximum_holdout_rows "
        f"{config.training.maximum_holdout_rows:,}, and what fits)"
    )
    return replace(split, holdout=split.holdout.take(pa.array(places))), (note,)


def hash_limit(used: int, there: int) -> int | None:
    """A hash that at least `used` of `there` rows are below, but for one case in a billion; None where all may be needed.

    The rows below a hash are binomial: six standard deviations more than are wanted.

    >>> hash_limit(10, 12), round(hash_limit(1_000_000, 100_000_000) / 2**HASH_BITS, 7)
    (None, 0.0100601)
    """
    fraction = (used + 6 * sqrt(used) + 10) / max(there, 1)
    return int(fraction * 2**HASH_BITS) if fraction < 1 else None


def row_hashes(ids: pa.ChunkedArray) -> Ints:
    """The first `HASH_BITS` bits of the SHA-256 of each id, as Athena takes them too.

    >>> hex(int(row_hashes(pa.chunked_array([["abc"]]))[0]))
    '0xba7816bf8f01'
    """
    size = HASH_BITS // 8
    return np.array([int.from_bytes(hashlib.sha256(i.encode()).digest()[:size]) for i in ids.to_pylist()], np.int64)


def _smallest(ids: pa.ChunkedArray, most: int) -> Ints:
    return np.argsort(row_hashes(ids), kind="stable")[:most]


def _spread(there: int, most: int) -> Ints:
    """At most this number of places, evenly over all of them."""
    return np.arange(there) if there <= most else np.arange(most) * there // max(most, 1)
