import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.columns.casting import Column
from kedge.drift.importance import LARGEST_BYTES, importance_of, parse_importance
from kedge.errors import UnreadableImportanceError
from tests.builders import judged, make_baseline, make_config, make_window

NAMES = ["adr", "meal", "lead_time"]


@given(st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1e300), min_size=1))
def test_weights_become_shares_that_keep_their_ratios(weights):
    if not sum(weights.values()):
        return
    found = parse_importance(json.dumps(weights).encode(), NAMES)
    assert sum(found.values()) == pytest.approx(1)
    largest = max(weights, key=weights.get)
    assert found[largest] == max(found.values())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is not JSON"), (b"\xff\xfe", "it is not JSON"), (b"[" * 100_000, "it is not JSON"),
        (b"[1, 2]", "not a JSON object"), (b'{"adr": "high"}', "the weight of 'adr' is not a finite number"),
        (b'{"adr": NaN}', "not a finite number"), (b'{"adr": -1}', "not a finite number"), (b'{"adr": 1e999}', "not a finite number"),
        (b'{"adr": true}', "the weight of 'adr' is not a finite number"), (b'{"adr": 0}', "none of the model's features"),
        (b'{"other": 3}', "none of the model's features"), (b" " * (LARGEST_BYTES + 1), "more than 1,048,576 bytes"),
    ],
)  # fmt: skip
def test_a_file_that_holds_something_else_is_refused_with_the_reason(content, words):
    with pytest.raises(UnreadableImportanceError, match=words):
        parse_importance(content, NAMES)


def test_a_feature_that_the_file_does_not_name_has_no_importance_and_the_prediction_rests_on_all():
    importance = {"adr": 1.0}
    feature, answer = (
        Column("meal", "feature", "categorical", "string"),
        Column("p", "prediction", "numeric", "float64"),
    )
    assert importance_of(feature, importance) == 0.0
    assert importance_of(answer, importance) is None
    assert importance_of(feature, {}) is None


def ranked(importance):
    baseline = replace(make_baseline(make_config()), importance=importance)
    return judged(make_window(rows=3000, shift=0.5, air=0.5), baseline=baseline)


def test_what_drifted_and_matters_comes_first():
    # The carriers move more than the weight does; to the model, only the weight matters.
    assert [c.column.name for c in ranked({}).drifted] == ["carrier", "weight"]
    report = ranked({"weight": 0.9, "carrier": 0.1})
    assert [c.column.name for c in report.drifted] == ["weight", "carrier"]
    assert report.reasons[0].startswith("weight: ")
    assert report.drifted[0].relevance == pytest.approx(
        0.9 * (report.drifted[0].effect - report.drifted[0].effect_without_drift)
    )


def test_the_report_names_the_importance_only_where_it_is_known():
    told = {c["name"]: c.get("importance") for c in ranked({"weight": 1.0}).to_json()["columns"]}
    assert told == {"weight": 1.0, "items": 0.0, "carrier": 0.0, "prediction": None}
    assert not any("importance" in column for column in ranked({}).to_json()["columns"])
