"""A feature group of SageMaker Feature Store: its description, what Athena looks up in it, and what Athena found."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from kedge.config.model import ModelConfig
from kedge.errors import FeatureGroupError
from kedge.retraining.feature_group import FeatureGroup, feature_group_of
from lambdas.adapters.bucket import layout, row_objects
from lambdas.adapters.training import training_data

# Below a lookup's own prefix: the rows, the list of objects by which Athena finds them, and Athena's answer.
_ROWS, _LISTED, _FOUND = "rows.parquet", "listed/", "found/"


def describe(sagemaker: Any, config: ModelConfig) -> FeatureGroup:
    """Describe the group that a model's YAML names.

    Raises
    ------
    FeatureGroupError
        There is no such group, or it cannot give this model's rows.
    """
    name = str(config.training.feature_group)
    try:
        described = sagemaker.describe_feature_group(FeatureGroupName=name)
        # Definitions come in pages, and each page describes the group again.
        page = described
        while page.get("NextToken"):
            page = sagemaker.describe_feature_group(FeatureGroupName=name, NextToken=page["NextToken"])
            described["FeatureDefinitions"] += page["FeatureDefinitions"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFound":
            raise
        fault = "does not exist: make it, or correct training.feature_group"
        raise FeatureGroupError(group=name, fault=fault) from error
    return feature_group_of(described, config)


def locations(bucket: str, model: str, run: str) -> tuple[str, str]:
    """Addresses of a lookup's list of objects, and of its result."""
    below = f"s3://{bucket}/{layout.join_prefix(model, run)}"
    return below + _LISTED, below + _FOUND


def save_looked_up(s3: Any, bucket: str, model: str, run: str, rows: pa.Table) -> None:
    """Write what Athena shall look up."""
    prefix = layout.join_prefix(model, run)
    s3.put_object(Bucket=bucket, Key=prefix + _ROWS, Body=training_data.table_bytes(rows))
    listed = f"s3://{bucket}/{prefix}{_ROWS}\n"
    s3.put_object(Bucket=bucket, Key=f"{prefix}{_LISTED}objects.txt", Body=listed.encode())


def load_found(s3: Any, bucket: str, model: str, run: str) -> pa.Table | None:
    """The features that Athena found, by the places of the rows; None where it found none."""
    keys = sorted(row_objects.list_sizes(s3, bucket, layout.join_prefix(model, run) + _FOUND))
    tables = [pq.read_table(pa.BufferReader(training_data.load_file(s3, bucket, key))) for key in keys]
    return pa.concat_tables(tables) if tables else None
