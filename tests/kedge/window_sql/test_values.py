"""Values in Athena's SQL mean what they mean in Python."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kedge.columns.casting import MISSING_WORDS, cast_numbers
from kedge.columns.class_codes import class_codes
from kedge.labels.join_sql import literal
from kedge.outcomes.score_cells import cells_of, coarsened
from kedge.slices.groupings import Grouping
from kedge.window_sql.parts import COUNTED, QUERY_BYTES, QUERY_PARTS, Counted, part, queries, total
from kedge.window_sql.values import class_code, double, group_code, level_codes, log_loss, number, rounded, score_cell
from tests.athena_sql import run_sql

TEXTS = [
    *MISSING_WORDS, None, "0", "1", "1.0", " 1 ", "1e0", "-0", "+1", ".5", "5.", "true", "TRUE", " False", "a", " a ", "A", "it's",
    "x'; --", "日本", "12345678901", "2.5", "none", "?", "1e5", "100000",
]  # fmt: skip
numbers = st.one_of(st.floats(0, 1), st.sampled_from([0.0, -0.0, 5e-324, 1e-300, 0.5, 0.5 - 2**-54, 1 - 2**-53, 1.0]))


def computed(sql, values, kind):
    """What SQL makes of the column x."""
    table = pa.table({"x": pa.array(values, kind), "n": range(len(values))})
    found = run_sql(f"SELECT {sql} AS found FROM t ORDER BY n", {"t": table})  # noqa: S608
    return found.column("found").to_pylist()


@pytest.mark.parametrize(
    "names", [("0", "1"), ("no", "1", "true"), ("a", "b"), ("false", "it's"), ("2.5", "100000"), ("1.0",)]
)
def test_a_class_is_found_in_any_spelling(names):
    assert computed(class_code("x", names), TEXTS, pa.string()) == class_codes(pa.array(TEXTS), names).codes.tolist()


def test_a_number_is_read_from_text_as_the_casting_reads_it():
    expected = cast_numbers(pa.array(TEXTS), "float64", placeholders=False).values
    found = computed(number("x", pa.string()), TEXTS, pa.string())
    np.testing.assert_array_equal(np.array(found, float), expected)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.string(), TEXTS),
        (pa.float64(), [None, -1.0, 0.0, 1.0, 2.5, 1e300, float("inf")]),
        (pa.float32(), [None, 0.1, 1.0]),
    ],
)
@pytest.mark.parametrize(
    "grouping",
    [
        Grouping("x", "numeric", edges=(0.0, 1.0, 2.5)),
        Grouping("x", "numeric"),
        Grouping("x", "categorical", levels=("1", "a", "true")),
        Grouping("x", "categorical"),
        Grouping("x", "categorical", levels=("0.1", "inf", "0", "-0")),
    ],
)
def test_a_value_is_in_its_group(grouping, kind, values):
    # No spelling is empty: each begins with how it is compared.
    codes = {"": 9} | level_codes(kind, grouping)
    levels = f"map(ARRAY[{', '.join(map(literal, codes))}], ARRAY[{', '.join(map(str, codes.values()))}])"
    found = computed(group_code("x", kind, grouping, levels), values, kind)
    assert found == grouping.codes(pa.array(values, kind)).tolist()


@settings(max_examples=30, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=50), st.sampled_from([0, 3, 14]))
def test_a_score_is_in_its_cell_however_coarse(scores, bits):
    found = computed(score_cell("x", bits), scores, pa.float64())
    assert found == coarsened(cells_of(np.array(scores)), bits).tolist()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(st.floats(0, 2**20), st.integers(0, 100).map(lambda n: n + 0.5)), min_size=1, max_size=50))
def test_halves_are_rounded_to_the_even_side(values):
    np.testing.assert_array_equal(computed(rounded("x"), values, pa.float64()), np.rint(values))


def test_a_certain_and_wrong_answer_costs_a_finite_amount():
    found = computed(log_loss("x"), [0.0, 0.5, 1.0], pa.float64())
    eps = np.finfo(np.float64).eps
    np.testing.assert_allclose(found, -np.log([eps, 0.5, 1 - eps]), rtol=1e-12)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_keeps_every_digit(value):
    assert float(double(value).strip("()")) == value


def test_rows_are_counted_by_several_columns_in_one_reading():
    table = pa.table({"g": [0, 1, 1], "h": [2, 2, 5], "cell": [7, 7, 8], "w": [1.0, 2.0, 4.0]})
    select = part("p", "t", keys={"b": "cell"}, sums=["sum(w)", total("w > 1E0")], each={4: "g", 9: "h"})
    found = Counted([run_sql(select, {"t": table}).cast(COUNTED)]).of("p")
    rows = sorted(
        zip(
            *(found.key(name).tolist() for name in "iab"),
            found.rows.tolist(),
            found.sums(1),
            found.sums(2),
            strict=True,
        )
    )
    assert rows == [
        (4, 0, 7, 1, 1.0, 0.0), (4, 1, 7, 1, 2.0, 1.0), (4, 1, 8, 1, 4.0, 1.0),
        (9, 2, 7, 2, 3.0, 1.0), (9, 5, 8, 1, 4.0, 1.0),
    ]  # fmt: skip


def test_a_query_is_never_longer_than_athena_takes():
    parts = ["SELECT " + "1" * 100_000] * 5 + ["SELECT 2"]
    found = list(queries(parts))
    assert len(found) == 3
    assert all(len(query.encode()) <= QUERY_BYTES for query in found)
    assert "\nUNION ALL\n".join(found) == "\nUNION ALL\n".join(parts)


def test_a_query_has_no_more_parts_than_trino_plans():
    found = [query.count("SELECT") for query in queries(["SELECT 1"] * (2 * QUERY_PARTS + 1))]
    assert found == [QUERY_PARTS, QUERY_PARTS, 1]
