"""The hotels' first champion, serving in an account of its own for each file of tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from demo.bookings import CHAMPION_FROM, REPLAY_FROM, load_frame
from kedge.config.reading import parse_model_config
from offline.account import Account
from tests.end_to_end.hotel import Hotel
from tests.synthesised import EXAMPLE, brisk_assembly, brisk_models


@pytest.fixture(scope="session")
def frame() -> Any:
    return load_frame()


@pytest.fixture(scope="module")
def opened(frame: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Open an account in which a champion has learnt a stretch of bookings, and serves since its end."""
    templates = brisk_assembly()  # before the account's clock starts
    config = parse_model_config((brisk_models() / EXAMPLE).read_text(), source=EXAMPLE)

    @contextmanager
    def open_hotel(*, since: datetime = CHAMPION_FROM, until: datetime = REPLAY_FROM) -> Iterator[Hotel]:
        directory = tmp_path_factory.mktemp("account")
        with Account(start=until - timedelta(hours=12), directory=directory) as account:
            account.deploy(templates)
            hotel = Hotel(account, config, frame)
            hotel.release_first_champion(since=since, until=until)
            account.clock.advance_to(until)
            yield hotel

    return open_hotel


@pytest.fixture(scope="module")
def hotel(opened: Callable[..., Any]) -> Iterator[Hotel]:
    with opened() as hotel:
        yield hotel
