"""A window's report as one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from report.charts import histogram_svg
from report.ranking import chosen_reasons, moved_on, relevance, verdict_of

TEMPLATES = Path(__file__).parent / "templates"
_ORDER = ("CRITICAL", "WARNING", "OK", "INSUFFICIENT_DATA")


@cache
def environment() -> Environment:
    """Jinja2 that escapes everything and raises an error for an undefined name."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["histogram_svg"] = histogram_svg
    return made


def render_drift_page(report: Mapping[str, Any]) -> str:
    """Render a report's JSON (with or without "histograms"): the verdict, then the columns, the worst on top."""
    columns = sorted(
        report["columns"], key=lambda c: (_ORDER.index(c["severity"]), -relevance(c), -c.get("effect", 0.0))
    )
    quality = [check for check in report["quality"] if check["severity"] not in ("OK", "INSUFFICIENT_DATA")]
    return (
        environment()
        .get_template("drift.html")
        .render(
            report=report,
            verdict=verdict_of(report),
            moved_on=moved_on(report.get("performance") or {}),
            chosen=chosen_reasons(report.get("performance") or {}),
            columns=columns,
            weighed=any("importance" in column for column in columns),
            quality=sorted(quality, key=lambda check: _ORDER.index(check["severity"])),
            checks=len(report["quality"]),
            performance=report.get("performance"),
            histograms=report.get("histograms", {}),
        )
    )
