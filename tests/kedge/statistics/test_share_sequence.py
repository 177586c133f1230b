"""Requests that are divided as they should be are called divided otherwise, at whichever look, no more often than is allowed."""

import numpy as np
import pytest

from kedge.statistics.share_sequence import share_p_value

LOOKS = np.arange(500, 100_001, 500)


def ever_below(share, actual, alpha, *, paths):
    """The share of paths in which the p-value was ever at most alpha."""
    draw, found = np.random.default_rng(3), 0
    for _ in range(paths):
        hits = np.cumsum(draw.binomial(500, actual, len(LOOKS)))
        found += any(share_p_value(int(h), int(n), share=share) <= alpha for h, n in zip(hits, LOOKS, strict=True))
    return found / paths


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_a_right_division_is_suspected_at_some_of_two_hundred_looks_in_at_most_five_of_a_hundred_cases(share):
    assert ever_below(share, share, 0.05, paths=300) <= 0.05


@pytest.mark.parametrize(("share", "actual"), [(0.1, 0.09), (0.1, 0.11), (0.5, 0.48), (0.01, 0.013)])
def test_a_wrong_division_is_found(share, actual):
    assert ever_below(share, actual, 0.001, paths=20) == 1.0


def test_a_few_requests_are_no_division_yet():
    assert (share_p_value(0, 0, share=0.1), share_p_value(5, 5, share=0.5) > 0.001) == (1.0, True)
    assert share_p_value(100, 100, share=0.1) < 1e-9
