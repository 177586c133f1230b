"""A reference's slice counts as bytes, sparse: most groups of most pairs use few cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kedge.profile.encoding import decode, encode
from kedge.slices.counts import SliceCounts, SliceTable, no_slices
from kedge.slices.groupings import Grouping
from kedge.slices.ruler import SliceRuler


def encode_slices(counts: SliceCounts) -> bytes:
    """Write slice counts with their ruler; the same counts give the same bytes."""
    ruler, names = counts.ruler, sorted(counts.tables)
    header = {
        "problem": ruler.problem,
        "groupings": [
            {k: v for k, v in asdict(grouping).items() if k not in ("hidden", "mark_key")}
            for grouping in ruler.groupings
        ],
        "edges": list(ruler.edges),
        "classes": ruler.classes,
        "tables": [list(name) for name in names],
    }
    arrays: dict[str, NDArray[Any]] = {}
    for part in ("counts", "sums"):
        flat = _flat([getattr(counts.tables[name], part) for name in names])
        used = np.flatnonzero(flat)
        arrays |= {f"{part}_cells": used.astype(np.uint32), part: flat[used]}
    return encode("slices", header, arrays.items())


def decode_slices(data: bytes) -> SliceCounts:
    """Read slice counts."""
    return decode("slices", data, _slices)


def _slices(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> SliceCounts:
    groupings = tuple(
        Grouping(g["column"], g["kind"], tuple(g["edges"]), tuple(g["levels"]), g.get("known", 0))
        for g in header["groupings"]
    )
    ruler = SliceRuler(header["problem"], groupings, tuple(header["edges"]), header["classes"])
    names = [tuple(name) for name in header["tables"]]
    empty = [no_slices(ruler, name) for name in names]
    parts = {part: _filled([getattr(t, part) for t in empty], arrays, part) for part in ("counts", "sums")}
    tables = {
        name: SliceTable(table.names, parts["counts"][i], parts["sums"][i])
        for i, (name, table) in enumerate(zip(names, empty, strict=True))
    }
    return SliceCounts(ruler, tables)


def _flat(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate([part.ravel() for part in parts]) if parts else np.empty(0)


def _filled(empty: Sequence[NDArray[Any]], arrays: Mapping[str, NDArray[Any]], part: str) -> list[NDArray[Any]]:
    flat = _flat(empty)
    flat[arrays[f"{part}_cells"]] = arrays[part]
    ends = np.cumsum([table.size for table in empty])[:-1]
    return [cells.reshape(table.shape) for cells, table in zip(np.split(flat, ends), empty, strict=True)]
