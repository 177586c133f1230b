from collections.abc import Iterator
from functools import partial
from itertools import count

import numpy as np
import pytest

from cli.backtest import cores
from cli.backtest.cores import WORTH_PROCESSES, by_all_cores
from kedge.errors import EmptySampleError
from kedge.profile.freezing import numeric_edges


@pytest.mark.parametrize("pieces", [1, WORTH_PROCESSES])
def test_results_come_in_the_order_of_their_items(pieces: int) -> None:
    assert list(by_all_cores(str, range(30), pieces=pieces)) == [str(n) for n in range(30)]


def test_items_are_made_only_a_few_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores.os, "cpu_count", lambda: 2)
    made = count()

    def items() -> Iterator[int]:
        while True:
            yield next(made)

    results = by_all_cores(str, items(), pieces=WORTH_PROCESSES)
    assert next(results) == "0"
    assert next(made) < 20
    results.close()


def test_an_error_in_a_process_is_raised_here() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(by_all_cores(int, ["1", "no number"], pieces=WORTH_PROCESSES))


def test_an_error_of_kedges_own_comes_back_as_it_was_raised() -> None:
    work = partial(numeric_edges, maximum=10, column="age")
    with pytest.raises(EmptySampleError, match="the baseline of column 'age' has no rows") as found:
        list(by_all_cores(work, [np.ones(2), np.empty(0)], pieces=WORTH_PROCESSES))
    assert found.value.sample == "baseline of column 'age'"
