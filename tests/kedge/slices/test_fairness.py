"""Fairness from group counts: rates against plain shares, intervals by simulation, and limits that only certainty breaks."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.config.policies import FairnessPolicy
from kedge.config.reading import parse_model_config
from kedge.severity import Severity
from kedge.slices.fairness import added_groups, judge_fairness
from kedge.slices.group_counts import Decisions, GroupCounts, count_groups, count_sensitive, read_decisions
from tests.builders import make_config


def grouped(rates, *, rows=2000, seed=0, column="sex"):
    """Groups with these selection rates; half of each group's rows have the favourable truth."""
    rng = np.random.default_rng(seed)
    groups = {}
    for name, rate in rates.items():
        selected, truth = rng.random(rows) < rate, rng.integers(0, 2, rows)
        groups[name] = np.bincount(selected * 3 + truth, minlength=6).reshape(2, 3)
    return GroupCounts(column, groups)


def measures(found):
    return {d.estimate.name: d for d in found.disparities}


def test_rates_are_the_shares_of_the_rows():
    rng = np.random.default_rng(1)
    codes, selected, truth = rng.integers(0, 2, 3000), rng.random(3000) < 0.4, rng.integers(0, 2, 3000)
    scores = np.where(selected, 0.9, 0.1)
    decisions, _ = read_decisions(pa.table({"p": scores, "label": truth}), "p", "label", make_config())
    counts = count_groups("sex", ("f", "m"), codes, decisions)
    (found,) = judge_fairness([counts], FairnessPolicy())
    for place, group in enumerate(found.groups):
        mine = codes == place
        assert group.rows == mine.sum()
        assert group.selection_rate.value == pytest.approx(selected[mine].mean())
        assert group.true_positive_rate.value == pytest.approx(selected[mine & (truth == 1)].mean())
    low, high = sorted(g.selection_rate.value for g in found.groups)
    assert measures(found)["disparate_impact"].estimate.value == pytest.approx(low / high)
    assert measures(found)["demographic_parity_difference"].estimate.value == pytest.approx(high - low)


@pytest.mark.parametrize(("rates", "severity"), [
    ({"f": 0.2, "m": 0.4}, Severity.CRITICAL),
    ({"f": 0.31, "m": 0.40}, Severity.WARNING),
    ({"f": 0.38, "m": 0.4}, Severity.OK),
])  # fmt: skip
def test_only_an_interval_that_clears_the_limit_is_critical(rates, severity):
    exact = {
        name: np.array([[1000 - round(rate * 1000), 0, 0], [round(rate * 1000), 0, 0]]) for name, rate in rates.items()
    }
    (found,) = judge_fairness([GroupCounts("sex", exact)], FairnessPolicy())
    assert found.severity is severity
    assert found.reason.startswith("sex: disparate impact is")


def test_every_limit_that_is_broken_is_told():
    counts = GroupCounts("sex", {"f": np.array([[800, 0, 0], [200, 0, 0]]), "m": np.array([[600, 0, 0], [400, 0, 0]])})
    (found,) = judge_fairness([counts], FairnessPolicy(demographic_parity_difference_max=0.1))
    assert "disparate impact is 0.5 " in found.reason
    assert "demographic parity difference is 0.2 " in found.reason
    (held,) = judge_fairness([counts], FairnessPolicy(demographic_parity_difference_max=0.9))
    assert "parity" not in held.reason


def test_small_groups_and_missing_values_are_shown_by_number_and_judge_nothing():
    counts = GroupCounts(
        "sex",
        {
            "f": np.array([[500, 0, 0], [500, 0, 0]]),
            "m": np.array([[500, 0, 0], [500, 0, 0]]),
            "x": np.array([[20, 0, 0], [0, 0, 0]]),
            "missing": np.array([[900, 0, 0], [0, 0, 0]]),
        },
    )
    (found,) = judge_fairness([counts], FairnessPolicy())
    assert found.severity is Severity.OK
    shown = {group["group"]: group for group in found.to_json()["groups"]}
    assert shown["x"] == {"group": "x", "rows": 20}
    assert shown["missing"] == {"group": "missing", "rows": 900}


def test_one_group_alone_is_insufficient():
    (found,) = judge_fairness([grouped({"f": 0.4})], FairnessPolicy())
    assert found.severity is Severity.INSUFFICIENT_DATA
    assert "100 rows" in found.reason
    assert found.to_json()["metrics"] == []


def test_where_nobody_is_selected_there_is_no_ratio_and_no_crash():
    counts = GroupCounts("sex", {name: np.array([[400, 100, 0], [0, 0, 0]]) for name in ("f", "m")})
    (found,) = judge_fairness([counts], FairnessPolicy())
    assert "disparate_impact" not in measures(found)
    assert measures(found)["demographic_parity_difference"].estimate.value == 0.0


def test_a_group_never_selected_has_a_ratio_of_zero_with_an_upper_end():
    counts = GroupCounts("sex", {"f": np.array([[200, 0, 0], [0, 0, 0]]), "m": np.array([[100, 0, 0], [100, 0, 0]])})
    (found,) = judge_fairness([counts], FairnessPolicy())
    estimate = measures(found)["disparate_impact"].estimate
    assert (estimate.value, estimate.low) == (0.0, 0.0)
    assert 0.0 < estimate.high < 0.1


