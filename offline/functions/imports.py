"""The modules of a function, loaded from its own asset and kept apart from this process's modules of the same names.

On AWS each function is a process of its own that sees its package, its layers and nothing else. Here the packages of
the layers are this process's, and the asset's own modules are swapped in for the length of an invocation. What these
import is looked up in the layers first (`offline.functions.layers`): what no layer holds is not there. What a module of a
layer imports itself is not looked up, nor what a function imports by `importlib`.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from offline.functions.layers import Importable

_REPOSITORY = Path(__file__).parents[2]
_import = builtins.__import__


class Package:
    """The code of one function: its root on disk, what it can import, and the modules it has imported so far."""

    def __init__(self, root: Path, bytecode: Path, importable: Importable) -> None:
        self.root, self.bytecode, self.importable = root, bytecode, importable
        self.own = _modules_in(root)
        # What only the repository holds is hidden too, or a module that this process has imported would be found.
        self.names = self.own | (_modules_in(_REPOSITORY) - {"offline"})
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
        path, cache, importing, finders = sys.path, sys.pycache_prefix, builtins.__import__, sys.meta_path
        if len(sys.modules) != self._seen_outside:
            self._outside = self._present()
            self._seen_outside = len(sys.modules)
        for name in self._outside:
            sys.modules.pop(name, None)
        sys.modules.update(self.modules)
        sys.path, sys.pycache_prefix = [str(self.root), *_packages_only(path)], str(self.bytecode)
        # No finder would do: a module that this process has imported already is never searched for.
        builtins.__import__ = self._import
        # pytest's would rewrite a module whose name is like a test's, and have it import pytest.
        sys.meta_path = [finder for finder in finders if not type(finder).__module__.startswith("_pytest")]
        try:
            yield
        finally:
            sys.path, sys.pycache_prefix = path, cache
            builtins.__import__, sys.meta_path = importing, finders
            if len(sys.modules) != self._seen_inside:
                self.modules = self._present()
            for name in self.modules:
                sys.modules.pop(name, None)
            sys.modules.update(self._outside)
            self._seen_inside = len(sys.modules) - len(self._outside) + len(self.modules)

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        # Some call `__import__` with these words, codecs above all.
        foreign = not level and self._is_own(globals) and name.partition(".")[0] not in self.names
        if foreign:
            self.importable.check(name)
        module = _import(name, globals, locals, fromlist or (), level)
        for part in (fromlist or ()) if foreign else ():
            # `from package import module`: whether it is a module shows only now.
            if isinstance(getattr(module, part, None), ModuleType) and f"{name}.{part}" in sys.modules:
                self.importable.check(f"{name}.{part}")
        return module

    def _is_own(self, importer: Mapping[str, Any] | None) -> bool:
        # Another thread of this process may import at the same time: a transform job's, or a test's.
        return str((importer or {}).get("__name__", "")).partition(".")[0] in self.own

    def _present(self) -> dict[str, ModuleType]:
        return {name: module for name, module in sys.modules.items() if name.partition(".")[0] in self.names}


def _modules_in(folder: Path) -> frozenset[str]:
    return frozenset(path.stem for path in folder.iterdir() if path.is_dir() or path.suffix == ".py")


def _packages_only(path: list[str]) -> list[str]:
    """Leave out directories that are neither Python's own nor installed packages': above all, this repository."""
    homes = (sys.prefix, sys.base_prefix)
    return [entry for entry in path if entry.startswith(homes) or "site-packages" in entry]
