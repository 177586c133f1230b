"""The models' YAML files as synth and the functions will read them, each with what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cli.refusals import BadInputError
from kedge.errors import ModelConfigError
from kedge.model_config import ModelConfig, parse_model_config

SUFFIX, IGNORED_SUFFIX = ".yaml", ".yml"


@dataclass(frozen=True)
class ModelFile:
    """One file: what it says, or its problem in words."""

    path: Path
    summary: str = ""
    problem: str = ""


def read_model_files(place: Path) -> list[ModelFile]:
    """Read one YAML, or all of a folder, and hold them against each other."""
    if not place.exists():
        raise BadInputError(f"{place}: there is no such file or folder")
    files = [place] if place.is_file() else sorted(f for f in place.iterdir() if f.suffix in (SUFFIX, IGNORED_SUFFIX))
    if not files:
        raise BadInputError(f"{place}: no model's YAML is there; `kedge init` writes one")
    endpoints: dict[str, Path] = {}
    return [_read(path, endpoints) for path in files]


def read_model(path: Path) -> ModelConfig:
    """Read one YAML, and no more of a file than a YAML may have."""
    # Here, because a check without a YAML needs none of it.
    from kedge.yaml_mapping import CHARACTERS_MAX

    with path.open(encoding="utf-8") as file:
        return parse_model_config(file.read(CHARACTERS_MAX + 1), source=str(path))


def _read(path: Path, endpoints: dict[str, Path]) -> ModelFile:
    try:
        config = read_model(path)
    except ModelConfigError as error:
        return ModelFile(path, problem=str(error))
    except UnicodeDecodeError:
        return ModelFile(path, problem=f"{path}: this is no text in UTF-8; save it as such")
    if path.name != f"{config.model}{SUFFIX}":
        return ModelFile(path, problem=f"{path}: the model {config.model!r} belongs in {config.model}{SUFFIX}")
    if config.endpoint.name in endpoints:
        other = endpoints[config.endpoint.name]
        problem = f"{path}: the endpoint {config.endpoint.name!r} is watched by {other.name} already; one model each"
        return ModelFile(path, problem=problem)
    endpoints[config.endpoint.name] = path
    return ModelFile(path, summary=_summary(config))


def _summary(config: ModelConfig) -> str:
    watched, days = sum(feature.watched for feature in config.features), config.cadence.window_days
    return (
        f"{config.problem}, {watched} of {len(config.features)} features watched, judged {config.cadence.judge} over "
        f"{days} day{'' if days == 1 else 's'}, endpoint {config.endpoint.name}"
    )
