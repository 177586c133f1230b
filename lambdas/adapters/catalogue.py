"""Every model that is judged: those deployed, then adopted ones, whose definitions people write into the data bucket.

What is deployed wins. Functions that only retrain or release know the deployed ones alone (`lambdas.adapters.models`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kedge.config.model import ModelConfig
from kedge.errors import UnknownModelError
from lambdas.adapters import clients, definitions, models
from lambdas.adapters.adopted import ADOPTED
from lambdas.adapters.definitions import Definitions
from lambdas.logs import logger


@dataclass(frozen=True)
class Catalogue:
    """Every model by name, by where its definition lies."""

    deployed: Definitions
    adopted: Definitions

    @property
    def models(self) -> dict[str, ModelConfig]:
        """Every model that can be followed."""
        return {**self.adopted.models, **self.deployed.models}

    @property
    def broken(self) -> dict[str, str]:
        """The problem of each definition that cannot be followed."""
        return {**self.adopted.broken, **self.deployed.broken}


def load_catalogue(bucket: str) -> Catalogue:
    """Every model, deployed or adopted."""
    deployed = models.load_definitions(bucket)
    known = (*deployed.models, *deployed.broken)
    found = Catalogue(deployed, definitions.load_all(clients.s3(), bucket, ADOPTED, but=known))
    for model, problem in found.broken.items():
        logger.error("a definition cannot be followed", model=model, problem=problem)
    return found


def load_models(bucket: str) -> Mapping[str, ModelConfig]:
    """Every model by its name."""
    return load_catalogue(bucket).models


def find_model(name: str, bucket: str) -> ModelConfig | None:
    """One model, by reading its YAML alone; None where there is none.

    Raises
    ------
    ModelConfigError
        Its definition cannot be followed.
    """
    found = models.find_deployed(name, bucket)
    return definitions.load(clients.s3(), bucket, ADOPTED, name) if found is None else found


def load_model(name: str, bucket: str) -> ModelConfig:
    """One model; an unknown name raises `UnknownModelError`."""
    found = find_model(name, bucket)
    if found is None:
        raise UnknownModelError(model=name, known=sorted(models.names(bucket)))
    return found
