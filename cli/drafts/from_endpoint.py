"""A model's draft from the endpoint that serves it, and from what Data Capture wrote of its requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from cli.drafts.draft import ModelDraft, model_name
from cli.operator.deployment import Deployment
from cli.refusals import BadInputError
from cli.rows.captures import columns_of_rows
from cli.rows.inferred_schema import kind_of
from kedge.capture.lines import Block
from kedge.capture.payloads import input_rows
from kedge.config.sections import Feature
from kedge.errors import UnreadableRecordError
from lambdas.adapters.bucket import objects, row_objects
from lambdas.adapters.captures import inference_logs
from lambdas.adapters.release import endpoints

FILES_READ, ROWS_READ = 20, 5000
REMEDY = "name the training rows (--data FILE) instead"


def draft_from_endpoint(
    deployment: Deployment,
    endpoint: str,
    *,
    name: str | None = None,
    described: Mapping[str, Any] = MappingProxyType({}),
    has_requests: bool = True,
) -> ModelDraft:
    """Describe the endpoint, and infer the features from its newest captured requests.

    `described` are fields of the YAML's `endpoint` that somebody has written down already, such as `features_attribute`. Where
    requests are not captured, the features are not known, and there are none.
    """
    sagemaker = deployment.client("sagemaker")
    found = endpoints.description_of(sagemaker, endpoint)
    if found is None:
        raise BadInputError(f"no endpoint is called {endpoint!r} in this account and region")
    uri = endpoints.describe_served_model(sagemaker, found["EndpointConfigName"]).capture_uri
    if uri is None:
        raise BadInputError(f"endpoint {endpoint} captures nothing, so its features are not known; {REMEDY}")
    variants = sagemaker.describe_endpoint_config(EndpointConfigName=found["EndpointConfigName"])["ProductionVariants"]
    served = [variant["VariantName"] for variant in variants]
    places = [f"{uri.rstrip('/')}/{endpoint}/{variant}/" for variant in served]
    names, columns, content_type, notes = list[str](), list[Any](), None, list[str]()
    if has_requests:
        rows, content_type = _captured(deployment.client("s3"), places, described.get("features_attribute"))
        found_names, columns = without_excluded(*columns_of_requests(rows, uri), described)
        notes.append(f"inferred from {len(rows)} captured requests: check the kinds")
        names = found_names or [f"feature_{place}" for place in range(len(columns))]
        notes += [] if found_names else ["the payload has no names, so these show the position"]
    facts = {
        "name": endpoint,
        **({"variant": served[0]} if len(served) == 1 else {"variants": served}),
        "instance_type": variants[0].get("InstanceType"),
        "instance_count": variants[0].get("InitialInstanceCount"),
        "content_type": content_type,
    } | dict(described)
    return ModelDraft(
        name=model_name(name or endpoint),
        endpoint={key: value for key, value in facts.items() if value},
        features=tuple(Feature(name=n, kind=kind_of(v)) for n, v in zip(names, columns, strict=True)),
        notes=tuple(notes),
    )


def without_excluded(
    names: list[str] | None, columns: list[Any], described: Mapping[str, Any]
) -> tuple[list[str] | None, list[Any]]:
    """The columns without those that Model Monitor was told to leave out, by their place or their name."""
    said = str(described.get("exclude_features_attribute") or "")
    out = {part.strip() for part in said.split(",")}
    kept = [i for i, name in enumerate(names or map(str, range(len(columns)))) if name not in out]
    return None if names is None else [names[i] for i in kept], [columns[i] for i in kept]


def _captured(s3: Any, places: list[str], features_attribute: str | None) -> tuple[list[Any], str | None]:
    """Rows of the newest capture files below each place, and their content type where Kedge can ask for it."""
    rows: list[Any] = []
    content_type = None
    below = [place.removeprefix("s3://").partition("/")[::2] for place in places]
    newest = [
        (bucket, key)
        for bucket, prefix in below
        for key in sorted(objects.list_objects(s3, bucket, prefix), reverse=True)[:FILES_READ]
    ]
    for bucket, key in newest:
        # The first stretch of a large file says enough.
        block = next(inference_logs.open_blocks(s3, bucket, [key], row_objects.READ_AHEAD_BYTES), Block())
        for line in (line for piece in block.pieces for line in piece.content.split(b"\n")):
            try:
                rows += input_rows(line, features_attribute)
            except UnreadableRecordError:
                continue
            given = json.loads(line)["captureData"]["endpointInput"].get("observedContentType", "")
            content_type = "application/json" if "json" in str(given) else "text/csv"
            if len(rows) >= ROWS_READ:
                return rows[:ROWS_READ], content_type
    return rows, content_type


def columns_of_requests(rows: list[Any], uri: str) -> tuple[list[str] | None, list[Any]]:
    """The rows' names where they have some, and a column of text per place or name."""
    if not rows:
        raise BadInputError(f"there is no captured request in CSV or JSON below {uri}; {REMEDY}")
    try:
        return columns_of_rows(rows)
    except ValueError as error:
        raise BadInputError(f"the requests below {uri} are not all rows of the same length; {REMEDY}") from error
