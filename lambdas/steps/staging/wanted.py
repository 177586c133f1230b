"""What snapshot_data asks for where a challenger is to be tried: the machine passes it on to whoever takes part."""

from __future__ import annotations

from pydantic import BaseModel

from kedge.config.staging import Staging


class StagedVariant(BaseModel, frozen=True):
    """The one variant of the endpoint, as far as its cost depends on it."""

    InstanceType: str


class StagingWanted(BaseModel, frozen=True):
    """The endpoint's name, the limits of the YAML when the retraining began, and how many instances serve the champion."""

    name: str
    policy: Staging
    instances: int
    variant: StagedVariant
