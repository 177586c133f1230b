"""Buckets of packages that teams register: only those that the context names, only to be read, and only by who pins artefacts."""

import pytest

from app import build_app
from kedge.errors import ModelConfigError
from stacks.package_buckets import PackageBuckets
from tests.stacks.test_capture_buckets import KEY, statements_of
from tests.synthesised import example_models


def test_only_who_pins_artefacts_may_read_them_and_nothing_more(tmp_path):
    build_app(tmp_path, example_models(), nag=True, package_buckets="their-bucket", package_keys=[KEY]).synth()
    found = statements_of(tmp_path)
    assert found.keys() == {"PinArtefact"}
    actions = [each["Action"] for each in found["PinArtefact"]]
    assert actions == [["s3:GetObject", "s3:GetObjectTagging"], "kms:Decrypt"]


@pytest.mark.parametrize(("buckets", "keys"), [("their_bucket", None), (["b*"], None), (None, "alias/theirs")])
def test_what_names_no_bucket_or_no_key_is_a_sentence(buckets, keys):
    with pytest.raises(ModelConfigError, match="package_"):
        PackageBuckets.of_context(buckets, keys)
