"""Transform jobs that others run: one of them shows where all capture, and their answers are the first days."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
from botocore.exceptions import ClientError

from cli.adopt.answers import answer_attribute
from cli.adopt.captured_days import BYTES_READ, ROWS_READ
from cli.adopt.running import CapturedRows, Running
from cli.drafts.draft import ModelDraft
from cli.drafts.from_endpoint import columns_of_requests, without_excluded
from cli.operator.deployment import Deployment
from cli.refusals import BadInputError
from cli.rows.inferred_schema import kind_of
from kedge.capture.payloads import answered_rows, input_rows
from kedge.capture.records import Quarantined, capture_batches
from kedge.capture.transform_jobs import TransformJob
from kedge.config.capture_place import split_uri
from kedge.config.model import ModelConfig
from kedge.config.sections import Capture, Endpoint, Feature
from kedge.errors import UnreadableRecordError
from lambdas.adapters.transform_jobs import TransformJobs
from lambdas.steps.counting.transform_day import TransformDay

LINES_READ = 5000
# Up to this many jobs are described, the newest first, to find one of a destination.
JOBS_LOOKED_AT = 200


@dataclass(frozen=True, kw_only=True)
class RunningJobs(Running):
    """All transform jobs that capture to where one of them does, which gives the name, the ARN and the model."""

    source = "batch_transform"

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The prefix below which the manifests of their outputs are."""
        return (self.captures.of("output/"),)

    @property
    def fields(self) -> Mapping[str, Any]:
        """What a YAML must say to describe them."""
        return {"capture.uri": self.capture_uri}

    @property
    def told(self) -> Sequence[str]:
        """Which jobs they are."""
        return (f"jobs       all transform jobs that capture below {self.capture_uri}, such as {self.name}",)

    def draft(self, deployment: Deployment, model: str, described: Mapping[str, Any]) -> tuple[ModelDraft, list[Any]]:
        """Infer the YAML from the named job and those of its day."""
        draft, answers = draft_from_jobs(deployment, self, model, described)
        return replace(draft, capture={"uri": self.capture_uri}), answers

    def read(self, deployment: Deployment, config: ModelConfig, start: datetime, end: datetime) -> CapturedRows:
        """Read the answers of the jobs of some days."""
        return read_jobs(deployment, self, config, start=start, end=end)


def newest_job(sagemaker: Any, captures_to: str) -> str:
    """The newest completed transform job that captures to a destination.

    Raises
    ------
    BadInputError
        None of the newest jobs does.
    """
    asked = {"StatusEquals": "Completed", "SortBy": "CreationTime", "SortOrder": "Descending"}
    pages = sagemaker.get_paginator("list_transform_jobs").paginate(
        **asked, PaginationConfig={"MaxItems": JOBS_LOOKED_AT}
    )
    for name in (summary["TransformJobName"] for page in pages for summary in page["TransformJobSummaries"]):
        described = sagemaker.describe_transform_job(TransformJobName=name)
        if TransformJob.of_description(described).captures_to == captures_to:
            return str(name)
    raise BadInputError(
        f"none of the newest {JOBS_LOOKED_AT} completed transform jobs captures to {captures_to}: run one with this destination in its "
        "DataCaptureConfig, or name an older one with --transform-job instead of --from-monitor"
    )


