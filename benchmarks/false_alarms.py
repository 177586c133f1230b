"""False alarms without drift and power with it, by simulation, as the tables of `benchmarks/RESULTS.md`.

    python -m benchmarks.false_alarms --repeats 400      prints them
    python -m benchmarks false_alarms                    writes them into RESULTS.md

Every window goes the way that production goes: rows, profile, design effects, `judge_drift`. An alarm is any column or
quality check at WARNING or worse; a shift is found when its own column is.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.special import betaincinv

from benchmarks.results import Figure, Section
from benchmarks.scale import Scale
from benchmarks.simulated_rows import SCENARIOS, SHIFTED, Scenario, config_of, table_of
from kedge.columns.casting import columns_of
from kedge.config.model import ModelConfig
from kedge.drift.report import DriftReport, judge_drift
from kedge.profile.baseline import Baseline, Profile
from kedge.profile.counting import count_rows_by_hour
from kedge.profile.design_effect import block_codes, design_effects
from kedge.profile.freezing import freeze_baseline
from kedge.severity import Severity

Rng = np.random.Generator
# By rule, the hits at each size.
Hits = dict[str, list[int]]
SIZES = (200, 1000, 5000, 20_000)
RULES = ("effect", "sensitive")
SHIFTS = (0.1, 0.25)
BASELINE_ROWS = 50_000
# Windows that are judged against one baseline before the next is drawn: no result hangs on a lucky one.
WINDOWS_PER_BASELINE = 50
# A model with a thousand rows a week, judged every day over seven days.
DAYS, WINDOW_DAYS, ROWS_PER_DAY = 10, 7, 143
START = datetime(2016, 1, 4, tzinfo=UTC)
COMMAND = "python -m benchmarks false_alarms"
RATE_MAX, POWER_MIN = 0.01, 0.95
SEED = 20160104


def frozen(scenario: Scenario, rng: Rng, config: ModelConfig) -> Baseline:
    """A baseline with its design effects, as a training table in the order of time gives them."""
    table = table_of(scenario, rng, BASELINE_ROWS)
    table = table if scenario.ordered else table.take(pa.array(rng.permutation(BASELINE_ROWS)))
    baseline = freeze_baseline(config.model, "1", columns_of(config), table, table)
    return replace(baseline, design_effects=counted(baseline, table)[1])


def counted(baseline: Baseline, table: pa.Table) -> tuple[Profile, dict[str, float]]:
    """A table's profile and design effects."""
    found = count_rows_by_hour(baseline, table, block_codes(table.num_rows))
    blocks = [found[code] for code in sorted(found)]
    return sum(blocks, start=baseline.empty()), design_effects(baseline, blocks)


@dataclass(frozen=True)
class Study:
    """Windows of a scenario, a number of each size; with a shift its first column's is looked for, else any alarm."""

    scenario: Scenario
    repeats: int
    seed: int
    shift: float = 0.0

    def hits(self) -> Hits:
        """By rule, how many of the windows of each size alarmed, or had their shift found."""
        hit, hits = found_shift if self.shift else alarmed, {rule: [0] * len(SIZES) for rule in RULES}
        for place, rule, report in self._reports():
            hits[rule][place] += hit(report)
        return hits

    def _reports(self) -> Iterator[tuple[int, str, DriftReport]]:
        rng = np.random.default_rng(self.seed)
        configs = {rule: config_of(self.scenario, rng, rule) for rule in RULES}
        for repeat in range(self.repeats):
            if repeat % WINDOWS_PER_BASELINE == 0:
                baseline = frozen(self.scenario, rng, configs["effect"])
            for place, rows in enumerate(SIZES):
                table = table_of(self.scenario, rng, rows, shift=self.shift)
                profile, effects = counted(baseline, table)
                for rule, config in configs.items():
                    report = judge_drift(baseline, profile, config, start=START, end=START, design_effects=effects)
                    yield place, rule, report


@dataclass(frozen=True)
class Stream:
    """Days of a scenario's rows; each day judges the last seven."""

    scenario: Scenario
    repeats: int
    seed: int

    def hits(self) -> tuple[int, int, int]:
        """Windows judged, windows alarmed, and runs of alarmed windows."""
        rng = np.random.default_rng(self.seed)
        config, judged, alarms, begun = config_of(self.scenario, rng), 0, 0, 0
        for repeat in range(self.repeats):
            if repeat % WINDOWS_PER_BASELINE == 0:
                baseline = frozen(self.scenario, rng, config)
            days = [alarmed(report) for report in self._reports(rng, baseline, config)]
            judged, alarms, begun = judged + len(days), alarms + sum(days), begun + episodes(days)
        return judged, alarms, begun

    def _reports(self, rng: Rng, baseline: Baseline, config: ModelConfig) -> Iterator[DriftReport]:
        stream, end = table_of(self.scenario, rng, (DAYS + WINDOW_DAYS - 1) * ROWS_PER_DAY), START + timedelta(days=7)
        for day in range(DAYS):
            profile, effects = counted(baseline, stream.slice(day * ROWS_PER_DAY, WINDOW_DAYS * ROWS_PER_DAY))
            yield judge_drift(baseline, profile, config, start=START, end=end, design_effects=effects)


def episodes(days: Sequence[bool]) -> int:
    """Runs of alarmed windows."""
    return sum(now and not before for before, now in pairwise([False, *days]))


