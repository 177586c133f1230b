"""Every model that is judged: those deployed with the code, then adopted ones whose definition lies in the data bucket.

What is deployed wins. Functions that only retrain or release know the deployed ones alone (`lambdas.adapters.models`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kedge.config.model import ModelConfig
from kedge.errors import UnknownModelError
from lambdas.adapters import clients, definitions, models
from lambdas.adapters.definitions import Definitions
from lambdas.logs import logger


@dataclass(frozen=True)
class Catalogue:
    """Every model by name, where each is from, and the definitions in the bucket that cannot be followed."""

    deployed: Mapping[str, ModelConfig]
    adopted: Definitions

    @property
    def models(self) -> dict[str, ModelConfig]:
        """Every model that can be followed."""
        return {**self.adopted.models, **self.deployed}


def load_catalogue(bucket: str) -> Catalogue:
    """Every model, deployed or defined in this bucket."""
    deployed = models.load_models()
    adopted = definitions.load_all(clients.s3(), bucket, but=deployed)
    for model, problem in adopted.broken.items():
        logger.error("a definition cannot be followed", model=model, problem=problem)
    return Catalogue(deployed, adopted)


def load_models(bucket: str) -> Mapping[str, ModelConfig]:
    """Every model by its name."""
    return load_catalogue(bucket).models


def find_model(name: str, bucket: str) -> ModelConfig | None:
    """One model, by reading its YAML alone; None where there is none.

    Raises
    ------
    ModelConfigError
        Its definition in the bucket cannot be followed.
    """
    found = models.find_deployed(name)
    return definitions.load(clients.s3(), bucket, name) if found is None and models.is_name(name) else found


def load_model(name: str, bucket: str) -> ModelConfig:
    """One model; an unknown name raises `UnknownModelError`."""
    found = find_model(name, bucket)
    if found is None:
        raise UnknownModelError(model=name, known=sorted(models.load_models()))
    return found
