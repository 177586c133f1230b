"""What the repository's own modules import, read from their source."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("kedge", "lambdas", "stacks", "report", "cli", "offline", "demo", "benchmarks", "training")


def sources(*rooms: str) -> list[Path]:
    """Every Python file of these rooms."""
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))


@functools.cache
def imports(path: Path) -> frozenset[str]:
    """Every module that a file imports, wherever in the file; `from a import b` is `a` and `a.b`."""
    return frozenset(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(path, node)
            yield module
            yield from (f"{module}.{name.name}" for name in node.names)


@functools.cache
def module_file(module: str) -> Path | None:
    """The file of one of our modules; of a name that nothing was imported as, none."""
    if not module:  # Else a file beside the clone, named as its folder, would be taken for it.
        return None
    base = ROOT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def reached(start: Path) -> dict[Path, set[str]]:
    """Every file of ours that importing one file loads, each with what it imports."""
    found: dict[Path, set[str]] = {}
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found[path] = set(imports(path))
        # Importing `a.b` runs `a/__init__.py` first.
        modules = {".".join(name.split(".")[:depth]) for name in found[path] for depth in range(1, name.count(".") + 2)}
        waiting += [file for module in modules if (file := module_file(module)) is not None]
    return found


def _absolute(path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = path.relative_to(ROOT).parent.parts
    base = package[: len(package) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])
