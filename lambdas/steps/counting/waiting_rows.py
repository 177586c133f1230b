"""Rows that were read and wait, packed, until it is known which of them were counted before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from kedge.arrays import Hashes
from kedge.capture.id_hashes import WaitingIds

# Some hundred thousand rows of twenty columns. The ids of all that a day has counted are read again for each such stretch.
PACKED_BYTES = 64 * 1024 * 1024
# Rows that repeat each other pack to half of that and less, and their hashes do not.
ROWS_MAX = 500_000
_ZSTD = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)


@dataclass(frozen=True)
class WaitingBatch:
    """Some rows, with the hashes of their ids, from where they were read, and the production variant that answered, if there are several."""

    packed: pa.Buffer
    hashes: Hashes
    read: tuple[str, ...]
    variant: str | None

    def table(self) -> pa.Table:
        """The rows."""
        return pa.ipc.open_stream(self.packed).read_all()


@dataclass
class WaitingRows:
    """Batches in the order of reading."""

    batches: list[WaitingBatch] = field(default_factory=list)
    packed_bytes: int = 0
    rows: int = 0

    @property
    def are_many(self) -> bool:
        """Whether as many wait as may."""
        return self.packed_bytes >= PACKED_BYTES or self.rows >= ROWS_MAX

    def add(self, rows: pa.Table, hashes: Hashes, read: tuple[str, ...], variant: str | None) -> None:
        """Let some more rows wait, with the hashes of their ids."""
        if not rows.num_rows:
            return
        packed = _packed(rows)
        self.batches.append(WaitingBatch(packed, hashes, read, variant))
        self.packed_bytes, self.rows = self.packed_bytes + packed.size, self.rows + rows.num_rows

    def ids(self) -> WaitingIds:
        """The ids of all."""
        return WaitingIds([batch.hashes for batch in self.batches])


def _packed(rows: pa.Table) -> Any:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=_ZSTD) as stream:
        stream.write_table(rows)
    return sink.getvalue()
