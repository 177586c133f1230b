"""What a challenger's features weigh: by its training job, or by what shuffling them costs on the holdout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from kedge.config.model import ModelConfig
from kedge.drift.importance import parse_importance
from kedge.errors import UnreadableImportanceError
from kedge.own_columns import ROW_ID
from kedge.retraining.permutation import permutation_importance
from lambdas.adapters.bucket import layout
from lambdas.adapters.training import training_data, training_outputs, transform_outputs
from lambdas.adapters.training.transform_outputs import Answered
from lambdas.logs import logger


def scored_holdout(s3: Any, bucket: str, model: str, run: str, config: ModelConfig) -> tuple[pa.Table, list[Answered]]:
    """The holdout with the challenger's answers, and its answers to the same rows with a feature shuffled."""
    truth = training_data.load_table(s3, bucket, layout.retraining_key(model, run, layout.TRUTH))
    scored, row_ids = layout.scored_prefix(model, run, "challenger"), truth.column(ROW_ID).to_pylist()
    answers, permuted = (
        transform_outputs.load_answers(s3, bucket, scored, config, rows=len(row_ids), permuted=shuffled)
        for shuffled in (False, True)
    )
    aligned = transform_outputs.align_answers(answers, row_ids, scored_by="challenger")
    return with_answers(truth, aligned, config), permuted


def with_answers(truth: pa.Table, aligned: Sequence[Answered], config: ModelConfig) -> pa.Table:
    """The holdout with what the challenger answered, its classes' probabilities among it."""
    holdout = truth.append_column(config.prediction.name, pa.array([answer.value for answer in aligned]))
    for place, name in enumerate(config.prediction.probabilities):
        holdout = holdout.append_column(name, pa.array([answer.probabilities[place] for answer in aligned]))
    return holdout


def known_importance(
    s3: Any, bucket: str, trained_uri: str, scored: Callable[[], tuple[pa.Table, list[Answered]]], config: ModelConfig
) -> dict[str, float]:
    """What the training job says that its features weigh; where it says nothing that can be read, what shuffling them costs.

    Parameters
    ----------
    scored : callable
        Gives what `scored_holdout` does; called only where the job says nothing.
    """
    # It ranks alerts and decides nothing: no reason to lose a challenger that has passed its gate.
    try:
        # Only a job of Kedge's own leaves one where Kedge reads.
        own = trained_uri.startswith(f"s3://{bucket}/")
        content = training_outputs.load_importance(s3, trained_uri) if own else None
        if content is not None:
            return parse_importance(content, config.feature_names)
    except UnreadableImportanceError as error:
        logger.warning("the job's importance left out", model=config.model, reason=str(error))
    holdout, permuted = scored()
    try:
        return permutation_importance(holdout, {answer.row_id: answer.value for answer in permuted}, config)
    except UnreadableImportanceError as error:
        logger.warning("importance left out", model=config.model, reason=str(error))
        return {}
