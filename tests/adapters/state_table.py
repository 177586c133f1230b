"""A state table as the storage stack makes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.adapters.aws import moto_client

TABLE = "state"


@contextmanager
def state_table() -> Iterator[Any]:
    """A DynamoDB client whose account has the table."""
    names = ("model", "item")
    with moto_client("dynamodb") as client:
        client.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            KeySchema=[{"AttributeName": n, "KeyType": k} for n, k in zip(names, ("HASH", "RANGE"), strict=True)],
        )
        yield client
