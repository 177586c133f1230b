"""Many items of the state table are read in few calls, and none is lost on the way."""

import pytest

from lambdas.adapters.state import standing, state_items
from lambdas.adapters.state.standing import Standing
from offline import paging
from tests.adapters.state_table import TABLE, state_table

MODELS = [f"m{number:03}" for number in range(230)]


@pytest.fixture
def dynamodb():
    with state_table() as client:
        yield client


def put(dynamodb, model: str, item: str) -> None:
    dynamodb.put_item(TableName=TABLE, Item={"model": {"S": model}, "item": {"S": item}})


def test_a_hundred_items_are_read_in_a_call(dynamodb):
    for model in MODELS[1:]:
        put(dynamodb, model, "champion")
    asked = []
    dynamodb.meta.events.register("provide-client-params.dynamodb", lambda model, **_: asked.append(model.name))
    found = state_items.load_items(dynamodb, TABLE, [(model, "champion") for model in MODELS])
    assert sorted(found) == [(model, "champion") for model in MODELS[1:]]
    assert asked == ["BatchGetItem"] * 3


def test_what_dynamodb_leaves_unprocessed_is_read_all_the_same():
    with paging.in_pages(2), state_table() as dynamodb:
        for model in MODELS[:5]:
            put(dynamodb, model, "champion")
        found = state_items.load_items(dynamodb, TABLE, [(model, "champion") for model in MODELS[:6]])
    assert sorted(found) == [(model, "champion") for model in MODELS[:5]]


def test_how_a_model_stands_is_read_without_what_is_kept_for_months(dynamodb):
    for item in ("served#1", "start#2016", "told#x", "untold#people#a", "untold#programs#b", "window#2016"):
        put(dynamodb, "m", item)
    put(dynamodb, "other", "untold#people#c")
    read = []
    dynamodb.meta.events.register("after-call.dynamodb.Query", lambda parsed, **_: read.append(parsed["Count"]))
    found = standing.load(dynamodb, TABLE, "m")
    assert [item["item"]["S"] for item in found.untold] == ["untold#people#a", "untold#programs#b"]
    assert found == Standing(None, None, None, None, None, found.untold)
    assert read == [0, 2]
