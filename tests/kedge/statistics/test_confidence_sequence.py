"""However often one looks, the truth is left out in no more than the share of cases that is allowed."""

import numpy as np
import pytest

from kedge.intervals import z_of
from kedge.statistics.confidence_sequence import always_valid_z

PATHS, LOOKS, FIRST, EACH = 2_000, 168, 100, 60
DRAWS = {
    "a tie": lambda draw, shape: draw.choice([-1.0, 1.0], shape),
    "seldom": lambda draw, shape: draw.choice([-1.0, 0.0, 1.0], shape, p=[0.05, 0.9, 0.05]),
    "heavy tails": lambda draw, shape: draw.standard_t(5, shape),
}


def ever_wrong(kind, width):
    """The share of paths of two equal models on which zero lay outside at one of a week of hourly looks."""
    draw, wrong = np.random.default_rng(7), 0
    rows = FIRST + EACH * np.arange(LOOKS)
    for _ in range(PATHS):
        found = DRAWS[kind](draw, rows[-1])
        total, squares = np.cumsum(found)[rows - 1], np.cumsum(found**2)[rows - 1]
        means = total / rows
        errors = np.sqrt((squares / rows - means**2) / rows)
        wrong += bool((np.abs(means) > width(rows) * errors).any())
    return wrong / PATHS


@pytest.mark.parametrize("planned", [500, 5_000])
@pytest.mark.parametrize("kind", DRAWS)
def test_equal_models_differ_at_some_look_in_at_most_five_of_a_hundred_cases(kind, planned):
    def width(rows):
        return np.array([always_valid_z(int(n), confidence=0.95, planned_rows=planned) for n in rows])

    assert ever_wrong(kind, width) <= 0.05


def test_an_ordinary_interval_at_each_look_does_not_hold_that():
    assert ever_wrong("a tie", lambda _rows: z_of(0.95)) > 0.2


def test_a_real_difference_is_found_in_the_end():
    widths = [always_valid_z(n, confidence=0.95, planned_rows=1_000) / np.sqrt(n) for n in (200, 2_000, 200_000)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.01
