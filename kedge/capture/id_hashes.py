"""Row ids as hashes of eight bytes: millions of known ids in little memory, equal hashes told apart by the texts, and samples of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.arrays import Bools, Hashes, Ints

HASH_BYTES = 8
# Texts of Python are several times as large as those of Arrow: these are held at a time.
_HASHED_AT_ONCE = 65_536


def hash_ids(ids: Any) -> Hashes:
    """The hash of each id: the first eight bytes that BLAKE2b gives, on every machine and in every version.

    >>> hash_ids(pa.array(["a", "b", "a"])).tolist() == [*hash_ids(pa.array(["a", "b"])).tolist(), hash_ids(pa.array(["a"]))[0]]
    True
    """
    found = np.empty(len(ids), np.uint64)
    for start in range(0, len(ids), _HASHED_AT_ONCE):
        texts = ids.slice(start, _HASHED_AT_ONCE).to_pylist()
        digests = b"".join([blake2b(text.encode(), digest_size=HASH_BYTES).digest() for text in texts])
        found[start : start + len(texts)] = np.frombuffer(digests, "<u8")
    return found


def in_sample(hashes: Hashes, percentages: Ints | int) -> Bools:
    """Whether each row is counted where this percentage of all is. A smaller sample is a part of each larger one.

    The hash is another one than a retraining chooses by (`kedge.retraining.selection`): an even part of a sample is even.

    Parameters
    ----------
    hashes : ndarray of uint64, shape (n_rows,)
        Of the rows' ids (`hash_ids`).
    percentages : int, or ndarray of int, shape (n_rows,)
        From 1 to 100.

    >>> in_sample(np.array([0, 2**62, 2**64 - 1], np.uint64), 25).tolist()
    [True, False, False]
    >>> in_sample(np.array([2**64 - 1] * 2, np.uint64), np.array([99, 100])).tolist()
    [False, True]
    """
    last = np.array([2 ** (8 * HASH_BYTES) * percentage // 100 - 1 for percentage in range(1, 101)], np.uint64)
    return np.asarray(hashes <= last[np.asarray(percentages) - 1])


def encode_hashes(hashes: Hashes) -> bytes:
    """Write the hashes of a part, sorted."""
    return np.sort(hashes).astype("<u8").tobytes()


def decode_hashes(data: bytes) -> Hashes:
    """Read what `encode_hashes` wrote."""
    return np.frombuffer(data, "<u8").astype(np.uint64, copy=False)


class WaitingIds:
    """Which of many new ids were counted before, or come more than once, known by their hashes alone.

    >>> batches, counted = [pa.array(["a", "b"]), pa.array(["b", "c"])], pa.array(["c", "d"])
    >>> waiting = WaitingIds([hash_ids(ids) for ids in batches])
    >>> waiting.meet(np.sort(hash_ids(counted)), lambda: counted)
    >>> [waiting.new(ids, hash_ids(ids)).tolist() for ids in batches]
    [[True, True], [False, False]]
    """

    def __init__(self, batches: Sequence[Hashes]) -> None:
        self._hashes = np.sort(np.concatenate(batches))
        # Only these are looked at as texts.
        self._odd = [np.unique(self._hashes[1:][self._hashes[1:] == self._hashes[:-1]])]
        self._counted = list[Any]()

    def meet(self, known: Hashes, texts: Callable[[], Any]) -> None:
        """Note the ids that stand among others, which were counted before.

        Parameters
        ----------
        known : ndarray of uint64, shape (n_ids,)
            The others' hashes, sorted.
        texts : callable
            The others themselves, as an array; asked for only where a hash is among them.
        """
        shared = in_both(self._hashes, known)
        if len(shared):
            self._odd.append(shared)
            ids = texts()
            self._counted.append(ids.filter(pa.array(stand_in(hash_ids(ids), shared))))

    def new(self, ids: Any, hashes: Hashes) -> Bools:
        """Which rows of the next batch are the first with their id; from now on these are counted too."""
        found, odd = np.ones(len(ids), bool), np.unique(np.concatenate(self._odd))
        places = np.flatnonzero(stand_in(hashes, odd))
        if len(places):
            asked = ids.take(pa.array(places))
            seen = pa.chunked_array(self._counted, pa.string())
            found[places] = first_of_each(asked) & ~pc.is_in(asked, value_set=seen).to_numpy(zero_copy_only=False)
            self._counted.append(asked.filter(pa.array(found[places])))
        return found


def first_of_each(ids: Any) -> Bools:
    """Which rows are the first with their id.

    >>> first_of_each(pa.array(["a", "b", "a"])).tolist()
    [True, True, False]
    """
    _, first = np.unique(pc.dictionary_encode(ids).indices.to_numpy(), return_index=True)
    found = np.zeros(len(ids), bool)
    found[first] = True
    return found


def in_both(some: Hashes, others: Hashes) -> Hashes:
    """Hashes that stand in both, each sorted: the fewer are looked up among the more."""
    few, many = sorted((some, others), key=len)
    return np.unique(few[stand_in(few, many)])


def stand_in(hashes: Hashes, known: Hashes) -> Bools:
    """Which hashes are among those that are known, sorted.

    >>> stand_in(np.array([9, 1, 3], np.uint64), np.array([1, 2, 9], np.uint64)).tolist()
    [True, True, False]
    """
    if not len(known):
        return np.zeros(len(hashes), bool)
    places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return np.asarray(known[places] == hashes)
