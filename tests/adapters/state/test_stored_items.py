"""What deployed versions left in the state table can be read."""

import pytest

from tests.stored_samples import ITEMS, stored_item


@pytest.mark.parametrize("name", ITEMS)
def test_an_item_that_an_earlier_version_wrote_means_what_it_meant(name):
    assert ITEMS[name].read(stored_item(name)) == ITEMS[name].means


@pytest.mark.parametrize("name", ITEMS)
def test_an_item_that_this_version_writes_means_the_same(name):
    assert ITEMS[name].read(ITEMS[name].written()) == ITEMS[name].means


@pytest.mark.parametrize("name", ITEMS)
def test_a_field_that_a_later_version_adds_is_passed_over(name):
    assert ITEMS[name].read(stored_item(name) | {"added_later": {"S": "x"}}) == ITEMS[name].means
