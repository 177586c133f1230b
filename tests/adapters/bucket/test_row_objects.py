"""Objects of rows in S3, read in ranges."""

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lambdas.adapters.bucket.row_objects import READ_AHEAD_BYTES, list_sizes, open_object


@pytest.fixture
def s3():
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        client.create_bucket(Bucket="rows")
        yield client


def test_sizes_are_told_by_key(s3):
    for key, size in (("a/1", 3), ("a/2", 5), ("b/1", 7)):
        s3.put_object(Bucket="rows", Key=key, Body=b"x" * size)
    assert list_sizes(s3, "rows", "a/") == {"a/1": 3, "a/2": 5}


def test_an_object_is_read_from_any_place_and_to_its_end(s3):
    content = bytes(range(256)) * (READ_AHEAD_BYTES // 128)
    s3.put_object(Bucket="rows", Key="a", Body=content)
    with open_object(s3, "rows", "a") as opened:
        assert opened.seek(-3, 2) == len(content) - 3
        assert opened.read() == content[-3:]
        assert opened.read() == b""
        opened.seek(1000)
        opened.seek(24, 1)
        assert opened.read(5) == content[1024:1029]


def test_an_object_that_is_replaced_meanwhile_is_not_mixed(s3):
    s3.put_object(Bucket="rows", Key="a", Body=b"x" * 10)
    with open_object(s3, "rows", "a") as opened:
        s3.put_object(Bucket="rows", Key="a", Body=b"y" * 10)
        with pytest.raises(ClientError) as caught:
            opened.read()
    assert caught.value.response["Error"]["Code"] == "PreconditionFailed"


def test_an_object_that_is_not_there_fails_when_it_is_opened(s3):
    with pytest.raises(ClientError) as caught:
        open_object(s3, "rows", "a")
    assert caught.value.response["Error"]["Code"] == "404"
