"""Buckets of other teams: only those that the context names, only to be read, and only by who reads captures."""

import json

import pytest

from app import build_app
from kedge.errors import ModelConfigError
from stacks.parts.capture_buckets import CaptureBuckets
from tests.synthesised import ROOT, example_models

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
READERS = {
    "ProfileLogs",
    "MeasurePerformance",
    "WatchCaptures",
    "CompareModels",
    "WatchCanary",
    "ReplayStaging",
}


def statements_of(directory):
    """The statements that name what belongs to others, by role."""
    found = {}
    for file in directory.glob("*.template.json"):
        for name, resource in json.loads(file.read_text())["Resources"].items():
            if resource["Type"] == "AWS::IAM::Policy":
                for each in resource["Properties"]["PolicyDocument"]["Statement"]:
                    if "their-bucket" in json.dumps(each) or KEY in json.dumps(each):
                        found.setdefault(name.partition("Role")[0], []).append(each)
    return found


@pytest.fixture(scope="module")
def statements(tmp_path_factory):
    """Each statement about the named bucket or key, by the role that has it."""
    directory = tmp_path_factory.mktemp("assembly")
    build_app(directory, example_models(), nag=True, capture_buckets="their-bucket", capture_keys=[KEY]).synth()
    return statements_of(directory)


def test_only_who_reads_captures_may_read_or_list_the_bucket(statements):
    assert statements.keys() == {*READERS, "WatchMonitor"}


def test_nothing_but_reading_is_granted(statements):
    actions = {each["Action"] for of_role in statements.values() for each in of_role}
    assert actions == {"s3:GetObject", "s3:ListBucket", "kms:Decrypt"}
    assert [each["Action"] for each in statements["WatchMonitor"]] == ["s3:ListBucket"]


def test_a_model_that_was_adopted_and_is_managed_now_can_be_scored_from_its_owners_bucket(tmp_path):
    text = (ROOT / "models" / "hotel-cancellations.yaml").read_text()
    (tmp_path / "hotel-cancellations.yaml").write_text(text + "capture: {uri: 's3://their-bucket/x'}\n")
    build_app(tmp_path / "assembly", tmp_path, capture_buckets="their-bucket").synth()
    (scoring,) = statements_of(tmp_path / "assembly").keys() - {*READERS, "WatchMonitor"}
    assert "ScoringExecution" in scoring


def test_a_bucket_that_is_not_named_is_refused_at_synth_with_the_remedy(tmp_path):
    text = (ROOT / "models" / "hotel-cancellations.yaml").read_text()
    (tmp_path / "hotel-cancellations.yaml").write_text(text + "capture: {uri: 's3://their-bucket/x'}\n")
    with pytest.raises(ModelConfigError, match="add their-bucket to capture_buckets"):
        build_app(tmp_path / "assembly", tmp_path)


@pytest.mark.parametrize(
    ("buckets", "keys", "said"),
    [
        ("*", None, "a list of bucket names"),
        (["a-bucket/prefix"], None, "a list of bucket names"),
        (7, None, "a list of bucket names"),
        (None, "alias/theirs", "a list of ARNs of KMS keys"),
        (None, "arn:aws:kms:eu-west-1:123456789012:key/*", "a list of ARNs of KMS keys"),
    ],
)
def test_what_names_no_bucket_or_no_key_is_a_sentence(buckets, keys, said):
    with pytest.raises(ModelConfigError, match=said.replace("*", r"\*")):
        CaptureBuckets.of_context(buckets, keys, [])
