"""Where rows are: files, the files of a folder, and objects in S3; opened for Arrow, one at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from kedge.errors import RefusedError

S3 = "s3://"
NO_ROWS = "it has no rows; check the program that writes it, or name another file"
NO_COLUMNS = (
    "the file is empty, it has neither columns nor rows; check the program that writes it, or name another file"
)


class UnreadableFileError(RefusedError):
    """A file cannot be read as rows."""

    def __init__(self, *, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path


@dataclass(frozen=True)
class RowSource:
    """One file or object: its name as it is told to people, its bytes, how Arrow opens it, and the columns that its folders name.

    `names` are the columns of a CSV file without a header line; where there are none, they are numbered.
    """

    name: str
    size: int
    open: Callable[[], Any]
    partitions: tuple[tuple[str, str | None], ...] = ()
    header: bool = True
    names: tuple[str, ...] = ()


_PARTITION = re.compile(r"([^=]+)=(.*)")
# What Hive writes for a value that is not there.
_NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"


def named_columns(said: str | None) -> tuple[str, ...]:
    """The names that an option lists.

    >>> named_columns("label, age")
    ('label', 'age')
    """
    return tuple(name.strip() for name in said.split(",")) if said else ()


def partitions_of(below: str) -> tuple[tuple[str, str | None], ...]:
    """The columns that folders name, `region=eu/day=1/rows.parquet`.

    >>> partitions_of("region=eu/day=1/rows.parquet")
    (('region', 'eu'), ('day', '1'))
    """
    folders = (_PARTITION.fullmatch(part) for part in PurePosixPath(below).parts[:-1])
    return tuple((f[1], None if f[2] == _NO_PARTITION else unquote(f[2])) for f in folders if f)


def find_sources(place: str, endings: Sequence[str]) -> tuple[RowSource, ...]:
    """Every file or object behind a path, a folder or an `s3://` address whose name ends in one of these, by name."""
    if place.startswith(S3):
        return _in_s3(place, endings)
    path = Path(place)
    if not path.exists():
        raise UnreadableFileError(path=place, reason="there is no such file or folder")
    # A single file is read as named; in a folder, other files are left out.
    found = [file for file in sorted(path.rglob("*")) if not file.name.startswith((".", "_"))]
    files = found if path.is_dir() else [path]
    named = [file for file in files if file.is_file() and file.name.lower().endswith(tuple(endings))]
    base = path if path.is_dir() else path.parent
    return tuple(
        RowSource(
            str(f), f.stat().st_size, partial(pa.OSFile, str(f), "r"), partitions_of(f.relative_to(base).as_posix())
        )
        for f in named
    )


def _in_s3(place: str, endings: Sequence[str]) -> tuple[RowSource, ...]:
    # Here, because boto3 takes longer to import than a file to judge.
    from lambdas.adapters import clients
    from lambdas.adapters.bucket.row_objects import list_sizes, open_object

    bucket, _, prefix = place.removeprefix(S3).partition("/")
    if not bucket:
        raise UnreadableFileError(path=place, reason="it names no bucket; write s3://bucket/prefix")
    s3 = clients.s3()
    sizes = list_sizes(s3, bucket, prefix)
    folder = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    # A prefix is not a folder: s3://b/day=1 must not find objects below day=10.
    keys = [key for key in sorted(sizes) if key == prefix or key.startswith(folder)]
    if not keys:
        raise UnreadableFileError(path=place, reason="there is no such object or prefix")
    named = [key for key in keys if key.lower().endswith(tuple(endings))]

    def opened(key: str) -> Any:
        return pa.PythonFile(open_object(s3, bucket, key), mode="r")

    return tuple(
        RowSource(f"{S3}{bucket}/{key}", sizes[key], partial(opened, key), partitions_of(key.removeprefix(folder)))
        for key in named
    )
