"""What a feature group must have to give a model's training rows, each fault in a sentence with its remedy."""

import copy
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from kedge.config.reading import parse_model_config
from kedge.errors import FeatureGroupError, ModelConfigError
from kedge.retraining.feature_group import feature_group_of, looked_up_table, point_in_time_sql, with_features
from kedge.retraining.labelled_history import RowsOfSchema

YAML = """
model: payers
endpoint: {name: payers}
context: [customer]
features:
  - {name: amount, kind: numeric}
  - {name: balance, kind: numeric}
  - {name: plan, kind: categorical}
training: {feature_group: customers, request_features: [amount]}
"""
DESCRIBED = {
    "FeatureGroupName": "customers",
    "RecordIdentifierFeatureName": "customer",
    "EventTimeFeatureName": "at",
    "FeatureDefinitions": [
        {"FeatureName": "customer", "FeatureType": "Integral"},
        {"FeatureName": "at", "FeatureType": "Fractional"},
        {"FeatureName": "balance", "FeatureType": "Fractional"},
        {"FeatureName": "plan", "FeatureType": "String"},
    ],
    "FeatureGroupStatus": "Created",
    "OfflineStoreConfig": {
        "S3StorageConfig": {"S3Uri": "s3://theirs", "KmsKeyId": "arn:key"},
        "DataCatalogConfig": {"TableName": "customers_1", "Catalog": "AwsDataCatalog", "Database": "store"},
    },
    "OfflineStoreStatus": {"Status": "Active"},
}


def config(text=YAML):
    return parse_model_config(text, source="payers.yaml")


def without(name):
    return {key: value for key, value in DESCRIBED.items() if key != name}


def typed(name, kind, **more):
    described = copy.deepcopy(DESCRIBED)
    next(each for each in described["FeatureDefinitions"] if each["FeatureName"] == name).update(
        FeatureType=kind, **more
    )
    return described


def store(**changed):
    return DESCRIBED | {"OfflineStoreConfig": DESCRIBED["OfflineStoreConfig"] | changed}


@pytest.mark.parametrize(
    ("described", "words"),
    [
        (without("OfflineStoreConfig"), "has no offline store, so nothing is known of earlier times"),
        (DESCRIBED | {"FeatureGroupStatus": "CreateFailed"}, "has the status CreateFailed"),
        (
            DESCRIBED | {"OfflineStoreStatus": {"Status": "Blocked", "BlockedReason": "the bucket is gone"}},
            "has an offline store that is Blocked: the bucket is gone",
        ),
        (store(DataCatalogConfig=None), "has no Glue table, which Athena needs"),
        (without("EventTimeFeatureName"), "has no event time: EventTimeFeatureName is None"),
        (
            typed("at", "Integral"),
            "has no event time: EventTimeFeatureName is 'at', and it must be a String or a Fractional",
        ),
        (typed("customer", "Fractional"), "has the Fractional record identifier customer"),
        (
            DESCRIBED | {"FeatureDefinitions": DESCRIBED["FeatureDefinitions"][:3]},
            "lacks plan: name in training.request_features what only a request knows",
        ),
        (typed("balance", "String"), "balance is numeric in the YAML and String in the group"),
        (typed("plan", "Fractional"), "plan is categorical in the YAML and Fractional in the group"),
        (
            typed("balance", "Fractional", CollectionType="List"),
            "balance is numeric in the YAML and List of Fractional in the group",
        ),
    ],
)
def test_a_group_that_cannot_give_the_rows_is_refused(described, words):
    with pytest.raises(FeatureGroupError) as refused:
        feature_group_of(described, config())
    assert str(refused.value).startswith("the feature group customers ")
    assert words in str(refused.value)


def test_rows_are_looked_up_by_the_column_that_is_called_like_the_record_identifier():
    assert feature_group_of(DESCRIBED, config()).column == "customer"
    with pytest.raises(FeatureGroupError, match="add customer to context, or name the feature or context"):
        feature_group_of(DESCRIBED, config(YAML.replace("context: [customer]", "context: [region]")))


@pytest.mark.parametrize("column", ["region", "plan", "kedge_row_id"])
def test_or_by_the_column_that_the_yaml_names(column):
    text = YAML.replace("[customer]", "[region]").replace("[amount]", f"[amount], record_identifier: {column}")
    assert feature_group_of(DESCRIBED, config(text)).column == column


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("feature_group: customers, ", "", "training.request_features without training.feature_group"),
        ("[amount]", "[amuont]", "names 'amuont', which is no feature; did you mean amount?"),
        ("[amount]", "[amount, balance, plan]", "names every feature, so the feature group has none to give"),
        (
            "[amount]",
            "[amount], record_identifier: custmer",
            "which is no feature and not among context; did you mean customer?",
        ),
        ("model: payers", "model: payers\nmode: watch", "a watched model is never trained"),
        ("feature_group: customers", "feature_group: a/b", "training.feature_group"),
    ],
)
def test_what_the_yaml_gets_wrong_is_said(before, after, words):
    with pytest.raises(ModelConfigError) as refused:
        config(YAML.replace(before, after))
    assert words in str(refused.value)


def test_no_name_of_a_group_can_become_sql():
    evil = 'plan" FROM x; --'
    described = copy.deepcopy(DESCRIBED)
    described["FeatureDefinitions"][3]["FeatureName"] = evil
    model = config()
    features = tuple(f.model_copy(update={"name": evil}) if f.name == "plan" else f for f in model.features)
    group = feature_group_of(described, model.model_copy(update={"features": features}))
    sql = point_in_time_sql(group, looked_up_table("m", "s3://b/"), database="kedge", run="it's", by_event_time=False)
    assert 'f."plan"" FROM x; --" AS c2' in sql
    assert "'it''s'" in sql


def test_rows_of_several_schemas_get_the_groups_values_by_their_places():
    group = feature_group_of(DESCRIBED, config())
    moment = pa.array([datetime(2016, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    old = pa.table({"kedge_time": moment, "amount": [1.0]})
    new = pa.table({"kedge_time": moment, "amount": [2.0], "balance": ["sent"], "plan": ["sent"]})
    found = pa.table({"c0": [1], "c1": [7.5], "c2": ["gold"]})
    first, second = with_features([RowsOfSchema(old), RowsOfSchema(new)], group, found)
    assert first.rows.to_pylist()[0] | {"kedge_time": 0} == {
        "kedge_time": 0,
        "amount": 1.0,
        "balance": None,
        "plan": None,
    }
    assert second.rows.to_pylist()[0] | {"kedge_time": 0} == {
        "kedge_time": 0,
        "amount": 2.0,
        "balance": 7.5,
        "plan": "gold",
    }
