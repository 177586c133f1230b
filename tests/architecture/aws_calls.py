"""Which AWS actions a handler's code can call, read from its source: no call is made."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from botocore import xform_name

from offline.iam import guard as iam
from tests.architecture.source_imports import ROOT, module_file

# Methods of boto3 that make several calls.
TRANSFERS = {"copy": ("HeadObject", "CopyObject", "AbortMultipartUpload")}
# Every method of a client that the offline account knows the IAM actions of; one that it does not know, and that is yet called,
# fails the test that reads this.
OPERATIONS: dict[str, tuple[str, ...]] = {
    xform_name(operation): needs.actions for known in iam.OPERATIONS.values() for operation, needs in known.items()
} | {
    method: tuple(action for call in calls for action in iam.OPERATIONS["s3"][call].actions)
    for method, calls in TRANSFERS.items()
}
PREFIXES = (
    *("capture", "labels", "profiles", "predictions", "quarantine"),
    *("models", "deployed", "baselines", "reports", "audit", "retraining", "initial", "athena", "labelled"),
    *("trained", "scored", "artefacts", "history", "logs", "undelivered", "experiments", "watch"),
)
CLIENTS = {
    "s3",
    "dynamodb",
    "sns",
    "sqs",
    "cloudwatch",
    "sagemaker",
    "states",
    "stepfunctions",
    "step_functions",
    "sfn",
    "glue",
    "cloudtrail",
    "secretsmanager",
}


@dataclass
class Module:
    """One file's functions, and what its names mean."""

    functions: dict[str, ast.AST] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


@functools.cache
def read(path: Path) -> Module:
    """Index a file: classes count as functions, for making one may run its methods; so do lists of functions."""
    module = Module()
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            module.functions[node.name] = node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            module.functions |= {target.id: node for target in targets if isinstance(target, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            module.names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            module.names |= {alias.asname or alias.name: alias.name for alias in node.names}
    return module


@functools.cache
def actions_of_handler(name: str) -> set[str]:
    """Every action that `lambdas.handlers.<name>.handler` may call."""
    return {
        action
        for path, node in _reachable(name)
        if path.is_relative_to(ROOT / "lambdas")
        for action in _actions(node, read(path))
    }


def prefixes_of_handler(name: str) -> set[str]:
    """Every prefix of the data bucket that the code behind a handler writes out."""
    texts = (str(node.value) for _, node in _reachable(name) if isinstance(node, ast.Constant))
    return {prefix for text in texts for prefix in PREFIXES if text.startswith(f"{prefix}/")}


@functools.cache
def _reachable(name: str) -> list[tuple[Path, ast.AST]]:
    found: list[tuple[Path, ast.AST]] = []
    seen: set[tuple[Path, str]] = set()
    waiting = [(ROOT / "lambdas" / "handlers" / f"{name}.py", "handler")]
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        path, function = place
        module = read(path)
        if function not in module.functions:
            continue
        for node in ast.walk(module.functions[function]):
            found.append((path, node))
            waiting += _targets(node, path, module)
    return found


def unknown_operations() -> dict[str, set[str]]:
    """Calls on an AWS client that OPERATIONS does not know, per file."""
    unknown: dict[str, set[str]] = {}
    for path in sorted((ROOT / "lambdas").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _client_call(node.func, read(path)):
                assert isinstance(node.func, ast.Attribute)
                if node.func.attr not in {*OPERATIONS, "get_paginator", "exceptions"}:
                    unknown.setdefault(str(path), set()).add(node.func.attr)
    return unknown


def _actions(node: ast.AST, module: Module) -> Iterator[str]:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    operation = node.func.attr
    if operation == "get_paginator" and isinstance(node.args[0], ast.Constant):
        yield from OPERATIONS[str(node.args[0].value)]
    elif operation in OPERATIONS and not _is_module(node.func.value, module):
        yield from OPERATIONS[operation]


def _client_call(function: ast.AST, module: Module) -> bool:
    if not isinstance(function, ast.Attribute) or _is_module(function.value, module):
        return False
    return isinstance(function.value, ast.Name) and function.value.id in CLIENTS


def _is_module(node: ast.AST, module: Module) -> bool:
    return isinstance(node, ast.Name) and module_file(module.names.get(node.id, "")) is not None


def _targets(node: ast.AST, path: Path, module: Module) -> list[tuple[Path, str]]:
    # Also a function that is only handed on, not called here, may be called.
    if isinstance(node, ast.Name):
        if node.id in module.functions:
            return [(path, node.id)]
        return _imported(module.names.get(node.id, ""))
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return _imported(f"{module.names.get(node.value.id, '')}.{node.attr}")
    return []


def _imported(dotted: str) -> list[tuple[Path, str]]:
    owner, _, name = dotted.rpartition(".")
    file = module_file(owner) if owner else None
    return [(file, name)] if file is not None and not file.is_relative_to(ROOT / "tests") else []
