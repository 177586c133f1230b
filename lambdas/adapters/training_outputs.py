"""What a training job left beside its model: single members of output.tar.gz, read without unpacking it."""

from __future__ import annotations

import tarfile
from typing import Any

from botocore.exceptions import ClientError

from kedge.errors import UnreadableImportanceError
from kedge.importance import LARGEST_BYTES

IMPORTANCE = "importance.json"
# What lies behind so much of the unpacked archive is not looked for: plots and checkpoints may be of any size.
SEARCHED_BYTES = 256 << 20


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
    except (tarfile.TarError, OSError, EOFError) as error:
        raise UnreadableImportanceError(reason="output.tar.gz is no complete archive") from error


def _member(body: Any, searched_bytes: int) -> bytes | None:
    with tarfile.open(fileobj=body, mode="r|gz") as archive:
        for member in archive:
            if member.offset_data + member.size > searched_bytes:
                return None
            if member.isfile() and member.name.rpartition("/")[2] == IMPORTANCE:
                content = archive.extractfile(member)
                # A byte more than may be there shows that there is more.
                return content.read(LARGEST_BYTES + 1) if content is not None else None
    return None
