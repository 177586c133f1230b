"""The models of a deployment, as their definitions in the data bucket describe them."""

from __future__ import annotations

from collections.abc import Mapping

from cli.operator.deployment import Deployment
from cli.refusals import BadInputError
from kedge.config.model import ModelConfig
from lambdas.adapters import definitions, models
from lambdas.adapters.adopted import ADOPTED


def known_models(deployment: Deployment) -> Mapping[str, ModelConfig]:
    """Deployed models, then adopted ones; a broken definition is an error."""
    s3, bucket = deployment.client("s3"), deployment.bucket
    deployed = models.load_definitions(bucket, s3)
    adopted = definitions.load_all(s3, bucket, ADOPTED, but=(*deployed.models, *deployed.broken))
    for name, problem in {**deployed.broken, **adopted.broken}.items():
        raise BadInputError(f"the definition of {name} in the bucket cannot be followed: {problem}")
    return {**adopted.models, **deployed.models}


def find_known(deployment: Deployment, model: str) -> ModelConfig | None:
    """One of them; None where nothing describes it."""
    s3, bucket = deployment.client("s3"), deployment.bucket
    return models.find_deployed(model, bucket, s3) or definitions.load(s3, bucket, ADOPTED, model)
