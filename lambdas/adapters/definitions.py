"""Definitions in the data bucket: folders of `<model>.yaml`, each read by name and kept while its ETag stands."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from kedge.config.model import ModelConfig
from kedge.config.reading import CHARACTERS_MAX, from_json, parse_model_config, to_json
from kedge.errors import ModelConfigError
from lambdas import stage
from lambdas.adapters.bucket import objects
from lambdas.adapters.owners import owned

# A character of UTF-8 has at most four bytes.
BYTES_MAX = 4 * CHARACTERS_MAX
# Objects that are read or written at once.
AT_ONCE = 16
_SUFFIX = ".yaml"
_SHOWN_CHARACTERS = 100
# What was read of all definitions of a folder, each with its ETag: a process that begins reads one object, and none of ten thousand
# YAMLs, which take half a minute.
_PARSED = "parsed.json"
_UNCHANGED = ("304", "NotModified")
NO_NAME = "its file's name is no model's: letters and digits, hyphens between them, 40 at most. Write it with kedge models put"
# A name becomes a key: nothing else may.
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,39}")


@dataclass(frozen=True)
class DefinitionFolder:
    """Where definitions lie; `problem_of` says why one that can be read may not lie there."""

    prefix: str
    problem_of: Callable[[ModelConfig], str | None] = field(default=lambda _config: None)
    # Who hears of a model.
    owned: Callable[[ModelConfig], ModelConfig] = owned

    @property
    def parsed(self) -> str:
        """The key of what was read of them all."""
        return f"{self.prefix}{_PARSED}"

    def key(self, model: str) -> str:
        """The key of a model's definition."""
        return f"{self.prefix}{model}{_SUFFIX}"

    def model_of(self, key: str) -> str:
        """Whose definition has this key."""
        return key.removeprefix(self.prefix).removesuffix(_SUFFIX)


@dataclass(frozen=True)
class Definitions:
    """Every definition of a folder by its model, the problem of each that cannot be followed, and whether any text was read anew."""

    models: Mapping[str, ModelConfig] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    fresh: bool = False


@dataclass(frozen=True)
class Definition:
    """What a text says: its digest, the model as it is written there, and as it is here, with its team and its stage."""

    digest: str
    written: ModelConfig
    config: ModelConfig


# What was read in this process, by stage, bucket and key: the ETag, and what the text says.
_kept: dict[tuple[str, str, str], tuple[str, Definition]] = {}


def is_name(name: str) -> bool:
    """Whether a model can have this name."""
    return _NAME.fullmatch(name) is not None


def digest_of(content: bytes) -> str:
    """The digest by which a definition's text is known again."""
    return hashlib.sha256(content).hexdigest()


def validated(folder: DefinitionFolder, content: bytes, *, model: str | None, source: str) -> Definition:
    """Read a definition as it is written and as it is read: no larger than a YAML may be, of this model, and fit for its folder.

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
    written = parse_model_config(text, source=source)
    return _fit(folder, written, digest_of(content), model=model, source=source)


def _fit(folder: DefinitionFolder, written: ModelConfig, digest: str, *, model: str | None, source: str) -> Definition:
    if model is not None and written.model != model:
        raise ModelConfigError(source=source, problems=[f"it defines the model {written.model!r}, not {model!r}"])
    if (problem := folder.problem_of(written)) is not None:
        raise ModelConfigError(source=source, problems=[problem])
    return Definition(digest, written, folder.owned(written))


def load(s3: Any, bucket: str, folder: DefinitionFolder, model: str) -> ModelConfig | None:
    """One model's definition; None where the folder has none. Read once, then only asked whether it has changed.

    Raises
    ------
    ModelConfigError
    """
    if not is_name(model):
        return None
    key = folder.key(model)
    known = _known(bucket, key)
    try:
        answer = s3.get_object(Bucket=bucket, Key=key, **({"IfNoneMatch": known[0]} if known else {}))
    except ClientError as error:
        if known and error.response["Error"]["Code"] in _UNCHANGED:
            return known[1].config
        if objects.is_absent(error):
            _kept.pop(_place(bucket, key), None)
            return None
        raise
    # One byte more than may be there is enough to refuse it.
    read = validated(folder, answer["Body"].read(BYTES_MAX + 1), model=model, source=f"s3://{bucket}/{key}")
    _kept[_place(bucket, key)] = answer["ETag"], read
    return read.config


def load_all(s3: Any, bucket: str, folder: DefinitionFolder, *, but: Collection[str] = ()) -> Definitions:
    """Every definition but those of these models; one that is broken harms no other.

    What this process has not read is taken from what another has kept where its ETag stands there, else read, several at once.
    """
    yamls = {key: etag for key, etag in _yamls(s3, bucket, folder).items() if folder.model_of(key) not in but}
    listed = _named(s3, bucket, folder, yamls)
    broken = {_shown(folder.model_of(key)): NO_NAME for key in yamls if key not in listed}
    new = [key for key, etag in listed.items() if _is_new(bucket, key, etag)]
    misread = 0
    with ThreadPoolExecutor(AT_ONCE) as readers:
        problems = readers.map(lambda key: _problem_of(s3, bucket, folder, folder.model_of(key)), new)
        for key, problem in zip(new, problems, strict=True):
            if problem is not None:
                broken[folder.model_of(key)] = problem
                misread += 1
    found = {folder.model_of(key): known[1].config for key in listed if (known := _known(bucket, key))}
    models = {model: config for model, config in found.items() if model not in broken}
    return Definitions(models, broken, fresh=len(new) > misread)


def names(s3: Any, bucket: str, folder: DefinitionFolder) -> set[str]:
    """Whose definitions lie there."""
    found = map(folder.model_of, _yamls(s3, bucket, folder))
    return {model for model in found if is_name(model)}


def stored(s3: Any, bucket: str, folder: DefinitionFolder) -> dict[str, tuple[str, str | None]]:
    """The ETag of every definition by its model, and its text's digest; None where nobody has kept it, so that only reading would tell.

    Whether this version of Kedge could follow the text does not matter.
    """
    yamls, parsed = _yamls(s3, bucket, folder), _parsed_of(s3, bucket, folder)
    return {
        folder.model_of(key): (etag, parsed[key][1] if key in parsed and parsed[key][0] == etag else None)
        for key, etag in yamls.items()
    }


def kept(s3: Any, bucket: str, folder: DefinitionFolder, etags: Mapping[str, str]) -> dict[str, Definition]:
    """Of these models, whose ETags these are, the definitions that somebody has read already and that can be followed."""
    listed = {folder.key(model): etag for model, etag in etags.items()}
    _take_parsed(s3, bucket, folder, listed)
    return {
        folder.model_of(key): _kept[_place(bucket, key)][1]
        for key, etag in listed.items()
        if not _is_new(bucket, key, etag)
    }


def put(s3: Any, bucket: str, folder: DefinitionFolder, model: str, content: bytes) -> str:
    """Write a definition and return its ETag; the bucket keeps the one before as a version."""
    answer = s3.put_object(Bucket=bucket, Key=folder.key(model), Body=content, ContentType="application/yaml")
    etag: str = answer["ETag"]
    return etag


def keep_parsed(s3: Any, bucket: str, folder: DefinitionFolder, models: Collection[str]) -> None:
    """Keep what this process has read of these models' definitions, so that the next one finds it."""
    known = {folder.model_of(key): _kept[_place(bucket, key)] for key in map(folder.key, models)}
    write_parsed(
        s3, bucket, folder, {model: (etag, read.digest, read.written) for model, (etag, read) in known.items()}
    )


