"""The modules of a function, loaded from its own asset and kept apart from this process's modules of the same names.

On AWS each function is a process of its own that sees its package, its layers and nothing else. Here the packages of
the layers are this process's, and the asset's own modules are swapped in for the length of an invocation.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

_REPOSITORY = Path(__file__).parents[1]


class Package:
    """The code of one function: its root on disk and the modules it has imported so far."""

    def __init__(self, root: Path, bytecode: Path) -> None:
        self.root, self.bytecode = root, bytecode
        # What only the repository holds is hidden too, or a module that this process has imported would be found.
        self.names = _modules_in(root) | (_modules_in(_REPOSITORY) - {"offline"})
        self.modules: dict[str, ModuleType] = {}
        self._outside: dict[str, ModuleType] = {}
        self._seen_outside = self._seen_inside = -1

    def handler(self, name: str) -> Callable[[Any, Any], Any]:
        """Return the callable that a handler string names, importing its module as a cold start does."""
        module, _, attribute = name.rpartition(".")
        return getattr(importlib.import_module(module.replace("/", ".")), attribute)  # type: ignore[no-any-return]

    @contextmanager
    def loaded(self) -> Iterator[None]:
        """Have imports find this package's modules, and of this repository's others none."""
        path, cache = sys.path, sys.pycache_prefix
        if len(sys.modules) != self._seen_outside:
            self._outside = self._present()
            self._seen_outside = len(sys.modules)
        for name in self._outside:
            sys.modules.pop(name, None)
        sys.modules.update(self.modules)
        sys.path, sys.pycache_prefix = [str(self.root), *_packages_only(path)], str(self.bytecode)
        try:
            yield
        finally:
            sys.path, sys.pycache_prefix = path, cache
            if len(sys.modules) != self._seen_inside:
                self.modules = self._present()
            for name in self.modules:
                sys.modules.pop(name, None)
            sys.modules.update(self._outside)
            self._seen_inside = len(sys.modules) - len(self._outside) + len(self.modules)

    def _present(self) -> dict[str, ModuleType]:
        return {name: module for name, module in sys.modules.items() if name.partition(".")[0] in self.names}


def _modules_in(folder: Path) -> frozenset[str]:
    return frozenset(path.stem for path in folder.iterdir() if path.is_dir() or path.suffix == ".py")


def _packages_only(path: list[str]) -> list[str]:
    """Leave out directories that are neither Python's own nor installed packages': above all, this repository."""
    homes = (sys.prefix, sys.base_prefix)
    return [entry for entry in path if entry.startswith(homes) or "site-packages" in entry]
