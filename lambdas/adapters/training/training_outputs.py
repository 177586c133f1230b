"""What a training job left beside its model: single members of output.tar.gz, read without unpacking it."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from typing import Any

from botocore.exceptions import ClientError

from kedge.drift.importance import LARGEST_BYTES
from kedge.errors import UnreadableImportanceError

IMPORTANCE = "importance.json"
# What lies behind so much of the unpacked archive is not looked for: plots and checkpoints may be of any size.
SEARCHED_BYTES = 256 << 20
_STRETCH_BYTES = 1 << 20
_WITHOUT_CONTENT = (
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
)


def load_importance(s3: Any, artefact_uri: str, *, searched_bytes: int = SEARCHED_BYTES) -> bytes | None:
    """The job's importance.json, from the archive beside the model's; None where there is none."""
    bucket, _, key = artefact_uri.removeprefix("s3://").partition("/")
    try:
        body = s3.get_object(Bucket=bucket, Key=f"{key.rpartition('/')[0]}/output.tar.gz")["Body"]
    except ClientError as error:
        # SageMaker writes no archive for a job that left nothing.
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise
    try:
        return _member(body, searched_bytes)
    except (tarfile.TarError, zlib.error, OSError, EOFError) as error:
        raise UnreadableImportanceError(reason="output.tar.gz is no complete archive") from error


def _member(body: Any, searched_bytes: int) -> bytes | None:
    """Read headers alone until the file's own: `tarfile` would hold a name of 2 GB in memory, this reads no name but the header's."""
    place = 0
    with gzip.GzipFile(fileobj=body) as archive:
        while True:
            header = archive.read(tarfile.BLOCKSIZE)
            if (header or place) and not header.strip(b"\0"):
                return None
            member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
            size = 0 if member.type in _WITHOUT_CONTENT else member.size
            place += tarfile.BLOCKSIZE + size
            # Behind the header of a sparse file more of it may follow: no training job writes one.
            if size < 0 or place > searched_bytes or member.issparse():
                return None
            if member.isfile() and member.name.rpartition("/")[2] == IMPORTANCE:
                # A byte more than may be there shows that there is more.
                return _whole(archive, min(size, LARGEST_BYTES + 1))
            for start in range(0, size + -size % tarfile.BLOCKSIZE, _STRETCH_BYTES):
                _whole(archive, min(size + -size % tarfile.BLOCKSIZE - start, _STRETCH_BYTES))


def _whole(archive: gzip.GzipFile, size: int) -> bytes:
    content = archive.read(size)
    if len(content) < size:
        raise EOFError
    return content
