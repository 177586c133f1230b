"""Which part of a payload is the answer to which row. A layout is its function and its place in `LAYOUTS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kedge.capture.formats import Payload
from kedge.capture.paths import found_at
from kedge.capture.texts import ANSWER
from kedge.config.model import ModelConfig
from kedge.errors import UnreadableRecordError

WRAPPERS = ("predictions", "outputs", "instances")
# What containers call an answer's parts, the plainest first: the class or number, its probability, all classes' probabilities, and their names.
LABELS = ("predicted_label", "predicted_class", "label", "prediction", "class")
PROBABILITIES = ("probabilities", "scores", "predict_proba", "score", "probability")
SCORES = ("probability", "score", "predicted_probability", "prob", *PROBABILITIES)
CLASSES = ("labels", "classes")
# Probabilities of all classes sum to one, but for the digits that were cut.
SUM_TOLERANCE = 0.01


def one_a_row(outputs: list[Any], rows: int) -> list[Any]:
    """Answers as one a row: some containers write all on one line, others one answer as a list of its classes.

    >>> one_a_row([["0.1", "0.2"]], 2), one_a_row(["0.1", "0.9"], 1)
    (['0.1', '0.2'], [['0.1', '0.9']])

    Raises
    ------
    UnreadableRecordError
    """
    if len(outputs) == rows:
        return outputs
    if len(outputs) == 1 and isinstance(outputs[0], list) and len(outputs[0]) == rows:
        return outputs[0]
    if rows == 1 and (not any(isinstance(item, dict | list) for item in outputs) or scored_labels(outputs)):
        return [outputs]
    raise UnreadableRecordError(reason=f"{rows} rows went in and {len(outputs)} came out")


def answers_of(payload: Payload, rows: int, config: ModelConfig) -> list[Any]:
    """What stands for an answer each, before it is looked at."""
    if payload.kind == "CSV":
        return _without_names(payload.documents, config)
    if len(payload.documents) > 1:
        # A line each, though it may be a list of probabilities.
        return [_in_document(line, 1, config) if isinstance(line, dict) else line for line in payload.documents]
    return _in_document(payload.documents[0], rows, config)


def any_answers(payload: Payload, attribute: str | int | None = None) -> list[Any]:
    """The answers that a payload holds, before a YAML says what they should be.

    `attribute` is a place in a line, or a path into a document, where somebody said that the answer stands.
    """
    if attribute is not None and not str(attribute).isdecimal():
        found = found_at(str(attribute), payload, "inference_attribute or probability_attribute", ANSWER)
        return [answer for one in found for answer in (one if isinstance(one, list) else [one])]
    if attribute is not None:
        place = int(attribute)
        return [row[place : place + 1] if isinstance(row, list) else row for row in payload.documents]
    if payload.kind == "CSV" or len(payload.documents) > 1:
        return payload.documents
    document = payload.documents[0]
    inner = (
        next((document[word] for word in WRAPPERS if isinstance(document.get(word), list)), [document])
        if isinstance(document, dict)
        else document
    )
    return inner if isinstance(inner, list) else [inner]


def count_answers(payload: Payload, config: ModelConfig) -> int:
    """To how many rows a payload answers, where the request does not say it.

    A flat list of numbers is an answer a row, unless it can only be every class's probability of one row.
    """
    described = config.endpoint
    if described.has_answer_path:
        path = str(described.inference_attribute or described.probability_attribute)
        documents = found_at(path, payload, "endpoint.inference_attribute or probability_attribute", ANSWER)
    else:
        documents = _without_names(payload.documents, config) if payload.kind == "CSV" else payload.documents
    by_place = config.prediction.field is not None or described.answer_places != (None, None)
    if len(documents) > 1 or (payload.kind == "CSV" and by_place):
        return len(documents)
    return _answers_in(documents[0], config)


def _answers_in(document: Any, config: ModelConfig) -> int:
    if isinstance(document, list):
        one = scored_labels(document) or _is_distribution(document, config) or not _are_alike(document)
        return 1 if one else len(document)
    if not isinstance(document, dict):
        return 1
    inner = next((document[word] for word in WRAPPERS if isinstance(document.get(word), list | dict)), None)
    if inner is not None and {*document} & {*WRAPPERS} - {*config.answer_columns}:
        tensor = isinstance(inner, list) and inner and all(isinstance(one, dict) and "data" in one for one in inner)
        return len(inner[0]["data"]) if tensor else _answers_in(inner, config)
    parts = [value for name, value in document.items() if name in known_names(config) and isinstance(value, list)]
    return max((_answers_in(part, config) for part in parts), default=1)


def _is_distribution(values: list[Any], config: ModelConfig) -> bool:
    """Whether these are the probabilities of all classes for one row; noughts and ones are the classes of several rows."""
    numbers = [float(value) for value in values if is_number(value)]
    in_order = len(numbers) == len(values) == len(config.classes)
    return (
        in_order
        and any(0 < value < 1 for value in numbers)
        and min(numbers) >= 0
        and abs(sum(numbers) - 1) <= SUM_TOLERANCE
    )


def _are_alike(values: list[Any]) -> bool:
    """Whether each may be an answer: all numbers, or all lists, objects or words; a word beside a number is one answer's part."""
    return len({is_number(value) for value in values}) == 1


