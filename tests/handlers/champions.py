"""A champion in the state table."""

from __future__ import annotations

from datetime import UTC, datetime

from lambdas.adapters.state import champions
from lambdas.adapters.state.champions import Champion
from tests.handlers.aws_world import MODEL, TABLE, World


def promote(
    world: World,
    *,
    package_arn: str = "arn:1",
    endpoint_config: str = f"{MODEL}-v1-aaaa",
    training_end: datetime = datetime(2016, 1, 1, tzinfo=UTC),
) -> Champion:
    """Let the state table name this package as the champion."""
    since = datetime(2016, 1, 1, tzinfo=UTC)
    champion = Champion(package_arn, "1", "1", since, training_end, endpoint_config, endpoint_config)
    champions.save(world.dynamodb, TABLE, MODEL, champion)
    return champion
