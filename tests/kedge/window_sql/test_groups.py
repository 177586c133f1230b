"""Counts by group are asked for in queries that Athena takes and may keep: they hold no level."""

import re
from datetime import UTC, datetime
from itertools import combinations

import pytest

from kedge.config.reading import parse_model_config
from kedge.slices.groupings import LEVELS, Grouping
from kedge.slices.ruler import SliceRuler
from kedge.window_sql.groups import GroupsSql
from kedge.window_sql.joined import JoinedRows, RowSql
from kedge.window_sql.parts import QUERY_BYTES

NOW = datetime(2016, 1, 20, tzinfo=UTC)


def groups_of(names, length):
    features = "".join(f"  - {{name: {name}, kind: categorical}}\n" for name in names)
    text = f"model: m\nendpoint: {{name: m}}\nfeatures:\n{features}fairness: {{columns: {names}}}\n"
    config = parse_model_config(text, source="m.yaml")
    levels = tuple(f"{place:03d}".ljust(length, "x") for place in range(LEVELS))
    groupings = tuple(Grouping(name, "categorical", levels=levels) for name in names)
    own = Grouping("prediction", "numeric", edges=(0.5,))
    ruler = SliceRuler("binary_classification", (*groupings, own), edges=(0.5,))
    rows = JoinedRows(config, ("prediction", *names), "kedge", "r", "s3://b/${kedge_run}/", "s3://b/levels/", NOW)
    return GroupsSql(RowSql(rows, NOW), ruler)


def counted_of(selects, name, column):
    mine = [select for select in selects if select.startswith(f"SELECT '{name}'")]
    assert max(len(select.encode()) for select in mine) < QUERY_BYTES
    return len(mine), sorted(int(n) for each in mine for n in re.findall(rf" WHEN {column}(\d+) IS NOT NULL", each))


@pytest.mark.parametrize(("columns", "length", "readings"), [(20, 256, 5), (5, 50_000, 1)])
def test_each_group_is_counted_once_and_no_query_holds_a_level(columns, length, readings):
    names = [f"c{place}" for place in range(columns)]
    groups, pairs = groups_of(names, length), list(combinations(names, 2))
    numbers = sorted(one * (columns + 1) + other for one, other in combinations(range(columns), 2))
    assert counted_of(groups.pairs(pairs), "pairs", "x") == (readings, numbers)
    selects = groups.parts()
    assert not [select for select in (*selects, *groups.pairs(pairs)) if "xxx" in select]
    assert counted_of(selects, "slices", "g")[1] == list(range(columns + 1))
    assert counted_of(selects, "people", "g")[1] == list(range(columns))
