"""One transform job's work: every record of the input through the model's container, and the answers joined to them.

SageMaker splits each input object into records, sends them one or several at a time, and writes `<object>.out`.
Imitated: SplitType None and Line, both batch strategies, MaxPayloadInMB, CSV and JSON Lines, the filters and the join
of DataProcessing (`offline.sagemaker.transform.filters`), AssembleWith None and Line, failures, data capture
(`offline.sagemaker.transform.capture`). The container works while the
job's time passes. Not imitated: RecordIO, TFRecord, compression, manifests, concurrency.
"""

from __future__ import annotations

import tarfile
import threading
from collections.abc import Iterator
from typing import Any

from offline.region import Region
from offline.sagemaker.api import ValidationError
from offline.sagemaker.models import Models
from offline.sagemaker.storage import DownloadError, Storage, split_uri
from offline.sagemaker.transform.capture import TransformCapture
from offline.sagemaker.transform.filters import Joiner

MEBIBYTE = 1_048_576
PAYLOAD_DEFAULT_MB = 6
MULTI_RECORD = "MultiRecord"


class TransformError(Exception):
    """The job fails for this reason."""

    fails_job = True


class TransformRun:
    """The work of one transform job."""

    def __init__(self, region: Region, request: dict[str, Any], storage: Storage, models: Models) -> None:
        self.region, self.request, self.storage, self.models = region, request, storage, models
        self.input, self.output = request["TransformInput"], request["TransformOutput"]
        filters = request.get("DataProcessing", {})
        self.joiner = Joiner(filters, self.input.get("ContentType", ""), self.output.get("Accept", ""))
        self.line_by_line = self.input.get("SplitType", "None") == "Line"
        self._inputs: dict[str, bytes] = {}
        self._outputs: dict[str, bytes] = {}
        self._worker: threading.Thread | None = None
        self._failure: Exception | None = None
        self._aborted = False
        self._capture = TransformCapture.of(request, storage)
        self._began = region.clock.now

    def check(self) -> None:
        """Refuse what CreateTransformJob refuses at once, and what is not imitated."""
        for value, known, name in (
            (self.input.get("SplitType", "None"), ("None", "Line"), "SplitType"),
            (self.input.get("CompressionType", "None"), ("None",), "CompressionType"),
            (self.input["DataSource"]["S3DataSource"]["S3DataType"], ("S3Prefix",), "S3DataType"),
        ):
            if value not in known:
                raise ValidationError(f"{name} {value} is not imitated: use {' or '.join(known)}")
        processing = self.request.get("DataProcessing", {})
        if self.request.get("BatchStrategy", MULTI_RECORD) == MULTI_RECORD and not self.line_by_line:
            return
        if processing.get("JoinSource", "None") == "Input" and self.output.get("AssembleWith", "None") != "Line":
            raise ValidationError("JoinSource Input with SplitType Line needs AssembleWith Line.")

    def start(self) -> None:
        """Download, and have the container begin in the background."""
        uri = self.input["DataSource"]["S3DataSource"]["S3Uri"]
        bucket, _ = split_uri(uri)
        self._began = self.region.clock.now
        try:
            for key in self.storage.keys(uri):
                self._inputs[key] = self.storage.read(f"s3://{bucket}/{key}")
            extra = self.request.get("Environment")
            container = self.models.container(self.request["ModelName"], extra, is_batch=True)
        except (DownloadError, tarfile.TarError, ValidationError) as error:
            raise TransformError(f"ClientError: Data download failed:{error}") from error
        if not self._inputs:
            raise TransformError(f'ClientError: No S3 objects found under S3 URL "{uri}" given in input data source.')
        # A thread of its own kind: it works on bytes alone, so the clock need not know it.
        self._worker = threading.Thread(target=self._work, args=(container,), name=uri, daemon=True)
        self._worker.start()

    def collect(self) -> dict[str, Any]:
        """Wait for the container, then upload the answers."""
        self._worker.join()  # type: ignore[union-attr]
        if self._failure is not None:
            raise self._failure
        bucket, prefix = split_uri(self.input["DataSource"]["S3DataSource"]["S3Uri"])
        folder = prefix if prefix.endswith("/") else prefix.rpartition("/")[0] + "/"
        output, names = self.output["S3OutputPath"].rstrip("/"), list[str]()
        try:
            for key, body in self._outputs.items():
                below = f"{prefix}/" if key.startswith(f"{prefix}/") else folder
                name = key.removeprefix(below)
                names.append(name)
                written = body
                if self._capture is not None:
                    written = self._capture.with_ids(body, self._began, by_line=self.line_by_line)
                self.storage.write(f"{output}/{name}.out", written, self.output.get("KmsKeyId"))
            if self._capture is not None:
                base = next((key[: -len(name)] for key, name in zip(self._outputs, names, strict=True)), folder)
                self._capture.write_manifests(f"s3://{bucket}/{base}", f"{output}/", names, self._began)
        except DownloadError as error:
            raise TransformError(f"ClientError: Upload failed:{error}") from error
        return {}

    def interrupt(self) -> None:
        """Transform jobs know no spot instances."""
        raise NotImplementedError

    def abort(self) -> None:
        """Send no more records."""
        self._aborted = True

    def _work(self, container: Any) -> None:
        try:
            for key, body in self._inputs.items():
                self._outputs[key] = self._transform(container, key, body)
        except (LookupError, TypeError, ValueError) as error:
            reason = f"ClientError: a record is not what the filters expect: {type(error).__name__}: {error}"
            self._failure = TransformError(reason)
        except Exception as error:  # told by collect: a thread must not fail unheard
            self._failure = error

    def _transform(self, container: Any, key: str, body: bytes) -> bytes:
        answers: list[bytes] = []
        for records in self._batches(body):
            if self._aborted:
                break
            answers += self._answer(container, key, records)
        if self.output.get("AssembleWith", "None") == "Line":
            return b"".join(answer.rstrip(b"\n") + b"\n" for answer in answers)
        return b"".join(answers)

    def _batches(self, body: bytes) -> Iterator[list[bytes]]:
        if not self.line_by_line:
            yield [body]
            return
        lines = [line for line in body.splitlines() if line]
        if self.request.get("BatchStrategy", MULTI_RECORD) != MULTI_RECORD:
            yield from ([line] for line in lines)
            return
        limit = (self.request.get("MaxPayloadInMB") or PAYLOAD_DEFAULT_MB) * MEBIBYTE
        batch: list[bytes] = []
        size = 0
        for line in lines:
            if batch and size + len(line) + 1 > limit:
                yield batch
                batch, size = [], 0
            batch.append(line)
            size += len(line) + 1
        if batch:
            yield batch

    def _answer(self, container: Any, key: str, records: list[bytes]) -> list[bytes]:
        payload = b"\n".join(self.joiner.filtered_input(record) for record in records)
        if self.line_by_line:
            payload += b"\n"
        reply = container.invoke(payload, self.input.get("ContentType", ""), self.output.get("Accept", ""))
        if reply.status != 200:
            message = reply.body.decode(errors="replace")
            raise TransformError(
                f"AlgorithmError: See job logs for more information: {key}: Bad HTTP status received from algorithm: "
                f"{reply.status}: {message}"
            )
        if not self.joiner.needed:
            return [reply.body]
        answers = [line for line in reply.body.splitlines() if line] if self.line_by_line else [reply.body]
        if len(answers) != len(records):
            raise TransformError(
                f"ClientError: {key}: the input has {len(records)} records and the output {len(answers)}; "
                "to join them their numbers must be equal"
            )
        return [self.joiner.joined(*pair) for pair in zip(records, answers, strict=True)]
