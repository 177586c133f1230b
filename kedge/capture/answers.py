"""What one answer says: the class or number, its probability, those of all classes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from kedge.capture.answer_layouts import (
    CLASSES,
    LABELS,
    PROBABILITIES,
    SCORES,
    SUM_TOLERANCE,
    answers_of,
    is_number,
    one_a_row,
    scored_labels,
)
from kedge.capture.formats import Payload, loads
from kedge.capture.paths import found_at
from kedge.capture.texts import ANSWER
from kedge.config.model import ModelConfig
from kedge.errors import UnreadableRecordError
from kedge.outcomes.columns import answer_column

# Whose score some containers give of the class that they answer, others of the positive one.
_OF_EITHER = {("predicted_label", "probability"), ("label", "score")}
# An answer that begins so is a list, an object or a page in text, whatever a header says of it.
_NO_ANSWER = re.compile(r"\s*[\[{<]")


class Answer(NamedTuple):
    """The parts of one answer, as they were found.

    Attributes
    ----------
    label : object
        The class, or the number that was answered.
    score : object
        A probability, or a number.
    probabilities : list or None
        Of each class in the YAML's order.
    """

    label: Any = None
    score: Any = None
    probabilities: list[Any] | None = None


def answer_rows(payload: Payload, rows: int, config: ModelConfig) -> list[list[str | None]]:
    """`[prediction, probabilities...]` of each row, as text.

    Raises
    ------
    UnreadableRecordError
        There are more or fewer answers than rows, or one has no shape that is known.
    """
    if config.endpoint.has_answer_path:
        found = _by_path(payload, rows, config)
    else:
        came = one_a_row(answers_of(payload, rows, config), rows)
        if payload.kind == "JSON":
            _refuse_several(came, config)
        found = [answer_of(one, config) for one in came]
    answers = [_settled(answer, config) for answer in found]
    _refuse_prose(answers, config, guessed=payload.guessed)
    return answers


def _refuse_several(came: Sequence[Any], config: ModelConfig) -> None:
    """Refuse several numbers for one row that could each be its answer: they may be the answers of other rows."""
    said = config.prediction
    if said.field is not None or said.probabilities or config.endpoint.answer_places != (None, None):
        return
    for one in came:
        several = isinstance(one, list) and len(one) > 1 and all(_can_be_the_answer(value, config) for value in one)
        if several and not _of_classes(one, config):
            reason = f"a row has {len(one)} numbers as its answer: name one in prediction.field"
            raise UnreadableRecordError(reason=reason)


def _can_be_the_answer(value: Any, config: ModelConfig) -> bool:
    if not is_number(value):
        return False
    if config.problem == "multiclass_classification":
        return any(_is_class(value, known) for known in config.labels.classes)
    return config.problem == "regression" or 0 <= float(value) <= 1


def answer_of(came: Any, config: ModelConfig) -> Answer:
    """The parts of one answer, whatever its shape.

    Raises
    ------
    UnreadableRecordError
    """
    came = _unwrapped(came)
    if isinstance(came, dict):
        return _named(came, config)
    if isinstance(came, list):
        by_class = scored_labels(came)
        return Answer(probabilities=_of_classes(by_class, config, required=True)) if by_class else _listed(came, config)
    return _listed([came], config)


def _by_path(payload: Payload, rows: int, config: ModelConfig) -> list[Answer]:
    described = config.endpoint
    parts: list[list[Any]] = []
    for name in ("inference_attribute", "probability_attribute"):
        path = getattr(described, name)
        if path is None:
            parts.append([None] * rows)
            continue
        found = found_at(path, payload, f"endpoint.{name}", ANSWER)
        parts.append(one_a_row(found[0] if len(found) == 1 and isinstance(found[0], list) else found, rows))
    return [_with_score(label, score, config) for label, score in zip(*parts, strict=True)]


def _with_score(label: Any, score: Any, config: ModelConfig) -> Answer:
    """A class or number, and a probability or those of all classes."""
    score = _cell(score)
    if isinstance(score, list | dict):
        return Answer(_unwrapped(label), None, _of_classes(score, config, required=label is None))
    return Answer(_unwrapped(label), score)


def _named(answer: Mapping[str, Any], config: ModelConfig) -> Answer:
    """An object: the YAML's own names first, then the words that containers use."""
    said, own = config.prediction, [answer.get(name) for name in config.prediction.probabilities]
    probabilities = own if any(value is not None for value in own) else None
    name = said.field if isinstance(said.field, str) else said.name
    if name in answer:
        value = _cell(answer[name])
        if isinstance(value, list | dict):
            return Answer(probabilities=_of_classes(value, config, required=True))
        # The class alone says less than a probability that stands beside it.
        if (
            isinstance(said.field, str)
            or config.problem != "binary_classification"
            or value not in config.labels.classes
        ):
            return Answer(value, value, probabilities or _beside(answer, config))
    elif isinstance(said.field, str):
        raise UnreadableRecordError(reason=f"no {name} in the answer")
    label = next((word for word in (name, *LABELS) if word in answer), "")
    score = next((word for word in SCORES if word in answer and not isinstance(_cell(answer[word]), list | dict)), "")
    found = Answer(
        _cell(answer.get(label)), _cell(answer.get(score)) if score else None, probabilities or _beside(answer, config)
    )
    if found == Answer():
        raise UnreadableRecordError(reason=f"no {name} in the answer")
    return found._replace(score=_of_the_positive(found, config)) if (label, score) in _OF_EITHER else found


