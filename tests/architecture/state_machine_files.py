"""The ASL files, read as data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DEFINITIONS = Path(__file__).resolve().parents[2] / "state_machines"
STACK_OF = {"retrain.asl.json": "KedgeRetraining", "release.asl.json": "KedgeRelease"}


def load(file: str) -> dict[str, Any]:
    """One machine's definition."""
    definition: dict[str, Any] = json.loads((DEFINITIONS / file).read_text())
    return definition


def states(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every state, also those inside a Parallel or a Map."""
    for name, state in definition["States"].items():
        yield name, state
        inside = [*state.get("Branches", []), *(state[key] for key in ("Iterator", "ItemProcessor") if key in state)]
        for branch in inside:
            yield from states(branch)


def asked_names(file: str) -> set[str]:
    """The outside names that a file asks for as `${Name}`."""
    return set(re.findall(r"\$\{(\w+)\}", (DEFINITIONS / file).read_text()))


def named_errors(definition: dict[str, Any]) -> set[str]:
    """Every error that a Retry or a Catch names."""
    return {
        error
        for _, state in states(definition)
        for rule in [*state.get("Retry", []), *state.get("Catch", [])]
        for error in rule["ErrorEquals"]
    }
