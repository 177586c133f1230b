"""Whether rows stand in the order of a column's values: then their order says nothing of what repeats itself in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kedge.columns.casting import Column, cast_numbers, cast_text

# Steps against the order that rows of several sorted files have where one ends, beside those along it. Half of the steps of rows
# in the order of time go either way, however slowly they change; a clock's minutes go back once in sixty.
_AGAINST_MAX = 0.01
# Levels beyond this many are not followed: rows that come by user or by session have as many.
_LEVELS_MAX = 1000


@dataclass
class RowOrder:
    """Steps from row to row in a stream of batches, by column."""

    columns: tuple[Column, ...]
    _steps: dict[str, _Steps | _Runs] = field(default_factory=dict)

    def add(self, batch: Any) -> None:
        """Look at the next rows.

        Parameters
        ----------
        batch : Table or RecordBatch
        """
        for column in self.columns:
            if column.kind == "numeric":
                numbers = cast_numbers(batch.column(column.name), column.dtype).values
                self._steps.setdefault(column.name, _Steps()).add(numbers[~np.isnan(numbers)])
            elif not column.is_number:
                coded = cast_text(batch.column(column.name)).drop_null().dictionary_encode()
                self._steps.setdefault(column.name, _Runs()).add(coded)

    @classmethod
    def side_by_side(cls, parts: Sequence[RowOrder]) -> RowOrder:
        """The order of several that have looked at different columns of the same rows."""
        columns = tuple(column for part in parts for column in part.columns)
        return cls(columns, {name: steps for part in parts for name, steps in part._steps.items()})

    @property
    def sorted_columns(self) -> tuple[str, ...]:
        """Numbers that go one way all along, and categories whose levels each stand in one run.

        >>> import pyarrow as pa
        >>> columns = [Column("x", "feature", "numeric", "float64"), Column("c", "feature", "categorical", "string")]
        >>> order = RowOrder(tuple(columns))
        >>> order.add(pa.table({"x": [1, 2, 2, 5], "c": ["b", "a", "a", "b"]}))
        >>> order.sorted_columns
        ('x',)
        """
        return tuple(name for name, steps in self._steps.items() if steps.are_sorted)


@dataclass
class _Steps:
    """Of a number: how often it rises and falls from one row to the next."""

    up: int = 0
    down: int = 0
    last: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def add(self, values: NDArray[np.float64]) -> None:
        values = np.concatenate([self.last, values])
        # An infinity less itself is no step.
        self.up += int((values[1:] > values[:-1]).sum())
        self.down += int((values[1:] < values[:-1]).sum())
        self.last = values[-1:]

    @property
    def are_sorted(self) -> bool:
        return min(self.up, self.down) <= _AGAINST_MAX * (self.up + self.down) and self.up != self.down


@dataclass
class _Runs:
    """Of a category: how many stretches of one level there are."""

    runs: int = 0
    levels: set[str] = field(default_factory=set)
    last: str | None = None

    def add(self, coded: Any) -> None:
        if not len(coded) or len(self.levels) > _LEVELS_MAX:
            return
        codes = coded.indices.to_numpy(zero_copy_only=False)
        words = coded.dictionary
        self.runs += int((np.diff(codes) != 0).sum()) + (words[int(codes[0])].as_py() != self.last)
        self.levels.update(words.to_pylist())
        self.last = words[int(codes[-1])].as_py()

    @property
    def are_sorted(self) -> bool:
        return 1 < len(self.levels) <= _LEVELS_MAX and self.runs == len(self.levels)
