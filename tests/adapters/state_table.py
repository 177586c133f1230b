"""A state table as the storage stack makes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.adapters.aws import moto_client

TABLE = "state"


def make_state_table(dynamodb: Any, name: str) -> None:
    """Make the table with its index over what waits."""
    keys = ("model", "item", "waits")
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=_schema("model", "item"),
        GlobalSecondaryIndexes=[
            {
                "IndexName": "waiting",
                "KeySchema": _schema("waits", "model"),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )


def _schema(hashed: str, ranged: str) -> list[dict[str, str]]:
    return [{"AttributeName": hashed, "KeyType": "HASH"}, {"AttributeName": ranged, "KeyType": "RANGE"}]


@contextmanager
def state_table() -> Iterator[Any]:
    """A DynamoDB client whose account has the table."""
    with moto_client("dynamodb") as client:
        make_state_table(client, TABLE)
        yield client
