"""The parts of a window's quality that alarm only where the YAML says so: its segments, and each business figure."""

from __future__ import annotations

from collections.abc import Sequence

from kedge.config.model import ModelConfig
from kedge.performance.business import FigureReport
from kedge.severity import Severity
from kedge.slices.judgement import SliceFindings

SEGMENTS = "segments"


def chosen_parts(config: ModelConfig) -> tuple[str, ...]:
    """The names of the parts that the YAML lets alarm."""
    segments = (SEGMENTS,) if config.segments.alert else ()
    return (*segments, *(_part_of(figure.name) for figure in config.business if figure.alert))


def chosen_verdicts(
    config: ModelConfig, slices: SliceFindings | None, figures: Sequence[FigureReport]
) -> dict[str, Severity]:
    """The verdict of each of these parts; INSUFFICIENT_DATA where it could not be judged."""
    found = {_part_of(one.figure.name): one.alert for one in figures}
    found |= {SEGMENTS: slices.alert} if slices else {}
    return {part: found.get(part) or Severity.INSUFFICIENT_DATA for part in chosen_parts(config)}


def _part_of(figure: str) -> str:
    return f"business figure {figure}"
