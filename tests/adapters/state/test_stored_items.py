"""What deployed versions left in the state table can be read, or says what to do about it."""

import pytest

from kedge.errors import EncodingError
from lambdas.adapters.state.state_items import FORMS
from tests.stored_samples import ITEMS, stored_item

# Facts that an item may be without, and whose absence means something.
OPTIONAL = {
    "approval": {"decided_at"},
    "canary": {"done", "table"},
    "experiment": {"began", "read_until"},
    "champion": {"training_end", "previous_package_arn", "earlier"},
    "release": {"previous_config", "rollback", "replaces", "kept"},
    "window": {"performance", "estimate", "confidence", "rows_by_hour", "live"},
}
UNREAD = {"model", "item", "version", "expires_at", "by", "paused_at"}
READ = [
    (name, fact) for name in ITEMS for fact in sorted(stored_item(name).keys() - UNREAD - OPTIONAL.get(name, set()))
]  # fmt: skip


def test_every_kind_of_item_that_has_a_form_has_a_sample():
    assert {*ITEMS} == {*FORMS}


@pytest.mark.parametrize("name", ITEMS)
def test_an_item_that_an_earlier_version_wrote_means_what_it_meant(name):
    assert "version" not in stored_item(name)
    assert ITEMS[name].read(stored_item(name)) == ITEMS[name].means


@pytest.mark.parametrize("name", ITEMS)
def test_an_item_that_this_version_writes_means_the_same_and_says_its_version(name):
    written = ITEMS[name].written()
    assert written["version"] == {"S": str(FORMS[name].version)}
    assert ITEMS[name].read(written) == ITEMS[name].means


@pytest.mark.parametrize("name", ITEMS)
def test_a_field_that_a_later_version_adds_is_passed_over(name):
    for added in ({"S": "x"}, {"N": "1"}):
        assert ITEMS[name].read(stored_item(name) | {"added_later": added}) == ITEMS[name].means


@pytest.mark.parametrize("name", ITEMS)
def test_an_item_of_a_later_version_is_refused_by_its_name_with_what_to_do(name):
    item = stored_item(name)
    with pytest.raises(
        EncodingError,
        match=f"the item {item['item']['S']!r} of m .* version 9.*deploy the newer Kedge.*(delete|restore) the item",
    ):
        ITEMS[name].read(item | {"version": {"S": "9"}})


@pytest.mark.parametrize(("name", "fact"), READ)
def test_an_item_that_lacks_a_fact_is_refused_by_its_name_with_what_to_do(name, fact):
    item = stored_item(name)
    with pytest.raises(
        EncodingError, match=f"the item {item['item']['S']!r} of m .*lacks something.*(delete|restore) the item"
    ):
        ITEMS[name].read({known: value for known, value in item.items() if known != fact})
