"""A shadow is judged on the requests that both models answered: worse, equal, better, and what is against it at once."""

import numpy as np
import pytest

from kedge.config.reading import parse_model_config
from kedge.errors import ModelConfigError
from kedge.release.look_table import FleetCounts
from kedge.release.shadow import PairedAnswers, judge_shadow
from kedge.release.tried import TriedFleet

HEALTHY = TriedFleet(FleetCounts(4_000, 0, 0), 20.0)


def config(more="", **sections):
    text = "{model: m, endpoint: {name: e}, features: [{name: x, kind: numeric}], release: {strategy: shadow%s}%s}"
    shadow = f", shadow: {sections['shadow']}" if "shadow" in sections else ""
    return parse_model_config(text % (shadow, more), source="m.yaml")


def rows(*, noise_of_champion, noise_of_challenger, count=4_000, labelled=True, seed=1):
    """Scores of two models of the same truth: the more noise, the worse."""
    draw = np.random.default_rng(seed)
    signal = draw.normal(size=count)
    labels = (draw.random(count) < 1 / (1 + np.exp(-2 * signal))).astype(float)

    def scores(noise):
        return 1 / (1 + np.exp(-(signal + noise * draw.normal(size=count)) / np.hypot(1, noise)))

    known = labels if labelled else np.full(count, np.nan)
    return PairedAnswers(scores(noise_of_champion), scores(noise_of_challenger), known)


def judged(answers, *, fleet=HEALTHY, over=True, **given):
    return judge_shadow(answers, fleet, HEALTHY, config(**given), days_are_over=over)


def row(verdict, what):
    (found,) = [row for row in verdict.table if row.what == what]
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("champion", "challenger", "verdict"),
    [(0.3, 1.5, "WITHDRAWN"), (0.5, 0.5, "PROVED"), (1.5, 0.3, "PROVED")],
    ids=["worse", "equal", "better"],
)
def test_a_shadow_is_withdrawn_where_its_answers_rank_the_same_rows_worse(champion, challenger, verdict, seed):
    found = judged(rows(noise_of_champion=champion, noise_of_challenger=challenger, seed=seed))
    assert found.verdict == verdict, found.reasons
    assert row(found, "quality").canary.startswith("auc 0.")
    assert "paired rows" in row(found, "quality").canary


def test_a_loss_that_chance_excludes_but_that_is_below_the_gates_smallest_effect_withdraws_nothing():
    answers = rows(noise_of_champion=0.30, noise_of_challenger=0.33, count=400_000)
    found = judged(answers)
    assert found.verdict == "PROVED", found.reasons
    assert judged(answers, more=", gate: {minimum_effect: 0.0}").verdict == "WITHDRAWN"


def test_equal_models_are_seldom_withdrawn_for_their_quality():
    withdrawn = sum(
        judged(rows(noise_of_champion=0.8, noise_of_challenger=0.8, count=2_000, seed=seed)).verdict != "PROVED"
        for seed in range(200)
    )
    # One side of 95 %, and the smallest effect besides.
    assert withdrawn / 200 <= 0.05


def test_what_is_clearly_worse_is_withdrawn_before_its_days_are_over():
    found = judged(rows(noise_of_champion=0.3, noise_of_challenger=1.5), over=False)
    assert (found.verdict, row(found, "quality").verdict) == ("WITHDRAWN", "WORSE")


def test_a_loss_that_only_one_look_would_show_is_left_to_the_last_one():
    answers = rows(noise_of_champion=0.6, noise_of_challenger=1.0, count=700, seed=3)
    assert judged(answers, over=False, shadow="{minimum_rows: 500}").verdict == "GOING_ON"
    assert judged(answers, over=True, shadow="{minimum_rows: 500}").verdict == "WITHDRAWN"


def test_looking_at_equal_models_every_hour_seldom_withdraws_one():
    policy, withdrawn = {"shadow": "{minimum_rows: 500}", "more": ", gate: {minimum_effect: 0.0}"}, 0
    for seed in range(60):
        answers = rows(noise_of_champion=0.8, noise_of_challenger=0.8, count=4_000, seed=seed)
        looks = (answers.at(np.arange(4_000) < count) for count in range(200, 4_000, 200))
        withdrawn += any(judged(look, over=False, **policy).verdict != "GOING_ON" for look in looks)
    assert withdrawn <= 3


def test_labels_that_are_still_to_come_withdraw_nothing_before_the_end():
    answers = rows(noise_of_champion=0.5, noise_of_challenger=0.5, labelled=False)
    assert judged(answers, over=False, shadow="{minimum_labelled: 500}").verdict == "GOING_ON"


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize(
    ("counts", "what"),
    [(FleetCounts(1_000, 20, 0), "server errors"), (FleetCounts(1_000, 0, 80), "client errors")],
)
def test_a_shadow_that_fails_requests_is_withdrawn_at_once(counts, what, over):
    answers = rows(noise_of_champion=0.5, noise_of_challenger=0.5)
    found = judged(answers, fleet=TriedFleet(counts, 20.0), over=over)
    assert (found.verdict, row(found, what).verdict) == ("WITHDRAWN", "ABOVE")
    assert found.reasons[0].startswith(what)


