"""Transform jobs that capture: the manifests of their files, and how each job was set up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kedge.errors import UnreadableTransformError

# What SageMaker adds to the name of an input file.
OUTPUT_SUFFIX = ".out"


@dataclass(frozen=True)
class Manifest:
    """One side of one job: the URI that its files begin with, and the files below it.

    Attributes
    ----------
    key : str
        Where the manifest lies: `.../output/yyyy/mm/dd/hh/name`, of the hour in which the job began.
    etag : str
    modified : datetime
        When it was written: after the job's last file.
    """

    key: str
    etag: str
    modified: datetime
    prefix: str
    names: tuple[str, ...]

    @property
    def hour(self) -> datetime:
        """The hour in which the job began."""
        return datetime.strptime("/".join(self.key.split("/")[-5:-1]), "%Y/%m/%d/%H").replace(tzinfo=UTC)


def read_manifest(content: bytes) -> tuple[str, tuple[str, ...]]:
    """Read the prefix and the names of a manifest.

    >>> read_manifest(b'[{"prefix": "s3://b/scored/"}, "a.csv.out", "b/c.csv.out"]')
    ('s3://b/scored/', ('a.csv.out', 'b/c.csv.out'))

    Raises
    ------
    UnreadableTransformError
    """
    try:
        first, *names = json.loads(content)
        prefix = first["prefix"]
    except (ValueError, TypeError, KeyError) as error:
        raise UnreadableTransformError(reason="the manifest is no list of a prefix and names") from error
    if not all(isinstance(part, str) for part in (prefix, *names)):
        raise UnreadableTransformError(reason="the manifest is no list of a prefix and names")
    return prefix, tuple(names)


@dataclass(frozen=True)
class TransformJob:
    """A transform job as DescribeTransformJob says it."""

    name: str
    model_name: str
    status: str
    began: datetime | None
    ended: datetime | None
    captures_to: str
    input_uri: str
    output_uri: str
    by_line: bool
    compressed: bool
    joins: bool
    has_ids: bool
    input_filter: str
    output_filter: str

    @classmethod
    def of_description(cls, described: Mapping[str, Any]) -> TransformJob:
        """Read DescribeTransformJob's answer."""
        given, processing = described["TransformInput"], described.get("DataProcessing") or {}
        capture = described.get("DataCaptureConfig") or {}
        return cls(
            name=described["TransformJobName"],
            model_name=described["ModelName"],
            status=described["TransformJobStatus"],
            began=described.get("TransformStartTime"),
            ended=described.get("TransformEndTime"),
            captures_to=str(capture.get("DestinationS3Uri", "")).rstrip("/"),
            input_uri=given["DataSource"]["S3DataSource"]["S3Uri"],
            output_uri=described["TransformOutput"]["S3OutputPath"].rstrip("/"),
            by_line=given.get("SplitType", "None") == "Line",
            compressed=given.get("CompressionType", "None") != "None",
            joins=processing.get("JoinSource", "None") == "Input",
            has_ids=bool(capture.get("GenerateInferenceId")),
            input_filter=processing.get("InputFilter") or "$",
            output_filter=processing.get("OutputFilter") or "$",
        )

    def wrote(self, manifest: Manifest, captures_to: str) -> bool:
        """Whether an output manifest may be this job's: the destination, the output and the hour are its own."""
        return (
            self.captures_to == captures_to
            and self.output_uri == manifest.prefix.rstrip("/")
            and self.began is not None
            and manifest.hour <= self.began < manifest.hour + timedelta(hours=1)
        )


def input_of(output: str, inputs: list[Manifest], job: TransformJob) -> str | None:
    """Find the URI of the input file of an output file, in the input manifests of the job's hour; None where none names it."""
    name = output.removesuffix(OUTPUT_SUFFIX)
    return next(
        (
            f"{manifest.prefix.rstrip('/')}/{name}"
            for manifest in inputs
            if name in manifest.names and f"{manifest.prefix.rstrip('/')}/{name}".startswith(job.input_uri.rstrip("/"))
        ),
        None,
    )
