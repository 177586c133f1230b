"""`kedge models validate --data [--script]`: what a retraining would make of the first rows and the scripts, told line by line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from rich.markup import escape

from cli.rehearsal.rows import rehearse_rows
from cli.rehearsal.script import rehearse_script
from kedge.config.model import ModelConfig

ROOT = Path(__file__).resolve().parents[2]


def rehearse(
    config: ModelConfig, data: str, *, now: datetime, script: bool, python: str | None, tell: Callable[[str], object]
) -> bool:
    """Tell what was found; whether a retraining would get through.

    The scripts are only tried on rows that a retraining would take.
    """
    rows = rehearse_rows(data, config, now=now if now.tzinfo else now.replace(tzinfo=UTC))
    _tell_all(tell, rows.faults, rows.facts, rows.notes)
    if rows.faults or not script:
        return not rows.faults
    if config.training.algorithm:
        tell("note SageMaker's own XGBoost trains and answers (training.algorithm): there is no script to try")
        return True
    tried = rehearse_script(
        config, rows.split, source=ROOT / config.training.source_dir, python=python or sys.executable
    )
    _tell_all(tell, tried.faults, tried.facts, tried.notes)
    for line in tried.log if tried.faults else ():
        tell(f"     [dim]{escape(line)}[/dim]")
    return not tried.faults


def _tell_all(tell: Callable[[str], object], faults: Iterable[str], facts: Iterable[str], notes: Iterable[str]) -> None:
    for mark, sentences in (("[green]ok[/green] ", facts), ("note", notes), ("[bold red]bad[/bold red]", faults)):
        for sentence in sentences:
            tell(f"{mark} {escape(sentence)}")
