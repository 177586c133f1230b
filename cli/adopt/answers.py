"""What a model predicts, inferred from answers that were captured; what they do not show is said, not guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kedge.config.sections import Problem

CLASSES_MAX = 20
# Names of the fields that SageMaker's containers use for the likelihood, then for the class.
_SCORES = ("score", "probability", "prediction")


@dataclass(frozen=True)
class InferredAnswers:
    """The problem, where the answer stands, the classes, and why, in sentences."""

    problem: Problem
    field: str | int
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def answer_attribute(described: Mapping[str, Any]) -> str | int | None:
    """Where the answer stands, if somebody has said it in Model Monitor's words: the probability first."""
    found: str | int | None = described.get("probability_attribute", described.get("inference_attribute"))
    return found


def infer_answers(answers: Sequence[Any]) -> InferredAnswers | None:
    """Infer from answers as `kedge.capture.payloads.answered_rows` gives them; None where there is none, or none is one value.

    >>> infer_answers([["0.25"], ["0.5"]]).problem, infer_answers(["12.5", "3"]).problem
    ('binary_classification', 'regression')
    >>> infer_answers([{"score": "0.2", "predicted_label": "0"}]).field
    'score'
    >>> infer_answers([["cat"], ["dog"]]).classes
    ('cat', 'dog')
    """
    if not answers:
        return None
    field = _field_of(answers[0])
    if field is None:
        return None
    values = [_value(answer, field) for answer in answers]
    if any(value is None for value in values):
        return None
    words = sorted({str(value) for value in values})
    numbers = [_number(word) for word in words]
    if all(number is not None and 0 <= number <= 1 for number in numbers):
        note = f"the captured answers ({len(values):,}) all lie between 0 and 1: taken for the probability of class 1 of two"
        return InferredAnswers("binary_classification", field, ("0", "1"), (note,))
    if all(number is not None for number in numbers):
        note = "the answers are numbers beyond 0 and 1: taken for a regression; if they are classes, say so in problem and labels.classes"
        return InferredAnswers("regression", field, ("0", "1"), (note,))
    if len(words) > CLASSES_MAX or len(words) < 2:
        return None
    problem: Problem = "binary_classification" if len(words) == 2 else "multiclass_classification"
    note = f"the classes are those of the captured answers ({len(values):,}): add what is missing in labels.classes"
    return InferredAnswers(problem, field, tuple(words), (note,))


def _field_of(answer: Any) -> str | int | None:
    if isinstance(answer, dict):
        named = [name for name in _SCORES if name in answer and not isinstance(answer[name], list | dict)]
        plain = [name for name, value in answer.items() if not isinstance(value, list | dict)]
        return named[0] if named else plain[0] if len(plain) == 1 else None
    if isinstance(answer, list):
        return 0 if len(answer) == 1 else None
    return 0


def _value(answer: Any, field: str | int) -> Any:
    if isinstance(field, str):
        return answer.get(field) if isinstance(answer, dict) else None
    value = answer
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return None if isinstance(value, list | dict) else value


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
