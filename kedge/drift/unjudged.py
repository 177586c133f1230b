"""What cannot be judged, and why: where only one side of the requests is captured, or no row has a column of the context."""

from __future__ import annotations

import pyarrow as pa

from kedge.config.model import ModelConfig


def unjudged_side(config: ModelConfig) -> tuple[str, ...]:
    """One sentence where requests or answers are not captured; none where both are.

    >>> from kedge.config.sections import Capture, Endpoint, Feature
    >>> there = Capture(uri="s3://theirs/logs", mode="Output")
    >>> unjudged_side(ModelConfig(model="m", mode="watch", endpoint=Endpoint(name="e"), features=(), capture=there))[0][:60]
    'endpoint e captures only its answers (CaptureMode Output): d'
    """
    if config.capture.mode == "InputAndOutput":
        return ()
    if config.capture.has_requests:
        side, lost = (
            "requests (CaptureMode Input)",
            "drift of the answers, measured and estimated quality, and fairness",
        )
    else:
        side, lost = "answers (CaptureMode Output)", "drift of the features, and quality by segment"
    return (
        f"endpoint {config.endpoint.name} captures only its {side}: {lost} cannot be judged; to have all judged, let it capture both "
        f"(kedge adopt {config.endpoint.name} --enable-capture), then adopt it anew",
    )


def empty_context(rows: pa.Table, config: ModelConfig) -> tuple[str, ...]:
    """One sentence where the YAML names context that no row of a transform job has; label records may hold it later.

    >>> from kedge.config.sections import Capture, Feature
    >>> there, features = Capture(uri="s3://theirs/logs"), (Feature(name="x", kind="numeric"),)
    >>> config = ModelConfig(
    ...     model="m", mode="watch", source="batch_transform", features=features, capture=there, context=("region",)
    ... )
    >>> empty_context(pa.table({"x": [1.0], "region": pa.nulls(1)}), config)[0][:43]
    'context region is empty: none of its input '
    >>> empty_context(pa.table({"x": [1.0], "region": ["north"]}), config)
    ()
    """
    wanted = [name for name in config.context if name not in config.labels.fields]
    absent = [n for n in wanted if n not in rows.column_names or rows.column(n).null_count == rows.num_rows]
    if not absent:
        return ()
    return (
        f"context {', '.join(absent)} is empty: none of its input rows has it; a context is found by its name, in input of JSON objects "
        "or of CSV with a header line",
    )
