import threading

import pytest

from cli.rows.ahead import ahead


def test_the_next_item_is_made_while_one_is_worked_on():
    second_was_made = threading.Event()

    def items():
        yield 1
        second_was_made.set()
        yield 2

    found = ahead(items())
    assert next(found) == 1
    assert second_was_made.wait(timeout=30)
    assert list(found) == [2]


def test_an_error_comes_behind_the_items_before_it():
    def items():
        yield 1
        raise ValueError("broken")

    found = ahead(items())
    assert next(found) == 1
    with pytest.raises(ValueError, match="broken"):
        next(found)


def test_whoever_stops_early_closes_what_makes_the_items():
    closed = []

    def items():
        try:
            yield from range(5)
        finally:
            closed.append(True)

    found = ahead(items())
    assert next(found) == 0
    found.close()
    assert closed == [True]
