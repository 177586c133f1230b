"""Feature groups: only those that the context names, only to be read, and only by who takes a snapshot."""

import json

import pytest

from app import build_app
from kedge.errors import ModelConfigError
from stacks.feature_groups import FeatureGroups
from tests.synthesised import ROOT, example_models

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
THEIRS = ("their-features", "featurestore", "feature-group", KEY)


@pytest.fixture(scope="module")
def statements(tmp_path_factory):
    """Each statement about feature groups, by the role that has it."""
    directory = tmp_path_factory.mktemp("assembly")
    groups = {"Customer-Facts": "s3://their-features/a/b/"}
    build_app(directory, example_models(), nag=True, feature_groups=json.dumps(groups), feature_group_keys=KEY).synth()
    found = {}
    for file in directory.glob("*.template.json"):
        for name, resource in json.loads(file.read_text())["Resources"].items():
            if resource["Type"] == "AWS::IAM::Policy":
                for each in resource["Properties"]["PolicyDocument"]["Statement"]:
                    if any(theirs in json.dumps(each) for theirs in THEIRS):
                        found.setdefault(name.partition("Role")[0], {})[each["Sid"]] = each
    return found


def test_only_who_takes_a_snapshot_may_read_them(statements):
    assert statements.keys() == {"SnapshotData"}


def test_nothing_but_reading_is_granted(statements):
    allowed = [each["Action"] for each in statements["SnapshotData"].values()]
    actions = {action for one in allowed for action in ([one] if isinstance(one, str) else one)}
    reads = {"s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation", "kms:Decrypt", "sagemaker:DescribeFeatureGroup"}
    glue = {"GetDatabase", "GetTable", "GetPartition", "GetPartitions", "BatchGetPartition"}
    assert actions == reads | {f"glue:{action}" for action in glue}


def test_the_grant_ends_at_the_groups_own_folder_and_table(statements):
    of = statements["SnapshotData"]
    objects = json.dumps(of["ReadFeatureGroups"]["Resource"])
    assert "their-features/a/b/" in objects
    assert "/sagemaker/eu-west-1/offline-store/Customer-Facts-??????????/*" in objects
    tables = json.dumps(of["CatalogueOfFeatureGroups"]["Resource"])
    assert "table/sagemaker_featurestore/customer_facts_??????????" in tables
    assert "feature-group/customer-facts" in json.dumps(of["SeeFeatureGroups"]["Resource"])
    assert "their-features/a/b" not in json.dumps(of["ListFeatureGroups"]["Resource"])
    assert "Customer-Facts-??????????/*" in json.dumps(of["ListFeatureGroups"]["Condition"])


def test_a_group_that_is_not_named_is_refused_at_synth_with_the_remedy(tmp_path):
    text = (ROOT / "models" / "hotel-cancellations.yaml").read_text()
    features = "context: [guest]\ntraining: {feature_group: guests, record_identifier: guest}\n"
    (tmp_path / "hotel-cancellations.yaml").write_text(text + features)
    with pytest.raises(ModelConfigError, match=r'feature_groups in the context of cdk\.json, like \{"guests": "s3://'):
        build_app(tmp_path / "assembly", tmp_path)


@pytest.mark.parametrize(
    ("groups", "keys"),
    [
        ("guests", None),
        (["guests"], None),
        ({"guests": "their-features"}, None),
        ({"guests": "s3://their-features/*"}, None),
        ({"gue*sts": "s3://their-features"}, None),
        ({"guests": "s3://their-features"}, "alias/theirs"),
        (None, ["arn:aws:kms:eu-west-1:123456789012:key/*"]),
    ],
)
def test_what_names_no_group_or_no_key_is_a_sentence(groups, keys):
    with pytest.raises(ModelConfigError, match="s3://bucket/prefix"):
        FeatureGroups.of_context(groups, keys, [])
