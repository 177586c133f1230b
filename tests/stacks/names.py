"""The names in templates: what a deployment gives a name to, and what it listens to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_KEYS = (
    *("Name", "TopicName", "AliasName", "DashboardName", "StateMachineName", "LogGroupName", "ConfigurationName"),
    *("ModelPackageGroupName", "DeliveryStreamName", "RoleName"),
)
_WITHIN = ("DatabaseInput", "TableInput")


def templates(assembly: Path) -> dict[str, dict[str, Any]]:
    """Every template of an assembly by its stack's name, those of its stages too."""
    found = {}
    for manifest in sorted(assembly.rglob("manifest.json")):
        for name, artifact in json.loads(manifest.read_text())["artifacts"].items():
            if artifact["type"] == "aws:cloudformation:stack":
                properties = artifact["properties"]
                text = (manifest.parent / properties["templateFile"]).read_text()
                found[properties.get("stackName", name)] = json.loads(text)
    return found


def given_names(resource: dict[str, Any]) -> dict[str, Any]:
    """What a resource is called by us; CloudFormation names the rest after stack and logical id."""
    properties = resource.get("Properties", {})
    within = {key: properties[key]["Name"] for key in _WITHIN if key in properties}
    return {"type": resource["Type"], **{key: properties[key] for key in _KEYS if key in properties}, **within}


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a resource with its place."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, f"{path}/{key}")
    elif isinstance(node, list):
        for value in node:
            yield from leaves(value, path)
    elif isinstance(node, str):
        yield path, node
