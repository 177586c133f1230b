"""An A/B test is judged on requests that one of two models answered: better, worse, equal, undecided, and however often one looks."""

import numpy as np
import pytest

from kedge.config.reading import parse_model_config
from kedge.errors import ModelConfigError
from kedge.performance.paired import error_of_difference
from kedge.release.ab import AbProgress, AbSide, SideRows, judge_ab
from kedge.release.look_table import FleetCounts
from kedge.release.tried import TriedFleet
from kedge.statistics.confidence_sequence import always_valid_z

FIGURE = ", labels: {fields: [refund]}, business: [{name: refund, label_field: refund, better: lower}]"


def config(more="", ab=""):
    text = "{model: m, endpoint: {name: e}, features: [{name: x, kind: numeric}], release: {strategy: ab%s}%s}"
    return parse_model_config(text % (f", ab: {ab}" if ab else "", more), source="m.yaml")


def side(noise, count, *, seed, requests=None, errors=0, refund=None, latency=20.0):
    """Scores of a model of a truth: the more noise, the worse."""
    draw = np.random.default_rng(seed)
    signal = draw.normal(size=count)
    labels = (draw.random(count) < 1 / (1 + np.exp(-2 * signal))).astype(float)
    scores = 1 / (1 + np.exp(-(signal + noise * draw.normal(size=count)) / np.hypot(1, noise)))
    values = {} if refund is None else {"refund": draw.exponential(refund, count)}
    counts = FleetCounts(count if requests is None else requests, errors, 0)
    return AbSide(SideRows(scores, labels, values), TriedFleet(counts, latency))


def judged(challenger, champion, *, early=False, over=False, equal=False, share=0.1, **given):
    progress = AbProgress(share, may_be_proved=not early, days_are_over=over, may_be_equal=equal)
    return judge_ab(challenger, champion, config(**given), progress)


def pair(of_challenger, of_champion, *, count=30_000, seed=1):
    return side(of_challenger, count // 10, seed=seed), side(of_champion, count - count // 10, seed=seed + 1_000)


def row(verdict, what):
    (found,) = [row for row in verdict.table if row.what == what]
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("champion", "challenger", "verdict", "quality"),
    [(0.3, 1.5, "WITHDRAWN", "WORSE"), (1.5, 0.3, "PROVED", "BETTER"), (0.5, 0.5, "GOING_ON", "")],
    ids=["worse", "better", "equal"],
)
def test_what_comes_of_the_answers_decides(champion, challenger, verdict, quality, seed):
    found = judged(*pair(challenger, champion, seed=seed))
    assert (found.verdict, row(found, "quality").verdict) == (verdict, quality), found.reasons
    assert "rows)" in row(found, "quality").canary


def test_what_is_better_is_proved_after_the_fewest_days_and_what_is_worse_goes_before():
    assert judged(*pair(0.3, 1.5), early=True).verdict == "GOING_ON"
    assert judged(*pair(1.5, 0.3), early=True).verdict == "WITHDRAWN"


def test_what_is_undecided_after_the_most_days_goes_with_the_reason():
    found = judged(*pair(0.5, 0.5), over=True)
    assert found.verdict == "WITHDRAWN"
    assert found.reasons[0].startswith("undecided after 28 days: quality: auc 0.") or "quality: 0." in found.reasons[0]


@pytest.mark.parametrize(("equal", "verdict"), [(True, "PROVED"), (False, "WITHDRAWN")])
def test_an_equal_version_is_proved_where_the_gate_lets_it_replace_the_champion(equal, verdict):
    rule = ", gate: {non_inferior: {margin: 0.05}}"
    found = judged(*pair(0.5, 0.5), over=True, equal=equal, more=rule)
    assert found.verdict == verdict, found.reasons
    if equal:
        assert "or at worst 0.05 worse" in row(found, "quality").limit


def test_a_gain_below_the_gates_smallest_effect_proves_nothing():
    better = pair(0.3, 1.5)
    assert judged(*better, more=", gate: {minimum_effect: 0.4}").verdict == "GOING_ON"


