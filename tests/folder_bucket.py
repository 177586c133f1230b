"""A bucket that is a folder: S3's calls for definitions, which cost next to nothing, so that what is measured is Kedge's own."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.bucket.objects import OWNER
from tests.synthesised import EXAMPLE, example_models

# Whose definitions they are.
STACK = "KedgeModels-1"


def texts_of(models: int) -> dict[str, str]:
    """The example's YAML, as often as there are models, each under a name of its own."""
    text, name = (example_models() / EXAMPLE).read_text(encoding="utf-8"), EXAMPLE.removesuffix(".yaml")
    return {f"m-{number}": text.replace(name, f"m-{number}") for number in range(models)}


class FolderBucket:
    """The part of S3's client that reads and writes definitions; an ETag is a digest, as in a bucket without a key."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def get_object(self, *, Key: str, **_more: str) -> dict[str, Any]:  # noqa: N803  # boto3's names, also below
        """The object."""
        content = self._path(Key, "GetObject").read_bytes()
        return {"Body": io.BytesIO(content), "ETag": _etag(content)}

    def put_object(self, *, Key: str, Body: bytes, **_more: Any) -> dict[str, str]:  # noqa: N803
        """Write the object."""
        path = self.folder / Key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Body)
        return {"ETag": _etag(Body)}

    def head_object(self, *, Key: str, **_more: str) -> dict[str, Any]:  # noqa: N803
        """Whether it is there, and that it is ours."""
        self._path(Key, "HeadObject")
        return {"Metadata": {OWNER: STACK}}

    def _path(self, key: str, operation: str) -> Path:
        path = self.folder / key
        if not path.exists():
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "Not Found"}}, operation)
        return path

    def get_paginator(self, _operation: str) -> FolderBucket:
        """The listing."""
        return self

    def paginate(self, *, Prefix: str, **_more: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        """All objects below a prefix, in one page."""
        paths = sorted((self.folder / Prefix).glob("*"))
        yield {"Contents": [{"Key": f"{Prefix}{path.name}", "ETag": _etag(path.read_bytes())} for path in paths]}


def _etag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
