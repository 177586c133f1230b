"""Files of a model of several classes, read with the margin of its answers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from cli.rows.files import DerivedColumn, RowFiles
from kedge.config.model import ModelConfig


def has_margins(rows: RowFiles, config: ModelConfig) -> bool:
    """Whether the files hold every class's probability."""
    return config.margin_column is not None and {*config.prediction.probabilities} <= {*rows.schema.names}


def with_margin_column(rows: RowFiles, config: ModelConfig) -> RowFiles:
    """The same files with the model's `margin_column`, which they must have the sources of."""
    # Here, because most files are of no such model.
    from kedge.columns.margins import with_margins

    add = partial(with_margins, config=config)
    return replace(rows, derived=DerivedColumn(config.margin_column or "", config.prediction.probabilities, add))
