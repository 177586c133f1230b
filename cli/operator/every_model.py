"""Every model of a deployment, as this checkout and the data bucket describe them."""

from __future__ import annotations

from collections.abc import Mapping

from cli.operator.deployment import Deployment
from cli.refusals import BadInputError
from kedge.config.model import ModelConfig
from lambdas.adapters import definitions, models


def known_models(deployment: Deployment) -> Mapping[str, ModelConfig]:
    """Models of this checkout, then adopted ones whose definition lies in the bucket; a broken definition is an error."""
    deployed = models.load_models()
    adopted = definitions.load_all(deployment.client("s3"), deployment.bucket, but=deployed)
    if adopted.broken:
        name, problem = next(iter(adopted.broken.items()))
        raise BadInputError(f"the definition of {name} in the bucket cannot be followed: {problem}")
    return {**adopted.models, **deployed}
