"""False alarms without drift and power with it, by simulation, as the tables of `benchmarks/RESULTS.md`.

    python -m benchmarks.false_alarms --repeats 400

Every window goes the way that production goes: rows, profile, design effects, `judge_drift`. An alarm is any column or
quality check at WARNING or worse; a shift is found when its own column is.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import io
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.signal import lfilter
from scipy.special import betaincinv, ndtr

from benchmarks.results import Section
from benchmarks.scale import Scale
from kedge.design_effect import block_codes, design_effects
from kedge.drift import DriftReport, judge_drift
from kedge.model_config import ModelConfig, parse_model_config
from kedge.profile import Baseline, Profile, columns_of, count_rows_by_hour, freeze_baseline
from kedge.severity import Severity

Rng = np.random.Generator
Rows = Callable[[Rng, int], dict[str, Any]]
SIZES = (200, 1000, 5000, 20_000)
RULES = ("effect", "sensitive")
BASELINE_ROWS = 50_000
# Windows that are judged against one baseline before the next is drawn: no result hangs on a lucky one.
WINDOWS_PER_BASELINE = 50
BURN_IN = 200
SEED = 20160104
NUMERIC, MIXED, WIDE = 20, 16, 10
START = datetime(2016, 1, 4, tzinfo=UTC)
# A year of a model with a thousand rows a week, judged every day over seven days.
DAYS, WINDOW_DAYS, ROWS_PER_DAY = 28, 7, 143


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A way in which undrifted rows come about; `ordered` says whether the baseline's rows stand in their order."""

    name: str
    rows: Rows
    categories: tuple[str, ...]
    ordered: bool = True


def walk(rng: Rng, rows: int, columns: int, rho: float) -> Any:
    """Normal columns of variance one, each value remembering the one before."""
    noise = rng.normal(size=(rows + BURN_IN, columns)) * math.sqrt(1 - rho**2)
    return lfilter([1], [1, -rho], noise, axis=0)[BURN_IN:] if rho else noise[BURN_IN:]


def sticky(rng: Rng, rows: int, levels: int, rho: float) -> Any:
    """Levels of unequal shares, each row repeating the one before with probability rho."""
    drawn = np.minimum((rng.random(rows) ** 1.5 * levels).astype(int), levels - 1)
    last = np.maximum.accumulate(np.where(rng.random(rows) < rho, 0, np.arange(rows)))
    return drawn[last]


