"""Merging labels commutes and is idempotent; hints are read where they can be."""

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.capture.id_hashes import hash_ids
from kedge.config.reading import parse_model_config
from kedge.errors import ModelConfigError
from kedge.labels.fold import each_once, hinted_days, in_schema, label_schema, last_collected, merge_labels
from kedge.labels.ledger import FoldedFiles, LabelLedger
from kedge.labels.search import search_days

# One file says one thing of an id: its last line's.
LABELS = st.dictionaries(
    st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.sampled_from(["k1", "k2", "k3"])),
    st.sampled_from("01"),
    max_size=12,
)


def table(labels):
    rows = [
        {
            "kedge_row_id": row,
            "label": label,
            "kedge_collected": datetime(2016, 1, 1 + hour, tzinfo=UTC),
            "kedge_source": source,
        }
        for (row, hour, source), label in labels
    ]
    return pa.Table.from_pylist(rows, schema=label_schema(()))


def empty():
    return label_schema(()).empty_table()


def rows(labels):
    return {row["kedge_row_id"]: row for row in labels.to_pylist()}


@given(LABELS, st.randoms(use_true_random=False), st.integers(0, 12))
def test_labels_merged_in_any_order_and_in_any_portions_are_the_same(labels, random, cut):
    ordered, shuffled = list(labels.items()), random.sample(list(labels.items()), len(labels))
    once = merge_labels(empty(), table(ordered))
    twice = merge_labels(merge_labels(empty(), table(shuffled[:cut])), table(shuffled[cut:]))
    assert rows(once) == rows(twice)
    expected = {}
    for (row, hour, source), label in sorted(ordered):
        expected[row] = (hour, source, label)
    assert {row: each["label"] for row, each in rows(once).items()} == {row: each[2] for row, each in expected.items()}


@given(LABELS, st.sampled_from([[1, 2, 3], [1, 1, 2], [7, 7, 7]]))
def test_labels_are_told_apart_by_their_hashes_and_two_ids_of_one_hash_by_their_texts(labels, hashes):
    some = table(labels.items())
    found, _ = each_once(some, np.array([hashes["abc".index(row)] for row, _, _ in labels], np.uint64))
    assert (rows(found), found.num_rows) == (rows(last_collected(some)), len({row for row, _, _ in labels}))


@given(LABELS)
def test_the_hashes_of_labels_that_come_once_are_those_of_their_ids(labels):
    ids = table(labels.items()).column("kedge_row_id")
    found, hashes = each_once(table(labels.items()), hash_ids(ids))
    assert hashes.tolist() == hash_ids(found.column("kedge_row_id")).tolist()


@given(LABELS)
def test_labels_merged_again_change_nothing_not_even_their_order(labels):
    once = merge_labels(empty(), table(labels.items()))
    assert merge_labels(once, table(labels.items())).equals(once)
    assert merge_labels(once, empty()).equals(once)


def test_a_file_that_is_read_again_replaces_itself():
    before, now = table([(("a", 0, "k"), "0")]), table([(("a", 0, "k"), "1")])
    assert merge_labels(before, now).column("label").to_pylist() == ["1"]


def test_within_a_file_the_last_line_counts():
    assert last_collected(table([(("a", 0, "k"), "0"), (("a", 0, "k"), "1")])).column("label").to_pylist() == ["1"]


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("2016-01-04T02:03:04Z", date(2016, 1, 4)), ("2016-01-04T02:03:04.123456789+05:00", date(2016, 1, 3)),
        ("20160104T020304Z", date(2016, 1, 4)), ("2016-01-04", date(2016, 1, 4)), ("2016-01-04 23:59", date(2016, 1, 4)),
        ("2016-13-04", None), ("1451865600", None), ("soon", None), ("", None), (None, None), ("9" * 40, None),
    ],
)  # fmt: skip
def test_a_hint_is_an_iso_8601_time_or_none(said, day):
    assert hinted_days(pa.array(["a", "b"]), pa.array([said, "2016-01-04"], pa.string()), None).to_pylist() == [
        day,
        date(2016, 1, 4),
    ]


def test_an_id_hints_where_the_record_does_not():
    ids = pa.array(["o-201601042359-7", "o-2016010423", "x-201601042359", "o-201602302359", "o-201601042359"])
    said = pa.array([None, None, None, None, "2016-01-09T00:00:00Z"], pa.string())
    assert hinted_days(ids, said, "o-%Y%m%d%H%M").to_pylist() == [date(2016, 1, 4), None, None, None, date(2016, 1, 9)]


YAML = "{{model: m, endpoint: {{name: m}}, features: [{{name: x, kind: numeric}}], labels: {{id_time_format: '{}'}}}}"


@pytest.mark.parametrize("time_format", ["%Y%m%d", "%Y-%m-%dT%H:%M:%S.%f", "booking_%d%m%Y"])
def test_formats_of_fixed_width_with_a_date_are_taken(time_format):
    config = parse_model_config(YAML.format(time_format), source="m.yaml")
    assert config.labels.id_time_format == time_format


@pytest.mark.parametrize(
    ("time_format", "why"),
    [
        ("%Y%m", "it lacks %d"), ("%H%M", "it lacks %Y, %m, %d"), ("%Y%m%d%A", "%A has no fixed width"),
        ("%Y%m%d%Y", "%Y is in it twice"), ("%Y%m%d%", "% has no fixed width"), ("", "a full date is needed"),
    ],
)  # fmt: skip
def test_other_formats_are_refused_by_name_and_reason(time_format, why):
    with pytest.raises(ModelConfigError, match=r"labels\.id_time_format") as refused:
        parse_model_config(YAML.format(time_format), source="m.yaml")
    assert why in str(refused.value)


def test_columns_that_a_stored_day_lacks_are_null():
    found = in_schema(table([(("a", 0, "k"), "1")]), label_schema(("refund",)))
    assert found.to_pylist()[0]["kedge_field_refund"] is None


@pytest.mark.parametrize(("horizon", "days"), [(None, 400), (2.0, 30), (60.2, 121), (300.0, 400)])
def test_labels_are_looked_for_twice_their_horizon_back(horizon, days):
    assert search_days(horizon, at_least=30, at_most=400) == days


@pytest.mark.parametrize("first", [0, 1])
def test_a_file_of_which_two_runs_read_different_contents_is_read_again(first):
    before = LabelLedger(files={"k": "1"}, swept="s")
    runs = [FoldedFiles({"k": "2"}, unknown={"k": 1}), FoldedFiles({"k": "3"}, unknown={"k": 1})]
    ledger = before.with_folded(runs[first], before=before).with_folded(runs[1 - first], before=before)
    assert (ledger.files, ledger.unknown) == ({}, {"k": 1})


def test_two_runs_that_read_the_same_files_note_them_once():
    before, same = LabelLedger(), FoldedFiles({"k": "1"}, {"k": {"why": 2}}, {"k": 1})
    ledger = before.with_folded(same, before=before).with_folded(same, before=before)
    assert (ledger.files, ledger.broken_by_reason, ledger.unknown) == ({"k": "1"}, {"why": 2}, {"k": 1})