def look_at_job(sagemaker: Any, name: str) -> RunningJobs:
    """Describe a transform job; nothing but describing calls.

    Raises
    ------
    BadInputError
        There is none, or it has not completed, or it captures nothing, or what it captures cannot be read.
    """
    try:
        described = sagemaker.describe_transform_job(TransformJobName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
            raise BadInputError(f"no transform job is called {name!r} in this account and region") from error
        raise
    job = TransformJob.of_description(described)
    if not job.captures_to:
        raise BadInputError(
            f"transform job {name} captures nothing: give CreateTransformJob a DataCaptureConfig with DestinationS3Uri and, so that "
            "labels can name the rows, GenerateInferenceId; then adopt a later job"
        )
    if job.compressed:
        raise BadInputError(f"transform job {name} reads compressed input (CompressionType), which Kedge does not read")
    if job.status != "Completed":
        raise BadInputError(f"transform job {name} is {job.status}; name one that is Completed")
    return RunningJobs(
        name=name,
        arn=described["TransformJobArn"],
        config=name,
        model_name=job.model_name,
        capture_uri=job.captures_to,
        capture_key=described["DataCaptureConfig"].get("KmsKeyId") or None,
        other_buckets=tuple({split_uri(job.input_uri)[0]: None, split_uri(job.output_uri)[0]: None}),
    )


def read_jobs(
    deployment: Deployment, jobs: RunningJobs, config: ModelConfig, *, start: datetime, end: datetime
) -> CapturedRows:
    """Read the answers of the jobs that began in `[start, end)`; no more than a baseline needs."""
    tables, reasons, rows, held, is_sample = list[pa.Table](), list[str](), 0, 0, False
    for key, content, aside in _files(deployment, jobs, config, start, end):
        for batch in capture_batches([(key, content)], config):
            tables.append(batch.table)
            rows, held = rows + batch.table.num_rows, held + batch.table.nbytes
            reasons += [record.reason for record in batch.quarantined]
        reasons += [record.reason for record in aside]
        aside.clear()
        if held > BYTES_READ:
            is_sample = True
            break
    if not rows:
        said = f": {reasons[0]}" if reasons else ""
        raise BadInputError(
            f"none of the transform jobs' answers below {jobs.capture_uri} from {start:%Y-%m-%d} to {end:%Y-%m-%d} can be "
            f"read{said}"
        )
    table, thinned = pa.concat_tables(tables), -(-rows // ROWS_READ)
    if thinned > 1:
        table = table.take(pa.array(range(0, rows, thinned)))
    return CapturedRows(table, start, end, len(reasons), next(iter(reasons), ""), is_sample=is_sample or thinned > 1)


def draft_from_jobs(
    deployment: Deployment, jobs: RunningJobs, name: str, described: Mapping[str, Any]
) -> tuple[ModelDraft, list[Any]]:
    """Infer the features and some answers from the named job and those of its day, before any YAML says what they should be.

    `described` are fields of the YAML's `endpoint` that somebody has written down already.
    """
    began = deployment.client("sagemaker").describe_transform_job(TransformJobName=jobs.name)["TransformStartTime"]
    hour = began.replace(minute=0, second=0, microsecond=0)
    unknown = ModelConfig(
        model=name,
        mode="watch",
        source="batch_transform",
        capture=Capture(uri=jobs.capture_uri),
        features=(Feature(name="feature_0", kind="numeric"),),
        endpoint=Endpoint.model_validate(dict(described)),
    )
    rows, answers, reasons, is_json = list[Any](), list[Any](), list[str](), False
    for _, content, aside in _files(deployment, jobs, unknown, hour, hour + timedelta(hours=1)):
        reasons += [record.reason for record in aside]
        aside.clear()
        for line in content.splitlines()[: LINES_READ - len(rows)]:
            try:
                given = input_rows(line, described.get("features_attribute"))
                found = answered_rows(line, answer_attribute(described))
            except UnreadableRecordError as error:
                reasons.append(error.reason)
                continue
            rows, answers = rows + given, answers + found
            is_json = json.loads(line)["captureData"]["endpointInput"]["encoding"] == "JSON"
        if len(rows) >= LINES_READ:
            break
    if not rows:
        said = reasons[0] if reasons else "no manifest names its files"
        raise BadInputError(f"the captures of transform job {jobs.name} cannot be read: {said}")
    names, columns = without_excluded(*columns_of_requests(rows, jobs.capture_uri), described)
    notes = [f"inferred from {len(rows)} rows of transform jobs: check the kinds"]
    if names is None:
        notes.append("the payload has no names, so these show the position")
        names = [f"feature_{place}" for place in range(len(columns))]
    features = tuple(Feature(name=n, kind=kind_of(v)) for n, v in zip(names, columns, strict=True))
    kind = ({"content_type": "application/json"} if is_json else {}) | dict(described)
    return ModelDraft(name=name, endpoint=kind, features=features, notes=tuple(notes)), answers


def _files(
    deployment: Deployment, jobs: RunningJobs, config: ModelConfig, start: datetime, end: datetime
) -> Iterator[tuple[str, bytes, list[Quarantined]]]:
    """The records of each file of the jobs that began in `[start, end)`, some at a time, and what could not be read."""
    s3, known = deployment.client("s3"), TransformJobs(deployment.client("sagemaker"))
    for number in range((end.date() - start.date()).days + 1):
        day = TransformDay(s3, known, jobs.captures, config, start.date() + timedelta(days=number))
        aside = list[Quarantined]()
        for key in day.listing():
            if not start <= day.manifests[key.rpartition("#")[0]].hour < end:
                continue
            for content in day.open(key, aside) or ():
                yield key, content, aside
