"""An empty account for each test, on the first of January 2016."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from offline.account import Account

START = datetime(2016, 1, 1, tzinfo=UTC)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with Account(start=START, directory=tmp_path) as account:
        yield account