def _beside(answer: Mapping[str, Any], config: ModelConfig) -> list[Any] | None:
    """The probabilities of all classes, where an object has them under a name that is known."""
    lists = (_cell(answer.get(word)) for word in PROBABILITIES)
    many = next((value for value in lists if isinstance(value, list | dict)), None)
    classes = next((answer[word] for word in CLASSES if isinstance(answer.get(word), list)), None)
    return None if many is None else _of_classes(many, config, classes)


def _listed(values: Sequence[Any], config: ModelConfig) -> Answer:
    """A list, or a line of CSV: by the YAML's place, else by what it looks like."""
    said, cells = config.prediction, [_cell(value) for value in values]
    places = config.endpoint.answer_places
    if places != (None, None):
        label, score = (None if place is None else _at(cells, place) for place in places)
        return _with_score(label, score, config)
    if said.field is None:
        if found := _of_classes(cells, config):
            return Answer(probabilities=found)
        lists = [cell for cell in cells if isinstance(cell, list)]
        if len(lists) == 1:
            # A class beside the probabilities of all classes.
            label = next((cell for cell in cells if cell is not lists[0]), None)
            return Answer(label, None, _of_classes(lists[0], config, required=label is None))
    place = 0 if said.field is None else said.field
    value = _at(cells, place)
    behind = cells[int(place) + 1 :][: len(said.probabilities)]
    return Answer(value, value, [*behind, *[None] * (len(said.probabilities) - len(behind))] or None)


def _at(values: Sequence[Any], place: str | int) -> Any:
    if not isinstance(place, int) or place >= len(values):
        raise UnreadableRecordError(reason=f"no field {place!r} in an answer of {len(values)} values")
    return values[place]


def _settled(answer: Answer, config: ModelConfig) -> list[str | None]:
    """The prediction as the problem asks for it: a class of several, the positive one's probability, or a number."""
    label, score, many = answer
    if config.problem == "binary_classification":
        candidates = [score, many[-1] if many and len(many) == len(config.labels.classes) else None, label]
    else:
        candidates = [label, _likeliest(many, config) if config.problem != "regression" else None, score]
    chosen = next((value for value in candidates if value is not None), None)
    names = config.prediction.probabilities
    beside = many if many and len(many) == len(names) else [None] * len(names)
    return [_text(value) for value in (chosen, *beside)]


def _likeliest(many: list[Any] | None, config: ModelConfig) -> Any:
    if not many or not all(is_number(value) for value in many):
        return None
    return config.labels.classes[max(range(len(many)), key=lambda place: float(many[place]))]


def _of_the_positive(found: Answer, config: ModelConfig) -> Any:
    """A score as the positive class's: below one half it cannot be that of the class that was answered."""
    negative = _is_class(found.label, config.labels.classes[0])
    if config.problem != "binary_classification" or not (
        negative and is_number(found.score) and float(found.score) > 0.5
    ):
        return found.score
    return repr(1 - float(found.score))


def _of_classes(
    many: Any, config: ModelConfig, classes: Sequence[Any] | None = None, *, required: bool = False
) -> list[Any] | None:
    """Probabilities in the order of the YAML's classes; None, or refused, where these values are none of all classes."""
    if isinstance(many, dict):
        many, classes = [*many.values()], [*many]
    values, known = [_unwrapped(value) for value in many], config.labels.classes
    names = list(known) if classes is None else classes
    whole = len(values) == len(known) == len(names)
    if config.problem != "regression" and whole and all(is_number(value) for value in values):
        numbers = [float(value) for value in values]
        places = [next((i for i, name in enumerate(names) if _is_class(name, one)), len(names)) for one in known]
        if max(places) < len(names) and min(numbers) >= 0 and abs(sum(numbers) - 1) <= SUM_TOLERANCE:
            return [values[place] for place in places]
    if required:
        raise UnreadableRecordError(reason=f"{ANSWER} has a list or an object where one value belongs")
    return None


def _is_class(name: Any, known: str) -> bool:
    """Whether a class is meant: 1, "1", 1.0 and true of Python's and JSON's are one."""
    spelt = _text(name) if not isinstance(name, list | dict) else None
    if spelt is None:
        return False
    spelt = {"true": "1", "false": "0"}.get(spelt.lower(), spelt) if known in ("0", "1") else spelt
    return spelt.removesuffix(".0") == known.removesuffix(".0")


def _refuse_prose(answers: list[list[str | None]], config: ModelConfig, *, guessed: bool) -> None:
    """Refuse answers that only look like CSV, a server's sentence or page; where a header vouches, a new class is kept."""
    words = [
        answer[0]
        for answer in answers
        if answer[0] is not None and not is_number(answer[0]) and (guessed or _NO_ANSWER.match(answer[0]))
    ]
    if not words:
        return
    read = answer_column(pa.array(words), config.problem, config.labels.classes)
    if not (read.known | read.outside).all():
        unvouched = ", and no header says that it is CSV or JSON" if guessed else ""
        reason = f"{ANSWER} is text that is neither a number nor one of the YAML's classes{unvouched}"
        raise UnreadableRecordError(reason=reason)


def _cell(value: Any) -> Any:
    """One value, a list of one unwrapped, and a list that was written as text read."""
    value = _unwrapped(value)
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return _unwrapped(loads(value))
        except (ValueError, RecursionError):
            return value
    return value


def _unwrapped(value: Any) -> Any:
    """TensorFlow Serving's clients write one value as a list of one."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def _text(value: Any) -> str | None:
    value = _unwrapped(value)
    if isinstance(value, list | dict):
        raise UnreadableRecordError(reason=f"{ANSWER} has a list or an object where one value belongs")
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)
