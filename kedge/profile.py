"""Counts over frozen cells under one name: the baseline that is a ruler, and what counts rows with it."""

from kedge.baseline import Baseline, ColumnCounts, Profile
from kedge.binning import Bins
from kedge.columns import columns_of
from kedge.counting import count_batches, count_rows, count_rows_by_hour
from kedge.freezing import freeze_baseline, freeze_baseline_streaming

__all__ = [
    "Baseline", "Bins", "ColumnCounts", "Profile", "columns_of", "count_batches", "count_rows", "count_rows_by_hour",
    "freeze_baseline", "freeze_baseline_streaming",
]  # fmt: skip
