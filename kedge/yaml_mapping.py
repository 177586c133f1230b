"""YAML as a mapping in which each field stands once."""

from __future__ import annotations

from typing import Any

import yaml

# The YAML of a model with a thousand features has some hundred thousand characters. Aliases are counted as what they stand for, and a
# value that is longer than the longest is none that Kedge knows: Python would take minutes to read it as a number.
CHARACTERS_MAX, VALUE_CHARACTERS_MAX = 1 << 20, 4096


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
    kedge.yaml_mapping.NotAMappingError: the file must be a mapping of fields
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


class _UniqueKeys(yaml.SafeLoader):
    """YAML says that a field stands once; PyYAML would take the last and say nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names: set[str] = set()
        # A list or a mapping as a key is refused by PyYAML.
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in names and key.value != "<<":
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
            names.add(key.value)
        return super().construct_mapping(node, deep)
