"""Deployed models, whose definitions a deployment alone writes into the data bucket: `deployed/<model>.yaml`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kedge.config.model import ModelConfig
from kedge.errors import BucketTakenError, ModelConfigError, NothingDeployedError, UnknownModelError, WatchedModelError
from lambdas.adapters import clients, definitions
from lambdas.adapters.bucket import objects
from lambdas.adapters.bucket.layout import DEPLOYED_DEFINITIONS
from lambdas.adapters.definitions import DefinitionFolder, Definitions
from lambdas.adapters.owners import owned_by_somebody

DEPLOYED = DefinitionFolder(DEPLOYED_DEFINITIONS, owned=owned_by_somebody)


@dataclass(frozen=True)
class Brought:
    """What a deployment did so that the bucket says what it says; a text that these functions cannot follow is `refused`, and lies there."""

    written: Collection[str]
    deleted: Collection[str]
    refused: Mapping[str, str]


def load_definitions(bucket: str, s3: Any = None) -> Definitions:
    """Every deployed model, and what is wrong with those that cannot be followed.

    Raises
    ------
    NothingDeployedError
        No deployment has ended yet. So do the others: that a model is not deployed is true only after one.
    """
    s3 = s3 or clients.s3()
    found = definitions.load_all(s3, bucket, DEPLOYED)
    if not (found.models or found.broken):
        _see_that_a_deployment_ended(s3, bucket)
    return found


def load_models(bucket: str) -> Mapping[str, ModelConfig]:
    """Every deployed model by its name."""
    return load_definitions(bucket).models


def names(bucket: str) -> set[str]:
    """The names of the deployed models, without reading any."""
    return definitions.names(clients.s3(), bucket, DEPLOYED)


def find_deployed(name: str, bucket: str, s3: Any = None) -> ModelConfig | None:
    """One deployed model, by reading its definition alone; None where there is none.

    Raises
    ------
    ModelConfigError
        It cannot be followed.
    NothingDeployedError
    """
    s3 = s3 or clients.s3()
    found = definitions.load(s3, bucket, DEPLOYED, name)
    if found is None:
        _see_that_a_deployment_ended(s3, bucket)
    return found


@lru_cache(maxsize=1)
def _see_that_a_deployment_ended(s3: Any, bucket: str) -> None:
    # Written last, also of no model, and it stays: a process asks once, and not for each adopted model anew.
    if objects.owner_of(s3, bucket, DEPLOYED.parsed) is None:
        raise NothingDeployedError(bucket=bucket)


def load_model(name: str, bucket: str) -> ModelConfig:
    """One deployed model; an unknown name raises `UnknownModelError`."""
    found = find_deployed(name, bucket)
    if found is None:
        raise UnknownModelError(model=name, known=sorted(names(bucket)))
    return found


def load_managed_model(name: str, bucket: str) -> ModelConfig:
    """The same of a model that is about to be retrained or released; one that is only watched raises `WatchedModelError`."""
    config = load_model(name, bucket)
    if config.mode == "watch":
        raise WatchedModelError(model=name)
    return config


def bring(s3: Any, bucket: str, texts: Mapping[str, str], *, owner: str) -> Brought:
    """Bring the bucket to these texts, by model: write what differs, and delete what is not among them.

    What lies there is compared by the digests that the run before kept, each with its object's ETag; so a run that was broken off, or
    a hand that changed an object, is made good by the next run. An object that says the same keeps its ETag, and is read by nobody.
    Synth has checked the texts. Those of a rollback may be of another version, and they are written too.

    Raises
    ------
    BucketTakenError
        Another than this owner brought it last; nothing was changed then.
    """
    before = objects.owner_of(s3, bucket, DEPLOYED.parsed)
    # An earlier version wrote the stack's name alone.
    if before not in (None, "", owner, owner.partition(" ")[0]):
        raise BucketTakenError(bucket=bucket, owner=before, mine=owner)
    there, contents = definitions.stored(s3, bucket, DEPLOYED), {model: texts[model].encode() for model in texts}
    ours = {model: definitions.digest_of(content) for model, content in contents.items()}
    differ = [model for model, digest in ours.items() if model not in there or there[model][1] != digest]
    gone = sorted(there.keys() - ours.keys())
    etags = {model: there[model][0] for model in ours.keys() & there.keys()}
    with ThreadPoolExecutor(definitions.AT_ONCE) as writers:
        written = writers.map(lambda model: definitions.put(s3, bucket, DEPLOYED, model, contents[model]), differ)
        etags |= dict(zip(differ, written, strict=True))
        for _ in writers.map(lambda model: s3.delete_object(Bucket=bucket, Key=DEPLOYED.key(model)), gone):
            pass
    read, refused = _read(s3, bucket, contents, etags)
    found = {model: (etags[model], ours[model], read.get(model)) for model in ours}
    definitions.write_parsed(s3, bucket, DEPLOYED, found, owner=owner)
    return Brought(differ, gone, refused)


def _read(
    s3: Any, bucket: str, contents: Mapping[str, bytes], etags: Mapping[str, str]
) -> tuple[dict[str, ModelConfig], dict[str, str]]:
    """What the texts say, and the problem of each that cannot be followed."""
    known = definitions.kept(s3, bucket, DEPLOYED, etags)
    read, refused = {model: each.written for model, each in known.items()}, {}
    for model in contents.keys() - known.keys():
        try:
            fresh = definitions.validated(DEPLOYED, contents[model], model=model, source=f"{model}.yaml")
        except ModelConfigError as error:
            refused[model] = str(error)
        else:
            read[model] = fresh.written
    return read, refused
