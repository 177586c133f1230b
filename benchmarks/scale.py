"""How large the benchmarks are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Rows and repeats; the tests take tiny ones."""

    reference_rows: int = 100_000
    rows: int = 1_000_000
    large_rows: int = 10_000_000
    repeats: int = 400
    models: int = 10_000

    @classmethod
    def tiny(cls) -> Scale:
        """What shows that a benchmark runs, and nothing else."""
        return cls(reference_rows=600, rows=1_200, large_rows=2_400, repeats=2, models=30)
