"""The policies that a backtest compares: the shipped ones, and those of YAML files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.backtest.options import BacktestOptions
from cli.models import read_model
from cli.refusals import BadInputError
from kedge.config.model import ModelConfig
from kedge.config.policies import Alerts, DriftPolicy, PerformancePolicy
from kedge.config.retraining import RetrainingPolicy
from kedge.config.sections import Endpoint, Feature, Labels, Prediction, Problem

# Shipped drift rules by the setting's name.
SHIPPED = {"default": "effect", "sensitive": "sensitive", "psi": "psi"}


@dataclass(frozen=True)
class Setting:
    """One policy with its name in tables."""

    name: str
    config: ModelConfig


def model_of(path: Path, options: BacktestOptions) -> ModelConfig:
    """One YAML, checked against the options."""
    model = read_model(path)
    if options.problem and options.problem != model.problem:
        raise BadInputError(f"{path} says {model.problem}, and --problem {options.problem}: one of them is wrong")
    return model


def named_settings(
    models: Sequence[ModelConfig],
    options: BacktestOptions,
    features: Sequence[Feature],
    answer: str | None,
    problem: Problem,
    classes: tuple[str, ...],
) -> tuple[Setting, ...]:
    """The YAML files' policies first, then the shipped ones for the same model."""
    for path, model in zip(options.configs[1:], models[1:], strict=True):
        _same_model(options.configs[0], models[0], path, model)
    given = [Setting(name, model) for name, model in zip(_names(options.configs), models, strict=True)]
    plain = shipped(models[0]) if models else _made_up(options, features, answer, problem, classes)
    rules = [Setting(name, with_rule(plain, rule)) for name, rule in SHIPPED.items()]
    return (*given, *rules)


def shipped(model: ModelConfig) -> ModelConfig:
    """The same model under the shipped policies."""
    own = model.performance
    kept = PerformancePolicy(quantile=own.quantile, cost_matrix=own.cost_matrix, cost_column=own.cost_column)
    plain = tuple(
        Feature(name=f.name, kind=f.kind, dtype=f.dtype, watched=f.watched, sensitive=f.sensitive)
        for f in model.features
    )
    changes: dict[str, Any] = {
        "features": plain,
        "drift": DriftPolicy(),
        "performance": kept,
        "retraining": RetrainingPolicy(),
        "alerts": Alerts(),
    }
    return model.model_copy(update=changes)


def with_rule(model: ModelConfig, rule: Any) -> ModelConfig:
    """The same model with another of the named drift rules."""
    return model.model_copy(update={"drift": DriftPolicy(rule=rule)})


def _made_up(
    options: BacktestOptions,
    features: Sequence[Feature],
    answer: str | None,
    problem: Problem,
    classes: tuple[str, ...],
) -> ModelConfig:
    """A model for rows without a YAML."""
    stem = Path(options.data).name.partition(".")[0]
    name = re.sub("[^a-zA-Z0-9]+", "-", stem).strip("-")[:40].strip("-") or "backtest"
    free = next(n for n in ("prediction", "answer", "_prediction") if n not in {f.name for f in features})
    # A model needs a feature: where there is only the prediction, one that is not looked at.
    watched = tuple(features) or (Feature(name="none", kind="categorical", watched=False),)
    # A person who has the rows may read their values.
    watched = tuple(feature.model_copy(update={"sensitive": False}) for feature in watched)
    return ModelConfig(
        model=name,
        problem=problem,
        endpoint=Endpoint(name=name),
        features=watched,
        prediction=Prediction(name=answer or free),
        labels=Labels(classes=classes),
    )


def _names(paths: Sequence[Path]) -> list[str]:
    """The files' names, or whole paths if two share a name."""
    stems = [path.stem for path in paths]
    taken = {*SHIPPED, *(stem for stem in stems if stems.count(stem) > 1)}
    return [str(path) if path.stem in taken else path.stem for path in paths]


def _same_model(first: Path, one: ModelConfig, second: Path, other: ModelConfig) -> None:
    """A backtest compares policies: the model itself must be the same in all YAML files."""
    facts = _model_facts(other)
    for name, fact in _model_facts(one).items():
        if fact != facts[name]:
            raise BadInputError(f"{second} and {first} differ in {name}: a backtest compares policies for one model")


def _model_facts(model: ModelConfig) -> dict[str, Any]:
    answer, policy = model.prediction, model.performance
    return {
        "the watched features": sorted((f.name, f.kind, f.declared_dtype) for f in model.features if f.watched),
        "problem": model.problem,
        "prediction": (answer.name, answer.threshold, answer.probabilities),
        "labels.classes": model.labels.classes,
        "performance.cost_column": policy.cost_column,
        "performance.quantile": policy.quantile,
    }
