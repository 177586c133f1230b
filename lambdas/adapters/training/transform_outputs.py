"""Answers of Batch Transform jobs: ids and answers with their probabilities, as JoinSource left them side by side."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import Any, NamedTuple

from kedge.capture.answers import answer_rows
from kedge.capture.formats import Payload
from kedge.config.model import ModelConfig
from kedge.errors import HoldoutCountMismatchError, UnreadableAnswerError, UnreadableRecordError
from lambdas.adapters.bucket import row_objects

Answer = float | str
# What a transform job's input begins with where its rows are shuffled ones.
PERMUTED = "permuted"
# A longer line is no id and answer; with JSON a row's own values stand beside it.
ANSWER_BYTES_MAX = 8 * 2**20


class Answered(NamedTuple):
    """One row's answer, and each class's probability where the YAML names their columns; NaN where one is not there."""

    row_id: str
    value: Answer
    probabilities: tuple[float, ...] = ()


def load_answers(
    s3: Any, bucket: str, prefix: str, config: ModelConfig, *, rows: int, permuted: bool = False
) -> list[Answered]:
    """Read the answers under a transform job's output prefix, in the order of its files: to the holdout, or to its shuffled rows.

    A script can answer whatever it likes: no more is read than twice as many answers as there are rows, which no holdout
    can be aligned with.
    """
    return [*islice(_all_answers(s3, bucket, prefix, config, permuted=permuted), 2 * rows + 1)]


def _all_answers(s3: Any, bucket: str, prefix: str, config: ModelConfig, *, permuted: bool) -> Iterator[Answered]:
    for key in row_objects.list_sizes(s3, bucket, prefix.rstrip("/") + "/"):
        name = key.rpartition("/")[2]
        if name.endswith(".out") and name.startswith(PERMUTED) is permuted:
            with row_objects.open_object(s3, bucket, key) as opened:
                yield from parse_answers(opened, config, key=key)


def parse_answers(opened: io.BufferedIOBase, config: ModelConfig, *, key: str) -> Iterator[Answered]:
    """Read a joined output: `id,answer,probabilities` lines, or JSON objects with `id` and `SageMakerOutput`."""
    lines = _lines(opened, key)
    if config.endpoint.content_type == "text/csv":
        rows = csv.reader(lines)
        try:
            for row in rows:
                if row:
                    yield _csv_answer(row, config, (key, rows.line_num))
        except csv.Error:
            raise UnreadableAnswerError(key=key, line=rows.line_num) from None
        return
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _json_answer(line, config, (key, number))


def _lines(opened: io.BufferedIOBase, key: str) -> Iterator[str]:
    """By line feeds alone: a value may hold other marks at which text can be split."""
    for number in count(1):
        line = opened.readline(ANSWER_BYTES_MAX + 1)
        if not line:
            return
        try:
            text = line.decode()
        except UnicodeDecodeError:
            raise UnreadableAnswerError(key=key, line=number) from None
        if len(line) > ANSWER_BYTES_MAX:
            raise UnreadableAnswerError(key=key, line=number)
        yield text


def align_answers(answers: list[Answered], row_ids: list[str], *, scored_by: str) -> list[Answered]:
    """Put the answers into the holdout's order; each row must have been answered exactly once."""
    by_id, wanted = {answer.row_id: answer for answer in answers}, {*row_ids}
    absent, unknown, repeated = len(wanted - by_id.keys()), len(by_id.keys() - wanted), len(answers) - len(by_id)
    if absent or unknown or repeated:
        raise HoldoutCountMismatchError(
            scored_by=scored_by,
            expected=len(row_ids),
            found=len(answers),
            absent=absent,
            repeated=repeated,
            unknown=unknown,
        )
    return [by_id[row_id] for row_id in row_ids]


def _csv_answer(row: list[str], config: ModelConfig, place: tuple[str, int]) -> Answered:
    try:
        # The job's output filter left the prediction and what belongs to it, and nothing else.
        row_id, found, *beside = row
        absent = [None] * (len(config.prediction.probabilities) - len(beside))
        return _answered(row_id, [found, *beside[: len(config.prediction.probabilities)], *absent], config)
    except ValueError:
        # Nothing of what was raised is passed on: it quotes the answer.
        raise UnreadableAnswerError(key=place[0], line=place[1]) from None


def _json_answer(line: str, config: ModelConfig, place: tuple[str, int]) -> Answered:
    try:
        record = json.loads(line)
        came = Payload([record["SageMakerOutput"]], "JSON", guessed=False)
        return _answered(str(record["id"]), answer_rows(came, 1, config)[0], config)
    except (ValueError, KeyError, TypeError, RecursionError, UnreadableRecordError):
        raise UnreadableAnswerError(key=place[0], line=place[1]) from None


def _answered(row_id: str, answer: Sequence[str | None], config: ModelConfig) -> Answered:
    """A class of several as text, else a number; then the probabilities."""
    found, *beside = answer
    if found is None:
        raise ValueError("no answer")
    value = found if config.problem == "multiclass_classification" else float(found)
    return Answered(row_id, value, tuple(_probability(said) for said in beside))


def _probability(said: Any) -> float:
    try:
        return float(said)
    except (TypeError, ValueError):
        return math.nan
