"""A fleet's captured answers as numbers, whatever the model answers."""

import numpy as np
import pyarrow as pa
import pytest

from lambdas.adapters.captures.captured_answers import answers_of
from tests.builders import make_config

SEVERAL = "problem: multiclass_classification\nlabels: {classes: [sea, road, air]}\n"


@pytest.mark.parametrize(
    ("extra", "said", "read"),
    [
        ("", ["0.25", "1.5", "soon"], [0.25, 1.5, np.nan]),
        ("labels: {classes: [good, bad]}\n", ["bad", "good", "bad"], [1.0, 0.0, 1.0]),
        (SEVERAL, ["air", "sea", "rail", None], [2.0, 0.0, np.nan, np.nan]),
        ("problem: regression\n", ["-3", "4e2", "inf"], [-3.0, 400.0, np.nan]),
    ],
    ids=["probabilities", "two words", "several classes", "amounts"],
)
def test_answers_are_numbers_or_codes_and_what_cannot_be_read_is_missing(extra, said, read):
    found = answers_of(pa.table({"prediction": pa.array(said, pa.string())}), make_config(extra))
    assert found.tolist() == pytest.approx(read, nan_ok=True)
