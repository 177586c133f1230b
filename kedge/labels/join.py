"""Ids found among others, and answers joined in memory with the labels of their ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kedge.arrays import Ints
from kedge.labels.fold import in_schema, label_schema, last_collected
from kedge.own_columns import ROW_ID, SOURCE

Words = list[NDArray[np.uint64]]
_WORD_BYTES = 8
# Odd numbers that mix the words of an id.
_FACTORS = np.random.Generator(np.random.PCG64(20160104)).integers(0, 2**63, 64, np.uint64) * np.uint64(2) + np.uint64(
    1
)


def all_different(ids: Any) -> bool:
    """Whether every id occurs once.

    Ids of one length, such as generated ones, are compared by sums of their words. If two sums are equal, or ids have several lengths,
    the texts are compared.

    Parameters
    ----------
    ids : Array or ChunkedArray
        Strings without nulls.

    >>> all_different(pa.array(["a", "b"])), all_different(pa.array(["a", "b", "a"])), all_different(pa.array(["a", "ab"]))
    (True, False, True)
    """
    whole = _whole(ids)
    width = _width(whole)
    if width is not None:
        sums = np.sort(_sums(_words(whole, width)))
        if not (sums[1:] == sums[:-1]).any():
            return True
    return len(pc.unique(whole)) == len(whole)


def places_of(ids: Any, known: Any) -> Ints:
    """The place of each id among known ones; -1 for an unknown id.

    The same as `pyarrow.compute.index_in`, which fills and reads a table of a million texts all over memory. Here ids of one length
    are sorted by sums of their words, known ones first, so that an id follows its possible match; then the texts are compared.

    Parameters
    ----------
    ids, known : Array or ChunkedArray
        Strings without nulls; the known ones all different.

    >>> places_of(pa.array(["b", "x", "b"]), pa.array(["a", "b"])).tolist()
    [1, -1, 1]
    """
    ids, known = _whole(ids), _whole(known)
    width = _width(ids)
    if width is None or width != _width(known):
        return _searched(ids, known)
    places = _places_by_sum(_sums(_words(ids, width)), _sums(_words(known, width)))
    there = np.flatnonzero(places >= 0)
    if not len(there):
        return places
    strangers = there[_differ(_texts(ids, width), there, _texts(known, width), places[there])]
    if len(strangers):
        places[strangers] = _searched(ids.take(pa.array(strangers)), known)
    return places


def last_answers(row_ids: Any, times: NDArray[np.float64], answers: Any) -> tuple[Ints, int]:
    """Places of each id's last answer, in their own order, and how many earlier answers differ from it.

    Parameters
    ----------
    row_ids, answers : Array or ChunkedArray
    times : ndarray of float, shape (n_rows,)
        When each row was answered; if several have the same time, the last in order counts.

    >>> places, conflicting = last_answers(pa.array(["a", "b", "a"]), np.array([0.0, 1.0, 2.0]), pa.array([0.1, 0.5, 0.9]))
    >>> places.tolist(), conflicting
    ([1, 2], 1)
    """
    ids = _whole(row_ids)
    if all_different(ids):
        return np.arange(len(ids)), 0
    codes = pc.dictionary_encode(ids).indices.to_numpy()
    order = np.lexsort((times, codes))
    last = np.append(codes[order][1:] != codes[order][:-1], True)
    said = pc.dictionary_encode(_whole(answers))
    spoken = pc.fill_null(said.indices, -1).to_numpy(zero_copy_only=False)[order]
    # Each row's own id has its last answer at the next place that ends a run.
    ends = np.flatnonzero(last)
    of_last = spoken[ends[np.searchsorted(ends, np.arange(len(order)))]]
    return np.sort(order[last]), int((spoken != of_last).sum())


def _whole(column: Any) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _searched(ids: Any, known: Any) -> Ints:
    return np.array(pc.fill_null(pc.index_in(ids, value_set=known), -1).to_numpy(zero_copy_only=False), np.int64)


def _places_by_sum(mine: NDArray[np.uint64], theirs: NDArray[np.uint64]) -> Ints:
    """For each sum the place of the first of theirs with nearly that sum; -1 if there is none."""
    rows = len(mine) + len(theirs)
    bits = np.uint64(rows.bit_length())
    # The upper bits of a sum, then its place: one sort puts equal ones together, theirs first.
    keys = (np.concatenate([theirs, mine]) >> bits << bits) | np.arange(rows, dtype=np.uint64)
    keys.sort()
    stands = (keys & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64)
    keys >>= bits
    begins = np.append(True, keys[1:] != keys[:-1])[:rows]
    head = stands[np.flatnonzero(begins)][np.cumsum(begins) - 1]
    places = np.full(rows, -1, np.int64)
    places[stands] = np.where(head < len(theirs), head, -1)
    return places[len(theirs) :]


def _sums(words: Words) -> NDArray[np.uint64]:
    found = np.zeros(len(words[0]), np.uint64)
    for word, factor in zip(words, _FACTORS, strict=False):
        found = (found ^ word) * factor
        found ^= found >> np.uint64(29)
    # The last factor moves differences upwards only, and the upper bits are compared.
    return np.asarray(found * _FACTORS[-1])


def _width(ids: Any) -> int | None:
    """Bytes of each text; None if they do not have one length, or if it is too short or too long to be worth it."""
    if not len(ids) or not pa.types.is_string(ids.type) or ids.null_count:
        return None
    ends = np.frombuffer(ids.buffers()[1], np.int32)[ids.offset : ids.offset + len(ids) + 1]
    width = int(ends[1] - ends[0])
    return width if _WORD_BYTES <= width < _WORD_BYTES * len(_FACTORS) and (np.diff(ends) == width).all() else None


def _texts(ids: Any, width: int) -> Any:
    """The texts of one length as Arrow's binary values of that length."""
    first = int(np.frombuffer(ids.buffers()[1], np.int32)[ids.offset])
    content = ids.buffers()[2].slice(first, len(ids) * width)
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(ids), [None, content])


