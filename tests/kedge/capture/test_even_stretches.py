"""A sample of stretches: no larger than its budget, even over the bytes, and whole where all fits."""

import pytest

from kedge.capture.even_stretches import even_stretches


@pytest.mark.parametrize("sizes", [[7], [1000], [10] * 100, [1, 999], [300, 1, 300, 1, 300], [0, 0, 500, 0]])
@pytest.mark.parametrize("budget", [8, 64, 640])
def test_a_sample_stays_within_its_budget_and_its_objects(sizes, budget):
    named = {f"{n:03d}": size for n, size in enumerate(sizes)}
    found = even_stretches(named, budget=budget, stretch=8)
    assert len(set(found)) == len(found)
    assert all(0 <= part.start <= part.end <= named[part.key] for part in found)
    assert sum(part.end - part.start for part in found) <= max(budget, 0)
    if sum(sizes) <= budget:
        assert {part.key: part.end - part.start for part in found} == named


def test_each_tenth_of_the_time_gives_its_tenth_of_the_sample():
    sizes = {f"{n:03d}": 5_000 + 37 * n % 900 for n in range(100)}
    found = even_stretches(sizes, budget=2_000, stretch=10)
    tenths = [sum(part.key.startswith(f"0{n}") for part in found) for n in range(10)]
    assert sum(tenths) == 200
    assert max(tenths) - min(tenths) <= 4