def alarmed(report: DriftReport) -> bool:
    """Whether anything is at WARNING or worse."""
    return report.severity >= Severity.WARNING


def found_shift(report: DriftReport) -> bool:
    """Whether the shifted column was called drifted."""
    return any(column.column.name == "n0" for column in report.drifted)


def section(work: Path, scale: Scale) -> Section:
    """Run every study, as many at once as there are processors."""
    del work  # nothing is kept: rows are made and counted in memory
    false = [Study(scenario, scale.repeats, SEED) for scenario in SCENARIOS]
    shifted = [Study(scenario, scale.repeats, SEED, shift) for shift in SHIFTS for scenario in SHIFTED]
    streams = [Stream(scenario, scale.repeats, SEED) for scenario in (SCENARIOS[0], SCENARIOS[3])]
    with ProcessPoolExecutor() as pool:
        running: list[Future[Any]] = [pool.submit(study.hits) for study in (*false, *shifted)]
        running += [pool.submit(stream.hits) for stream in streams]
        hits = [study.result() for study in running]
    quiet, power, overlapping = hits[: len(false)], hits[len(false) : -len(streams)], hits[-len(streams) :]
    notes = [false_alarm_table(false, quiet), *power_tables(shifted, power), overlap_table(streams, overlapping)]
    return Section("False alarms and power", figures(false, quiet, power), "\n\n".join(notes))


def figures(false: Sequence[Study], quiet: Sequence[Hits], power: Sequence[Hits]) -> list[Figure]:
    """What was promised: false alarms at most at the level, and two shifts that are found."""
    repeats = false[0].repeats
    found = [
        Figure(
            f"false alarms, {study.scenario.name}, the worst size",
            max(hits["effect"]) / repeats,
            "a window",
            COMMAND,
            RATE_MAX,
        )
        for study, hits in zip(false, quiet, strict=True)
    ]
    small, large = (power[place * len(SHIFTED)] for place in range(len(SHIFTS)))
    for what, count in (
        ("0.1 sigma in 5,000 rows, rule sensitive", small["sensitive"][SIZES.index(5000)]),
        ("0.25 sigma in 1,000 rows, rule effect", large["effect"][SIZES.index(1000)]),
    ):
        found.append(Figure(f"power: {what}", count / repeats, "of windows", COMMAND, POWER_MIN, more_is_better=True))
    return found


def false_alarm_table(studies: Sequence[Study], hits: Sequence[Hits]) -> str:
    """Rates with their one-sided 95 % bounds (Clopper and Pearson)."""
    repeats = studies[0].repeats
    title = (
        f"Windows without drift in which anything alarms, of {repeats} of each size; promised is 1 % at most (in brackets what "
        "the rate is below with 95 % confidence):"
    )
    return table_text(title, studies, hits, lambda n: f"{n / repeats:.2%} ({upper_bound(n, repeats):.1%})")


def power_tables(studies: Sequence[Study], hits: Sequence[Hits]) -> list[str]:
    """How often a shift of one column is found."""
    texts, repeats = [], studies[0].repeats
    for place, shift in enumerate(SHIFTS):
        part = slice(place * len(SHIFTED), (place + 1) * len(SHIFTED))
        title = f"Windows in which a shift of {shift} standard deviations in one of 21 columns is found, of {repeats} of each size:"
        texts.append(table_text(title, studies[part], hits[part], lambda n: f"{n / repeats:.1%}"))
    return texts


def overlap_table(streams: Sequence[Stream], hits: Sequence[tuple[int, int, int]]) -> str:
    """Alarms where windows overlap, and the episodes that they make of a year."""
    lines = [
        f"Seven days judged every day, {ROWS_PER_DAY} rows a day, without drift; the budget is one episode a year:",
        "",
    ]
    lines += ["| rows | windows | alarmed | episodes | episodes a year |", "| --- | ---: | ---: | ---: | ---: |"]
    for stream, (judged, alarms, begun) in zip(streams, hits, strict=True):
        lines.append(
            f"| {stream.scenario.name} | {judged:,} | {alarms / judged:.2%} | {begun} | {begun / judged * 365:.2f} |"
        )
    return "\n".join(lines)


def table_text(title: str, studies: Sequence[Study], hits: Sequence[Hits], text: Callable[[int], str]) -> str:
    """A markdown table with a line for each study and rule."""
    lines = [title, "", "| | rule | " + " | ".join(f"{rows:,} rows" for rows in SIZES) + " |"]
    lines.append("| --- | --- |" + " ---: |" * len(SIZES))
    for study, found in zip(studies, hits, strict=True):
        for rule in RULES:
            lines.append(f"| {study.scenario.name} | {rule} | " + " | ".join(text(n) for n in found[rule]) + " |")
    return "\n".join(lines)


def upper_bound(hits: int, repeats: int) -> float:
    """What a rate is below with 95 % confidence."""
    return float(betaincinv(hits + 1, repeats - hits, 0.95)) if hits < repeats else 1.0


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=Scale().repeats)
    found = section(Path(), Scale(repeats=parser.parse_args().repeats))
    for figure in found.figures:
        print(f"{figure.what}: {figure.value:.3f} {figure.unit}, kept: {figure.kept}")
    print(f"\n{found.notes}")


if __name__ == "__main__":
    main()
