"""What of a table of answers and labels could not be measured, in numbers and in sentences."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kedge.class_codes import EXAMPLES_SHOWN

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class OutcomeFaults:
    """What of a table could not be measured, and why.

    Attributes
    ----------
    kept : ndarray of bool, shape (n_table_rows,)
        Rows of the table that the outcomes hold, in its order.
    unlabelled : int
        Answered rows without a label.
    unanswered : int
        Rows without a readable answer, whether labelled or not.
    strange_labels, strange_answers : int
        Labels that are no number, or no class that is known; the same of the answers. Each counts as not there.
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
        """What a person should know of it, a sentence for each fault that is there.

        Parameters
        ----------
        quoted : bool
            Whether some of the values are named: to whoever has the rows before them, never in what leaves the account.

        >>> OutcomeFaults(strange_labels=2, label_examples=("maybe",)).sentences()
        ("2 labels are none that the model knows, such as 'maybe': they count as not come",)
        """
        said = []
        if self.strange_labels:
            said.append(
                f"{self.strange_labels} labels are none that the model knows{_such_as(self.label_examples, quoted)}: they "
                "count as not come"
            )
        if self.strange_answers:
            said.append(
                f"{self.strange_answers} answers cannot be read{_such_as(self.answer_examples, quoted)}: left out"
            )
        if self.not_probabilities:
            said.append(f"{self.not_probabilities} answers are not between 0 and 1, so no probabilities: left out")
        return tuple(said)


def _some(words: set[str]) -> tuple[str, ...]:
    return tuple(sorted(words)[:EXAMPLES_SHOWN])


def _such_as(words: tuple[str, ...], quoted: bool) -> str:
    return f", such as {', '.join(map(repr, words))}" if quoted else ""
