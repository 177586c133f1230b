"""Which capture objects a day has counted, and with which content: two hashes of eight bytes for each, and no names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from kedge.arrays import Bools, Hashes

_HASH_BYTES = 8
_TURN = 2**64
# More of them than this are kept in files beside the day, so that the day stays small: its readers hardly ever need them.
HELD_MAX = 20_000


def hash_objects(etags: Iterable[tuple[str, str]]) -> Hashes:
    """The hashes of objects, a row each: the first of the key alone, the second of key and ETag.

    >>> one, replaced = hash_objects([("a", "1"), ("a", "2")])
    >>> (one == replaced).tolist()
    [True, False]

    Parameters
    ----------
    etags : iterable of (str, str)
        Key and ETag of each object.

    Returns
    -------
    ndarray of uint64, shape (n_objects, 2)
    """
    texts = (text for key, etag in etags for text in (key, f"{key}\n{etag}"))
    digests = b"".join(blake2b(text.encode(), digest_size=_HASH_BYTES).digest() for text in texts)
    return decode_objects(digests)


def encode_objects(hashes: Hashes) -> bytes:
    """Write the hashes of objects, in their order; the same objects give the same bytes."""
    return np.ascontiguousarray(hashes[np.argsort(hashes[:, 1])]).astype("<u8").tobytes()


def decode_objects(data: bytes) -> Hashes:
    """Read what `encode_objects` wrote."""
    return np.frombuffer(data, "<u8").astype(np.uint64, copy=False).reshape(-1, 2)


def _none() -> Hashes:
    return np.empty((0, 2), np.uint64)


@dataclass(frozen=True)
class CountedObjects:
    """The capture objects that are counted in a day, as the day keeps them. Those of the same objects are equal.

    Attributes
    ----------
    count : int
        How many objects.
    fingerprint : int
        The sum of all second hashes modulo 2**64: the same for the same objects, in whatever order they were counted.
    held : ndarray of uint64, shape (n_held, 2)
        The hashes of some of them.
    files : tuple of str
        Keys of the files with the hashes of all others.
    """

    count: int = 0
    fingerprint: int = 0
    held: Hashes = field(default_factory=_none, compare=False, repr=False)
    files: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, etags: Mapping[str, str]) -> CountedObjects:
        """Those with these ETags, by key.

        >>> CountedObjects.of({"a": "1"}).plus(CountedObjects.of({"b": "2"})) == CountedObjects.of({"b": "2", "a": "1"})
        True
        """
        held = hash_objects(etags.items())
        return cls(len(held), int(held[:, 1].sum(dtype=np.uint64)), held)

    def plus(self, others: CountedObjects) -> CountedObjects:
        """With other objects, all of them new."""
        return CountedObjects(
            self.count + others.count,
            (self.fingerprint + others.fingerprint) % _TURN,
            np.concatenate([self.held, others.held]),
            (*self.files, *others.files),
        )

    def moved_to(self, file: str) -> CountedObjects:
        """With the hashes that it holds in a file."""
        return CountedObjects(self.count, self.fingerprint, files=(*self.files, file))


class KnownObjects:
    """The counted objects of a day, to be looked up: about 17 bytes each, and twice that while they are put in order.

    >>> known = KnownObjects([hash_objects([("a", "1"), ("b", "2")])])
    >>> known.has_counted("a", "1"), known.has_counted("a", "9"), known.has_counted("c", "1")
    (True, False, False)

    Parameters
    ----------
    hashes : iterable of ndarray of uint64, shape (n_objects, 2)
        Of all of them, in any order.
    """

    def __init__(self, hashes: Iterable[Hashes]) -> None:
        found = [_none(), *hashes]
        keys, contents = (np.concatenate([each[:, column] for each in found]) for column in (0, 1))
        del found
        order = np.argsort(keys)
        self._keys = keys[order]
        # Each is let go before the next is put in order: there may be millions.
        del keys
        self._contents = contents[order]
        self._seen = np.zeros(len(order), bool)

    def look_up(self, objects: Mapping[str, str]) -> tuple[Bools, Bools]:
        """Which of some objects were counted, and which of them with the same content; those that were are seen from now on.

        Parameters
        ----------
        objects : mapping of str to str
            ETags by key.
        """
        hashes = hash_objects(objects.items())
        if not len(self._keys):
            return np.zeros(len(hashes), bool), np.zeros(len(hashes), bool)
        places = np.minimum(np.searchsorted(self._keys, hashes[:, 0]), len(self._keys) - 1)
        is_there = self._keys[places] == hashes[:, 0]
        self._seen[places[is_there]] = True
        return is_there, is_there & (self._contents[places] == hashes[:, 1])

    def has_counted(self, key: str, etag: str) -> bool:
        """Whether an object is counted with this content."""
        return bool(self.look_up({key: etag})[1][0])

    @property
    def are_all_seen(self) -> bool:
        """Whether each one has been looked up: one that a whole listing did not show has vanished."""
        return bool(self._seen.all())
