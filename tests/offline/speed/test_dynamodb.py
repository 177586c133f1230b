"""The quick Query and the quick answer say what moto's own say."""

import pytest
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from offline.account import Account
from offline.speed import dynamodb as dynamodb_speed


@pytest.fixture
def dynamodb(account: Account):
    client = account.client("dynamodb")
    client.create_table(
        TableName="state",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "model", "KeyType": "HASH"}, {"AttributeName": "item", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "model", "AttributeType": "S"},
            {"AttributeName": "item", "AttributeType": "S"},
            {"AttributeName": "at", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-time",
                "KeySchema": [
                    {"AttributeName": "model", "KeyType": "HASH"},
                    {"AttributeName": "at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    for model in ("a", "b"):
        for name in ("window#1", "start#1", "window#3", "window#2"):
            item = {"model": {"S": model}, "item": {"S": name}, "at": {"S": name[-1]}, "n": {"N": "1.5"}}
            client.put_item(
                TableName="state", Item=item | {"of": {"M": {"l": {"L": [{"BOOL": True}, {"NULL": True}]}}}}
            )
    client.put_item(TableName="state", Item={"model": {"S": "b"}, "item": {"S": "raw"}, "body": {"B": b"\x00\xff"}})
    return client


QUERIES = {
    "all of a partition": {"KeyConditionExpression": "model = :m"},
    "one beginning": {"KeyConditionExpression": "model = :m AND begins_with(#i, :p)"},
    "between, the last first, one": {
        "KeyConditionExpression": "model = :m AND #i BETWEEN :p AND :l",
        "ScanIndexForward": False,
        "Limit": 1,
    },
    "filtered": {"KeyConditionExpression": "model = :m", "FilterExpression": "begins_with(#i, :p)"},
    "of an index": {"KeyConditionExpression": "model = :m", "IndexName": "by-time"},
}


def answers(dynamodb):
    """Every kind of answer, without what differs from call to call."""
    values = {":m": {"S": "b"}, ":p": {"S": "window#"}, ":l": {"S": "window#2"}}
    found = {}
    for name, query in QUERIES.items():
        text = str(query)
        used = {key: value for key, value in values.items() if key in text}
        names = {"ExpressionAttributeNames": {"#i": "item"}} if "#i" in text else {}
        found[name] = dynamodb.query(TableName="state", ExpressionAttributeValues=used, **names, **query)
    for item in ("window#1", "raw", "absent"):
        key = {"model": {"S": "b"}, "item": {"S": item}}
        found[item] = dynamodb.get_item(TableName="state", Key=key, ReturnConsumedCapacity="TOTAL")
    both = [{"model": {"S": "b"}, "item": {"S": item}} for item in ("raw", "window#3", "absent")]
    found["a batch"] = dynamodb.batch_get_item(RequestItems={"state": {"Keys": both, "ConsistentRead": True}})
    found["an unknown partition"] = dynamodb.query(
        TableName="state", KeyConditionExpression="model = :m", ExpressionAttributeValues={":m": {"S": "nobody"}}
    )
    return {name: {k: v for k, v in answer.items() if k != "ResponseMetadata"} for name, answer in found.items()}


def test_every_answer_is_that_of_moto(dynamodb, monkeypatch):
    quick = answers(dynamodb)
    assert len(quick["one beginning"]["Items"]) == 3
    assert quick["raw"]["Item"]["body"]["B"] == b"\x00\xff"
    monkeypatch.setattr(Table, "query", dynamodb_speed._query)
    monkeypatch.setattr(DynamoHandler, "serialized", dynamodb_speed._serialized)
    assert quick == answers(dynamodb)


def test_a_failed_condition_is_told_as_before(dynamodb):
    item = {"model": {"S": "a"}, "item": {"S": "window#1"}}
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(TableName="state", Item=item, ConditionExpression="attribute_not_exists(model)")
