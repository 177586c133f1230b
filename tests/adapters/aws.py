"""One moto client for an adapter's test."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto import mock_aws

from lambdas.adapters import clients


def forget_clients() -> None:
    """Have the functions' clients made anew: each test has an account of its own."""
    clients._client.cache_clear()


@contextmanager
def moto_client(service: str) -> Iterator[Any]:
    """A client of an empty account."""
    with mock_aws():
        yield boto3.client(
            service,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
