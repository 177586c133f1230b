"""Answers of Batch Transform jobs: ids and answers with their probabilities, as JoinSource left them side by side."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any, NamedTuple

from kedge.errors import HoldoutCountMismatchError, UnreadableAnswerError
from kedge.model_config import ModelConfig

Answer = float | str
# What a transform job's input begins with where its rows are shuffled ones.
PERMUTED = "permuted"


class Answered(NamedTuple):
    """One row's answer, and each class's probability where the YAML names their columns; NaN where one is not there."""

    row_id: str
    value: Answer
    probabilities: tuple[float, ...] = ()


def load_answers(s3: Any, bucket: str, prefix: str, config: ModelConfig, *, permuted: bool = False) -> list[Answered]:
    """Read every answer under a transform job's output prefix, in the order of its files: to the holdout, or to its shuffled rows."""
    answers = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix.rstrip("/") + "/"):
        for entry in page.get("Contents", []):
            name = entry["Key"].rpartition("/")[2]
            if name.endswith(".out") and name.startswith(PERMUTED) is permuted:
                body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
                answers += parse_answers(body.decode(), config, key=entry["Key"])
    return answers


def parse_answers(text: str, config: ModelConfig, *, key: str) -> list[Answered]:
    """Read a joined output: `id,answer,probabilities` lines, or JSON objects with `id` and `SageMakerOutput`."""
    if config.endpoint.content_type == "text/csv":
        rows = csv.reader(io.StringIO(text))
        return [_csv_answer(row, config, (key, rows.line_num)) for row in rows if row]
    # By line feeds alone: a value may hold other marks at which text can be split.
    lines = enumerate(text.split("\n"), start=1)
    return [_json_answer(line, config, (key, number)) for number, line in lines if line.strip()]


def align_answers(answers: list[Answered], row_ids: list[str], *, scored_by: str) -> list[Answered]:
    """Put the answers into the holdout's order; each row must have been answered exactly once."""
    by_id, wanted = {answer.row_id: answer for answer in answers}, {*row_ids}
    absent, unknown, repeated = len(wanted - by_id.keys()), len(by_id.keys() - wanted), len(answers) - len(by_id)
    if absent or unknown or repeated:
        raise HoldoutCountMismatchError(
            scored_by=scored_by, expected=len(row_ids), found=len(answers), absent=absent, repeated=repeated,
            unknown=unknown,
        )  # fmt: skip
    return [by_id[row_id] for row_id in row_ids]


def _csv_answer(row: list[str], config: ModelConfig, place: tuple[str, int]) -> Answered:
    try:
        # The job's output filter left the prediction and what belongs to it, and nothing else.
        row_id, *answer = row
        return _read(row_id, answer, 0, config)
    except (ValueError, IndexError):
        # Nothing of what was raised is passed on: it quotes the answer.
        raise UnreadableAnswerError(key=place[0], line=place[1]) from None


def _json_answer(line: str, config: ModelConfig, place: tuple[str, int]) -> Answered:
    try:
        record = json.loads(line)
        return _read(str(record["id"]), record["SageMakerOutput"], config.prediction.field, config)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        raise UnreadableAnswerError(key=place[0], line=place[1]) from None


def _read(row_id: str, answer: Any, field: str | int, config: ModelConfig) -> Answered:
    """The prediction, found where the capture's reader finds it: a class of several as text, else a number."""
    if isinstance(answer, dict) and isinstance(answer.get("predictions"), list):
        (answer,) = answer["predictions"]
    names = config.prediction.probabilities
    if isinstance(answer, dict):
        found, beside = answer[field if isinstance(field, str) else config.prediction.name], [*map(answer.get, names)]
    else:
        values, place = answer if isinstance(answer, list) else [answer], int(field)
        found, beside = values[place], values[place + 1 :][: len(names)]
        beside += [None] * (len(names) - len(beside))
    value = str(found) if config.problem == "multiclass_classification" else float(found)
    return Answered(row_id, value, tuple(_probability(said) for said in beside))


def _probability(said: Any) -> float:
    try:
        return float(said)
    except (TypeError, ValueError):
        return math.nan
