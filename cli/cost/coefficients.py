"""What `python -m benchmarks cost` measured, as it lies beside this file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kedge.cost.work import Coefficients

FILE = Path(__file__).with_name("measured.json")


def read_coefficients() -> Coefficients:
    """The coefficients of this version of Kedge."""
    from kedge.cost.work import Coefficients

    return Coefficients.from_json(json.loads(FILE.read_text(encoding="utf-8")))
