"""A bad YAML is told by file, field, value and what would be allowed."""

import re
from pathlib import Path

import pytest

from kedge.config.reading import parse_model_config
from kedge.errors import ModelConfigError
from tests.builders import YAML, make_config

MODELS = Path(__file__).parents[3] / "models"
OWN = (
    "{}: Kedge keeps the label, and columns of its own that begin with kedge_, under such names. "
    "Give this column another name"
)


def refusal(text):
    with pytest.raises(ModelConfigError) as caught:
        parse_model_config(text, source="models/parcels.yaml")
    assert str(caught.value).startswith("models/parcels.yaml: ")
    return caught.value.problems


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_model_can_be_followed(path):
    assert parse_model_config(path.read_text(encoding="utf-8"), source=str(path)).model == path.stem


def test_what_is_not_said_has_its_default():
    config = make_config()
    assert config.problem == "binary_classification"
    assert (config.drift.psi_max, config.drift.effect_floors, config.gate.minimum_effect) == (0.25, (0.05, 0.1), 0.01)
    assert config.features[0].declared_dtype == "float64"
    assert config.features[2].declared_dtype == "string"
    assert config.feature_names == ("weight", "items", "carrier")


def test_whole_numbers_and_lists_fill_fractions_and_tuples():
    config = make_config("drift: {psi_max: 1}\nlabels: {classes: [stays, cancels]}\n")
    assert config.drift.psi_max == 1.0
    assert config.labels.classes == ("stays", "cancels")


