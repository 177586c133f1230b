"""Rows without drift as models meet them: correlated features, autocorrelated rows, categories of many levels."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.signal import lfilter
from scipy.special import ndtr

from kedge.config.model import ModelConfig
from kedge.config.reading import parse_model_config

Rng = np.random.Generator
Rows = Callable[[Rng, int], dict[str, Any]]
NUMERIC, MIXED, WIDE = 20, 16, 10
BURN_IN = 200


@dataclass(frozen=True)
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
