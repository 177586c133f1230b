"""DataCaptureConfig of transform jobs: ids and times beside the answers, and manifests of what was read and written.

The real service writes no record of its own: the job's input and output stay the only copies, and below
`{DestinationS3Uri}/input|output/yyyy/mm/dd/hh/`, by the hour in which the job began, one manifest for each side names them. The
two manifests have names of their own. A job that fails or is stopped leaves none. With GenerateInferenceId each line of the output
gets an id and the job's begin: as two more columns of CSV, or as fields of JSON; one document gets one id for all its rows. An
answer in JSON that is no object is written below SageMakerOutput.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from offline.sagemaker.storage import Storage

ID, TIME, OUTPUT = "SageMakerInferenceId", "SageMakerInferenceTime", "SageMakerOutput"


class TransformCapture:
    """What one job captures."""

    def __init__(self, request: Mapping[str, Any], storage: Storage) -> None:
        self.config, self.storage = request["DataCaptureConfig"], storage
        kind = request["TransformOutput"].get("Accept") or request["TransformInput"].get("ContentType", "")
        self._is_json = "json" in kind.lower()
        self._draw = storage.region.seeded("transform-capture", request["TransformJobName"])

    @classmethod
    def of(cls, request: Mapping[str, Any], storage: Storage) -> TransformCapture | None:
        """Read a job's request; None where it captures nothing."""
        return cls(request, storage) if request.get("DataCaptureConfig") else None

    def with_ids(self, body: bytes, began: datetime, *, by_line: bool) -> bytes:
        """An output file as it is written."""
        if not self.config.get("GenerateInferenceId"):
            return body
        time = f"{began:%Y-%m-%dT%H:%M:%SZ}"
        if not by_line and (found := self._document(body)) is not None:
            return json.dumps(self._wrapped(found, time)).encode()
        return b"".join(self._line(line, time) + b"\n" for line in body.removesuffix(b"\n").split(b"\n"))

    def write_manifests(self, given: str, written: str, names: list[str], began: datetime) -> None:
        """Name the files of both sides."""
        for side, prefix, suffix in (("input", given, ""), ("output", written, ".out")):
            manifest = json.dumps([{"prefix": prefix}, *(f"{name}{suffix}" for name in names)])
            uri = f"{self.config['DestinationS3Uri'].rstrip('/')}/{side}/{began:%Y/%m/%d/%H}/{self._uuid()}.json"
            self.storage.write(uri, manifest.encode(), self.config.get("KmsKeyId"))

    def _line(self, line: bytes, time: str) -> bytes:
        found = self._document(line)
        if found is not None:
            return json.dumps(self._wrapped(found, time)).encode()
        return line + f",{self._uuid()},{time}".encode()

    def _wrapped(self, found: Any, time: str) -> dict[str, Any]:
        fields = found if isinstance(found, dict) else {OUTPUT: found}
        return {**fields, ID: self._uuid(), TIME: time}

    def _document(self, text: bytes) -> Any:
        """What a text holds where the job's output is JSON; None of what is CSV."""
        try:
            return json.loads(text) if self._is_json else None
        except ValueError:
            return None

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._draw.getrandbits(128), version=4))