def test_a_configuration_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        make_config().drift.psi_max = 1.0


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ("drift: {psi_mx: 1}", "drift.psi_mx is not a field; did you mean psi_max?"),
        ("retrainig: {}", "retrainig is not a field; did you mean retraining?"),
        ("drift: {psi_max: -1}", "drift.psi_max is -1: Input should be greater than 0"),
        ("drift: {psi_max: .nan}", "drift.psi_max is nan: Input should be a finite number"),
        ("drift: {effect_max: 2}", "drift.effect_max is 2: Input should be less than or equal to 1"),
        ("canary: {bake_minutes: 5}", "canary.bake_minutes is 5: Input should be greater than or equal to 10"),
        ("drift: {psi_max: .inf}", "drift.psi_max is inf: Input should be a finite number"),
        ("training: {instance_type: m5.large}",
         "training.instance_type is 'm5.large': write it like ml.m5.large, to match ^ml\\.[a-z0-9-]+\\.[a-z0-9]+$"),
        ("training: {entry_point: train}", "training.entry_point is 'train': write it like train.py, to match ^[\\w-][\\w.-]*\\.(py|sh)$"),
        ("training: {window_days: 100000}", "training.window_days is 100000: Input should be less than or equal to 3650"),
        ("prediction: {name: ' '}", "prediction.name is ' ': write it like lead_time, to match \\S"),
        ("prediction: {field: -1}",
         "prediction.field is -1: the answer's place, counted from 0, or its name in a JSON object"),
        ("gate: {confidence: 1}", "gate.confidence is 1: Input should be less than 1"),
        ("training: {holdout_fraction: 0.9}", "training.holdout_fraction is 0.9: Input should be less than 0.5"),
        ("cadence: {judge: monthly}", "cadence.judge is 'monthly': Input should be 'hourly', 'daily' or 'weekly'"),
        ("performance: {minimum_rows: '5'}", "performance.minimum_rows is '5': Input should be a valid integer"),
        ("retraining: {cooldown_days: 1.5}", "retraining.cooldown_days is 1.5: Input should be a valid integer"),
        ("retraining: {paused: 'no'}", "retraining.paused is 'no': Input should be a valid boolean"),
        ("drift: 3", "drift is 3: Input should be an object"),
        ("drift: {psi_max: }", "drift.psi_max is None: Input should be a valid number"),
        ("labels: {classes: ['0']}", "labels.classes is ['0']: at least two different ones are needed"),
        ("labels: {classes: [a, a]}", "labels.classes is ['a', 'a']: at least two different ones are needed"),
        ("labels: {classes: [a, b, c]}", "labels.classes is ['a', 'b', 'c']: binary_classification has two, the one predicted last"),
        ("performance: {limits: [{metric: auk, tolerance: 0.1}]}",
         "performance.limits has 'auk', no metric of binary_classification; did you mean auc?"),
        ("performance: {limits: [{metric: auc}]}",
         "performance.limits of auc has no limit: exactly one of tolerance, ratio, at_least, at_most is "
         "needed"),
        ("performance: {limits: [{metric: f1, ratio: 0.9, at_least: 0.5}]}",
         "performance.limits of f1 has ratio and at_least: exactly one of tolerance, ratio, at_least, "
         "at_most is needed"),
        ("performance: {breaches: 3, of_windows: 2}",
         "performance.breaches is 3 of performance.of_windows 2: more windows cannot breach than are looked at"),
        ("performance: {cost_matrix: [[0, 1]]}",
         "performance.cost_matrix needs 2 rows of 2 numbers: a row for each class that came true, a "
         "number for each class answered, in the order of labels.classes"),
        ("performance: {cost_column: zzz}",
         "performance.cost_column is 'zzz': no feature, and not among context, endpoint.custom_attributes and "
         "labels.fields"),
        ("prediction: {probabilities: [p]}", "prediction.probabilities names 1 columns for 2 classes"),
        ("gate: {metric: mae}", "gate.metric is 'mae': a gate of binary_classification has auc, average_precision, accuracy, balanced_accuracy, "  # noqa: E501
         "precision, recall, recall_at_precision, f1, brier, log_loss, expected_calibration_error, cost_per_thousand, "
         "cost_adjusted_accuracy"),
        ("gate: {limits: [{metric: auc, tolerance: 0.1}]}",
         "gate.limits of auc: the gate's limits are numbers of their own, at_least or at_most; against the champion there are "
         "minimum_effect and non_inferior"),
        ("approval: {mode: automatic, approvers: 2}",
         "approval: approvers are people: a model with mode automatic has none; remove one of the two"),
        ("prediction: {name: weight}", "column names must be unique, these are not: weight"),
        ("prediction: {name: Label}", OWN.format("prediction has 'Label'")),
        ("labels: {fields: [label]}", OWN.format("labels.fields has 'label'")),
        ("segments: {alert: OK}", "segments.alert is 'OK': Input should be 'WARNING' or 'CRITICAL'"),
        ("business: [{name: revenue, column: weight, alert: CRITICAL}]",
         "business.revenue.alert needs a limit: at_least or at_most"),
        ("sensitive: [gender]",
         "sensitive names 'gender', which is not among context, endpoint.custom_attributes and labels.fields"),
        ("sensitive: [weight]", "sensitive names 'weight', which is a feature: write sensitive: true there"),
        ("prediction: {probabilities: [items, p]}", "column names must be unique, these are not: items"),
    ],
)  # fmt: skip
def test_a_bad_value_names_field_value_and_what_is_allowed(extra, problem):
    assert refusal(YAML + extra) == [problem]


@pytest.mark.parametrize("name", ["label", "LABEL", "kedge_hour", "Kedge_row_id"])
def test_a_feature_with_a_name_that_kedge_keeps_for_itself_is_refused(name):
    assert refusal(YAML.replace("name: weight", f"name: {name}")) == [OWN.format(f"features has {name!r}")]


def test_an_attribute_of_the_requests_is_not_called_as_a_column_of_kedges():
    text = YAML.replace("endpoint: {", "endpoint: {custom_attributes: [kedge_time], ")
    assert refusal(text) == [OWN.format("endpoint.custom_attributes has 'kedge_time'")]


