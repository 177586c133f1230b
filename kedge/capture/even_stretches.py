"""A sample of a stated size from objects of any size: stretches of bytes, even over all that they hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Stretch(NamedTuple):
    """Bytes of one object, from `start` up to `end`."""

    key: str
    start: int
    end: int


def even_stretches(sizes: Mapping[str, int], *, budget: int, stretch: int) -> list[Stretch]:
    """Choose stretches of about `budget` bytes together, at even distances over the objects in the order of their names.

    Of objects that are named by their time, and written as fast as requests come, this is a sample that is even over
    the requests. Objects that together are no larger than the budget are chosen whole.

    Parameters
    ----------
    sizes : mapping of str to int
        Bytes of each object.
    budget, stretch : int
        Bytes of the sample, and of one of its stretches.

    >>> even_stretches({"a": 5, "b": 3}, budget=8, stretch=2)
    [Stretch(key='a', start=0, end=5), Stretch(key='b', start=0, end=3)]
    >>> even_stretches({"a": 60, "b": 40}, budget=4, stretch=2)
    [Stretch(key='a', start=25, end=27), Stretch(key='b', start=15, end=17)]
    """
    ordered, total = sorted(sizes.items()), sum(sizes.values())
    if total <= budget:
        return [Stretch(key, 0, size) for key, size in ordered]
    count = max(budget // stretch, 1)
    chosen, begins = dict[Stretch, None](), 0
    places = iter([(2 * n + 1) * total // (2 * count) for n in range(count)])
    place = next(places, None)
    for key, size in ordered:
        while place is not None and place < begins + size:
            # What would reach over the end of its object begins earlier: small objects are chosen whole, once.
            start = max(min(place - begins, size - stretch), 0)
            chosen[Stretch(key, start, min(start + stretch, size))] = None
            place = next(places, None)
        begins += size
    return list(chosen)
