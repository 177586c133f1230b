"""Objects that are written from front to back, however large: never whole in memory."""

from __future__ import annotations

import hashlib
import io
from typing import Any

# S3 takes 5 MiB or more, and 10,000 parts: 160 GB.
PART_BYTES = 16 * 2**20


class Upload(io.RawIOBase):
    """An object that is there when it is finished; a small one takes one request.

    What is never finished is no object: the bucket's lifecycle rule removes its parts.
    """

    def __init__(self, s3: Any, bucket: str, key: str, *, content_type: str) -> None:
        self._s3, self._which, self._type = s3, {"Bucket": bucket, "Key": key}, content_type
        self._waiting, self._parts, self._upload = bytearray(), list[dict[str, Any]](), dict[str, str]()
        self._digest, self._size = hashlib.sha256(), 0

    @property
    def sha256(self) -> str:
        """Of what has been written, in hexadecimal."""
        return self._digest.hexdigest()

    def writable(self) -> bool:
        """Say so to who writes."""
        return True

    def tell(self) -> int:
        """Bytes that have been written."""
        return self._size

    def write(self, content: Any) -> int:
        """Take the next bytes; whole parts are sent."""
        view = memoryview(content)
        self._digest.update(view)
        self._waiting += view
        self._size += view.nbytes
        while len(self._waiting) > PART_BYTES:
            self._send(PART_BYTES)
        return view.nbytes

    def finish(self) -> None:
        """Make the object of what has been written."""
        if not self._upload:
            self._s3.put_object(**self._which, Body=bytes(self._waiting), ContentType=self._type)
            return
        self._send(len(self._waiting))
        self._s3.complete_multipart_upload(**self._which, **self._upload, MultipartUpload={"Parts": self._parts})

    def _send(self, size: int) -> None:
        if not self._upload:
            answer = self._s3.create_multipart_upload(**self._which, ContentType=self._type)
            self._upload = {"UploadId": answer["UploadId"]}
        number, body = len(self._parts) + 1, bytes(self._waiting[:size])
        answer = self._s3.upload_part(**self._which, **self._upload, PartNumber=number, Body=body)
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        del self._waiting[:size]
