"""Row ids as hashes of eight bytes: millions of known ids in little memory, and equal hashes told apart by the texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.arrays import Bools, Hashes

HASH_BYTES = 8


def hash_ids(ids: Any) -> Hashes:
    """The hash of each id: the first eight bytes that BLAKE2b gives, on every machine and in every version.

    >>> hash_ids(pa.array(["a", "b", "a"])).tolist() == [*hash_ids(pa.array(["a", "b"])).tolist(), hash_ids(pa.array(["a"]))[0]]
    True
    """
    digests = (blake2b(text.encode(), digest_size=HASH_BYTES).digest() for text in ids.to_pylist())
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def encode_hashes(hashes: Hashes) -> bytes:
    """Write the hashes of a part, sorted."""
    return np.sort(hashes).astype("<u8").tobytes()


def decode_hashes(data: bytes) -> Hashes:
    """Read what `encode_hashes` wrote."""
    return np.frombuffer(data, "<u8").astype(np.uint64, copy=False)


def first_of_each(ids: Any) -> Bools:
    """Which rows are the first with their id.

    >>> first_of_each(pa.array(["a", "b", "a"])).tolist()
    [True, True, False]
    """
    _, first = np.unique(pc.dictionary_encode(ids).indices.to_numpy(), return_index=True)
    found = np.zeros(len(ids), bool)
    found[first] = True
    return found


def counted_before(
    ids: Any, parts: Iterable[str], hashes: Callable[[str], Hashes], texts: Callable[[str], Any]
) -> Bools:
    """Which ids stand in any of the parts.

    Parameters
    ----------
    ids : Array
    hashes : callable
        The sorted hashes of a part's ids.
    texts : callable
        The ids of a part themselves, as an array; asked for only where a hash is in it.

    >>> known = {"p": pa.array(["a", "c"])}
    >>> counted_before(pa.array(["a", "b"]), known, lambda part: np.sort(hash_ids(known[part])), known.get).tolist()
    [True, False]
    """
    mine = hash_ids(ids)
    order = np.argsort(mine)
    ordered, found = mine[order], np.zeros(len(mine), bool)
    for part in parts:
        asked = order[_stand_in(ordered, hashes(part))]
        asked = asked[~found[asked]]
        if len(asked):
            found[asked] = pc.is_in(ids.take(pa.array(asked)), value_set=texts(part)).to_numpy(zero_copy_only=False)
    return found


def _stand_in(hashes: Hashes, known: Hashes) -> Bools:
    if not len(known):
        return np.zeros(len(hashes), bool)
    places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return np.asarray(known[places] == hashes)
