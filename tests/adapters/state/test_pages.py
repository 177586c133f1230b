"""Adapters that list read every page, however small AWS makes it."""

from datetime import UTC, datetime, timedelta

import pytest

from lambdas.adapters.bucket import objects, timeline
from lambdas.adapters.state import served, windows
from offline.account import Account

NOW = datetime(2016, 1, 9, tzinfo=UTC)
FIVE = [f"{number}" for number in range(5)]


@pytest.fixture
def account(tmp_path):
    with Account(start=NOW, directory=tmp_path, page_items=2) as account:
        account.client("s3").create_bucket(
            Bucket="data", CreateBucketConfiguration={"LocationConstraint": account.region}
        )
        keys = [("model", "HASH"), ("item", "RANGE")]
        account.client("dynamodb").create_table(
            TableName="state",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        )
        yield account


def test_every_package_that_served_is_found(account):
    dynamodb = account.client("dynamodb")
    for version in FIVE:
        served.save(dynamodb, "state", "m", version, since=NOW - timedelta(days=1))
    assert served.load(dynamodb, "state", "m", now=NOW) == FIVE


def test_every_judged_window_is_loaded(account):
    dynamodb = account.client("dynamodb")
    for number in range(5):
        end = f"window#2016-01-0{number + 1}T00:00:00Z"
        dynamodb.put_item(TableName="state", Item={"model": {"S": "m"}, "item": {"S": end}})
    listed = windows._query(dynamodb, "state", "m", "window#", "2016-01-01T00:00:00Z")
    assert len(list(listed)) == 5


def test_every_object_folder_and_timeline_is_listed(account):
    s3 = account.client("s3")
    for name in FIVE:
        s3.put_object(Bucket="data", Key=f"audit/{name}/2016/01/01/k.json", Body=b"{}")
    assert len(objects.list_objects(s3, "data", "audit/")) == 5
    assert len(objects.list_folders(s3, "data", "audit/")) == 5
    assert timeline.models_with_timeline(s3, "data") == FIVE
