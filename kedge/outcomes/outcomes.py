"""Answers beside the truth, for every kind of problem, and the rows that could not be measured."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kedge.arrays import Bools, Floats
from kedge.columns.casting import cast_numbers
from kedge.columns.class_codes import EXAMPLES_SHOWN, class_codes, distinct_words, ordered_pair
from kedge.comparisons import counted
from kedge.config.model import ModelConfig
from kedge.config.sections import Problem
from kedge.outcomes.binary import auc, count_binary
from kedge.outcomes.columns import answer_column, label_column

# More different whole numbers than this are amounts, not classes.
CLASSES_INFERRED_MAX = 50
# If a larger fraction of answers is outside 0 to 1, they are not probabilities at all.
OUTSIDE_FRACTION_MAX = 0.01
# At this many standard errors from one half, the answers show their positive class.
_CLEARLY = 3.0
_PLAIN = {"0", "1"}


@dataclass(frozen=True)
class OutcomeFaults:
    """The rows of a table that could not be measured, and why.

    Attributes
    ----------
    kept : ndarray of bool, shape (n_table_rows,)
        Rows of the table that the outcomes hold, in its order.
    unlabelled : int
        Answered rows without a label.
    unanswered : int
        Rows without a readable answer, whether labelled or not.
    strange_labels, strange_answers : int
        Labels that are not a number, or not a known class; the same for answers. Each counts as missing.
    label_examples, answer_examples : tuple of str
        Some of them, as they are written.
    not_probabilities : int
        Answers of a two-class model outside 0 to 1.
    """

    kept: Bools = field(default_factory=lambda: np.zeros(0, bool))
    unlabelled: int = 0
    unanswered: int = 0
    strange_labels: int = 0
    strange_answers: int = 0
    label_examples: tuple[str, ...] = ()
    answer_examples: tuple[str, ...] = ()
    not_probabilities: int = 0

    def __add__(self, other: OutcomeFaults) -> OutcomeFaults:
        return OutcomeFaults(
            np.concatenate([self.kept, other.kept]),
            self.unlabelled + other.unlabelled,
            self.unanswered + other.unanswered,
            self.strange_labels + other.strange_labels,
            self.strange_answers + other.strange_answers,
            _some({*self.label_examples, *other.label_examples}),
            _some({*self.answer_examples, *other.answer_examples}),
            self.not_probabilities + other.not_probabilities,
        )

    def sentences(self, *, quoted: bool = True) -> tuple[str, ...]:
        """What a person should know about it: one sentence for each fault.

        Parameters
        ----------
        quoted : bool
            Whether some of the values are named: only for people who have the rows themselves, never in messages that leave the account.

        >>> OutcomeFaults(strange_labels=2, label_examples=("maybe",)).sentences()
        ("2 labels not known to the model, such as 'maybe': counted as missing",)
        """
        said = []
        if self.strange_labels:
            said.append(
                f"{counted(self.strange_labels, 'label')} not known to the model"
                f"{_such_as(self.label_examples, quoted)}: counted as missing"
            )
        if self.strange_answers:
            said.append(
                f"{counted(self.strange_answers, 'answer')} cannot be read{_such_as(self.answer_examples, quoted)}: left out"
            )
        if self.not_probabilities:
            said.append(f"{counted(self.not_probabilities, 'answer')} outside 0 to 1, so not probabilities: left out")
        return tuple(said)


def _some(words: set[str]) -> tuple[str, ...]:
    return tuple(sorted(words)[:EXAMPLES_SHOWN])


def _such_as(words: tuple[str, ...], quoted: bool) -> str:
    return f", such as {', '.join(map(repr, words))}" if quoted else ""


@dataclass(frozen=True)
class Outcomes:
    """Answered and labelled rows.

    Attributes
    ----------
    problem : str
        `binary_classification`, `multiclass_classification` or `regression`.
    answers : ndarray, shape (n_rows,)
        Probability of the positive class (float) | code of the class answered (int) | the number answered (float).
    labels : ndarray, shape (n_rows,)
        Code of the class, its position in `classes` (int), or the number that came true (float).
    classes : tuple of str
        The classes by code, for two of them the positive one last; empty for a regression.
    probabilities : ndarray of float, shape (n_rows, n_classes), optional
        For every class, if a classifier of several classes gives them.
    costs : ndarray of float, shape (n_rows,), optional
        Cost of a wrong answer to this row, or of an error of one unit in a regression; 0 if unknown.
    """

    problem: Problem
    answers: NDArray[np.float64] | NDArray[np.int64]
    labels: NDArray[np.float64] | NDArray[np.int64]
    classes: tuple[str, ...] = ()
    probabilities: Floats | None = None
    costs: Floats | None = None

    @property
    def rows(self) -> int:
        """Rows that were answered and labelled."""
        return len(self.labels)

    def take(self, rows: Bools) -> Outcomes:
        """The rows that a mask keeps.

        >>> both = Outcomes("regression", np.array([1.0, 2.0]), np.array([1.5, 2.0]))
        >>> both.take(np.array([False, True])).labels.tolist()
        [2.0]
        """
        return replace(
            self,
            answers=self.answers[rows],
            labels=self.labels[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
            costs=None if self.costs is None else self.costs[rows],
        )


def read_outcomes(table: pa.Table, prediction: str, label: str, config: ModelConfig) -> tuple[Outcomes, OutcomeFaults]:
    """Read answers and labels from two columns of any type, and say which rows could not be read.

    A class is its text, and 1, 1.0, "1" and true are one text; a two-class answer is a probability, or a class if
    it is not a number. Rows without a readable answer or label are left out and counted.

    Parameters
    ----------
    table : Table
        Besides the two columns: those of `prediction.probabilities` and `performance.cost_column`, if the model
        names them and the table has them.
    prediction, label : str
        The columns with the answers and the truth.

    >>> from kedge.config.model import Endpoint, Feature
    >>> config = ModelConfig(model="m", endpoint=Endpoint(name="m"), features=(Feature(name="x", kind="numeric"),))
    >>> rows = pa.table({"score": [0.9, 0.2, 0.4], "label": ["1.0", "maybe", None]})
    >>> outcomes, faults = read_outcomes(rows, "score", "label", config)
    >>> outcomes.labels.tolist(), faults.strange_labels, faults.unlabelled
    ([1], 1, 2)
    """
    truth = label_column(table.column(label), config.problem, config.classes)
    answer = answer_column(table.column(prediction), config.problem, config.classes)
    whole = Outcomes(
        config.problem,
        answer.values,
        truth.values,
        config.classes,
        read_probabilities(table, config),
        _costs(table, config),
    )
    outcomes = whole.take(truth.known & answer.known)
    return outcomes, OutcomeFaults(
        kept=truth.known & answer.known,
        unlabelled=int((answer.known & ~truth.known).sum()),
        unanswered=int((~answer.known).sum()),
        strange_labels=int(truth.strange.sum()),
        strange_answers=int(answer.strange.sum()),
        label_examples=truth.examples,
        answer_examples=answer.examples,
        not_probabilities=int(answer.outside.sum()),
    )


def infer_problem(prediction: Any, label: Any) -> Problem:
    """The kind of problem of two columns, if no YAML names it.

    Labels 0 and 1 are two classes, answered with probabilities, even if odd words such as "?" are among them. So are
    any two labels answered with probabilities or with the same two labels, and two words answered with numbers. Other
    text, or whole answers to at most 50 different whole labels, are several classes. Everything else is a regression.

    Parameters
    ----------
    prediction, label : Array or ChunkedArray

    >>> infer_problem(pa.array([0.1, 0.9]), pa.array([0, 1])), infer_problem(pa.array(["a"]), pa.array(["b"]))
    ('binary_classification', 'multiclass_classification')
    >>> infer_problem(pa.array([3.1, 0.9]), pa.array([2.9, 1.1]))
    'regression'
    """
    truth, answers = (cast_numbers(one, "float64", placeholders=False) for one in (label, prediction))
    finite = answers.values[np.isfinite(answers.values)]
    is_text = bool(truth.unparsable.any() or answers.unparsable.any())
    if not is_text and len(np.unique(truth.values[np.isfinite(truth.values)])) > CLASSES_INFERRED_MAX:
        return "regression"
    labels = distinct_words(label)
    fractions = not is_text and bool((finite % 1 != 0).any())
    words, numbers = bool(truth.unparsable.any()), bool(len(finite)) and not answers.unparsable.any()
    within = numbers and bool(np.mean((finite < 0) | (finite > 1)) <= OUTSIDE_FRACTION_MAX)
    same = not fractions and set(distinct_words(prediction)) <= set(labels)
    two = len(labels) <= 2 and (within or same or (words and numbers))
    if two or set(labels) <= _PLAIN or (words and within and set(labels) > _PLAIN):
        return "binary_classification"
    if is_text:
        return "multiclass_classification"
    whole = all(word.lstrip("+-").isdigit() for word in labels)
    return "multiclass_classification" if whole and not fractions else "regression"


def infer_classes(problem: Problem, prediction: Any, label: Any) -> tuple[str, ...] | None:
    """The classes in two columns, the positive one of two last; None if nothing shows which one is positive.

    Of two classes other than 0 and 1, the one whose rows get higher answers is positive. If probabilities do not
    show it, the word does; if the answers are classes too, the order of the two does.

    >>> infer_classes("binary_classification", pa.array([0.5, 0.5]), pa.array(["yes", "no"]))
    ('no', 'yes')
    >>> infer_classes("binary_classification", pa.array([0.2, 0.9]), pa.array([">50K", "<=50K"]))
    ('>50K', '<=50K')
    """
    labels = distinct_words(label)
    if problem == "regression":
        return ()
    if problem == "multiclass_classification":
        both = {*labels, *distinct_words(prediction)}
        return tuple(sorted(both, key=float)) if _all_numbers(tuple(both)) else tuple(sorted(both))
    if set(labels) <= _PLAIN or set(labels) >= _PLAIN or {word.lower() for word in labels} <= {"true", "false"}:
        return ("0", "1")
    if len(labels) != 2:
        return None
    found = _answered_higher_last(prediction, label, labels) or ordered_pair(labels)
    return found or (labels if set(distinct_words(prediction)) <= set(labels) else None)


def _answered_higher_last(prediction: Any, label: Any, labels: tuple[str, ...]) -> tuple[str, ...] | None:
    """Two classes, the one with higher answers last; None if probabilities do not tell them apart."""
    scores, codes = cast_numbers(prediction, "float64").values, class_codes(label, labels).codes
    usable = (codes >= 0) & (scores >= 0) & (scores <= 1)
    counts = count_binary(scores[usable], codes[usable], threshold=0.5)
    if not counts.positives or not counts.negatives:
        return None
    area, error = auc(counts)
    if abs(area - 0.5) <= _CLEARLY * error:
        return None
    return labels if area > 0.5 else labels[::-1]


def _all_numbers(words: tuple[str, ...]) -> bool:
    try:
        return all(np.isfinite(float(word)) for word in words)
    except ValueError:
        return False


def read_probabilities(table: pa.Table, config: ModelConfig) -> Floats | None:
    """Every class's probability, shape (n_rows, n_classes); None if the model names no such columns, or the table lacks one."""
    names = config.prediction.probabilities
    if not names or not set(names) <= set(table.column_names):
        return None
    return np.column_stack([cast_numbers(table.column(name), "float64").values for name in names])


def _costs(table: pa.Table, config: ModelConfig) -> Floats | None:
    name = config.performance.cost_column
    if name is None or name not in table.column_names:
        return None
    return np.nan_to_num(cast_numbers(table.column(name), "float64").values, nan=0.0, posinf=0.0, neginf=0.0)
