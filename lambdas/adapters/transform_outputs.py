"""Answers of Batch Transform jobs: ids and answers with their probabilities, as JoinSource left them side by side."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
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
        return [_csv_answer(row, config, key) for row in csv.reader(io.StringIO(text)) if row]
    return [_json_answer(line, config, key) for line in text.splitlines() if line.strip()]


def align_answers(answers: list[Answered], row_ids: list[str], *, scored_by: str) -> list[Answered]:
    """Put the answers into the holdout's order; each row must have been answered exactly once."""
    by_id = {answer.row_id: answer for answer in answers}
    wrong = next(_unpaired(answers, by_id, row_ids), None)
    if wrong is not None:
        raise HoldoutCountMismatchError(scored_by=scored_by, expected=len(row_ids), found=len(answers), example=wrong)
    return [by_id[row_id] for row_id in row_ids]


def _unpaired(answers: list[Answered], by_id: dict[str, Answered], row_ids: list[str]) -> Iterator[str]:
    if len(answers) != len(by_id):
        seen: set[str] = set()
        for row_id, *_ in answers:
            if row_id in seen:
                yield row_id
            seen.add(row_id)
    wanted = set(row_ids)
    yield from (row_id for row_id in row_ids if row_id not in by_id)
    yield from (row_id for row_id in by_id if row_id not in wanted)


def _csv_answer(row: list[str], config: ModelConfig, key: str) -> Answered:
    try:
        # The job's output filter left the prediction and what belongs to it, and nothing else.
        row_id, *answer = row
        return _read(row_id, answer, 0, config)
    except (ValueError, IndexError) as error:
        raise UnreadableAnswerError(key=key, line=",".join(row)) from error


def _json_answer(line: str, config: ModelConfig, key: str) -> Answered:
    try:
        record = json.loads(line)
        return _read(str(record["id"]), record["SageMakerOutput"], config.prediction.field, config)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise UnreadableAnswerError(key=key, line=line) from error


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
