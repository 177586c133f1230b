"""What this processor makes slow, avoided before numpy is imported."""

from __future__ import annotations

import os
from pathlib import Path

FACTS = Path("/proc/cpuinfo")
# Zen 4: it has AVX-512, but stores compressed vectors in microcode, so numpy's AVX-512 sort takes five times its AVX2 one.
_SLOW_FAMILY = "25"
_AVX512 = "X86_V4 AVX512_ICL"


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
