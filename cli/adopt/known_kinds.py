"""What Kedge cannot watch, each refused in a sentence: it has no Data Capture, or records that nobody has seen; these are not guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cli.refusals import BadInputError


def refuse_unknown_kinds(sagemaker: Any, name: str, config: Mapping[str, Any]) -> None:
    """Refuse an endpoint by its config, whether it is to be adopted or its capture switched on.

    Raises
    ------
    BadInputError
        It is asynchronous or serverless, holds inference components, or is multi-model.
    """
    if config.get("AsyncInferenceConfig"):
        raise BadInputError(f"endpoint {name} is asynchronous; Kedge does not know what its captures look like")
    for variant in config["ProductionVariants"]:
        if variant.get("ServerlessConfig"):
            raise BadInputError(f"endpoint {name} is serverless; SageMaker captures nothing of those")
        if not variant.get("ModelName"):
            raise BadInputError(
                f"endpoint {name} holds inference components; Kedge does not know what their captures look like"
            )
        model = sagemaker.describe_model(ModelName=variant["ModelName"])
        containers = [*(model.get("Containers") or []), model.get("PrimaryContainer") or {}]
        if any(container.get("Mode") == "MultiModel" for container in containers):
            raise BadInputError(f"endpoint {name} is multi-model; its captures do not say which model answered")
