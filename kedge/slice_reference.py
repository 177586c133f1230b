"""The champion's holdout by slice: what the slices of its windows are compared with."""

from __future__ import annotations

import pyarrow as pa

from kedge.model_config import ModelConfig
from kedge.outcomes import read_outcomes
from kedge.own_columns import LABEL
from kedge.profile import Baseline
from kedge.slice_counting import count_reference
from kedge.slice_ruler import freeze_ruler
from kedge.slices import SliceCounts


def slice_reference(baseline: Baseline, holdout: pa.Table, config: ModelConfig) -> SliceCounts:
    """Count the champion's holdout by slice: what its windows will be compared with.

    Parameters
    ----------
    holdout : Table
        The features, the answers under the prediction's name, and `label`; rows that the model has not learnt from.
    """
    classes = config.labels.classes if config.problem != "regression" else ()
    ruler = freeze_ruler(baseline, config.problem, classes=classes, columns=config.segments.columns)
    outcomes, faults = read_outcomes(holdout, config.prediction.name, LABEL, config)
    kept = holdout.filter(pa.array(faults.kept))
    return count_reference(ruler, lambda names: [({name: kept.column(name) for name in names}, outcomes)])
