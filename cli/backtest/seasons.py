"""The rows before each window of a history, for policies that compare drift with them and not with the training data."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cli.backtest.question import BacktestQuestion
from kedge.arrays import Ints
from kedge.config.sections import BaselineSource
from kedge.drift.seasonal_baseline import Span, seasonal_spans
from kedge.profile.baseline import Baseline, Profile
from kedge.profile.counting import count_rows

Seasons = dict[tuple[str, int], dict[BaselineSource, Profile]]


def count_seasons(question: BacktestQuestion, baseline: Baseline) -> Seasons:
    """By setting and window, the rows of each span that the setting needs; the files are read once for all of them.

    If no setting needs any, nothing is read.
    """
    wanted, found = _wanted(question), Seasons()
    names = [column.name for column in question.columns]
    for table, times in question.history.all_rows(names) if wanted else ():
        for (setting, code, source), spans in wanted.items():
            inside = _inside(times, spans)
            if inside.any():
                rows = count_rows(baseline, table.filter(pa.array(inside)), times=question.options.time)
                earlier = found.setdefault((setting, code), {})
                earlier[source] = earlier[source] + rows if source in earlier else rows
    return found


def _wanted(question: BacktestQuestion) -> dict[tuple[str, int, BaselineSource], list[tuple[int, int]]]:
    grid = question.history.grid
    return {
        (setting.name, code, source): [_microseconds(span) for span in spans]
        for setting in question.settings
        for code in range(question.history.windows)
        for source, spans in seasonal_spans(setting.config, *grid.bounds(code)).items()
    }


def _microseconds(span: Span) -> tuple[int, int]:
    start, end = (_since_1970(time) for time in span)
    return start, end


def _since_1970(time: datetime) -> int:
    return round(time.timestamp() * 1_000_000)


def _inside(times: Ints, spans: list[tuple[int, int]]) -> NDArray[np.bool_]:
    inside = np.zeros(len(times), bool)
    for start, end in spans:
        inside |= (times >= start) & (times < end)
    return inside
