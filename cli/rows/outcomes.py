"""Rows that hold the model's answers beside the truth: what kind of problem that is, and how often the two agree."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cli.rows.files import RowFiles, UnreadableFileError
from kedge.columns.casting import plain_array
from kedge.columns.class_codes import EXAMPLES_SHOWN, distinct_words
from kedge.config.model import ModelConfig
from kedge.config.sections import Problem
from kedge.outcomes.counts import OutcomeCounts, add_counts, count_outcomes, no_outcomes
from kedge.outcomes.outcomes import OUTSIDE_FRACTION_MAX, OutcomeFaults, infer_classes, infer_problem, read_outcomes

# This many rows show whether answers are probabilities, classes or amounts.
HEAD_ROWS = 100_000
# With more different labels than this they are not classes.
CLASSES_MAX = 1_000


class UnlabelledFileError(UnreadableFileError):
    """The baseline's labels cannot be compared with its answers."""


def with_outcome(
    config: ModelConfig, baseline: RowFiles, window: RowFiles, prediction: str, label: str, *, problem: Problem | None
) -> ModelConfig:
    """A made-up model's kind of problem and classes, from the rows themselves; `problem` if it is given."""
    head = baseline.head([prediction, label], HEAD_ROWS)
    answers, truth = head.column(prediction), head.column(label)
    kind = problem or infer_problem(answers, truth)
    if kind == "multiclass_classification":
        refuse_strange_classes(baseline.path, head, prediction, label)
        # The model answers a class that only the window has wrongly; its label must count.
        answers, truth = (_distinct((baseline, window), name) for name in (prediction, label))
    classes = infer_classes(kind, answers, truth)
    labels = config.labels.model_copy(update={"classes": classes} if classes else {})
    return config.model_copy(update={"problem": kind, "labels": labels})


def _distinct(sides: tuple[RowFiles, ...], name: str) -> Any:
    found = pa.chunked_array([], pa.string())
    for side in [side for side in sides if name in side.schema.names]:
        for batch in side.batches([name]):
            words = pc.unique(plain_array(batch.column(name))).cast(pa.string())
            found = pa.chunked_array([pc.unique(pa.concat_arrays([*found.chunks, words]))])
            if len(found) > CLASSES_MAX:
                raise UnreadableFileError(path=side.path, reason=too_many_classes(name))
    return found


def refuse_strange_classes(path: str, head: pa.Table, prediction: str, label: str) -> None:
    """Refuse rows of several classes whose answers are no class that any label has: compared, all would be wrong."""
    answers, labels = (distinct_words(head.column(name)) for name in (prediction, label))
    if answers and labels and not {*answers} & {*labels}:
        said, known = (", ".join(map(repr, words[:EXAMPLES_SHOWN])) for words in (answers, labels))
        reason = (
            f"no answer in column {prediction!r} ({said}, ...) is one of the {len(labels)} classes of {label!r} ({known}"
            f"{', ...' if len(labels) > EXAMPLES_SHOWN else ''}); write the answered class, or, with two classes, the "
            "positive one's probability as 0.25"
        )
        raise UnreadableFileError(path=path, reason=reason)


def too_many_classes(name: str) -> str:
    """What to do about a column that does not hold classes."""
    return (
        f"column {name!r} holds more than {CLASSES_MAX:,} different values, too many for classes; "
        "say what the model predicts (--problem regression), or name another column"
    )


def count_labelled(
    rows: RowFiles, config: ModelConfig, prediction: str, label: str
) -> tuple[OutcomeCounts, OutcomeFaults]:
    """Labelled answers, a batch at a time, and what could not be read."""
    counts, faults = no_outcomes(config), OutcomeFaults()
    for batch in rows.batches(_columns(rows, config, prediction, label)):
        outcomes, found = read_outcomes(pa.Table.from_batches([batch]), prediction, label, config)
        counts, faults = add_counts(counts, count_outcomes(outcomes, config)), faults + found
    refuse_strangers(rows.path, config, prediction, label, faults)
    return counts, faults


def _columns(rows: RowFiles, config: ModelConfig, prediction: str, label: str) -> list[str]:
    wished = [*config.prediction.probabilities, *filter(None, [config.performance.cost_column])]
    return list(dict.fromkeys([prediction, label, *(name for name in wished if name in rows.schema.names)]))


def refuse_strangers(path: str, config: ModelConfig, prediction: str, label: str, faults: OutcomeFaults) -> None:
    """Refuse rows whose labels are all unknown, or whose answers are no probabilities where such are wanted."""
    labelled = int(faults.kept.sum())
    if faults.strange_answers > faults.strange_labels and not labelled:
        reason = (
            f"column {prediction!r} holds {faults.answer_examples[0]!r} in {faults.strange_answers} rows, which is not an answer "
            f"to a {config.problem.replace('_', ' ')}; correct the program that writes it, or name another column (--prediction)"
        )
        raise UnreadableFileError(path=path, reason=reason)
    if faults.strange_labels and not labelled:
        raise UnlabelledFileError(path=path, reason=_strange_label(config, label, faults))
    if faults.not_probabilities > OUTSIDE_FRACTION_MAX * (labelled + faults.not_probabilities):
        reason = (
            f"column {prediction!r} has values outside 0 to 1, so they are not probabilities to compare with a label; "
            "write the probability, or say what the model predicts (--problem)"
        )
        raise UnreadableFileError(path=path, reason=reason)


def class_notes(problem: Problem, classes: tuple[str, ...], label: str) -> list[str]:
    """The class that was taken for the positive one, if the classes are not 0 and 1."""
    if problem != "binary_classification" or {*classes} <= {"0", "1"}:
        return []
    return [
        f"column {label!r}: {classes[-1]!r} is taken as the positive class, {classes[0]!r} as the other; "
        "labels.classes in a YAML (--config) can change that"
    ]


def _strange_label(config: ModelConfig, label: str, faults: OutcomeFaults) -> str:
    found = f"column {label!r} holds {faults.label_examples[0]!r} in {faults.strange_labels} rows"
    if config.problem == "regression":
        return f"{found}, which is not a number; correct the program that writes it, or say what the model predicts (--problem)"
    known = " and ".join(map(repr, config.labels.classes))
    hint = "name the column's own, the one that is predicted last, under labels.classes in a YAML (--config)"
    return f"{found}, and the classes are {known}; {hint}"