def write_parsed(
    s3: Any,
    bucket: str,
    folder: DefinitionFolder,
    read: Mapping[str, tuple[str, str, ModelConfig | None]],
    *,
    owner: str = "",
) -> None:
    """Write of each model the ETag, the digest and the definition, which is None where it cannot be followed; and who wrote it."""
    parsed = {
        folder.key(model): (etag, digest, written and to_json(written))
        for model, (etag, digest, written) in read.items()
    }
    s3.put_object(
        Bucket=bucket,
        Key=folder.parsed,
        Body=json.dumps(parsed).encode(),
        ContentType="application/json",
        **({"Metadata": {objects.OWNER: owner}} if owner else {}),
    )


def _yamls(s3: Any, bucket: str, folder: DefinitionFolder) -> dict[str, str]:
    """The ETag of every YAML, by key."""
    found = sorted(objects.list_objects(s3, bucket, folder.prefix).items())
    return {key: etag for key, etag in found if key.endswith(_SUFFIX)}


def _shown(name: str) -> str:
    """What is no model's name, as people are told of it and as a part of a key: it may be empty, or as long as S3 takes."""
    return name.replace("/", "_")[:_SHOWN_CHARACTERS] or _SUFFIX


def _named(s3: Any, bucket: str, folder: DefinitionFolder, yamls: Mapping[str, str]) -> dict[str, str]:
    """Those that are named like a model; what another process has kept of them is known then."""
    listed = {key: etag for key, etag in yamls.items() if is_name(folder.model_of(key))}
    if any(_is_new(bucket, key, etag) for key, etag in listed.items()):
        _take_parsed(s3, bucket, folder, listed)
    return listed


def _take_parsed(s3: Any, bucket: str, folder: DefinitionFolder, listed: Mapping[str, str]) -> None:
    """Take what another process has read of these definitions as they are now, if it passes what their text would have to pass."""
    for key, (etag, digest, text) in _parsed_of(s3, bucket, folder).items():
        if listed.get(key) == etag and _is_new(bucket, key, etag):
            # Another version of Kedge may have kept what this one would refuse.
            with suppress(ModelConfigError, ValueError, TypeError):
                read = _fit(folder, from_json(text), digest, model=folder.model_of(key), source=folder.parsed)
                _kept[_place(bucket, key)] = etag, read


def _parsed_of(s3: Any, bucket: str, folder: DefinitionFolder) -> dict[str, tuple[str, str, str]]:
    """By key, what another process has kept: an ETag, a digest and the definition; nothing of what is no such thing."""
    found = objects.read(s3, bucket, folder.parsed)
    # Whatever is wrong with it, the definitions themselves are there.
    with suppress(ValueError, TypeError, AttributeError):
        return {
            key: (etag, digest, text) for key, (etag, digest, text) in json.loads(found[0] if found else "{}").items()
        }
    return {}


def _problem_of(s3: Any, bucket: str, folder: DefinitionFolder, model: str) -> str | None:
    """Read one definition; say what is wrong with it."""
    try:
        load(s3, bucket, folder, model)
    except ModelConfigError as error:
        return str(error)
    return None


def _is_new(bucket: str, key: str, etag: str) -> bool:
    known = _known(bucket, key)
    return known is None or known[0] != etag


def _known(bucket: str, key: str) -> tuple[str, Definition] | None:
    return _kept.get(_place(bucket, key))


def _place(bucket: str, key: str) -> tuple[str, str, str]:
    return stage.current().name, bucket, key
