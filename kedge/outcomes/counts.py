"""Outcomes counted for every kind of problem: counts add over hours and days, and quality is computed from them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from kedge.config.model import ModelConfig
from kedge.config.policies import PerformancePolicy
from kedge.errors import EncodingError, OutcomeMismatchError
from kedge.intervals import Estimate, z_of
from kedge.outcomes.binary import BinaryCounts, count_binary
from kedge.outcomes.costs import matrix_sums
from kedge.outcomes.multiclass import ClassCounts, count_classes
from kedge.outcomes.outcomes import Outcomes
from kedge.outcomes.regression import ErrorCounts, count_errors

OutcomeCounts = BinaryCounts | ClassCounts | ErrorCounts
_KINDS: Mapping[str, type[OutcomeCounts]] = {kind.problem: kind for kind in (BinaryCounts, ClassCounts, ErrorCounts)}


def count_outcomes(outcomes: Outcomes, config: ModelConfig) -> OutcomeCounts:
    """Count outcomes by their kind of problem.

    >>> from kedge.config.model import Endpoint, Feature
    >>> config = ModelConfig(model="m", endpoint=Endpoint(name="m"), features=(Feature(name="x", kind="numeric"),))
    >>> outcomes = Outcomes("binary_classification", np.array([0.9, 0.1]), np.array([1, 1]), ("0", "1"))
    >>> count_outcomes(outcomes, config).metrics()["recall"].value
    0.5
    """
    answers, labels, costs = outcomes.answers, outcomes.labels, outcomes.costs
    if outcomes.problem == "regression":
        numbers = answers.astype(np.float64), labels.astype(np.float64)
        return count_errors(*numbers, quantile=config.performance.quantile, costs=costs)
    codes = labels.astype(np.int64)
    if outcomes.problem == "binary_classification":
        scores = answers.astype(np.float64)
        return count_binary(scores, codes, threshold=config.prediction.threshold, costs=costs)
    answered = answers.astype(np.int64)
    return count_classes(answered, codes, outcomes.classes, probabilities=outcomes.probabilities, costs=costs)


def no_outcomes(config: ModelConfig) -> OutcomeCounts:
    """The counts of no rows: the start of a sum.

    >>> from kedge.config.model import Endpoint, Feature
    >>> features = (Feature(name="x", kind="numeric"),)
    >>> no_outcomes(ModelConfig(model="m", problem="regression", endpoint=Endpoint(name="m"), features=features)).rows
    0
    """
    nothing = np.zeros(0, np.int64)
    return count_outcomes(Outcomes(config.problem, nothing, nothing, config.classes), config)


def add_counts(one: OutcomeCounts, other: OutcomeCounts) -> OutcomeCounts:
    """The counts of both; two different kinds of problem raise `OutcomeMismatchError`.

    >>> add_counts(count_errors(np.array([1.0]), np.array([2.0])), ErrorCounts()).rows
    1
    """
    if isinstance(one, BinaryCounts) and isinstance(other, BinaryCounts):
        return one + other
    if isinstance(one, ClassCounts) and isinstance(other, ClassCounts):
        return one + other
    if isinstance(one, ErrorCounts) and isinstance(other, ErrorCounts):
        return one + other
    raise OutcomeMismatchError(expected=one.problem, found=other.problem)


def decode_counts(data: Mapping[str, Any]) -> OutcomeCounts:
    """The counts of any kind that `to_json` wrote; anything else raises `EncodingError`.

    >>> decode_counts(count_errors(np.array([1.0]), np.array([2.0])).to_json()).rows
    1
    """
    kind = _KINDS.get(str(data.get("problem")))
    if kind is None:
        raise EncodingError(
            what="reference", found=f"counts of {data.get('problem')!r}", expected="counts of " + ", ".join(_KINDS)
        )
    return kind.from_json(data)


# The reference of a whole history is measured once, and a window once for several settings; more would only be kept in memory.
@lru_cache(maxsize=2)
def measure(counts: OutcomeCounts, policy: PerformancePolicy) -> dict[str, Estimate]:
    """Every metric of the counts, with the business cost if the policy names one.

    >>> counts = count_binary(np.array([0.9, 0.8]), np.array([1, 0]), threshold=0.5)
    >>> found = measure(counts, PerformancePolicy(cost_matrix=((0.0, 5.0), (100.0, 0.0))))
    >>> found["cost_per_thousand"].value
    2500.0
    """
    found = counts.metrics(policy.confidence)
    z = z_of(policy.confidence)
    if policy.cost_matrix and not isinstance(counts, ErrorCounts):
        gains = min(map(min, policy.cost_matrix)) < 0
        found |= matrix_sums(counts.confusion, policy.cost_matrix).metrics(z, bounded=not gains)
    else:
        found |= counts.costs.metrics(z, bounded=not isinstance(counts, ErrorCounts))
    return found
