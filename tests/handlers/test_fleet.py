"""What a tick costs for many models: its calls grow by pages, and not by models."""

from collections import Counter
from math import ceil

import pytest

from tests.handlers.fleet import TICKS, WATCH, calls_of, fleet
from tests.handlers.monitor_world import monitor_world

MODELS = 120
# How many models a call is good for, by what the service takes at once.
OF_A_CALL = {
    "dynamodb BatchGetItem": 100 / 6,
    "dynamodb Query": MODELS / 2,
    "sagemaker ListEndpoints": 100,
    "sqs SendMessageBatch": 10,
    "cloudwatch PutMetricData": 500,
    "cloudwatch GetMetricData": 500,
    # What rang at the last look is one object.
    "s3 GetObject": MODELS,
}


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch, page_items=None) as world:
        yield world


@pytest.mark.parametrize("tick", [*TICKS, WATCH])
def test_the_calls_of_a_tick_grow_by_pages(world, tick):
    calls = calls_of(tick, fleet(world, MODELS))
    assert calls <= Counter({call: ceil(MODELS / models) for call, models in OF_A_CALL.items()})
    assert calls.total() < MODELS / 3


def test_a_quiet_hour_sends_nothing_for_any_model(world):
    assert calls_of("a quiet hour", fleet(world, MODELS)).keys() == {
        "dynamodb Query",
        "dynamodb BatchGetItem",
        "sagemaker ListEndpoints",
    }
