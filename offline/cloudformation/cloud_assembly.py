"""A CDK cloud assembly on disk: which stacks it holds, in which order, and which files they need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STACK, ASSETS, NESTED = "aws:cloudformation:stack", "cdk:asset-manifest", "cdk:cloud-assembly"


@dataclass(frozen=True)
class Stack:
    """A stack of the assembly."""

    name: str
    template: Mapping[str, Any]
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Assembly:
    """Stacks so ordered that each follows those it depends on, and assets by (bucket, key)."""

    stacks: tuple[Stack, ...]
    assets: Mapping[tuple[str, str], Path]

    @classmethod
    def read(cls, directory: Path, account_id: str, region: str) -> Assembly:
        """Read `manifest.json` and all that it names."""
        artifacts = json.loads((directory / "manifest.json").read_text())["artifacts"]
        stacks: list[Stack] = []
        assets: dict[tuple[str, str], Path] = {}
        for name in _in_order(artifacts):
            artifact = artifacts[name]
            properties = artifact.get("properties", {})
            if artifact["type"] == STACK:
                stacks.append(_stack(directory, name, properties))
            elif artifact["type"] == ASSETS:
                assets |= _assets(directory, directory / properties["file"], account_id, region)
            elif artifact["type"] == NESTED:
                nested = cls.read(directory / properties["directoryName"], account_id, region)
                stacks += nested.stacks
                assets |= nested.assets
        return cls(tuple(stacks), assets)


def _stack(directory: Path, name: str, properties: Mapping[str, Any]) -> Stack:
    template = json.loads((directory / properties["templateFile"]).read_text())
    return Stack(properties.get("stackName", name), template, properties.get("parameters", {}))


def _assets(directory: Path, manifest: Path, account_id: str, region: str) -> dict[tuple[str, str], Path]:
    found = {}
    for asset in json.loads(manifest.read_text()).get("files", {}).values():
        for destination in asset["destinations"].values():
            bucket = destination["bucketName"].replace("${AWS::AccountId}", account_id)
            bucket = bucket.replace("${AWS::Region}", region)
            found[bucket, destination["objectKey"]] = (directory / asset["source"]["path"]).resolve()
    return found


def _in_order(artifacts: Mapping[str, Any]) -> list[str]:
    order: list[str] = []

    def visit(name: str) -> None:
        if name in order or name not in artifacts:
            return
        for need in artifacts[name].get("dependencies", []):
            visit(need)
        order.append(name)

    for name in artifacts:
        visit(name)
    return order
