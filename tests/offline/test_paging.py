"""Under small pages, whoever reads only the first page reads too little, and a paginator reads everything."""

from datetime import UTC, datetime

import pytest

from offline.account import Account


@pytest.fixture
def account(tmp_path):
    with Account(start=datetime(2016, 1, 1, tzinfo=UTC), directory=tmp_path, page_items=2) as account:
        yield account


def pages(account, service, operation, key, **request):
    found = [page.get(key, []) for page in account.client(service).get_paginator(operation).paginate(**request)]
    assert max(map(len, found)) <= 2
    return [item for page in found for item in page]


def test_a_listing_of_objects_ends_after_two_keys_and_goes_on_where_it_ended(account):
    s3 = account.client("s3")
    s3.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for number in range(5):
        s3.put_object(Bucket="data", Key=f"k{number}", Body=b"")
    first = s3.list_objects_v2(Bucket="data")
    assert (first["KeyCount"], first["IsTruncated"]) == (2, True)
    assert s3.list_objects_v2(Bucket="data", MaxKeys=1)["KeyCount"] == 1
    assert [item["Key"] for item in pages(account, "s3", "list_objects_v2", "Contents", Bucket="data")] == [
        f"k{number}" for number in range(5)
    ]


def test_a_query_filters_after_its_page_was_read_and_may_find_nothing_on_it(account):
    dynamodb = account.client("dynamodb")
    keys = [("model", "HASH"), ("item", "RANGE")]
    dynamodb.create_table(
        TableName="state",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
    )
    for number in range(5):
        item = {"model": {"S": "m"}, "item": {"S": f"w{number}"}, "n": {"N": str(number)}}
        dynamodb.put_item(TableName="state", Item=item)
    request = {
        "TableName": "state",
        "KeyConditionExpression": "model = :m",
        "FilterExpression": "n > :n",
        "ExpressionAttributeValues": {":m": {"S": "m"}, ":n": {"N": "3"}},
    }
    first = dynamodb.query(**request)
    assert (first["Items"], first["LastEvaluatedKey"]["item"]) == ([], {"S": "w1"})
    assert [item["item"]["S"] for item in pages(account, "dynamodb", "query", "Items", **request)] == ["w4"]


def test_a_batch_of_keys_is_answered_in_part_and_the_rest_named(account):
    dynamodb = account.client("dynamodb")
    dynamodb.create_table(
        TableName="state",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "model", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "model", "AttributeType": "S"}],
    )
    keys = [{"model": {"S": f"m{number}"}} for number in range(5)]
    for key in keys:
        dynamodb.put_item(TableName="state", Item=key)
    answer = dynamodb.batch_get_item(RequestItems={"state": {"Keys": keys, "ConsistentRead": True}})
    assert len(answer["Responses"]["state"]) == 2
    assert answer["UnprocessedKeys"] == {"state": {"Keys": keys[2:], "ConsistentRead": True}}


def test_other_services_answers_are_cut_and_their_rest_is_kept(account):
    for number in range(5):
        account.client("sns").create_topic(Name=f"t{number}")
        account.client("cloudwatch").put_metric_alarm(
            AlarmName=f"a{number}",
            Namespace="N",
            MetricName="M",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
        account.client("sagemaker").create_model_package_group(ModelPackageGroupName=f"g{number}")
    assert len(account.client("cloudwatch").describe_alarms()["MetricAlarms"]) == 2
    alarms = pages(account, "cloudwatch", "describe_alarms", "MetricAlarms")
    assert [alarm["AlarmName"] for alarm in alarms] == [f"a{number}" for number in range(5)]
    assert len(pages(account, "sns", "list_topics", "Topics")) == 5
    listed = pages(account, "sagemaker", "list_model_package_groups", "ModelPackageGroupSummaryList")
    assert sorted(group["ModelPackageGroupName"] for group in listed) == [f"g{number}" for number in range(5)]
