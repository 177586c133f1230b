"""The schema that a package was released with: how its rows and answers are read and judged, whatever the YAML says by now."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from kedge.config.model import ModelConfig
from kedge.config.sections import Feature
from kedge.stored import SCHEMA

# These sections are the model's schema; all other sections are policies, which a person may change at any time.
_SCHEMA = ("model", "problem", "endpoint", "features", "prediction", "labels")
# Where its answers are from is today's. What fits there depends on all of these.
_FROM = ("mode", "source", "capture")
# Whom a model belongs to is no policy of a package, and addresses are not kept where they are not needed.
_PEOPLE: Any = {"owner": True, "alerts": {"routes"}}


def encode_schema(config: ModelConfig) -> bytes:
    """Write down what a package is released with."""
    return json.dumps(
        SCHEMA.marked({"config": config.model_dump(mode="json", exclude=_PEOPLE)}), sort_keys=True
    ).encode()


def decode_schema(content: bytes) -> ModelConfig:
    """Read what `encode_schema` wrote; policies that this version does not know are left out.

    Raises
    ------
    EncodingError
        It is no schema, or one of another version.
    """
    sections = SCHEMA.read_json(content, lambda document: dict(document["config"]))
    for kept in (sections, {name: sections[name] for name in (*_SCHEMA, *_FROM) if name in sections}):
        try:
            return ModelConfig.model_validate_json(json.dumps(kept))
        except ValidationError as error:
            fault = error
    raise SCHEMA.unreadable("a schema that this version of Kedge does not understand") from fault


def released_with(current: ModelConfig, kept: ModelConfig) -> ModelConfig:
    """The YAML as it judges a package: the package's own schema, and today's policies as far as they fit it.

    A feature that is what it was has today's limits. A section that does not fit (it names a column or a class that the package
    does not have) is the one that the package was released with.

    Parameters
    ----------
    current : ModelConfig
        What the YAML says now.
    kept : ModelConfig
        What it said when the package was trained.
    """
    if same_schema(current, kept):
        return current
    now = {feature.name: feature for feature in current.features}
    found: dict[str, Any] = {
        "model": current.model,
        "problem": kept.problem,
        "endpoint": current.endpoint.model_copy(update=kept.endpoint.payload_fields),
        "features": tuple(
            now[f.name] if f.name in now and _column(now[f.name]) == _column(f) else f for f in kept.features
        ),
        "prediction": kept.prediction,
        "labels": current.labels.model_copy(update={"classes": kept.labels.classes}),
        **{name: getattr(current, name) for name in _FROM},
    }
    # When captures expire is no package's: it must not fail to fit what the package has.
    found["capture"] = current.capture.model_copy(update={"expire_days": None})
    if current.capture.mode != kept.capture.mode:
        # Which sides were captured then does not change; one side alone was only watched.
        found["capture"] = found["capture"].model_copy(update={"mode": kept.capture.mode})
        found["mode"] = kept.mode
    # In the order of the fields: the context comes before the sections that name its columns.
    for name in [name for name in ModelConfig.model_fields if name not in found]:
        fitting = (
            fits for side in (current, kept) if (fits := {**found, name: getattr(side, name)}) and _is_valid(fits)
        )
        found = next(fitting, found)
    # Copied from what is deployed, for the stage: no YAML says it.
    return current.model_copy(update=dict(ModelConfig.model_validate(found)))


def same_schema(one: ModelConfig, other: ModelConfig) -> bool:
    """Whether both read rows and answers in the same way."""
    return _facts(one) == _facts(other)


def called_before(name: str, *configs: ModelConfig) -> tuple[str, ...]:
    """A feature's names in other schemas, by `renamed_from`: the nearest first.

    >>> from kedge.config.model import Endpoint
    >>> features = (Feature(name="price", kind="numeric", renamed_from="adr"),)
    >>> config = ModelConfig(model="m", endpoint=Endpoint(name="m"), features=features)
    >>> called_before("price", config), called_before("adr", config)
    (('adr',), ('price',))
    """
    pairs = {(f.name, f.renamed_from) for config in configs for f in config.features if f.renamed_from}
    found = [name]
    for known in found:
        for pair in sorted(pairs):
            found += [other for other in pair if known in pair and other not in found]
    return tuple(found[1:])


def _is_valid(sections: dict[str, Any]) -> bool:
    try:
        ModelConfig.model_validate(sections)
    except ValidationError:
        return False
    return True


def _facts(config: ModelConfig) -> tuple[Any, ...]:
    answer = config.prediction
    return (
        config.problem,
        tuple((feature.name, _column(feature)) for feature in config.features),
        # Of before the field could be absent, 0 was written down for it.
        (answer.name, answer.field or 0, answer.probabilities),
        config.labels.classes,
        config.endpoint.payload_fields,
        config.capture.mode,
    )


def _column(feature: Feature) -> tuple[str, str]:
    return feature.kind, feature.declared_dtype
