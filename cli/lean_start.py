"""A short start: skip imports for unused features of libraries, and avoid what is slow on this processor."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FACTS = Path("/proc/cpuinfo")
# Zen 4: it has AVX-512, but stores compressed vectors in microcode, so numpy's AVX-512 sort takes five times its AVX2 one.
_SLOW_FAMILY = "25"
_AVX512 = "X86_V4 AVX512_ICL"
# scipy.special copies the whole of numpy's namespace, and numpy imports these when they are looked at.
_LAZY_PARTS_OF_NUMPY = (
    "f2py",
    "testing",
    "ctypeslib",
    "ma",
    "polynomial",
    "random",
    "char",
    "rec",
    "strings",
    "typing",
)
_OBJECTS_BETWEEN_COLLECTIONS = 500_000


def prefer_what_is_fast(facts: Path = FACTS) -> None:
    """Set numpy's own switches in the environment, where the person who called has not set them."""
    # Nothing here multiplies matrices: threads that wait for one would only burn time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if _sorts_slowly(facts):
        os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", _AVX512)


def _sorts_slowly(facts: Path) -> bool:
    try:
        lines = facts.read_text(encoding="utf-8", errors="replace").split("\n\n", 1)[0].splitlines()
    except OSError:
        return False
    known = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    is_zen = known.get("vendor_id") == "AuthenticAMD" and known.get("cpu family") == _SLOW_FAMILY
    # The disabled features must all be there, or numpy warns.
    return is_zen and {"avx512f", "avx512_vbmi2", "avx512_bitalg"} <= {*known.get("flags", "").split()}


def import_lean() -> None:
    """Import Arrow without pandas and scipy.special without numpy's compiler and test tools; see to it that pydantic comes bare."""
    # It would ask every installed package whether it is a plugin.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # What imports make stays; looking through it again and again for garbage frees nothing.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    with _no_pandas():
        import pyarrow as pa

        # Arrow looks for pandas once, at the first list that becomes an array; afterwards pandas may be imported.
        pa.array([0])
    with _placeholders(_LAZY_PARTS_OF_NUMPY):
        import scipy.special  # noqa: F401


class _PandasHidden:
    """An importer that reports pandas as not installed."""

    def find_spec(self, name: str, _path: object, _target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


@contextmanager
def _no_pandas() -> Iterator[None]:
    finder = _PandasHidden()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@contextmanager
def _placeholders(names: tuple[str, ...]) -> Iterator[None]:
    import numpy as np

    absent = [name for name in names if name not in vars(np)]
    for name in absent:
        setattr(np, name, None)
    try:
        yield
    finally:
        for name in absent:
            if vars(np).get(name, np) is None:
                delattr(np, name)
