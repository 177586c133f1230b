"""The text of a new model's YAML: the known facts, and comments where a person must look."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from cli.refusals import BadInputError
from kedge.config.reading import parse_model_config
from kedge.config.sections import Feature, Mode, Problem, Source

_MODEL_CHARACTERS, _ENDPOINT_CHARACTERS = 40, 63


@dataclass(frozen=True)
class ModelDraft:
    """The known facts about a model to watch."""

    name: str
    features: tuple[Feature, ...]
    endpoint: Mapping[str, Any]
    problem: Problem = "binary_classification"
    classes: tuple[str, ...] = ("0", "1")
    prediction: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    mode: Mode | None = None
    source: Source = "endpoint"
    capture: Mapping[str, Any] = field(default_factory=dict)
    cadence: Mapping[str, Any] = field(default_factory=dict)
    label_horizon_days: float | None = None

    def to_yaml(self, *, source: str) -> str:
        """Write it as YAML; refuse what the configuration would refuse, with the same words."""
        lines = [f"model: {_scalar(self.name)}"]
        lines += [f"mode: {self.mode}"] if self.mode else []
        lines += [f"source: {self.source}"] if self.source != "endpoint" else []
        lines += [f"problem: {self.problem}"]
        if self.endpoint:
            lines += ["endpoint:", *(f"  {key}: {_written(value)}" for key, value in self.endpoint.items())]
        if self.capture:
            lines += ["capture:", *(f"  {key}: {_scalar(value)}" for key, value in self.capture.items())]
        if self.prediction:
            lines += ["prediction:", *(f"  {key}: {_scalar(value)}" for key, value in self.prediction.items())]
        if self.cadence:
            lines += [f"cadence: {_flow(dict(self.cadence))}"]
        if self.classes != ("0", "1") or self.label_horizon_days is not None:
            lines += ["labels:"]
        if self.label_horizon_days is not None:
            lines += [f"  label_horizon_days: {self.label_horizon_days:g}"]
        if self.classes != ("0", "1"):
            order = "  # the positive class stands last" if len(self.classes) == 2 else ""
            lines += [f"  classes: {_flow(list(self.classes))}{order}"]
        lines += [f"# {note}" for note in self.notes]
        order = "  # in the payload's order" if self.endpoint else ""
        lines += [
            f"features:{order}" if self.features else "features: []  # no request is captured",
            *(f"  - {_feature(feature)}" for feature in self.features),
        ]
        text = "\n".join(lines) + "\n"
        parse_model_config(text, source=source)
        return text


def model_name(wanted: str) -> str:
    """A name that models may have, from a file's or an endpoint's."""
    return _cut(wanted, _MODEL_CHARACTERS)


def endpoint_name(wanted: str) -> str:
    """A name that endpoints may have."""
    return _cut(wanted, _ENDPOINT_CHARACTERS)


def _cut(wanted: str, characters: int) -> str:
    name = re.sub("[^a-zA-Z0-9]+", "-", wanted).strip("-")[:characters].strip("-")
    if not name:
        raise BadInputError(f"{wanted!r} gives no valid name; name one with --name")
    return name


def _feature(feature: Feature) -> str:
    return _flow(
        {key: value for key, value in feature.model_dump().items() if key in ("name", "kind", "dtype") and value}
    )


def _flow(value: Any) -> str:
    return str(
        yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
    ).strip()


def _written(value: Any) -> str:
    return _flow(value) if isinstance(value, list) else _scalar(value)


def _scalar(value: Any) -> str:
    # A bare scalar is dumped with a document's end behind it.
    return str(yaml.safe_dump(value, width=10_000, allow_unicode=True)).removesuffix("...\n").strip()
