"""A function's environment, read on call and in one place."""

from __future__ import annotations

import os
from typing import Self

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Base of each function's own settings: a field per variable, in lower case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def from_environment(cls) -> Self:
        """Read the variables that this function asks for; a missing one is named."""
        names = {name: name.upper() for name in cls.model_fields}
        return cls.model_validate({name: os.environ[v] for name, v in names.items() if v in os.environ})
