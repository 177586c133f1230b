"""A search for rows that is cut again and again ends as one that is not."""

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from kedge.capture.id_hashes import hash_ids, in_both
from kedge.labels.fold import REACHED, SEARCHED, waiting_labels
from kedge.labels.search import find_rows, given_up

NOW = datetime(2016, 3, 1, 2)
DAYS = {NOW.date() - timedelta(days=back): [f"r{back}-{n}" for n in range(3)] for back in range(28)}
RUNS_MAX = 300


def labels(seed: int) -> pa.Table:
    """Labels with right hints, wrong ones and none, of rows that were answered before and of none."""
    rng, tables = np.random.default_rng(seed), []
    for n in range(12):
        collected = NOW - timedelta(hours=int(rng.integers(1, 24 * 12)))
        row_id = f"r{rng.integers((NOW - collected).days, 28)}-{n % 3}" if rng.random() < 0.7 else "nobody"
        hint = f"{NOW - timedelta(days=int(rng.integers(-5, 31))):%Y-%m-%d}" if rng.random() < 0.4 else None
        record = pa.table({"kedge_row_id": [row_id], "label": ["1"], "inference_time": pa.array([hint], pa.string())})
        tables.append(waiting_labels(record, collected=collected, source="k", fields=[], id_time_format=None))
    found = pa.concat_tables(tables)
    first = {row_id: place for place, row_id in reversed([*enumerate(found.column("kedge_row_id").to_pylist())])}
    return found.take(sorted(first.values()))


def search(waiting: pa.Table, days_a_run: int) -> tuple[dict[str, int], set[str], list[str]]:
    """The days that were found, the labels that were given up, and those that still wait."""
    found, gone = {}, set()
    for _ in range(RUNS_MAX):
        left = iter([True] * (days_a_run - 1))
        said = find_rows(
            (waiting, hash_ids(waiting.column("kedge_row_id"))),
            lambda day, hashes: [in_both(hashes, np.sort(hash_ids(pa.array(DAYS[day]))))],
            lambda first: [day for day in DAYS if day >= first],
            now=NOW,
            limit_days=20,
            has_time=lambda left=left: next(left, False),
        )
        assert said.opened <= days_a_run
        ids, is_gone = waiting.column("kedge_row_id").to_pylist(), said.nowhere & given_up(waiting, NOW) & ~said.cut
        found |= {row_id: int(day) for row_id, day, no in zip(ids, said.days, said.nowhere, strict=True) if not no}
        gone |= {row_id for row_id, given in zip(ids, is_gone, strict=True) if given}
        for name, column in {SEARCHED: pa.array(said.searched, pa.bool_()), REACHED: said.reached}.items():
            waiting = waiting.set_column(waiting.schema.get_field_index(name), name, column)
        waiting = waiting.filter(pa.array(said.nowhere & ~is_gone))
        if not said.cut.any():
            return found, gone, waiting.column("kedge_row_id").to_pylist()
    raise AssertionError("the search never ends")


@pytest.mark.parametrize("seed", range(20))
def test_however_often_it_is_cut_the_same_rows_are_found_and_the_same_labels_given_up(seed):
    waiting = labels(seed)
    whole = search(waiting, 1000)
    assert whole[0]
    assert [search(waiting, days) for days in (1, 2, 5)] == [whole] * 3
