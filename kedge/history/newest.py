"""The rows that count: of each object what was written of it last, and each row once."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from kedge.history.tables import WRITTEN_AT, HistoryTable

_PLACE, _NEWEST = "kedge_place", f"{WRITTEN_AT}_max"


def newest_rows(rows: pa.Table, table: HistoryTable) -> pa.Table:
    """Leave out what was replaced, and what stands in two files because it has just been compacted.

    The views of `kedge.history.views` say the same in SQL.
    """
    if not rows.num_rows:
        return rows
    newest = rows.group_by([*table.identity], use_threads=False).aggregate([(WRITTEN_AT, "max")])
    placed = rows.append_column(_PLACE, pa.array(range(rows.num_rows)))
    beside = placed.select([*table.key, WRITTEN_AT, _PLACE]).join(newest, keys=[*table.identity], join_type="inner")
    kept = beside.filter(pc.equal(beside.column(WRITTEN_AT), beside.column(_NEWEST)))
    places = kept.group_by([*table.key]).aggregate([(_PLACE, "max")]).column(f"{_PLACE}_max")
    return rows.take(places.combine_chunks().sort()).sort_by([(name, "ascending") for name in (table.time, *table.key)])


def covered(rows: pa.Table, by: pa.Table, table: HistoryTable) -> bool:
    """Whether each object of `rows` stands in `by`, as new or newer."""
    names = [*table.identity]
    here = rows.group_by(names).aggregate([(WRITTEN_AT, "max")])
    there = by.group_by(names).aggregate([(WRITTEN_AT, "max")]).rename_columns([*names, "there"])
    both = here.join(there, keys=names, join_type="inner")
    return bool(
        both.num_rows == here.num_rows
        and pc.all(pc.less_equal(both.column(_NEWEST), both.column("there"))).as_py() is not False
    )
