"""Objects of rows in S3, read in ranges."""

import io
import threading

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lambdas.adapters.bucket.row_objects import (
    READ_AHEAD_BYTES,
    READERS,
    list_sizes,
    open_ahead,
    open_object,
    read_ahead,
)


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


class Waiting:
    """An S3 that answers only once as many ask as may ask at once."""

    def __init__(self, gone=()):
        self.gone, self.asked, self.met = gone, [], threading.Barrier(READERS, timeout=20)

    def get_object(self, **request):
        key = request["Key"]
        self.asked.append(key)
        if len(self.asked) <= READERS:
            self.met.wait()
        if key in self.gone:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"ETag": f"of {key}", "ContentLength": 1, "Body": io.BytesIO(key.encode())}


def test_objects_are_opened_side_by_side_and_handed_on_in_their_order():
    keys = [str(number) for number in range(25)]
    found = [(key, opened and b"".join(opened.content)) for key, opened in open_ahead(Waiting("3"), "rows", keys)]
    assert found == [(key, None if key == "3" else key.encode()) for key in keys]


def test_objects_are_read_side_by_side_each_in_one_request():
    s3, keys = Waiting("3"), [str(number) for number in range(25)]
    assert [*read_ahead(s3, "rows", keys)] == [(key, None if key == "3" else key.encode()) for key in keys]
    assert sorted(s3.asked) == sorted(keys)


def test_who_stops_early_asks_for_no_more():
    s3 = Waiting()
    opened = open_ahead(s3, "rows", [str(number) for number in range(1000)])
    next(opened)
    opened.close()
    assert len(s3.asked) <= READERS + 1