def _in_document(document: Any, rows: int, config: ModelConfig) -> list[Any]:
    if isinstance(document, list):
        return document
    if not isinstance(document, dict):
        return [document]
    return next((found for layout in LAYOUTS if (found := layout(document, rows, config)) is not None), [document])


def _columns(document: dict[str, Any], rows: int, config: ModelConfig) -> list[Any] | None:
    """`{"predicted_label": [0, 1], "probabilities": [[0.9, 0.1], [0.2, 0.8]]}`: a list a part, each with a value a row."""
    known = {*known_names(config), *WRAPPERS}
    parts = {n: v for n, v in document.items() if n in known and isinstance(v, list) and len(v) == rows}
    if not parts or {*parts} <= {*WRAPPERS} - {*config.answer_columns}:
        return None
    shared = {name: document[name] for name in CLASSES if name in document}
    # Beside other parts, the wrapper of all answers is their class or number.
    named = {name if name in known_names(config) else "prediction": values for name, values in parts.items()}
    return [shared | {name: values[row] for name, values in named.items()} for row in range(rows)]


def _tensors(document: dict[str, Any], rows: int, config: ModelConfig) -> list[Any] | None:
    """`{"outputs": [{"name": "score", "data": [0.2, 0.7]}]}`: Triton's and KServe's."""
    tensors = document.get("outputs")
    if not isinstance(tensors, list) or not tensors:
        return None
    if not all(isinstance(one, dict) and isinstance(one.get("data"), list) and "name" in one for one in tensors):
        return None
    if len(tensors) == 1:
        return list(tensors[0]["data"])
    return _columns({str(one["name"]): one["data"] for one in tensors}, rows, config)


def _wrapped(document: dict[str, Any], rows: int, config: ModelConfig) -> list[Any] | None:
    """`{"predictions": [...]}`, and columns below such a word."""
    inner = next((document[word] for word in WRAPPERS if isinstance(document.get(word), list | dict)), None)
    return None if inner is None else _in_document(inner, rows, config)


# Each finds the answers of a document, or leaves it (None) to the next; what none knows is one answer.
LAYOUTS: tuple[Callable[[dict[str, Any], int, ModelConfig], list[Any] | None], ...] = (_columns, _tensors, _wrapped)


def _without_names(rows: list[Any], config: ModelConfig) -> list[Any]:
    """Lines of CSV behind a header line, as mappings where it has names that are known."""
    first, others = [cell.strip() for cell in rows[0]], rows[1:]
    if not others or any(is_number(cell) for cell in first):
        return rows
    by_place = config.endpoint.answer_places != (None, None)
    if not by_place and {*first} & known_names(config):
        return [dict(zip(first, row, strict=False)) for row in others]
    told = by_place or (config.problem != "multiclass_classification" and first[0] not in config.labels.classes)
    return others if told and all(is_number(cell) for row in others for cell in row[:1]) else rows


def known_names(config: ModelConfig) -> set[str]:
    """The names that an answer's parts may have."""
    return {*LABELS, *SCORES, *config.answer_columns, str(config.prediction.field)}


def scored_labels(items: Sequence[Any]) -> dict[str, Any]:
    """`[{"label": "no", "score": 0.1}, {"label": "yes", "score": 0.9}]`: one answer with every class's score, as Hugging Face writes it."""
    if len(items) < 2 or not all(isinstance(item, dict) and {"label", "score"} <= item.keys() for item in items):
        return {}
    return {str(item["label"]): item["score"] for item in items}


def is_number(value: Any) -> bool:
    """Whether a value is a number, or the text of one."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
