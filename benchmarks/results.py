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
    """What one benchmark found, and on which machine: this one where nothing is said; `notes` is Markdown that stands below its table."""

    title: str
    figures: Sequence[Figure]
    notes: str = ""
    machine: str = ""

    def text(self) -> str:
        """The section as it stands on the page, below its title."""
        measured_on = f"Measured on {self.machine or '; '.join(machine().values())}."
        return "\n\n".join(part for part in ("\n".join(_table(self.figures)), self.notes.strip(), measured_on) if part)


def write(sections: Sequence[Section], *, path: Path = RESULTS) -> None:
    """Write these sections onto the page; its other sections stay as they were."""
    parts = ["# What was measured", "", "Written by `make bench`; CPU seconds are those of whole child processes."]
    for title, text in (_sections_on(path) | {each.title: each.text() for each in sections}).items():
        parts += ["", f"## {title}", "", text]
    write_all({path: "\n".join(parts) + "\n"})


def _sections_on(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    _, *found = path.read_text(encoding="utf-8").split("\n## ")
    return {title: text.strip() for title, _, text in (each.partition("\n") for each in found)}


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