def test_the_difference_of_true_positive_rates_is_judged_where_a_limit_is_set():
    counts = GroupCounts("sex", {"f": np.array([[0, 150, 0], [0, 50, 0]]), "m": np.array([[0, 50, 0], [0, 150, 0]])})
    policy = FairnessPolicy(disparate_impact_min=None, equal_opportunity_difference_max=0.2)
    (found,) = judge_fairness([counts], policy)
    assert (found.severity, measures(found)["equal_opportunity_difference"].estimate.value) == (Severity.CRITICAL, 0.5)
    assert measures(found)["equal_opportunity_difference"].groups == ("f", "m")
    (unlimited,) = judge_fairness([counts], FairnessPolicy(disparate_impact_min=None))
    assert unlimited.severity is Severity.INSUFFICIENT_DATA
    assert "severity" not in measures(unlimited)["equal_opportunity_difference"].to_json()


def test_rows_without_a_label_count_for_selection_and_not_for_opportunity():
    counts = GroupCounts(
        "sex", {"f": np.array([[0, 20, 100], [0, 20, 60]]), "m": np.array([[0, 20, 100], [0, 20, 60]])}
    )
    (found,) = judge_fairness([counts], FairnessPolicy())
    group = found.groups[0]
    assert group.selection_rate.value == pytest.approx(80 / 200)
    assert group.true_positive_rate.value == pytest.approx(20 / 40)


def test_unfairness_is_claimed_between_equal_groups_no_more_often_than_promised():
    policy = FairnessPolicy(disparate_impact_min=1.0, confidence=0.95)
    claims = 0
    for seed in range(300):
        counts = grouped({name: 0.3 for name in "abcdef"}, rows=400, seed=seed)
        claims += judge_fairness([counts], policy)[0].severity is Severity.CRITICAL
    # 5 % of 300, and what chance adds to that in one study of a thousand.
    assert claims <= 27


@pytest.mark.parametrize("true_ratio", [0.5, 0.8])
def test_the_interval_of_the_ratio_covers_as_it_promises(true_ratio):
    covered = 0
    for seed in range(300):
        (found,) = judge_fairness([grouped({"f": 0.4 * true_ratio, "m": 0.4}, rows=300, seed=seed)], FairnessPolicy())
        estimate = measures(found)["disparate_impact"].estimate
        covered += estimate.low <= true_ratio <= estimate.high
    assert covered >= 275


rows_of = st.lists(st.integers(0, 500), min_size=6, max_size=6).map(lambda v: np.array(v).reshape(2, 3))


@given(
    st.dictionaries(st.sampled_from("abcd"), rows_of, max_size=4),
    st.dictionaries(st.sampled_from("abcd"), rows_of, max_size=4),
)
def test_counts_add_in_either_order_and_any_counts_give_a_verdict(left, right):
    one, other = GroupCounts("sex", left), GroupCounts("sex", right)
    assert (
        judge_fairness([one + other], FairnessPolicy())[0].severity
        is judge_fairness([other + one], FairnessPolicy())[0].severity
    )
    for group in judge_fairness([one + other], FairnessPolicy())[0].groups:
        assert group.rows == sum(int(part.get(group.group, np.zeros(1)).sum()) for part in (left, right))


def decided(config, answers, labels):
    found, answered = read_decisions(pa.table({"p": answers, "label": labels}), "p", "label", config)
    assert answered.all()
    return found.selected.tolist(), found.truth.tolist()


def test_the_favourable_class_may_be_the_one_that_is_not_predicted():
    config = make_config("fairness: {columns: [carrier], favourable: '0'}")
    assert decided(config, [0.9, 0.2], [1, 1]) == ([False, True], [0, 0])


def test_several_classes_and_a_regression_with_a_threshold_decide_too():
    classes = "problem: multiclass_classification\nlabels: {classes: [a, b, c]}\nfairness: {favourable: b}"
    assert decided(make_config(classes), ["b", "c"], ["b", "b"]) == ([True, False], [1, 1])
    numbers = "problem: regression\nfairness: {columns: [carrier], threshold: 5}"
    assert decided(make_config(numbers), [5.0, 4.9], [1.0, 9.0]) == ([True, False], [0, 1])


SENSITIVE = """
model: m
endpoint: {name: e}
features: [{name: x, kind: numeric}]
labels: {fields: [gender]}
fairness: {columns: [gender]}
sensitive: [gender]
"""


def counted_levels(genders, *, key="a reference's digest"):
    """The groups of one window's rows: a column beside the features, which the YAML calls sensitive."""
    config = parse_model_config(SENSITIVE, source="m.yaml")
    decisions = Decisions(np.ones(len(genders), bool), np.ones(len(genders), np.int64))
    (counted,) = count_sensitive({"gender": pa.array(genders)}, decisions, config, {}, mark_key=key)
    return {name: int(rows.sum()) for name, rows in counted.groups.items()}


def test_a_hidden_level_has_the_same_name_in_every_window_of_a_package():
    first, second = counted_levels(["f"] * 5 + ["m"] * 2), counted_levels(["m"] * 7 + ["f"] * 3 + ["x"])
    (f,) = (name for name, rows in first.items() if rows == 5)
    (m,) = (name for name, rows in first.items() if rows == 2)
    assert (second[f], second[m]) == (3, 7)
    assert len(second) == 3


def test_the_name_of_a_hidden_level_tells_nothing_to_who_has_no_key():
    assert not counted_levels(["f", "m"]).keys() & counted_levels(["f", "m"], key="another digest").keys()


def test_batches_of_hidden_levels_add_group_by_group():
    config = parse_model_config(SENSITIVE, source="m.yaml")
    totals = {}
    for genders in (["f", "f", "m"], ["m", "m", "f"], ["m", "m", "m"]):
        decisions = Decisions(np.ones(len(genders), bool), np.ones(len(genders), np.int64))
        found = count_sensitive({"gender": pa.array(genders)}, decisions, config, {}, mark_key="k")
        totals = added_groups(totals, found)
    assert sorted(int(rows.sum()) for rows in totals["gender"].groups.values()) == [3, 6]