@pytest.mark.parametrize("name", ["hour", "time", "row_id", "event_id", "collected", "source", "field_x", "label_time"])
def test_a_feature_may_be_called_as_kedges_columns_once_were(name):
    config = parse_model_config(YAML.replace("name: weight", f"name: {name}"), source="m")
    assert name in config.feature_names


def test_a_feature_is_not_renamed_from_one_that_is_still_there():
    text = YAML.replace("name: weight,", "name: weight, renamed_from: items,")
    assert refusal(text) == ["feature weight is renamed_from items, which is a feature still"]


def test_a_field_without_a_near_one_comes_with_those_there_are():
    (problem,) = refusal(YAML + "labels: {zzz: 1}")
    assert problem.startswith("labels.zzz is not a field; the fields are label_horizon_days, horizon_quantile, classes")


def test_several_problems_are_all_told():
    problems = refusal(YAML.replace("{name: parcels}", "{nme: parcels}").replace("int64", "int32"))
    assert problems == [
        "endpoint.nme is not a field; did you mean name?",
        "features.1.dtype is 'int32': Input should be 'float64', 'float32', 'int64' or 'string'",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must be a mapping"), ("- a", "must be a mapping"), ("a: [", "not YAML"), ("a: \x00", "not YAML"),
        # libyaml's own composer would end the process here.
        ("[" * 200_000, "not YAML"),
        ("model: x", "features is required"), ("model: &a [*a]", "refers to itself"), ("!!python/object:os.x {}", "not YAML"),
        ("? [a, b]\n: 1", "unhashable key"),
        (YAML + "endpoint: {name: other}", "'endpoint' is there twice"), (YAML + "drift: {psi_max: 1, psi_max: 2}", "'psi_max' is there twice"),
    ],
)  # fmt: skip
def test_what_is_no_mapping_of_fields_is_refused_in_words(text, words):
    assert words in "; ".join(refusal(text))


@pytest.mark.parametrize("name", ["-parcels", "parcels-", "par cels", "par_cels", "p" * 41])
def test_names_are_those_that_aws_takes(name):
    (problem,) = refusal(YAML.replace("model: parcels", f"model: {name!r}"))
    assert problem.startswith(f"model is {name!r}: write it like hotel-cancellations, to match ^")


def test_a_merge_key_is_no_field_of_ours():
    text = YAML.replace("model: parcels", "model: parcels\ntraining: {<<: {minimum_rows: 10}, hyperparameters: {a: 1}}")
    assert parse_model_config(text, source="m").training.minimum_rows == 10


@pytest.mark.parametrize(("extra", "said"), [
    (
        "fairness: {columns: [carier]}",
        "fairness.columns names 'carier', which is neither a feature, nor among context, endpoint.custom_attributes, "
        "nor labels.fields; did you mean carrier?",
    ),
    ("segments: {columns: [wieght]}", "segments.columns names 'wieght', which is no feature and not among context; did you mean weight?"),
    ("fairness: {columns: [carrier], favourable: maybe}", "fairness.favourable is 'maybe'; the classes are 0, 1"),
    (
        "problem: regression\nfairness: {columns: [carrier]}",
        "fairness.threshold is required: from which answer on a regression decides favourably",
    ),
])  # fmt: skip
def test_a_sliced_column_that_is_nowhere_is_refused_by_name(extra, said):
    (problem,) = refusal(YAML + extra)
    assert said in problem


def test_sensitive_columns_come_from_features_attributes_and_label_fields():
    yaml = YAML.replace("{name: parcels}", "{name: parcels, custom_attributes: [sex]}")
    config = parse_model_config(
        yaml + "labels: {fields: [age]}\nfairness: {columns: [carrier, sex, age], bands: {age: [25, 40]}}", source="m"
    )
    assert config.fairness.columns == ("carrier", "sex", "age")


JOBS = YAML.replace(
    "endpoint: {name: parcels}", "mode: watch\nsource: batch_transform\ncapture: {uri: 's3://theirs/nightly'}"
)


