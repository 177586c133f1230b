"""Answers as SageMaker's XGBoost does without a script: `sagemaker_xgboost_container.algorithm_mode.serve`.

The rows of a request are answered on one line, between commas, or a line each where SAGEMAKER_BATCH says that a transform job
asks; in JSON as `{"predictions": [{"score": ..}]}`. An empty field of CSV is missing; a header, or a word, answers 415.
"""

from __future__ import annotations

import csv
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

CSV, JSON = "text/csv", "application/json"


class UnansweredError(Exception):
    """The image answers with this status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status_of_image = status


def model_fn(model_dir: str) -> xgboost.Booster:
    """Load the one file of the artefact."""
    (path,) = [path for path in Path(model_dir).iterdir() if path.is_file()]
    return xgboost.Booster(model_file=str(path))


def transform_fn(model: xgboost.Booster, body: str | bytes, content_type: str, accept: str) -> tuple[str, str]:
    """Answer a request."""
    if content_type.partition(";")[0].strip().lower() != CSV:
        raise UnansweredError(
            415, f"Content-type {content_type} not supported. Supported content-type is text/csv, text/libsvm"
        )
    if accept not in (CSV, JSON):
        raise UnansweredError(406, f"Accept type {accept} is not supported")
    text = body.decode() if isinstance(body, bytes) else body
    try:
        rows = [
            [float(value) if value else math.nan for value in line.split(",")] for line in text.strip().splitlines()
        ]
        matrix = np.array(rows, dtype=np.float64)
    except (ValueError, IndexError, csv.Error) as error:
        reason = f"Loading csv data failed with Exception, please ensure data is in csv format: {error}"
        raise UnansweredError(415, reason) from None
    given, wanted = matrix.shape[1], model.num_features()
    if given != wanted:
        raise UnansweredError(
            400,
            f"Unable to evaluate payload provided: Feature size of csv inference data {given} is not consistent with feature size of "
            f"trained model {wanted}.",
        )
    return written(model.predict(xgboost.DMatrix(matrix)).tolist(), accept)


def written(found: list[Any], accept: str) -> tuple[str, str]:
    """The answers in the type that was asked for."""
    if accept == JSON:
        return json.dumps({"predictions": [{"score": value} for value in found]}), JSON
    if os.environ.get("SAGEMAKER_BATCH"):
        return "\n".join(map(str, found)) + "\n", CSV
    return ",".join(map(str, found)), CSV
