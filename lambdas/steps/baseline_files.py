"""What a package is watched by, a challenger or an adopted model: made of its training rows, and of answers to rows new to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from kedge.arrays import Floats
from kedge.columns.casting import Column, columns_of
from kedge.columns.margins import countable, with_margins
from kedge.columns.row_batches import RowBatches
from kedge.config.model import ModelConfig
from kedge.estimation.estimators import fit_estimator
from kedge.model_monitor import baseline_constraints, baseline_statistics, quality_constraints, quality_statistics
from kedge.outcomes.counts import OutcomeCounts, count_outcomes, measure
from kedge.outcomes.outcomes import Outcomes, read_outcomes
from kedge.own_columns import LABEL, TIME
from kedge.package_schema import encode_schema
from kedge.performance.business import encode_figures, window_figures
from kedge.performance.window import limits_of
from kedge.profile.design_effect import with_design_effects
from kedge.profile.encoding import encode_baseline
from kedge.profile.feature_facts import read_facts
from kedge.profile.freezing import Fineness, freeze_sides
from kedge.slices.counts import slice_reference
from kedge.slices.encoding import encode_slices
from kedge.stored import REFERENCE
from lambdas.adapters.bucket import layout


def baseline_files(
    config: ModelConfig,
    name: str,
    training: RowBatches,
    holdout: pa.Table,
    importance: Mapping[str, float],
    *,
    edges: Mapping[str, Floats] | None = None,
) -> dict[str, bytes]:
    """Everything by which a package is judged: the baseline, its schema, Model Monitor's files, and where labels are the reference.

    Parameters
    ----------
    name : str
        The baseline's.
    training : RowBatches
        The features, and where it is known `kedge_time`: oldest first then. They are read some at a time, and may be of any number.
    holdout : Table
        Rows that the model has not learnt, or its prediction would drift on its first day, with its answers; with `label` they
        say how well it answers. There are `training.maximum_holdout_rows` of them at most.
    edges : mapping of str to ndarray, optional
        Edges of features that are known as a histogram only.
    """
    # Rows that say nothing of their time stand in their order; what has none on one side cannot be aged on it.
    clock = TIME if TIME in training.names else None
    times = clock if TIME in holdout.column_names else None
    answered = with_margins(holdout.sort_by(TIME) if times else holdout, config)
    features = [Column(f.name, "feature", f.kind, f.declared_dtype) for f in config.features]
    facts = read_facts(features, training, times=clock)
    columns = countable(columns_of(config), answered, config)
    # What no row has yet cannot be watched: a feature that is new is, from the next package on.
    columns = tuple(c for c in columns if c.role == "prediction" or facts[c.name].missing < training.rows)
    predictions = answered.select([column.name for column in columns if column.role == "prediction"])
    fineness = Fineness(edges=edges or {})
    baseline = freeze_sides(config.model, name, columns, training, predictions, times=times, fineness=fineness)
    baseline = with_design_effects(baseline, training, RowBatches.of(predictions), times=times)
    baseline = replace(baseline, importance=importance)
    documents = {
        layout.STATISTICS: baseline_statistics(facts, rows=training.rows),
        layout.CONSTRAINTS: baseline_constraints(facts, config),
    }
    files = {layout.BASELINE: encode_baseline(baseline), layout.SCHEMA: encode_schema(config)}
    if LABEL in holdout.column_names and config.capture.has_answers:
        documents |= _quality_documents(config, holdout)
        files[layout.SLICES] = encode_slices(slice_reference(baseline, holdout, config))
    return files | {file: json.dumps(document, sort_keys=True).encode() for file, document in documents.items()}


def _quality_documents(config: ModelConfig, holdout: pa.Table) -> dict[str, dict[str, Any]]:
    outcomes, _ = read_outcomes(holdout, config.prediction.name, LABEL, config)
    reference = count_outcomes(outcomes, config)
    found, limits = measure(reference, config.performance), limits_of(reference, reference, config.performance)
    return {
        layout.REFERENCE: reference_document(config, holdout, outcomes, reference),
        layout.QUALITY: quality_statistics(found, rows=reference.rows, problem=config.problem),
        layout.QUALITY_CONSTRAINTS: quality_constraints(found, limits, problem=config.problem),
    }


def reference_document(
    config: ModelConfig, holdout: pa.Table, outcomes: Outcomes, counts: OutcomeCounts
) -> dict[str, Any]:
    """The reference from rows that the model has not learnt: outcomes, the estimator, business figures."""
    found = measure(counts, config.performance)
    estimator = fit_estimator(outcomes, threshold=config.prediction.threshold)
    ripe = np.ones(holdout.num_rows, bool)
    figures = window_figures(holdout, config.prediction.name, config, label=LABEL, ripe=ripe)
    document = {"counts": counts.to_json(), "metrics": {name: metric.value for name, metric in found.items()}}
    document |= {"estimator": estimator.to_json()} if estimator else {}
    return REFERENCE.marked(document | ({"business": encode_figures(figures)} if figures else {}))
