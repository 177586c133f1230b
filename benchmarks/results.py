"""Figures beside the commands that measured them, as Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from cli.written_files import write_all

RESULTS = Path(__file__).with_name("RESULTS.md")
_PACKAGES = ("numpy", "pyarrow", "scipy", "pydantic")


@dataclass(frozen=True)
class Figure:
    """One measured number; `limit` is what it must not exceed, or, where `more_is_better`, fall below."""

    what: str
    value: float
    unit: str
    command: str
    limit: float | None = None
    more_is_better: bool = False

    @property
    def kept(self) -> bool | None:
        """Whether the limit is kept; None where there is none."""
        if self.limit is None:
            return None
        return self.value >= self.limit if self.more_is_better else self.value <= self.limit


@dataclass(frozen=True)
class Section:
    """What one benchmark found; `notes` is Markdown that stands below its table."""

    title: str
    figures: Sequence[Figure]
    notes: str = ""


def write(sections: Sequence[Section], *, path: Path = RESULTS) -> None:
    """Write every section, with the machine that measured them."""
    parts = ["# What was measured", "", "Written by `make bench`; CPU seconds are those of whole child processes.", ""]
    parts += [f"- {name}: {fact}" for name, fact in machine().items()]
    for section in sections:
        parts += ["", f"## {section.title}", "", *_table(section.figures)]
        parts += ["", section.notes.strip()] if section.notes.strip() else []
    write_all({path: "\n".join(parts) + "\n"})


def machine() -> dict[str, str]:
    """What ran the benchmarks."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores, {platform.machine()}",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "packages": ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
    }


def _table(figures: Sequence[Figure]) -> list[str]:
    if not figures:
        return []
    lines = ["| what | measured | limit | kept | command |", "| --- | ---: | ---: | --- | --- |"]
    for figure in figures:
        limit = "" if figure.limit is None else f"{'>=' if figure.more_is_better else '<='} {_number(figure.limit)}"
        kept = {None: "", True: "yes", False: "**no**"}[figure.kept]
        lines.append(
            f"| {figure.what} | {_number(figure.value)} {figure.unit} | {limit} | {kept} | `{figure.command}` |"
        )
    return lines


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
