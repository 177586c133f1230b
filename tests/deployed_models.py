"""Which models are deployed, for tests that deploy nothing: their YAML in the bucket, where a deployment writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kedge.config.model import ModelConfig
from lambdas.adapters import definitions, owners
from lambdas.adapters.bucket import objects
from lambdas.adapters.models import DEPLOYED
from tests.synthesised import example_models

# Who wrote the definitions, as `define_models` names a stack.
OWNER = "KedgeModels-1 (eu-west-1, 123456789012)"
# The folder of YAML files that `put_all` puts into a bucket.
DIRECTORY = example_models()


def choose(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Have another folder's models deployed, with the teams beside it."""
    monkeypatch.setitem(globals(), "DIRECTORY", directory)
    monkeypatch.setattr(owners, "DIRECTORY", directory.parent)
    # What a process has read knows its teams, which never change while it lives.
    monkeypatch.setattr(definitions, "_kept", {})


def put_all(s3: Any, bucket: str) -> None:
    """Put the chosen models' YAML into the bucket, as a deployment that has ended leaves it."""
    for key in objects.list_objects(s3, bucket, DEPLOYED.prefix):
        s3.delete_object(Bucket=bucket, Key=key)
    for path in DIRECTORY.glob("*.yaml"):
        s3.put_object(Bucket=bucket, Key=DEPLOYED.key(path.stem), Body=path.read_bytes())
    definitions.write_parsed(s3, bucket, DEPLOYED, {}, owner=OWNER)


def config_of(model: str) -> ModelConfig:
    """One of them, where there is no bucket."""
    content = (DIRECTORY / f"{model}.yaml").read_bytes()
    return definitions.validated(DEPLOYED, content, model=model, source=f"{model}.yaml").config