def mixed(rng: Rng, rows: int, rho: float = 0.0) -> dict[str, Any]:
    """Sixteen numbers, half of them correlated at 0.8, some skewed, flagged or mostly zero; four categories; a score."""
    values = walk(rng, rows, MIXED + 2, rho)
    values[:, : MIXED // 2] = math.sqrt(0.2) * values[:, : MIXED // 2] + math.sqrt(0.8) * values[:, -1:]
    table = {f"n{i}": values[:, i] for i in range(MIXED)}
    table |= {
        "n12": np.exp(2 * values[:, 12]),
        "n13": np.maximum(values[:, 13] - 1, 0.0),
        "n14": np.round(values[:, 14]),
    }
    table |= {"n15": (values[:, 15] > 1).astype(float), "prediction": ndtr(values[:, MIXED])}
    return table | {f"c{levels}": sticky(rng, rows, levels, rho) for levels in (2, 5, 12, 40)}


def wide(rng: Rng, rows: int) -> dict[str, Any]:
    """Ten categories of 200 levels, ten of 1,000, and a score."""
    table = {f"c200_{i}": sticky(rng, rows, 200, 0.0) for i in range(WIDE)}
    table |= {f"c1000_{i}": rng.integers(0, 1000, rows) for i in range(WIDE)}
    return table | {"prediction": rng.random(rows)}


def numbers(rng: Rng, rows: int, rho: float = 0.0) -> dict[str, Any]:
    """Twenty independent normal numbers and a score."""
    values = walk(rng, rows, NUMERIC + 1, rho)
    return {f"n{i}": values[:, i] for i in range(NUMERIC)} | {"prediction": ndtr(values[:, NUMERIC])}


_LEVELS = ("c2", "c5", "c12", "c40")
_MANY = tuple(f"{name}_{i}" for name in ("c200", "c1000") for i in range(WIDE))
SCENARIOS = (
    Scenario("independent rows, correlated features", mixed, _LEVELS),
    Scenario("categories of 200 and 1,000 levels", wide, _MANY),
    Scenario("AR(1) rows, rho 0.5", functools.partial(mixed, rho=0.5), _LEVELS),
    Scenario("AR(1) rows, rho 0.9", functools.partial(mixed, rho=0.9), _LEVELS),
    Scenario("AR(1) rows, rho 0.9, the baseline shuffled", functools.partial(mixed, rho=0.9), _LEVELS, ordered=False),
)
SHIFTED = (
    Scenario("independent rows", numbers, ()),
    Scenario("AR(1) rows, rho 0.5", functools.partial(numbers, rho=0.5), ()),
    Scenario("AR(1) rows, rho 0.9", functools.partial(numbers, rho=0.9), ()),
)


def config_of(scenario: Scenario, rng: Rng, rule: str = "effect") -> ModelConfig:
    """The scenario's YAML."""
    names = [name for name in scenario.rows(rng, 10) if name != "prediction"]
    kinds = {name: "categorical" if name in scenario.categories else "numeric" for name in names}
    features = "\n".join(f"  - {{name: {name}, kind: {kind}}}" for name, kind in kinds.items())
    yaml = f"model: simulated\nendpoint: {{name: simulated}}\nfeatures:\n{features}\ndrift: {{rule: {rule}}}\n"
    return parse_model_config(yaml, source="benchmark")


def table_of(scenario: Scenario, rng: Rng, rows: int, *, shift: float = 0.0) -> pa.Table:
    """Rows of the scenario, its first number shifted by standard deviations."""
    columns = scenario.rows(rng, rows)
    columns |= {name: columns[name].astype(str) for name in scenario.categories}
    return pa.table(columns | ({"n0": columns["n0"] + shift} if shift else {}))


def frozen(scenario: Scenario, rng: Rng, config: ModelConfig) -> Baseline:
    """A baseline with its design effects, as a training table in the order of time gives them."""
    table = table_of(scenario, rng, BASELINE_ROWS)
    table = table if scenario.ordered else table.take(pa.array(rng.permutation(BASELINE_ROWS)))
    baseline = freeze_baseline(config.model, "1", columns_of(config), table, table)
    return dataclasses.replace(baseline, design_effects=counted(baseline, table)[1])


def counted(baseline: Baseline, table: pa.Table) -> tuple[Profile, dict[str, float]]:
    """A table's profile and design effects."""
    found = count_rows_by_hour(baseline, table, block_codes(table.num_rows))
    blocks = [found[code] for code in sorted(found)]
    return sum(blocks, start=baseline.empty()), design_effects(baseline, blocks)


def judged_windows(
    scenario: Scenario, rows: int, repeats: int, *, seed: int, shift: float = 0.0
) -> Iterator[dict[str, DriftReport]]:
    """Windows of one size, each judged by every rule."""
    rng = np.random.default_rng(seed)
    configs = {rule: config_of(scenario, rng, rule) for rule in RULES}
    for repeat in range(repeats):
        if repeat % WINDOWS_PER_BASELINE == 0:
            baseline = frozen(scenario, rng, configs["effect"])
        profile, effects = counted(baseline, table_of(scenario, rng, rows, shift=shift))
        yield {
            rule: judge_drift(baseline, profile, config, start=START, end=START, design_effects=effects)
            for rule, config in configs.items()
        }


def alarmed(report: DriftReport) -> bool:
    """Whether anything is at WARNING or worse."""
    return report.severity >= Severity.WARNING


def found_shift(report: DriftReport) -> bool:
    """Whether the shifted column was called drifted."""
    return any(column.column.name == "n0" for column in report.drifted)


def rates(scenario: Scenario, repeats: int, *, seed: int, shift: float = 0.0) -> dict[str, list[int]]:
    """By rule, how many of the windows of each size alarmed, or had their shift found."""
    hit, hits = found_shift if shift else alarmed, {rule: [0] * len(SIZES) for rule in RULES}
    for place, rows in enumerate(SIZES):
        for reports in judged_windows(scenario, rows, repeats, seed=seed + place, shift=shift):
            for rule, report in reports.items():
                hits[rule][place] += hit(report)
    return hits


def overlapping(scenario: Scenario, repeats: int, *, seed: int) -> tuple[int, int, int]:
    """Windows judged, windows alarmed and alarm episodes where seven days are judged every day."""
    rng = np.random.default_rng(seed)
    config, judged, alarms, episodes = config_of(scenario, rng), 0, 0, 0
    for repeat in range(repeats):
        if repeat % WINDOWS_PER_BASELINE == 0:
            baseline = frozen(scenario, rng, config)
        stream = table_of(scenario, rng, (DAYS + WINDOW_DAYS - 1) * ROWS_PER_DAY)
        before = False
        for day in range(DAYS):
            window = stream.slice(day * ROWS_PER_DAY, WINDOW_DAYS * ROWS_PER_DAY)
            profile, effects = counted(baseline, window)
            end = START + timedelta(days=WINDOW_DAYS)
            now = alarmed(judge_drift(baseline, profile, config, start=START, end=end, design_effects=effects))
            judged, alarms, episodes, before = judged + 1, alarms + now, episodes + (now and not before), now
    return judged, alarms, episodes


def rate_text(hits: int, repeats: int) -> str:
    """A rate with its one-sided 95 % bound (Clopper and Pearson), in percent."""
    upper = betaincinv(hits + 1, repeats - hits, 0.95) if hits < repeats else 1.0
    return f"{hits / repeats:.1%} (< {upper:.1%})"


def print_table(
    title: str, scenarios: tuple[Scenario, ...], found: list[dict[str, list[int]]], text: Callable[[int], str]
) -> None:
    """Print a markdown table, a row for each scenario and rule."""
    print(f"\n{title}\n\n| rows | rule |", " | ".join(f"{rows:,}" for rows in SIZES), "|")
    print("| --- | --- |", " | ".join("---:" for _ in SIZES), "|")
    for scenario, hits in zip(scenarios, found, strict=True):
        for rule in RULES:
            print(f"| {scenario.name} | {rule} |", " | ".join(text(n) for n in hits[rule]), "|")


def section(work: Path, scale: Scale) -> Section:
    """Every scenario, as a section of the page."""
    del work  # nothing is kept
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        print_tables(scale.repeats, SEED)
    command = f"python -m benchmarks.false_alarms --repeats {scale.repeats}"
    return Section("False alarms without drift, and power", [], f"Measured by `{command}`.\n{printed.getvalue()}")


def main() -> None:
    """Read the options and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--seed", type=int, default=SEED)
    asked = parser.parse_args()
    print_tables(asked.repeats, asked.seed)


def print_tables(repeats: int, seed: int) -> None:
    """Run every scenario and print the tables."""
    false = [rates(scenario, repeats, seed=seed) for scenario in SCENARIOS]
    title = f"Windows without drift that alarm, of {repeats} each; promised: at most 1 %"
    print_table(title, SCENARIOS, false, lambda n: rate_text(n, repeats))
    for shift in (0.1, 0.25):
        hits = [rates(scenario, repeats, seed=seed, shift=shift) for scenario in SHIFTED]
        title = (
            f"A shift of {shift} standard deviations in one of 21 columns: windows of {repeats} in which it is found"
        )
        print_table(title, SHIFTED, hits, lambda n: f"{n / repeats:.1%}")
    print("\nSeven days judged every day, 143 rows a day, without drift\n")
    print("| rows | windows | alarmed | episodes | episodes a year |\n| --- | ---: | ---: | ---: | ---: |")
    for scenario in (SCENARIOS[0], SCENARIOS[3]):
        judged, alarms, episodes = overlapping(scenario, repeats, seed=seed)
        print(f"| {scenario.name} | {judged:,} | {alarms / judged:.2%} | {episodes} | {episodes / judged * 365:.2f} |")


if __name__ == "__main__":
    main()
