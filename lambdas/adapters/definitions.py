"""Definitions of adopted models in the data bucket: `models/<model>.yaml`, read by name and kept while its ETag stands."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from kedge.config.model import ModelConfig
from kedge.config.reading import CHARACTERS_MAX, from_json, parse_model_config, to_json
from kedge.errors import ModelConfigError
from lambdas.adapters.bucket import objects
from lambdas.adapters.bucket.layout import DEFINITIONS, definition_key
from lambdas.adapters.models import is_name, owned

# A character of UTF-8 has at most four bytes.
BYTES_MAX = 4 * CHARACTERS_MAX
_SUFFIX = ".yaml"
# What was read of all definitions, each with its ETag: a process that begins reads one object, and none of ten thousand YAMLs.
PARSED = f"{DEFINITIONS}parsed.json"
_READERS = 16
_UNCHANGED = ("304", "NotModified")
NO_NAME = "its file's name is no model's: letters and digits, hyphens between them, 40 at most. Write it with kedge models put"
# What was read in this process, by bucket and key: the ETag, and what the text says.
_kept: dict[tuple[str, str], tuple[str, ModelConfig]] = {}


@dataclass(frozen=True)
class Definitions:
    """Every definition in the bucket by its model, the problem of each that cannot be followed, and whether any text was read anew."""

    models: Mapping[str, ModelConfig] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    fresh: bool = False


def validated(content: bytes, *, model: str | None, source: str) -> ModelConfig:
    """Read a definition as it is written and as it is read: no larger than a YAML may be, of this model, and only watched.

    Raises
    ------
    ModelConfigError
    """
    if len(content) > BYTES_MAX:
        raise ModelConfigError(source=source, problems=[f"it has more than the {BYTES_MAX:,} bytes that are read"])
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelConfigError(source=source, problems=["it is not text in UTF-8"]) from error
    return _watched(parse_model_config(text, source=source), model=model, source=source)


def _watched(config: ModelConfig, *, model: str | None, source: str) -> ModelConfig:
    if model is not None and config.model != model:
        raise ModelConfigError(source=source, problems=[f"it defines the model {config.model!r}, not {model!r}"])
    if config.mode != "watch":
        problem = (
            "mode is manage: what Kedge retrains and releases is defined in the repository and deployed; the bucket holds models "
            "with `mode: watch`"
        )
        raise ModelConfigError(source=source, problems=[problem])
    if config.firehose:
        problem = (
            "firehose is true: the delivery stream is deployed for models of the repository, so deploy this YAML; or remove the field, "
            "and write the log without a stream of its own"
        )
        raise ModelConfigError(source=source, problems=[problem])
    return owned(config)


def load(s3: Any, bucket: str, model: str) -> ModelConfig | None:
    """One model's definition; None where the bucket has none. Read once, then only asked whether it has changed.

    Raises
    ------
    ModelConfigError
    """
    key = definition_key(model)
    known = _kept.get((bucket, key))
    try:
        answer = s3.get_object(Bucket=bucket, Key=key, **({"IfNoneMatch": known[0]} if known else {}))
    except ClientError as error:
        if known and error.response["Error"]["Code"] in _UNCHANGED:
            return known[1]
        if objects.is_absent(error):
            _kept.pop((bucket, key), None)
            return None
        raise
    # One byte more than may be there is enough to refuse it.
    config = validated(answer["Body"].read(BYTES_MAX + 1), model=model, source=f"s3://{bucket}/{key}")
    _kept[bucket, key] = answer["ETag"], config
    return config


def load_all(s3: Any, bucket: str, *, but: Collection[str] = ()) -> Definitions:
    """Every definition but those of these models; one that is broken harms no other.

    What this process has not read is taken from `PARSED` where its ETag stands there, else read, several at once.
    """
    found = sorted(objects.list_objects(s3, bucket, DEFINITIONS).items())
    yamls = {key: etag for key, etag in found if key.endswith(_SUFFIX) and _model_of(key) not in but}
    listed = {key: etag for key, etag in yamls.items() if is_name(_model_of(key))}
    broken = {_model_of(key).replace("/", "_"): NO_NAME for key in yamls if key not in listed}
    if any(_is_new(bucket, key, etag) for key, etag in listed.items()):
        _take_parsed(s3, bucket, listed)
    new = [key for key, etag in listed.items() if _is_new(bucket, key, etag)]
    misread = 0
    with ThreadPoolExecutor(_READERS) as readers:
        for key, problem in zip(
            new, readers.map(lambda key: _problem_of(s3, bucket, _model_of(key)), new), strict=True
        ):
            if problem is not None:
                broken[_model_of(key)] = problem
                misread += 1
    kept = {_model_of(key): _kept[bucket, key][1] for key in listed if (bucket, key) in _kept}
    models = {model: config for model, config in kept.items() if model not in broken}
    return Definitions(models, broken, fresh=len(new) > misread)


def _is_new(bucket: str, key: str, etag: str) -> bool:
    known = _kept.get((bucket, key))
    return known is None or known[0] != etag


def _problem_of(s3: Any, bucket: str, model: str) -> str | None:
    """Read one definition; say what is wrong with it."""
    try:
        load(s3, bucket, model)
    except ModelConfigError as error:
        return str(error)
    return None


def _take_parsed(s3: Any, bucket: str, listed: Mapping[str, str]) -> None:
    """Take what another process has read of these definitions as they are now, if it passes what their text would have to pass."""
    found = objects.read(s3, bucket, PARSED)
    if found is None:
        return
    # Whatever is wrong with it, the definitions themselves are there.
    with suppress(ValueError, TypeError, AttributeError):
        for key, (etag, text) in json.loads(found[0]).items():
            if listed.get(key) == etag and _is_new(bucket, key, etag):
                with suppress(ModelConfigError):
                    _kept[bucket, key] = etag, _watched(from_json(text), model=_model_of(key), source=PARSED)


def keep_parsed(s3: Any, bucket: str, models: Collection[str]) -> None:
    """Keep what this process has read of these models' definitions, so that the next one finds it."""
    kept = {key: _kept[bucket, key] for key in map(definition_key, models)}
    parsed = {key: (etag, to_json(config)) for key, (etag, config) in kept.items()}
    s3.put_object(Bucket=bucket, Key=PARSED, Body=json.dumps(parsed).encode(), ContentType="application/json")


def _model_of(key: str) -> str:
    return key.removeprefix(DEFINITIONS).removesuffix(_SUFFIX)


def put(s3: Any, bucket: str, content: bytes) -> ModelConfig:
    """Write a definition that can be followed; the bucket keeps the one before as a version.

    Raises
    ------
    ModelConfigError
        It cannot be followed, or another definition in the bucket watches the same.
    """
    config = validated(content, model=None, source="the definition")
    others = load_all(s3, bucket, but=(config.model,)).models
    taken = next((name for name, other in others.items() if other.answers_from == config.answers_from), None)
    if taken is not None:
        problem = f"its {config.answers_from} is watched by {taken} already; one model can watch it"
        raise ModelConfigError(source=config.model, problems=[problem])
    s3.put_object(Bucket=bucket, Key=definition_key(config.model), Body=content, ContentType="application/yaml")
    return config


def remove(s3: Any, bucket: str, model: str) -> bool:
    """Delete a definition; False where there is none. The bucket keeps it as a version."""
    key = definition_key(model)
    if key not in objects.list_objects(s3, bucket, key):
        return False
    s3.delete_object(Bucket=bucket, Key=key)
    return True
