"""The quick listing answers what moto's own does, and quickly."""

import math
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.s3.models import S3Backend

from offline.account import Account
from offline.speed.s3 import IndexedKeys, list_objects_v2

KEYS = st.lists(st.text("ab/&é ", min_size=1, max_size=6), max_size=12)


@pytest.fixture
def s3(account: Account):
    client = account.client("s3")
    client.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    return client


def names(pages) -> list[str]:
    return [
        entry.get("Key", entry.get("Prefix"))
        for page in pages
        for entry in [*page.get("Contents", []), *page.get("CommonPrefixes", [])]
    ]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(keys=KEYS, deleted=KEYS, prefix=st.text("ab/", max_size=2), delimiter=st.sampled_from(["", "/", "b"]))
def test_every_page_size_lists_what_a_plain_look_at_the_bucket_finds(s3, account, keys, deleted, prefix, delimiter):
    account.backend("s3").buckets["data"].keys = IndexedKeys()
    for key in keys:
        s3.put_object(Bucket="data", Key=key, Body=b"x")
    for key in deleted:
        s3.delete_object(Bucket="data", Key=key)
    present = {key for key in set(keys) - set(deleted) if key.startswith(prefix)}
    expected = {_shown(key, prefix, delimiter) for key in present}
    for size in (1, 2, 1000):
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket="data", Prefix=prefix, Delimiter=delimiter, PaginationConfig={"PageSize": size}
        )
        found = names(pages)
        assert sorted(found) == sorted(expected)


def _shown(key: str, prefix: str, delimiter: str) -> str:
    head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
    return prefix + head + found if found else key


def test_a_listing_reads_as_moto_writes_it(s3, account):
    for key in ("a/1", "a/b c&<é>.txt", "b/2", "c"):
        s3.put_object(Bucket="data", Key=key, Body=key.encode())
    quick = s3.list_objects_v2(Bucket="data", Prefix="a/", FetchOwner=True)
    assert [(item["Key"], item["Size"]) for item in quick["Contents"]] == [("a/1", 3), ("a/b c&<é>.txt", 14)]
    assert quick["Contents"][0]["ETag"] == s3.head_object(Bucket="data", Key="a/1")["ETag"]
    assert quick["Contents"][0]["LastModified"] == account.clock.now
    assert (quick["KeyCount"], quick["IsTruncated"], quick["Prefix"]) == (2, False, "a/")
    after = s3.list_objects_v2(Bucket="data", StartAfter="a/1", MaxKeys=1)
    assert names([after]) == ["a/b c&<é>.txt"]
    assert after["IsTruncated"]


@pytest.mark.parametrize("more", [{}, {"Delimiter": "/"}, {"StartAfter": ""}, {"StartAfter": "a/b c&<é>.txt"}])
@pytest.mark.parametrize("prefix", ["", "a/", "a/b c&<é>", "nothing/"])
def test_a_listing_of_all_below_a_prefix_says_what_moto_says(s3, prefix, more, monkeypatch):
    for key in ("a/1", "a/b c&<é>.txt", "a/with checksum", "a/é/1", "b/2", "c/3"):
        s3.put_object(Bucket="data", Key=key, Body=key.encode(), ChecksumAlgorithm="SHA256")
    s3.delete_object(Bucket="data", Key="b/2")
    quick = s3.list_objects_v2(Bucket="data", Prefix=prefix, **more)
    monkeypatch.setattr(S3Backend, "list_objects_v2", refuse)
    assert s3.list_objects_v2(Bucket="data", Prefix=prefix, **more)["KeyCount"] == quick["KeyCount"], "moto was asked"
    monkeypatch.undo()
    by_moto = s3.list_objects_v2(Bucket="data", Prefix=prefix, MaxKeys=1000, **more)
    for answer in (quick, by_moto):
        del answer["ResponseMetadata"]
    assert quick == by_moto


def refuse(*_):
    raise AssertionError


class Counted(list):
    """Names that count how often one of them is looked at."""

    looks = 0

    def __getitem__(self, place):
        self.looks += 1
        return super().__getitem__(place)


def looks_at_a_page(account, bucket_name, keys):
    backend = account.backend("s3")
    bucket = backend.buckets[bucket_name]
    for number in range(keys):
        bucket.keys[f"capture/{number:06d}"] = object()
    names = bucket.keys.names = Counted(bucket.keys.names)
    page, truncated, _token = list_objects_v2(backend, bucket, "capture/0001", None, None, None, 1000)
    assert (len(page), truncated) == (100, False)
    return names.looks


def test_a_page_of_a_large_bucket_costs_no_more_than_of_a_small_one(s3, account):
    s3.create_bucket(Bucket="small", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    small, large = looks_at_a_page(account, "small", 200), looks_at_a_page(account, "data", 20_000)
    # Two searches, each of which halves what is left.
    assert large - small <= 2 * (math.ceil(math.log2(20_000)) - math.floor(math.log2(200)))


@pytest.mark.parametrize("key", ["plain.txt", "a b/ü&c+d.txt", "empty"])
def test_a_plain_read_says_what_moto_says(s3, key):
    body = b"" if key == "empty" else key.encode()
    s3.put_object(Bucket="data", Key=key, Body=body, ContentType="text/plain", Metadata={"made-by": "me"})
    quick = s3.get_object(Bucket="data", Key=key)
    # A condition sends the same question the long way.
    whole = s3.get_object(Bucket="data", Key=key, IfMatch=quick["ETag"])
    assert (
        (quick["Body"].read(), quick["Metadata"])
        == (body, {"made-by": "me"})
        == (whole["Body"].read(), whole["Metadata"])
    )
    told = ("ETag", "LastModified", "ContentType", "ContentLength", "VersionId", "AcceptRanges")
    assert {name: quick.get(name) for name in told} == {name: whole.get(name) for name in told}


def test_a_deleted_or_absent_object_is_not_there(s3):
    s3.put_object(Bucket="data", Key="gone", Body=b"1")
    s3.delete_object(Bucket="data", Key="gone")
    for key in ("gone", "never"):
        with pytest.raises(s3.exceptions.NoSuchKey):
            s3.get_object(Bucket="data", Key=key)


def test_threads_that_write_and_delete_at_once_lose_no_object_from_a_listing():
    keys, unlisted = IndexedKeys(), []

    def work(own: int) -> None:
        for number in range(400):
            key = f"{(own * 7 + number * 13) % 97}/{own}/{number}/objects.txt"
            keys[key] = SimpleNamespace(dispose=lambda: None)
            if not keys.first_below(1, key):
                unlisted.append(key)
            if number % 3:
                keys.pop(key)

    patience = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(8)))
    finally:
        sys.setswitchinterval(patience)
    assert unlisted == []
    assert keys.names == sorted(dict.keys(keys))
