"""A model's YAML read: each field stands once, and what is wrong is one sentence with its place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from yaml.composer import Composer

from kedge.config.fits.meant import meant
from kedge.config.model import ModelConfig
from kedge.errors import ModelConfigError
from kedge.own_columns import PREFIX, is_own

# The YAML of a model with a thousand features has some hundred thousand characters. Aliases are counted as what they stand for, and a
# value that is longer than the longest is none that Kedge knows: Python would take minutes to read it as a number.
CHARACTERS_MAX, VALUE_CHARACTERS_MAX = 1 << 20, 4096

# A channel's secret is named here and kept in Secrets Manager; its address may be a secret too.
_MAY_BE_SECRET = frozenset({"secret", "url", "slack", "teams", "pagerduty", "opsgenie", "webhook"})

Document = TypeVar("Document", bound=BaseModel)

if not yaml.__with_libyaml__:
    raise ImportError(
        "PyYAML was built without libyaml, which reads the models' files: pip install --force-reinstall --only-binary :all: pyyaml"
    )


class NotAMappingError(ValueError):
    """The text is no YAML, or no mapping of fields."""


def read_mapping(text: str) -> dict[str, Any]:
    """Read a YAML text whose top is a mapping, of at most `CHARACTERS_MAX` characters with its aliases written out.

    Raises
    ------
    NotAMappingError
        In the words of a sentence about a file.

    >>> read_mapping("model: parcels")
    {'model': 'parcels'}
    >>> read_mapping("- parcels")
    Traceback (most recent call last):
    kedge.config.reading.NotAMappingError: the file must be a mapping of fields
    """
    if len(text) > CHARACTERS_MAX:
        raise NotAMappingError(f"the file has more than the {CHARACTERS_MAX:,} characters that are read")
    try:
        loader = _UniqueKeys(text)
        node = loader.get_single_node()
        if node is not None and _characters(node, {}) > CHARACTERS_MAX:
            raise NotAMappingError(
                f"with its aliases written out the file has more than the {CHARACTERS_MAX:,} characters that are read, or a "
                "value refers to itself"
            )
        data = loader.construct_document(node) if node is not None else None
    except NotAMappingError:
        raise
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise NotAMappingError(f"not YAML: {error}") from error
    if not isinstance(data, dict):
        raise NotAMappingError("the file must be a mapping of fields")
    return data


def _characters(node: yaml.Node, known: dict[int, int]) -> int:
    """Characters of a value with its aliases written out; of one that holds itself more than may be."""
    if isinstance(node, yaml.ScalarNode):
        if len(node.value) > VALUE_CHARACTERS_MAX:
            raise NotAMappingError(f"a value has more than the {VALUE_CHARACTERS_MAX:,} characters that are read")
        return 1 + len(node.value)
    if id(node) not in known:
        known[id(node)] = CHARACTERS_MAX + 1
        parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        known[id(node)] = min(1 + sum(_characters(part, known) for part in parts), CHARACTERS_MAX + 1)
    return known[id(node)]


class _UniqueKeys(Composer, yaml.CSafeLoader):
    """YAML says that a field stands once; PyYAML would take the last and say nothing.

    libyaml finds the marks and words, which takes most of the time; they are put together in Python, for in C a text that is
    nested too deep ends the process.
    """

    def __init__(self, text: str) -> None:
        yaml.CSafeLoader.__init__(self, text)
        Composer.__init__(self)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names: set[str] = set()
        # A list or a mapping as a key is refused by PyYAML.
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in names and key.value != "<<":
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
            names.add(key.value)
        return super().construct_mapping(node, deep)


def parse_model_config(text: str, *, source: str) -> ModelConfig:
    """Read one model's YAML.

    Raises
    ------
    ModelConfigError
        Naming the file, the field, the value and what would be allowed; a misspelt field
        comes with the one that was probably meant.
    """
    config = parse_document(ModelConfig, text, source=source)
    if problems := _own_names(config):
        raise ModelConfigError(source=source, problems=problems)
    return config


def to_json(config: ModelConfig) -> str:
    """Write what a model's YAML gives as JSON, which is read some twenty times as fast."""
    return config.model_dump_json(exclude_unset=True)


