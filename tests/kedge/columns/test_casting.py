import numpy as np
import pyarrow as pa
import pytest

from kedge.capture.typed_rows import typed_predictions
from kedge.columns.casting import cast_numbers, cast_text, columns_of
from kedge.config.reading import parse_model_config
from tests.builders import YAML, make_config


@pytest.mark.parametrize("word", ["", "NaN", "null", "NA", "None", None])
def test_words_for_no_value_are_missing_in_numbers_and_in_text(word):
    numbers = cast_numbers(pa.array([word, "1"], pa.string()), "float64")
    assert numbers.missing.tolist() == [True, False]
    assert not numbers.unparsable.any()
    assert cast_text(pa.array([word, "1"], pa.string())).to_pylist() == [None, "1"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("+1.5", 1.5), ("  3 ", 3), (".5", 0.5), ("5.", 5), ("1E+05", 1e5), ("inf", np.inf), ("True", 1), ("false", 0)],
)
@pytest.mark.parametrize("beside", ["1", "no number"])
def test_a_number_reads_the_same_whatever_stands_beside_it(text, value, beside):
    numbers = cast_numbers(pa.array([text, beside]), "float64")
    assert numbers.values[0] == value
    assert not numbers.unparsable[0]


@pytest.mark.parametrize("text", ["x", "1,5", "0x10", "1_000", "1 2", "٣"])
def test_what_is_no_number_is_unparsable_and_not_missing(text):
    numbers = cast_numbers(pa.array([text, "1"]), "float64")
    assert numbers.unparsable.tolist() == [True, False]
    assert not numbers.missing.any()


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1, 0, None], pa.int8()), pa.array([True, False, None]), pa.array([1.0, 0.0, float("nan")], pa.float32()),
        pa.array(["1", "0", ""]).dictionary_encode(), pa.array(["1", "0", None], pa.large_string()),
        pa.array(["1", "0", None], pa.string_view()), pa.chunked_array([["1"], ["0", ""]]),
    ],
    ids=lambda array: str(array.type),
)  # fmt: skip
def test_every_arrow_type_of_the_same_values_gives_the_same_numbers(array):
    numbers = cast_numbers(array, "float64")
    assert numbers.values[:2].tolist() == [1.0, 0.0]
    assert numbers.missing.tolist() == [False, False, True]


def test_a_float32_equals_its_own_text():
    values = np.random.default_rng(1).normal(size=1000).astype(np.float32)
    text = pa.array([repr(float(np.float64(str(value)))) for value in values])
    assert (cast_numbers(text, "float32").values == cast_numbers(pa.array(values), "float32").values).all()


def test_a_whole_number_as_text_is_written_without_its_point():
    assert cast_text(pa.array([3.0, 2.5])).to_pylist() == ["3", "2.5"]


def test_columns_are_the_watched_features_and_the_prediction():
    config = make_config("  - {name: note, kind: categorical, watched: false}\n")
    assert [(c.name, c.role, c.kind, c.dtype) for c in columns_of(config)] == [
        ("weight", "feature", "numeric", "float64"),
        ("items", "feature", "numeric", "int64"),
        ("carrier", "feature", "categorical", "string"),
        ("prediction", "prediction", "numeric", "float64"),
    ]


def test_the_predictions_table_holds_declared_types():
    config = make_config()
    rows = pa.table({"kedge_row_id": ["a"], "weight": ["1.5"], "items": ["x"], "carrier": [""], "prediction": ["0.25"]})
    typed = typed_predictions(rows, config, ("kedge_row_id",))
    assert typed.to_pylist() == [
        {"kedge_row_id": "a", "weight": 1.5, "items": None, "carrier": None, "prediction": 0.25}
    ]


def test_booleans_and_times_are_kept_as_words_and_instants():
    extra = "  - {name: paid, kind: boolean}\n  - {name: bought, kind: timestamp}\n"
    config = parse_model_config(YAML + extra, source="parcels.yaml")
    rows = pa.table(
        {
            "kedge_row_id": ["a", "b"],
            "weight": ["1", "2"],
            "items": ["1", "2"],
            "carrier": ["sea", "air"],
            "paid": ["True", "?"],
            "bought": ["2016-01-01T01:00:00+01:00", "soon"],
            "prediction": ["0.1", "0.2"],
        }
    )
    typed = typed_predictions(rows, config, ("kedge_row_id",))
    assert typed.column("paid").to_pylist() == ["true", None]
    assert typed.column("bought").cast(pa.int64()).to_pylist() == [1451606400 * 10**6, None]
    kinds = {column.name: column.counted_as for column in columns_of(config)}
    assert (kinds["paid"], kinds["bought"], kinds["prediction"]) == ("categorical", "numeric", "numeric")