def test_a_few_requests_withdraw_nothing_yet():
    answers = rows(noise_of_champion=0.5, noise_of_challenger=0.5)
    assert judged(answers, fleet=TriedFleet(FleetCounts(3, 1, 0), 20.0), over=False).verdict == "GOING_ON"


def test_one_answer_that_is_none_withdraws_at_once():
    answers = rows(noise_of_champion=0.5, noise_of_challenger=0.5)
    answers.challenger[7] = np.nan
    found = judged(answers, over=False)
    assert (found.verdict, row(found, "answers that are none").canary) == ("WITHDRAWN", "1")


def test_answers_that_are_spread_otherwise_are_withdrawn_as_the_canary_would_send_them_back():
    answers = rows(noise_of_champion=0.5, noise_of_challenger=0.5, labelled=False)
    shifted = PairedAnswers(answers.champion, 0.1 * answers.challenger, answers.labels)
    assert row(judged(shifted), "distribution of answers").verdict == "DIFFERENT"
    assert judged(shifted).verdict == "WITHDRAWN"


def test_a_slow_shadow_is_withdrawn_at_the_end():
    answers = rows(noise_of_champion=0.5, noise_of_challenger=0.5)
    slow = TriedFleet(FleetCounts(4_000, 0, 0), 1_500.0)
    assert (judged(answers, fleet=slow, over=False).verdict, judged(answers, fleet=slow).verdict) == (
        "GOING_ON",
        "WITHDRAWN",
    )


@pytest.mark.parametrize(("limit", "verdict"), [(0.99, "WITHDRAWN"), (0.5, "PROVED")])
def test_the_share_of_equal_decisions_has_the_limit_of_the_yaml(limit, verdict):
    answers = rows(noise_of_champion=0.5, noise_of_challenger=0.6)
    assert judged(answers, shadow=f"{{agreement_min: {limit}}}").verdict == verdict


def test_too_few_rows_prove_nothing():
    answers = rows(noise_of_champion=0.5, noise_of_challenger=0.5, count=900)
    found = judged(answers)
    assert (found.verdict, row(found, "rows compared").verdict) == ("WITHDRAWN", "TOO FEW")


@pytest.mark.parametrize(("needed", "verdict"), [(0, "PROVED"), (500, "WITHDRAWN")])
def test_without_labels_a_shadow_is_proved_by_its_answers_unless_the_yaml_waits_for_labels(needed, verdict):
    answers = rows(noise_of_champion=0.5, noise_of_challenger=0.5, labelled=False)
    found = judged(answers, shadow=f"{{minimum_labelled: {needed}}}")
    assert found.verdict == verdict
    assert row(found, "quality").canary.startswith("not measured: 0 rows with a label so far")


def test_numbers_are_compared_by_how_far_they_are_apart():
    draw = np.random.default_rng(1)
    truth = draw.normal(100, 20, 3_000)
    good, bad = truth + draw.normal(0, 5, 3_000), truth + draw.normal(0, 15, 3_000)
    given = {"more": ", problem: regression"}
    assert judged(PairedAnswers(good, bad, truth), **given).verdict == "WITHDRAWN"
    found = judged(PairedAnswers(bad, good, truth), **given)
    assert found.verdict == "PROVED"
    assert "on average" in row(found, "answers apart").canary


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{strategy: canary, shadow: {days: 3}}", "release.shadow is there, and release.strategy is canary"),
        ("{strategy: shadow, shadow: {days: 31}}", "days"),
        ("{strategy: shadow, shadow: {share: 0}}", "share"),
        ("{strategy: shadow, step_fraction: 0.25}", "which has no steps"),
    ],
)
def test_a_section_that_fits_no_shadow_is_refused(text, said):
    whole = f"{{model: m, endpoint: {{name: e}}, features: [{{name: x, kind: numeric}}], release: {text}}}"
    with pytest.raises(ModelConfigError, match=said):
        parse_model_config(whole, source="m.yaml")


@pytest.mark.parametrize(
    ("endpoint", "more", "said"),
    [
        ("{name: e, instance_type: ml.inf1.xlarge}", "", "no shadow variant beside Inf1 instances; take another type"),
        ("{name: e, variant: kedge-challenger}", "", "Kedge gives this name to a version that it tries"),
        ("{name: e}", ", problem: regression", "a regression has none: remove it"),
    ],
)
def test_what_sagemaker_takes_no_shadow_beside_is_refused_with_the_remedy(endpoint, more, said):
    text = (
        f"{{model: m, endpoint: {endpoint}, features: [{{name: x, kind: numeric}}], "
        f"release: {{strategy: shadow, shadow: {{agreement_min: 0.9}}}}{more}}}"
    )
    with pytest.raises(ModelConfigError, match=said):
        parse_model_config(text, source="m.yaml")