def test_too_few_rows_of_the_version_prove_nothing():
    found = judged(*pair(0.3, 1.5), ab="{minimum_rows: 5000}")
    assert (found.verdict, "3,000 rows of 5,000 that are needed" in row(found, "quality").limit) == ("GOING_ON", True)


def test_without_labels_nothing_is_decided():
    here, there = pair(0.5, 0.5)
    unlabelled = [
        AbSide(SideRows(s.rows.answers, np.full(len(s.rows.answers), np.nan)), s.fleet) for s in (here, there)
    ]
    found = judged(*unlabelled, over=True)
    assert found.verdict == "WITHDRAWN"
    assert "not measured: 0 rows with a label so far on one side" in found.reasons[0]


def refunds(of_challenger, of_champion):
    return side(0.5, 3_000, seed=1, refund=of_challenger), side(0.5, 27_000, seed=2, refund=of_champion)


@pytest.mark.parametrize(("here", "there", "verdict"), [(20.0, 30.0, "PROVED"), (30.0, 20.0, "WITHDRAWN")])
def test_a_business_figure_decides_where_the_yaml_names_one(here, there, verdict):
    found = judged(*refunds(here, there), more=FIGURE, ab="{decides: refund}")
    assert found.verdict == verdict, found.reasons
    assert "refund per prediction is" in row(found, "refund").canary


def test_a_business_figure_that_becomes_worse_withdraws_whatever_decides():
    found = judged(*refunds(30.0, 20.0), more=FIGURE)
    assert (found.verdict, row(found, "refund").verdict, row(found, "quality").verdict) == ("WITHDRAWN", "WORSE", "")


def test_a_better_figure_that_does_not_decide_proves_nothing():
    assert judged(*refunds(20.0, 30.0), more=FIGURE).verdict == "GOING_ON"


@pytest.mark.parametrize(("requests", "verdict"), [(3_000, "GOING_ON"), (2_000, "WITHDRAWN"), (4_500, "WITHDRAWN")])
def test_requests_that_are_divided_otherwise_end_it_at_once(requests, verdict):
    here = side(0.5, 3_000, seed=1, requests=requests)
    found = judged(here, side(0.5, 27_000, seed=2), early=True)
    assert found.verdict == verdict, found.reasons
    assert row(found, "share of the requests").verdict == ("OK" if verdict == "GOING_ON" else "MISMATCH")


def test_errors_latency_and_answers_that_are_none_end_it_at_once():
    there = side(0.5, 27_000, seed=2)
    assert judged(side(0.5, 3_000, seed=1, errors=90), there, early=True).verdict == "WITHDRAWN"
    slow = side(0.5, 3_000, seed=1, latency=1_500.0)
    assert row(judged(slow, there, early=True), "latency (p90)").verdict == "ABOVE"
    here = side(0.5, 3_000, seed=1)
    here.rows.answers[7] = np.nan
    assert judged(here, there, early=True).reasons == ("answers that are none: 1 (champion 0); none",)


def test_a_few_slow_requests_at_the_beginning_end_nothing():
    found = judged(side(0.5, 50, seed=1, latency=1_500.0), side(0.5, 450, seed=2), early=True)
    assert (found.verdict, row(found, "latency (p90)").verdict) == ("GOING_ON", "OK")


def test_answers_that_are_spread_otherwise_end_it_as_they_would_end_a_canary():
    here, there = pair(0.5, 0.5)
    shifted = AbSide(SideRows(0.1 * here.rows.answers, here.rows.labels), here.fleet)
    assert row(judged(shifted, there, early=True), "distribution of answers").verdict == "DIFFERENT"


# However often one looks -----------------------------------------------------------------------------------------

LOOKS, EACH = 200, (100, 900)
DRAWS = {
    "right in every second": lambda draw, n: draw.random(n) < 0.5,
    "right in 99 of 100": lambda draw, n: draw.random(n) < 0.99,
    "wrong in 99 of 100": lambda draw, n: draw.random(n) < 0.01,
    "a price": lambda draw, n: draw.lognormal(3.0, 1.0, n),
    "seldom a price": lambda draw, n: (draw.random(n) < 0.05) * draw.lognormal(3.0, 1.0, n),
}


