"""Baselines, profiles and days as bytes: versioned, compact, the same bytes for the same content, never pickled."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from itertools import accumulate, chain
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kedge.columns.casting import Column
from kedge.errors import EncodingError
from kedge.profile.baseline import Baseline, Profile
from kedge.profile.bins import Bins
from kedge.profile.packed_profiles import PackedProfiles, UsedCells, rows_of, used_cells
from kedge.stored import PACKED, build

T = TypeVar("T")
# Zip keeps a time per member; a fixed one makes the bytes a function of the content.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def encode(kind: str, header: Mapping[str, Any], arrays: Iterable[tuple[str, NDArray[Any]]]) -> bytes:
    """Write a JSON header and arrays, each with its name, as an npz file."""
    sink = io.BytesIO()
    text = json.dumps({"kind": kind, **PACKED[kind].marked(header)}, sort_keys=True, separators=(",", ":"))
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in chain([("header", np.frombuffer(text.encode(), np.uint8))], arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, member.getvalue())
    return sink.getvalue()


def decode(kind: str, data: bytes, build: Callable[[Mapping[str, Any], Mapping[str, NDArray[Any]]], T]) -> T:
    """What `build` makes of the header and arrays that `encode` wrote.

    Raises
    ------
    EncodingError
        If it is of another kind or version, or lacks something.
    """
    arrays = _members(kind, data)
    header = _header(kind, arrays.pop("header", np.empty(0)))
    return PACKED[kind].read(header, lambda found: build(found, arrays))


def decode_header(kind: str, data: bytes, build: Callable[[Mapping[str, Any], bytes], T], file: str) -> T:
    """What `build` makes of the header and of one file inside, empty where there is none; raises as `decode` does."""
    archive = _opened(kind, data)
    found = _read(kind, archive, {"header.npy", f"{file}.npy"} & {*archive.namelist()})
    header = _header(kind, found.pop("header", np.empty(0)))
    return PACKED[kind].read(header, lambda read: build(read, b"".join(array.tobytes() for array in found.values())))


def _members(kind: str, data: bytes) -> dict[str, NDArray[Any]]:
    archive = _opened(kind, data)
    return _read(kind, archive, archive.namelist())


def _opened(kind: str, data: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile as error:
        raise PACKED[kind].incomplete() from error


def _read(kind: str, archive: zipfile.ZipFile, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    try:
        return {
            name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False)
            for name in names
        }
    except (ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise PACKED[kind].incomplete() from error


def _header(kind: str, header: NDArray[Any]) -> dict[str, Any]:
    try:
        read: dict[str, Any] = json.loads(header.tobytes())
        found = (read["kind"], read["version"])
    except (ValueError, KeyError) as error:
        raise PACKED[kind].incomplete() from error
    if found[0] != kind:
        raise PACKED[kind].unreadable(f"a {found[0]} of version {found[1]}")
    return read


def encode_baseline(baseline: Baseline) -> bytes:
    """Write a baseline."""
    header = {
        "model": baseline.model,
        "baseline": baseline.baseline,
        "columns": [asdict(column) for column in baseline.columns],
        "levels": {name: list(bins.levels) for name, bins in baseline.bins.items() if bins.levels},
        "rows": baseline.profile.rows,
        "importance": dict(baseline.importance),
        "design_effects": dict(baseline.design_effects),
    }
    arrays: dict[str, NDArray[Any]] = {"counts": baseline.profile.counts}
    for i, column in enumerate(baseline.columns):
        bins = baseline.bins[column.name]
        arrays |= {f"edges_{i}": bins.edges} if column.is_number else {f"rare_{i}": bins.rare}
    return encode("baseline", header, arrays.items())


def decode_baseline(data: bytes) -> Baseline:
    """Read a baseline."""
    return decode("baseline", data, _baseline)


def _baseline(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Baseline:
    columns = tuple(build(Column, column) for column in header["columns"])
    bins = {
        column.name: Bins(edges=arrays[f"edges_{i}"])
        if column.is_number
        else Bins(levels=tuple(header["levels"].get(column.name, ())), rare=arrays[f"rare_{i}"])
        for i, column in enumerate(columns)
    }
    profile = Profile(header["baseline"], header["rows"], arrays["counts"])
    return Baseline(
        header["model"], header["baseline"], columns, bins, profile, header["importance"], header["design_effects"]
    )


def encode_profiles(
    kind: str, header: Mapping[str, Any], profiles: Mapping[int, Profile], inside: Mapping[str, bytes] | None = None
) -> bytes:
    """Write profiles of one baseline sparsely, each by itself: an hour of five rows uses few cells; `inside` are files within the file."""
    keys = sorted(profiles)
    first = profiles[keys[0]] if keys else None
    facts = {
        "keys": keys,
        "rows": [rows_of(profiles)[key] for key in keys],
        "baseline": first.baseline if first else "",
        "width": len(first.counts) if first else 0,
    }
    files = ((name, np.frombuffer(content, np.uint8)) for name, content in (inside or {}).items())
    return encode(kind, {**header, **facts}, chain(_sparse(profiles, keys), files))


def _sparse(profiles: Mapping[int, Profile], keys: Iterable[int]) -> Iterator[tuple[str, NDArray[Any]]]:
    for key in keys:
        used = used_cells(profiles, key)
        yield f"cells_{key}", used.cells.astype(np.uint32)
        yield f"counts_{key}", used.counts


def decode_profiles(
    kind: str, data: bytes, place: str = ""
) -> tuple[Mapping[str, Any], Mapping[int, Profile], dict[str, bytes]]:
    """Read what `encode_profiles` wrote: the header, the profiles (each unpacked when it is needed), and the files inside.

    Parameters
    ----------
    place : str
        Where the data is stored: the error of a profile that cannot be unpacked names it.
    """
    archive = _opened(kind, data)
    header = _header(kind, _read(kind, archive, ["header.npy"])["header"])
    files = [name for name in archive.namelist() if not name.startswith(("header.", "cells", "counts"))]
    inside = {name: array.tobytes() for name, array in _read(kind, archive, files).items()}
    return header, PACKED[kind].read(header, partial(_profiles, kind, archive, place)), inside


def _profiles(kind: str, archive: zipfile.ZipFile, place: str, header: Mapping[str, Any]) -> Mapping[int, Profile]:
    names, baseline, width = {*archive.namelist()}, header["baseline"], header["width"]
    if "cells.npy" in names:
        return _side_by_side(header, _read(kind, archive, ["cells.npy", "counts.npy"]))
    rows = dict(zip(header["keys"], header["rows"], strict=True))
    if not {f"{array}_{key}.npy" for key in rows for array in ("cells", "counts")} <= names:
        raise PACKED[kind].incomplete()

    def unpack(key: int) -> UsedCells:
        try:
            cells, counts = _read(kind, archive, [f"cells_{key}.npy", f"counts_{key}.npy"]).values()
        except EncodingError as error:
            raise error.at(place) from error
        return UsedCells(baseline, rows[key], cells, counts, width)

    return PackedProfiles(rows, unpack)


def _side_by_side(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Mapping[int, Profile]:
    """The profiles as version 2 kept them: all in one array."""
    baseline, width, ends = header["baseline"], header["width"], accumulate(header["sizes"])
    places = {
        key: (rows, slice(end - size, end))
        for key, rows, size, end in zip(header["keys"], header["rows"], header["sizes"], ends, strict=True)
    }

    def unpack(key: int) -> UsedCells:
        rows, place = places[key]
        return UsedCells(baseline, rows, arrays["cells"][place], arrays["counts"][place], width)

    return PackedProfiles({key: rows for key, (rows, _) in places.items()}, unpack)


def encode_profile(profile: Profile) -> bytes:
    """Write one profile."""
    return encode_profiles("profile", {}, {0: profile})


def decode_profile(data: bytes) -> Profile:
    """Read one profile."""
    return decode_profiles("profile", data)[1][0]
