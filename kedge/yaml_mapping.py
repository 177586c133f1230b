"""YAML as a mapping in which each field stands once."""

from __future__ import annotations

from typing import Any

import yaml


class NotAMappingError(ValueError):
    """The text is no YAML, or no mapping of fields."""


def read_mapping(text: str) -> dict[str, Any]:
    """Read a YAML text whose top is a mapping.

    Raises
    ------
    NotAMappingError
        In the words of a sentence about a file.

    >>> read_mapping("model: parcels")
    {'model': 'parcels'}
    >>> read_mapping("- parcels")
    Traceback (most recent call last):
    kedge.yaml_mapping.NotAMappingError: the file must be a mapping of fields
    """
    try:
        data = yaml.load(text, _UniqueKeys)  # noqa: S506  # a SafeLoader
    except (yaml.YAMLError, RecursionError) as error:
        raise NotAMappingError(f"not YAML: {error}") from error
    if not isinstance(data, dict):
        raise NotAMappingError("the file must be a mapping of fields")
    return data


class _UniqueKeys(yaml.SafeLoader):
    """YAML says that a field stands once; PyYAML would take the last and say nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names: list[Any] = []
        for key, _ in node.value:
            name = key.value
            if name in names and name != "<<":
                raise yaml.constructor.ConstructorError(None, None, f"{name!r} is there twice", key.start_mark)
            names.append(name)
        return super().construct_mapping(node, deep)
