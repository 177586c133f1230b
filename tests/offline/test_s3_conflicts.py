"""Conditional writes are refused as S3 refuses them, now and then, without a race."""

from collections import Counter

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.bucket import objects
from offline.account import Account

BUCKET, WRITES = "data", 400


@pytest.fixture
def s3(account: Account):
    client = account.client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return client


def refusals(s3) -> Counter[tuple[str, bool]]:
    """Codes of refusals of first writes, and whether what was to be written is there."""
    found = Counter[tuple[str, bool]]()
    for number in range(WRITES):
        try:
            s3.put_object(Bucket=BUCKET, Key=f"k{number}", Body=b"x", IfNoneMatch="*")
        except ClientError as error:
            there = bool(s3.list_objects_v2(Bucket=BUCKET, Prefix=f"k{number}")["KeyCount"])
            found[error.response["Error"]["Code"], there] += 1
    return found


def test_some_first_writes_meet_another_and_some_meet_themselves(s3):
    found = refusals(s3)
    assert set(found) == {("ConditionalRequestConflict", False), ("PreconditionFailed", True)}
    assert sum(found.values()) < WRITES / 10


def test_the_adapter_knows_its_own_writes_and_reads_again_after_a_conflict(s3):
    for number in range(WRITES):
        body = str(number).encode()
        for _ in range(5):
            found = objects.read(s3, BUCKET, "k")
            if objects.replace(s3, BUCKET, "k", body, etag=found[1] if found else None):
                break
        assert objects.read(s3, BUCKET, "k")[0] == body


def test_plain_writes_are_never_refused(s3):
    for number in range(WRITES):
        s3.put_object(Bucket=BUCKET, Key=f"k{number}", Body=b"x")


def test_of_several_objects_those_are_deleted_that_are_what_their_etag_says(s3):
    etags = {key: s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())["ETag"] for key in ("a", "b", "c")}
    s3.put_object(Bucket=BUCKET, Key="b", Body=b"another")
    asked = [{"Key": key, "ETag": etag} for key, etag in {**etags, "gone": etags["a"]}.items() if key != "c"]
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [*asked, {"Key": "c"}]})
    assert [found["Key"] for found in answer["Deleted"]] == ["a", "c"]
    assert {found["Key"]: found["Code"] for found in answer["Errors"]} == {
        "b": "PreconditionFailed",
        "gone": "NoSuchKey",
    }
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == ["b"]


def test_the_adapter_deletes_what_is_unchanged_and_says_what_stays(s3):
    etags = {f"k{n:04d}": s3.put_object(Bucket=BUCKET, Key=f"k{n:04d}", Body=b"x")["ETag"] for n in range(1001)}
    s3.put_object(Bucket=BUCKET, Key="k0007", Body=b"another")
    assert objects.delete_unchanged(s3, BUCKET, {**etags, "gone": etags["k0000"]}) == ["k0007"]
    assert objects.list_objects(s3, BUCKET, "").keys() == {"k0007"}
