"""What a feature weighs is what shuffling it costs, as scikit-learn measures it."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.inspection import permutation_importance as reference
from sklearn.linear_model import LinearRegression, LogisticRegression

from kedge.config.reading import parse_model_config
from kedge.errors import UnreadableImportanceError
from kedge.retraining.permutation import permutation_importance, permuted_rows

NAMES = ["strong", "weak", "idle"]


def make_config(problem="regression", *, rows=2000, classes=""):
    features = ", ".join(f"{{name: {name}, kind: numeric}}" for name in NAMES)
    text = (
        f"{{model: m, problem: {problem}, endpoint: {{name: m}}, features: [{features}], "
        f"training: {{permuted_rows: {rows}}}{classes}}}"
    )
    return parse_model_config(text, source="m")


def make_holdout(features, labels, answers):
    ids = [f"a~{row}" for row in range(len(labels))]
    columns = {name: features[:, place] for place, name in enumerate(NAMES)}
    return pa.table({"kedge_row_id": ids, **columns, "label": [str(label) for label in labels], "prediction": answers})


def values_of(table):
    return np.column_stack([table.column(name).to_numpy() for name in NAMES])


def asked(table, answers):
    return dict(zip(table.column("kedge_row_id").to_pylist(), answers, strict=True))


def test_each_feature_is_shuffled_in_its_turn_and_the_others_stay():
    random = np.random.default_rng(1)
    holdout = make_holdout(random.normal(size=(300, 3)), np.zeros(300), np.zeros(300))
    found = permuted_rows(holdout, make_config(rows=50))
    assert found.num_rows == 150
    rows = dict(zip(holdout.column("kedge_row_id").to_pylist(), values_of(holdout), strict=True))
    for place in range(3):
        part = found.slice(50 * place, 50)
        before = np.array([rows[name.split("~", 1)[1]] for name in part.column("kedge_row_id").to_pylist()])
        after = values_of(part)
        others = [other for other in range(3) if other != place]
        assert (after[:, others] == before[:, others]).all()
        assert (after[:, place] != before[:, place]).mean() > 0.9
        assert sorted(after[:, place]) == sorted(before[:, place])


@pytest.mark.parametrize(
    ("rows", "asked_for", "expected"), [(600, 0, 0), (60, 200, 0), (150, 200, 150), (900, 200, 600)]
)
def test_no_more_rows_are_scored_again_than_there_are_and_none_that_tell_nothing(rows, asked_for, expected):
    holdout = make_holdout(np.zeros((rows, 3)), np.zeros(rows), np.zeros(rows))
    assert permuted_rows(holdout, make_config(rows=asked_for)).num_rows == expected


def test_a_regression_weighs_as_scikit_learn_says():
    random = np.random.default_rng(2)
    features = random.normal(size=(6000, 3))
    labels = 3 * features[:, 0] + features[:, 1] + random.normal(size=6000)
    model = LinearRegression().fit(features, labels)
    config, holdout = make_config(), make_holdout(features, labels, model.predict(features))
    shuffled = permuted_rows(holdout, config)
    found = permutation_importance(holdout, asked(shuffled, model.predict(values_of(shuffled))), config)
    truth = reference(model, features, labels, scoring="neg_mean_absolute_error", n_repeats=5, random_state=1)
    expected = truth.importances_mean / truth.importances_mean.sum()
    assert [found[name] for name in NAMES] == pytest.approx(expected, abs=0.02)
    assert found["idle"] < 0.01


@pytest.mark.parametrize("problem", ["binary_classification", "multiclass_classification"])
def test_the_answers_of_classes_weigh_what_they_lose(problem):
    random = np.random.default_rng(3)
    features = random.normal(size=(6000, 3))
    labels = (3 * features[:, 0] + features[:, 1] + random.normal(size=6000) > 0).astype(int)
    model = LogisticRegression().fit(features, labels)

    def answers(table):
        if problem == "binary_classification":
            return model.predict_proba(values_of(table))[:, 1]
        return [str(label) for label in model.predict(values_of(table))]

    classes = "" if problem == "binary_classification" else ", labels: {classes: ['0', '1']}"
    config = make_config(problem, classes=classes)
    bare = make_holdout(features, labels, np.zeros(6000))
    holdout = bare.set_column(bare.column_names.index("prediction"), "prediction", pa.array(answers(bare)))
    shuffled = permuted_rows(holdout, config)
    found = permutation_importance(holdout, asked(shuffled, answers(shuffled)), config)
    scoring = "neg_brier_score" if problem == "binary_classification" else "accuracy"
    truth = reference(model, features, labels, scoring=scoring, n_repeats=5, random_state=1)
    expected = np.maximum(truth.importances_mean, 0) / truth.importances_mean.sum()
    assert [found[name] for name in NAMES] == pytest.approx(expected, abs=0.05)


def test_what_shuffling_does_not_cost_weighs_nothing_and_is_not_invented():
    random = np.random.default_rng(4)
    holdout = make_holdout(random.normal(size=(300, 3)), np.ones(300), np.full(300, 2.0))
    shuffled = permuted_rows(holdout, make_config(rows=50))
    assert permutation_importance(holdout, asked(shuffled, [2.0] * 150), make_config()) == {}
    assert permutation_importance(holdout, {}, make_config()) == {}


def test_answers_and_labels_that_are_no_numbers_are_left_out():
    random = np.random.default_rng(5)
    features = random.normal(size=(300, 3))
    holdout = make_holdout(features, ["x", *features[1:, 0]], features[:, 0])
    shuffled = permuted_rows(holdout, make_config(rows=100))
    answers = np.where(np.arange(300) % 7 == 0, np.nan, values_of(shuffled)[:, 0])
    assert permutation_importance(holdout, asked(shuffled, answers), make_config()) == {
        "strong": 1.0,
        "weak": 0.0,
        "idle": 0.0,
    }


@pytest.mark.parametrize("name", ["0~nobody", "first~a~1", "3~a~1", "r1"])
def test_an_answer_to_no_row_is_refused(name):
    holdout = make_holdout(np.zeros((3, 3)), np.zeros(3), np.zeros(3))
    with pytest.raises(UnreadableImportanceError, match="1 answer belongs to no shuffled row"):
        permutation_importance(holdout, {name: 1.0}, make_config())