def ever_outside(of_challenger, of_champion, *, paths):
    """The share of paths in which two means differed beyond the interval of an A/B test: below, and above, at some look."""
    draw, worse, better = np.random.default_rng(5), 0, 0
    rows = [np.arange(1, LOOKS + 1) * each for each in EACH]
    z = np.array([always_valid_z(int(n), confidence=0.95, planned_rows=10_000) for n in rows[0] + rows[1]])
    for _ in range(paths):
        means, errors = [], []
        for kind, count, each in zip((of_challenger, of_champion), rows, EACH, strict=True):
            found = kind(draw, each * LOOKS).astype(float).reshape(LOOKS, each)
            means.append(np.cumsum(found.sum(1)) / count)
            errors.append(np.sqrt((np.cumsum((found**2).sum(1)) / count - means[-1] ** 2) / (count - 1)))
        sides = zip(*errors, *rows, strict=True)
        error = np.array([error_of_difference((a, int(m)), (b, int(n))) for a, b, m, n in sides])
        gain, reach = means[0] - means[1], z * error
        worse += bool((gain + reach < 0).any())
        better += bool((gain - reach > 0).any())
    return worse / paths, better / paths


@pytest.mark.parametrize("kind", DRAWS)
def test_equal_models_differ_at_some_of_two_hundred_looks_in_at_most_five_of_a_hundred_cases(kind):
    worse, better = ever_outside(DRAWS[kind], DRAWS[kind], paths=100)
    assert worse + better <= 0.05


def test_a_real_difference_is_found_at_last():
    good, usual = (lambda draw, n: draw.random(n) < 0.93), (lambda draw, n: draw.random(n) < 0.90)
    assert ever_outside(good, usual, paths=20)[1] == 1.0
    assert ever_outside(usual, good, paths=20)[0] == 1.0


def test_looking_at_equal_models_again_and_again_seldom_withdraws_one():
    withdrawn = 0
    for seed in range(25):
        here, there = pair(0.8, 0.8, count=10_000, seed=seed)
        for rows in (200, 400, 600, 800, 1_000):
            looks = (here.rows.at(np.arange(1_000) < rows), there.rows.at(np.arange(9_000) < 9 * rows))
            sides = (AbSide(look, fleet.fleet) for look, fleet in zip(looks, (here, there), strict=True))
            if judged(*sides, more=", gate: {minimum_effect: 0.0}").verdict != "GOING_ON":
                withdrawn += 1
                break
    assert withdrawn <= 1


# What the YAML may say -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "more", "said"),
    [
        ("{strategy: canary, ab: {share: 0.2}}", "", "release.ab is there, and release.strategy is canary"),
        ("{strategy: ab, shadow: {days: 3}}", "", "release.shadow is there, and release.strategy is ab"),
        ("{strategy: ab, ab: {share: 0.6}}", "", "share"),
        ("{strategy: ab, ab: {days: {minimum: 20, maximum: 10}}}", "", "lower the minimum, or raise the maximum"),
        ("{strategy: ab, ab: {days: {maximum: 31}}}", "", "maximum"),
        ("{strategy: ab, ab: {decides: refnd}}", FIGURE, "did you mean refund"),
        ("{strategy: ab, ab: {decides: money}}", "", "business is empty"),
        ("{strategy: ab, ab: {decides: spent}}", ", business: [{name: spent, column: x}]", "what came of the answers"),
        (
            "{strategy: ab}",
            ", gate: {metric: cost_per_thousand}, performance: {cost_column: x}",
            "give performance.cost_matrix",
        ),
    ],
)
def test_what_an_ab_test_cannot_do_is_refused_with_the_remedy(release, more, said):
    text = f"{{model: m, endpoint: {{name: e}}, features: [{{name: x, kind: numeric}}], release: {release}{more}}}"
    with pytest.raises(ModelConfigError, match=said):
        parse_model_config(text, source="m.yaml")


@pytest.mark.parametrize("name", ["kedge-challenger", "kedge-challenger-v3"])
def test_a_variant_with_the_name_that_kedge_gives_is_refused(name):
    text = f"{{model: m, endpoint: {{name: e, variant: {name}}}, features: [{{name: x, kind: numeric}}]}}"
    with pytest.raises(ModelConfigError, match="take another one"):
        parse_model_config(text, source="m.yaml")
