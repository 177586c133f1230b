"""Model Monitor's statistics.json read back into rows that count as the file says."""

import json

import numpy as np
import pytest

from kedge.monitor_statistics import MonitorFileError, read_inferred_types, read_statistics, rebuilt_rows
from kedge.profile.bins import Bins


def number(name, *, sketch=None, buckets=None, present=None, missing=0, kind="Fractional"):
    kll = {} if buckets is None else {"buckets": buckets}
    kll |= {} if sketch is None else {"sketch": {"parameters": {"c": 0.64, "k": 2048.0}, "data": sketch}}
    common = {"num_present": float(present), "num_missing": float(missing)}
    return {
        "name": name,
        "inferred_type": kind,
        "numerical_statistics": {"common": common, "distribution": {"kll": kll}},
    }


def category(name, counts, *, present=None, missing=0):
    buckets = [{"value": value, "count": float(count)} for value, count in counts.items()]
    common = {"num_present": present or sum(counts.values()), "num_missing": missing}
    text = {"common": common, "distinct_count": len(counts), "distribution": {"categorical": {"buckets": buckets}}}
    return {"name": name, "inferred_type": "String", "string_statistics": text}


def equal_buckets(values, bins=10):
    counts, edges = np.histogram(values, bins)
    return [
        {"lower_bound": float(a), "upper_bound": float(b), "count": float(n)}
        for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True)
    ]


def read(*features):
    return read_statistics({"version": 0.0, "features": list(features)}, place="s.json")


def test_a_whole_sketch_gives_every_value_back_and_the_missing_ones():
    values = [3.0, 1.0, 1.0, 2.5]
    rows = rebuilt_rows(read(number("x", sketch=[values], present=4, missing=2)))
    assert rows.num_rows == 6
    assert sorted(v for v in rows.column("x").to_pylist() if v is not None) == sorted(values)
    assert rows.column("x").null_count == 2


def test_a_value_in_list_i_of_a_sketch_stands_for_two_to_the_i_rows():
    rows = rebuilt_rows(read(number("x", sketch=[[1.0], [2.0], [3.0, 4.0]], present=11)))
    assert np.unique(rows.column("x").to_numpy(), return_counts=True)[1].tolist() == [1, 2, 4, 4]


def test_a_sketch_of_a_few_values_that_another_writer_put_there_yields_to_the_buckets():
    values = np.random.default_rng(1).exponential(10, 5000)
    column = read(number("x", sketch=[[0.0, 1.0]], buckets=equal_buckets(values), present=5000)).columns[0]
    assert column.source == "buckets"
    assert column.weights.sum() == 5000


@pytest.mark.parametrize("values", [np.arange(11.0), np.random.default_rng(2).exponential(3, 4000), np.full(50, 7.0)])
def test_buckets_become_cells_that_count_undrifted_rows_as_the_file_does(values):
    column = read(number("x", buckets=equal_buckets(values), present=len(values))).columns[0]
    cells = Bins(edges=column.edges)
    counted = np.bincount(np.searchsorted(cells.edges, values, side="left"), minlength=cells.cells)
    of_rows = rebuilt_rows(read(number("x", buckets=equal_buckets(values), present=len(values)))).column("x").to_numpy()
    rebuilt = np.bincount(np.searchsorted(cells.edges, of_rows, side="left"), minlength=cells.cells)
    assert rebuilt.tolist() == counted.tolist()


def test_categories_come_back_with_their_counts_and_what_is_not_named_is_counted():
    found = read(category("c", {"DE": 30, "FR": 10}, present=50, missing=10))
    assert found.columns[0].unnamed == 10
    rows = rebuilt_rows(found).column("c").to_pylist()
    assert (rows.count("DE") // 3, rows.count(None)) == (12, 10)
    assert rows.count("DE") + rows.count("FR") == 50


def test_millions_of_rows_count_in_proportion():
    found = read(category("c", {"a": 3_000_000, "b": 1_000_000}))
    rows = rebuilt_rows(found).column("c").to_pylist()
    assert (rows.count("a"), rows.count("b")) == (150_000, 50_000)


def test_rows_stand_in_no_order():
    rows = rebuilt_rows(read(number("x", sketch=[list(map(float, range(1000)))], present=1000))).column("x").to_numpy()
    assert abs(np.corrcoef(rows[:-1], rows[1:])[0, 1]) < 0.1


def test_a_column_without_a_distribution_has_no_value():
    unknown = {"name": "u", "inferred_type": "Unknown"}
    assert rebuilt_rows(read(unknown, category("c", {"a": 5}))).column("u").null_count == 5


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "no list of features"),
        ({"binary_classification_metrics": {}}, "it is a model quality baseline"),
        ({"pre_training_bias_metrics": {}, "version": "1.0"}, "it is a bias report of Clarify"),
        ({"explanations": {"kernel_shap": {}}, "version": "1.0"}, "it is a report of feature attributions"),
        ({"violations": []}, "it is a report of violations"),
        ({"features": [{"name": "x", "inferred_type": "String", "completeness": 1.0}]}, "as constraints.json has"),
        ({"features": [{"inferred_type": "String"}]}, "feature 1: it has no name"),
        ({"features": [category("c", {"a": 1}), category("c", {"a": 1})]}, "it has c twice"),
        ({"features": [{"name": "u"}]}, "made of no rows"),
        ({"features": [number("x", sketch=[], present=-1)]}, "not a number of rows"),
        (
            {"features": [number("x", buckets=[{"lower_bound": 2, "upper_bound": 1, "count": 1}], present=1)]},
            "not in ascending order",
        ),
        (
            {"features": [number("x", buckets=[{"lower_bound": "a", "upper_bound": 1, "count": 1}], present=1)]},
            "lower_bound is 'a'",
        ),
        ({"features": [number("x", sketch=[[]] * 64, present=1)]}, "more levels"),
    ],
)
def test_what_is_no_such_file_is_refused_with_its_place(document, said):
    with pytest.raises(MonitorFileError, match=said) as refused:
        read_statistics(json.loads(json.dumps(document)), place="s.json")
    assert str(refused.value).startswith("s.json")


def test_constraints_say_the_types_that_people_corrected():
    document = {
        "features": [{"name": "code", "inferred_type": "String"}, {"name": "free"}],
        "monitoring_config": {"distribution_constraints": {"comparison_threshold": 0.2}},
    }
    assert read_inferred_types(document, place="c.json") == ({"code": "String"}, 0.2)
    with pytest.raises(MonitorFileError, match="no constraints"):
        read_inferred_types({}, place="c.json")
