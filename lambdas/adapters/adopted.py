"""Adopted models, whose definitions people write into the data bucket: `models/<model>.yaml`, and only to be watched."""

from __future__ import annotations

from typing import Any

from kedge.config.model import ModelConfig
from kedge.errors import ModelConfigError
from lambdas.adapters import definitions
from lambdas.adapters.bucket import objects
from lambdas.adapters.bucket.layout import DEFINITIONS
from lambdas.adapters.definitions import DefinitionFolder


def _problem_of(config: ModelConfig) -> str | None:
    if config.mode != "watch":
        return (
            "mode is manage: what Kedge retrains and releases is defined in the repository and deployed; this folder holds models "
            "with `mode: watch`"
        )
    if config.firehose:
        return (
            "firehose is true: the delivery stream is deployed for models of the repository, so deploy this YAML; or remove the field, "
            "and write the log without a stream of its own"
        )
    return None


ADOPTED = DefinitionFolder(DEFINITIONS, _problem_of)


def put(s3: Any, bucket: str, content: bytes) -> ModelConfig:
    """Write a definition that can be followed; the bucket keeps the one before as a version.

    Raises
    ------
    ModelConfigError
        It cannot be followed, or another definition in the bucket watches the same.
    """
    read = definitions.validated(ADOPTED, content, model=None, source="the definition")
    config = read.config
    others = definitions.load_all(s3, bucket, ADOPTED, but=(config.model,)).models
    taken = next((name for name, other in others.items() if other.answers_from == config.answers_from), None)
    if taken is not None:
        problem = f"its {config.answers_from} is watched by {taken} already; one model can watch it"
        raise ModelConfigError(source=config.model, problems=[problem])
    definitions.put(s3, bucket, ADOPTED, config.model, content)
    return config


def remove(s3: Any, bucket: str, model: str) -> bool:
    """Delete a definition; False where there is none. The bucket keeps it as a version."""
    key = ADOPTED.key(model)
    if key not in objects.list_objects(s3, bucket, key):
        return False
    s3.delete_object(Bucket=bucket, Key=key)
    return True