def _words(ids: Any, width: int) -> Words:
    """The texts of one length as numbers of eight bytes each."""
    # The last word ends with the id, so that every byte is in a word.
    starts = (*range(0, width - _WORD_BYTES, _WORD_BYTES), width - _WORD_BYTES)
    content = _texts(ids, width).buffers()[1]
    return [np.ndarray(len(ids), np.uint64, content, start, (width,)) for start in starts]


def _differ(ids: Any, mine: Ints, known: Any, theirs: Ints) -> NDArray[np.bool_]:
    """Which pairs of texts differ."""
    width = ids.type.byte_width
    own, other = (
        np.frombuffer(texts.take(pa.array(places)).buffers()[1], np.uint8)[: len(places) * width]
        for texts, places in ((ids, mine), (known, theirs))
    )
    if np.array_equal(own, other):
        return np.zeros(len(mine), bool)
    return np.asarray((own != other).reshape(-1, width).any(axis=1))


def join_labels(answered: pa.Table, labels: Iterable[pa.Table], fields: Sequence[str]) -> pa.Table:
    """Join each answer with the label of its id, as both engines return it: a row for each answer, repeated ids included.

    Parameters
    ----------
    answered : Table
        `kedge_row_id`, `kedge_time` and any other columns.
    labels : iterable of Table
        Objects of label days in their order. If an id has several labels, the one collected last counts; if they were collected at
        once, the one with the greater source, then that of the later object.
    fields : sequence of str
        The extra fields of the label records.

    Returns
    -------
    Table
        The answers, then `label`, `kedge_collected` and `kedge_field_<name>` for each extra field; null without a label.

    >>> at = pa.array([0], pa.timestamp("us", "UTC"))
    >>> day = pa.table({"kedge_row_id": ["b"], "label": ["1"], "kedge_collected": at, "kedge_source": ["k"]})
    >>> join_labels(pa.table({"kedge_row_id": ["a", "b"], "kedge_time": [0, 0]}), [day], []).column("label").to_pylist()
    [None, '1']
    """
    nothing = _source_packed(label_schema(fields).empty_table())
    known = pa.concat_tables([nothing, *(_source_packed(in_schema(day, label_schema(fields))) for day in labels)])
    known = known.combine_chunks()
    if not all_different(known.column(ROW_ID)):
        known = last_collected(known)
    places = places_of(answered.column(ROW_ID), known.column(ROW_ID))
    found = known.drop_columns([ROW_ID, SOURCE]).take(pa.array(places, mask=places < 0))
    return pa.table([*answered.columns, *found.columns], schema=pa.schema([*answered.schema, *found.schema]))


def of_ids(labels: Iterable[pa.Table], ids: Any) -> Iterator[pa.Table]:
    """Of labels those that have one of some ids: as many as the ids, however many labels there are.

    >>> [few.num_rows for few in of_ids([pa.table({"kedge_row_id": ["a", "b"]})], pa.array(["b", "c"]))]
    [1]
    """
    for each in labels:
        yield each.filter(pc.is_in(each.column(ROW_ID), value_set=_whole(ids)))


def _source_packed(labels: pa.Table) -> pa.Table:
    """Each source's text once: few files hold many labels."""
    place = labels.column_names.index(SOURCE)
    return labels.set_column(place, SOURCE, pc.dictionary_encode(labels.column(SOURCE)))


def seconds_of(times: Any) -> NDArray[np.float64]:
    """Seconds since the epoch of a column of timestamps; NaN without one."""
    micros = times.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).cast(pa.float64(), safe=False)
    return np.asarray(micros.to_numpy()) / 1e6