def from_json(text: str) -> ModelConfig:
    """Read what `to_json` wrote of a model whose YAML was read."""
    return ModelConfig.model_validate_json(text)


def parse_document(kind: type[Document], text: str, *, source: str) -> Document:
    """Read a YAML text as one of our documents.

    Raises
    ------
    ModelConfigError
        As `parse_model_config`.
    """
    try:
        # JSON mode lets a YAML list fill a tuple and an integer a float while staying strict.
        return kind.model_validate_json(_as_json(read_mapping(text)))
    except NotAMappingError as error:
        raise ModelConfigError(source=source, problems=[str(error)]) from error
    except ValidationError as error:
        raise ModelConfigError(source=source, problems=[_sentence(e, kind) for e in error.errors()]) from error
    except (ValueError, RecursionError) as error:
        raise ModelConfigError(source=source, problems=["a value refers to itself, or is nested too deep"]) from error


def _own_names(config: ModelConfig) -> list[str]:
    """Columns whose names only Kedge may give; files that are compared without a YAML may hold any."""
    places = {
        "features": config.feature_names,
        "prediction": config.answer_columns,
        "context": config.context,
        "endpoint.custom_attributes": config.endpoint.custom_attributes,
        "labels.fields": config.labels.fields,
    }
    return [
        f"{place} has {name!r}: Kedge keeps the label, and columns of its own that begin with {PREFIX}, under such names. "
        "Give this column another name"
        for place, names in places.items()
        for name in names
        if is_own(name)
    ]


def _as_json(data: dict[str, Any]) -> str:
    return json.dumps(data, default=str)


def _sentence(error: Any, document: type[BaseModel]) -> str:
    place = ".".join(str(part) for part in error["loc"]) or "the file"
    if error["type"] == "extra_forbidden":
        known = list(_fields_at(document, error["loc"][:-1]))
        fields = f"the fields are {', '.join(known)}"
        return f"{place} is not a field{meant(str(error['loc'][-1]), known, fields)}"
    if error["type"] == "missing":
        return f"{place} is required"
    if error["type"] == "string_pattern_mismatch" and (examples := _examples_at(document, error["loc"])):
        return f"{place} {_said(error)}: write it like {examples[0]}, to match {error['ctx']['pattern']}"
    if error["type"] == "value_error":
        # Our own sentence says it all; the input would be the whole file.
        return str(error["msg"]).removeprefix("Value error, ")
    return f"{place} {_said(error)}: {error['msg']}"


def _said(error: Any) -> str:
    """What stands there; where a person may have pasted a secret in place of its name, not a word of it."""
    fields = [part for part in error["loc"] if isinstance(part, str)]
    if fields and fields[-1] in _MAY_BE_SECRET and isinstance(error["input"], str):
        return "is not as it should be (it is not shown here, for it may be a secret)"
    return f"is {error['input']!r}"


def _fields_at(section: type[BaseModel], path: tuple[str | int, ...]) -> Mapping[str, Any]:
    for part in path:
        if isinstance(part, int) or part not in section.model_fields:
            continue  # a place in a list, or a name in a mapping
        inner = _sections_in(section.model_fields[part].annotation)
        section = next(inner)
    return section.model_fields


def _sections_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that a field may hold, also in a list, a mapping or an alternative."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _sections_in(inner)


def _examples_at(section: type[BaseModel], path: tuple[str | int, ...]) -> Any:
    """What a field is written like; of a list of such values too."""
    names = [part for part in path if isinstance(part, str)]
    field = _fields_at(section, path[: path.index(names[-1])]).get(names[-1])
    if field is None or field.examples:
        return field.examples if field else None
    inner = (one for part in getattr(field.annotation, "__args__", ()) for one in getattr(part, "__metadata__", ()))
    return next((one.examples for one in inner if getattr(one, "examples", None)), None)