def test_a_model_that_answers_in_transform_jobs_needs_no_endpoint():
    config = parse_model_config(JOBS, source="parcels.yaml")
    assert (config.source, config.endpoint.name) == ("batch_transform", "")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("source: batch_transform\n", "", "endpoint.name is required"),
        ("mode: watch\n", "", "what answers elsewhere is watched (mode: watch)"),
        (
            "capture: {uri: 's3://theirs/nightly'}",
            "",
            "capture.uri is required: the DestinationS3Uri of the transform jobs",
        ),
        ("source:", "endpoint: {name: parcels}\nsource:", "source is batch_transform: remove one of them"),
        ("nightly'", "nightly', sampling_percentage: 20", "a transform job captures all that it answers"),
        ("nightly'", "nightly', counted_percentage: 20", "a transform job is judged by all that it answers"),
        ("source:", "endpoint: {custom_attributes: [a]}\nsource:", "transform jobs have none"),
    ],
)
def test_what_does_not_fit_transform_jobs_is_refused_in_a_sentence(before, after, words):
    assert before in JOBS
    assert words in "; ".join(refusal(JOBS.replace(before, after)))


@pytest.mark.parametrize(
    ("variants", "mode", "said"),
    [
        ("[a]", "watch", "the names of at least two production variants"),
        ("[a, a]", "watch", "each once"),
        ("[a, b]", "manage", "Kedge releases to an endpoint with one production variant"),
    ],
)
def test_several_variants_are_named_each_once_and_watched_only(variants, mode, said):
    text = YAML.replace("endpoint: {", f"endpoint: {{variants: {variants}, ")
    (problem,) = refusal(f"{text}\nmode: {mode}\n")
    assert said in problem


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ("release: {strategy: linear, step_fraction: 0.05}", "SageMaker takes no linear step below 0.1"),
        ("release: {strategy: canary, step_fraction: 0.2}", "release.strategy is canary, which has no steps"),
        ("release: {strategy: rolling, step_fraction: 0.6}", "less than or equal to 0.5"),
        ("release: {strategy: linear, step_fraction: 0.1}", "would wait 7.7 hours in all"),
        ("release: {strategy: rolling, step_fraction: 0.1}\ncanary: {bake_minutes: 60}", "raise release.step_fraction"),
    ],
)
def test_a_release_that_sagemaker_would_refuse_is_refused(extra, problem):
    assert problem in " ".join(map(str, refusal(f"{YAML}{extra}\n")))


def test_steps_need_two_instances_and_a_canary_does_not():
    endpoint = "endpoint: {name: parcels, instance_count: 1}"
    alone = "model: parcels\n" + endpoint + "\nfeatures: [{name: weight, kind: numeric}]\n"
    assert "2 are the least" in " ".join(map(str, refusal(alone + "release: {strategy: rolling}\n")))
    assert parse_model_config(alone, source="parcels.yaml").release.strategy == "canary"


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("{p50_milliseconds: 9, p99_milliseconds: 8}", "staging.p50_milliseconds is 9 and staging.p99_milliseconds 8"),
        ("{p99_milliseconds: 8, minimum_requests: 99}", "of fewer than 100 requests the slowest one"),
        ("{minutes: 1, requests_per_second_max: 2}", "in 1 minutes at 2 requests a second 120 are sent"),
        ("{minute: 5}", "staging.minute is not a field; did you mean minutes?"),
        ("{p95_milliseconds: 0}", "staging.p95_milliseconds is 0"),
    ],
)
def test_a_trial_that_cannot_work_is_refused_with_the_remedy(section, said):
    with pytest.raises(ModelConfigError, match=re.escape(said)):
        make_config(f"staging: {section}")


def test_a_watched_model_has_no_trial_and_without_the_section_there_is_none():
    assert make_config().staging is None
    assert make_config("staging: {}").staging.minutes == 10
    with pytest.raises(ModelConfigError, match="staging is there, and mode is watch"):
        make_config("mode: watch\nstaging: {}")
