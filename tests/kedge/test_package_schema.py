import json

import pytest

from kedge.config.reading import parse_model_config
from kedge.errors import EncodingError
from kedge.package_schema import decode_schema, encode_schema, released_with, same_schema

THEN = """
model: m
problem: multiclass_classification
endpoint: {name: m, content_type: application/json}
features: [{name: price, kind: numeric}, {name: place, kind: categorical}]
prediction: {name: answer}
labels: {classes: [low, high]}
performance: {limits: [{metric: recall_high, tolerance: 0.1}]}
fairness: {columns: [place]}
drift: {minimum_rows: 100}
"""
NOW = """
model: m
problem: multiclass_classification
endpoint: {name: m, instance_count: 4}
features: [{name: price, kind: numeric, effect_max: 0.3}, {name: region, kind: categorical}]
prediction: {name: state}
labels: {classes: [low, mid], label_horizon_days: 3}
performance: {limits: [{metric: recall_mid, tolerance: 0.1}]}
fairness: {columns: [region]}
drift: {minimum_rows: 300}
"""


def config(text):
    return parse_model_config(text, source="m.yaml")


def test_what_says_how_rows_are_read_is_the_packages_own():
    found = released_with(config(NOW), config(THEN))
    assert found.feature_names == ("price", "place")
    assert (found.prediction.name, found.labels.classes) == ("answer", ("low", "high"))
    assert found.endpoint.content_type == "application/json"


def test_policies_are_todays():
    found = released_with(config(NOW), config(THEN))
    assert found.drift.minimum_rows == 300
    assert (found.endpoint.instance_count, found.labels.label_horizon_days) == (4, 3)
    assert found.features[0].effect_max == 0.3, "a feature that is what it was has today's limits"


def test_a_policy_that_does_not_fit_the_package_is_the_one_it_was_released_with():
    found = released_with(config(NOW), config(THEN))
    assert [limit.metric for limit in found.performance.limits] == ["recall_high"]
    assert found.fairness.columns == ("place",)


def test_a_policy_that_fits_on_neither_side_is_left_at_its_default():
    then = config(THEN.replace("name: m,", "name: m, custom_attributes: [tariff],").replace("[place]", "[tariff]"))
    assert released_with(config(NOW), then).fairness.columns == ()


@pytest.mark.parametrize(
    "now",
    [
        NOW.replace("name: m,", "name: m, variants: [control, challenger],"),
        NOW.replace("endpoint: {name: m, instance_count: 4}", "source: log"),
        NOW.replace("endpoint: {name: m, instance_count: 4}", "source: batch_transform\ncapture: {uri: s3://theirs/p}"),
    ],
    ids=["several variants", "log", "transform jobs"],
)
def test_of_what_is_only_watched_policies_are_todays_too_also_on_its_context(now):
    now = now.replace("[region]}", "[tenant]}") + "mode: watch\ncontext: [tenant]\n"
    then = config(now.replace("name: price", "name: cost"))
    found = released_with(config(now), then)
    assert found.feature_names == ("cost", "region")
    assert (found.mode, found.source, found.endpoint.variants) == ("watch", then.source, then.endpoint.variants)
    assert (found.drift.minimum_rows, found.fairness.columns) == (300, ("tenant",))
    # A policy of another version is left out, and what is watched stays so.
    of_later = encode_schema(then).replace(b'"minimum_rows"', b'"of_later"')
    assert decode_schema(of_later).mode == "watch"


def test_when_captures_expire_never_keeps_a_package_from_being_judged():
    # Today the column is kept with the answers. Then it stood in the captures alone, where it must be found for long.
    now = config(NOW.replace("[region]}", "[tenant]}") + "context: [tenant]\ncapture: {expire_days: 40}\n")
    then = NOW.replace("{name: m,", "{name: m, custom_attributes: [tenant],").replace("name: price", "name: cost")
    found = released_with(now, config(then.replace("[region]}", "[tenant]}")))
    assert (found.feature_names[0], found.fairness.columns) == ("cost", ("tenant",))


def test_a_yaml_of_the_same_schema_judges_as_it_is():
    now = config(THEN.replace("minimum_rows: 100", "minimum_rows: 900"))
    assert released_with(now, config(THEN)) is now


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("name: price, kind: numeric", "name: cost, kind: numeric"),
        ("name: price, kind: numeric", "name: price, kind: numeric, dtype: float32"),
        ("name: answer", "name: answer, field: 1"),
        ("classes: [low, high]", "classes: [high, low]"),
        (", content_type: application/json", ""),
    ],
)
def test_a_change_of_what_rows_are_is_another_schema(before, after):
    text = THEN.replace("performance: {limits: [{metric: recall_high, tolerance: 0.1}]}\n", "")
    assert same_schema(config(text), config(text))
    assert not same_schema(config(text), config(text.replace(before, after)))


def test_a_schema_is_read_as_it_was_written():
    assert decode_schema(encode_schema(config(THEN))) == config(THEN)


@pytest.mark.parametrize(
    "more",
    [
        "training: {instance_type: ml.g5.xlarge}",
        "training: {feature_group: customers, record_identifier: place}",
    ],
)
def test_a_schema_with_every_default_written_out_is_read_again(more):
    released = config(f"{THEN}{more}\n")
    assert decode_schema(encode_schema(released)) == released


def test_the_schema_of_a_model_without_an_endpoint_is_read_again():
    released = config(THEN.replace("endpoint: {name: m, content_type: application/json}", "source: log\nmode: watch"))
    assert decode_schema(encode_schema(released)) == released


def test_a_policy_of_another_version_does_not_make_a_package_unreadable():
    document = json.loads(encode_schema(config(THEN)))
    document["config"]["drift"]["a_field_of_the_future"] = 1
    found = decode_schema(json.dumps(document).encode())
    assert same_schema(found, config(THEN))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"version": 2, "config": {}}', b'{"version": 1, "config": {}}'])
def test_what_is_no_schema_is_refused_with_what_to_rebuild(content):
    with pytest.raises(
        EncodingError,
        match=r"the schema must be rebuilt; (deploy the newer Kedge that wrote it, or )?retrain the model",
    ):
        decode_schema(content)
