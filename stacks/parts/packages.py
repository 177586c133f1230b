"""What the functions are made of: one staged directory of code, and the layers below it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from kedge.config.model import ModelConfig
from kedge.config.sections import Vpc
from kedge.config.stage import NO_STAGE, Stage
from kedge.config.teams import TEAMS
from stacks.parts.catalogue import as_deployed, read_models
from stacks.parts.layers import BUILD, LAMBDA, LAYERS, ROOT, python_of, write_bytecode

ROOMS = ("kedge", "lambdas", "report")
PLACEHOLDER = "# Nothing runs from here: this stands in for a layer that is not built, and says what that would hold.\n"


class LayersMissingError(Exception):
    """The layers that a deployment needs have not been built."""

    def __init__(self, *, layer: str, directory: Path) -> None:
        super().__init__(f"layer {layer!r} is not in {directory}: run `make layers` first")


@dataclass
class Packages:
    """The code of all functions, the layers of one stack, and the models: read, and in one file as `define_models` takes them."""

    code_directory: Path
    definitions: Path
    layers_directory: Path
    models: Sequence[ModelConfig]
    # Where the functions run; None for Lambda's own network.
    vpc: Vpc | None = None
    _layers: dict[tuple[str, str], lambda_.LayerVersion] = field(default_factory=dict)

    @property
    def code(self) -> lambda_.Code:
        """The staged code as an asset."""
        return lambda_.Code.from_asset(str(self.code_directory))

    def layer(self, stack: Construct, name: str) -> lambda_.LayerVersion:
        """The stack's own version of a layer.

        A version shared between stacks would be an export, and CloudFormation refuses to
        change an export that is in use: the first new dependency could not be deployed.
        """
        key = (stack.node.path, name)
        if key not in self._layers:
            self._layers[key] = lambda_.LayerVersion(
                stack,
                f"{name.title()}Layer",
                code=lambda_.Code.from_asset(str(self.layers_directory / name)),
                compatible_runtimes=[lambda_.Runtime.PYTHON_3_14],
                compatible_architectures=[lambda_.Architecture.ARM_64],
                description=f"Kedge: layers/{name}.txt",
            )
        return self._layers[key]


def prepare_packages(
    *,
    models_directory: Path,
    layers: str,
    stage: Stage = NO_STAGE,
    vpc: Vpc | None = None,
    build: Path = BUILD,
    platform: Sequence[str] = LAMBDA,
) -> Packages:
    """Stage the code, and take the layers: `built` ones, placeholders, or (`found`) built ones where they are there.

    Beside built layers the code has byte-code too, where the platform's Python is here.
    """
    directory = build / "layers"
    missing = [name for name in LAYERS if not (directory / name / "python").is_dir()]
    if layers == "built" and missing:
        raise LayersMissingError(layer=missing[0], directory=directory)
    if layers == "placeholder" or missing:
        directory = build / "placeholder-layers"
        for name in LAYERS:
            listed = (ROOT / "layers" / f"{name}.txt").read_text(encoding="utf-8")
            (directory / name).mkdir(parents=True, exist_ok=True)
            (directory / name / "requirements.txt").write_text(PLACEHOLDER + listed, encoding="utf-8")
    models = as_deployed(read_models(models_directory), models_directory, stage)
    definitions = _stage_definitions(models_directory, models, build)
    python = python_of(platform) if layers == "built" else None
    return Packages(_stage_code(models_directory, build, python), definitions, directory, models, vpc)


def _stage_definitions(models_directory: Path, models: Sequence[ModelConfig], build: Path) -> Path:
    """Each model's YAML by its name, comments and all."""
    texts = {each.model: (models_directory / f"{each.model}.yaml").read_text("utf-8") for each in models}
    content = json.dumps(texts, sort_keys=True).encode()
    staged = build / "definitions" / f"{hashlib.sha256(content).hexdigest()[:16]}.json"
    if not staged.is_file():
        staged.parent.mkdir(parents=True, exist_ok=True)
        # Two synths at once must not see each other's half.
        aside = Path(tempfile.mkdtemp(dir=staged.parent)) / staged.name
        aside.write_bytes(content)
        aside.replace(staged)
        aside.parent.rmdir()
    return staged


def _stage_code(models_directory: Path, build: Path, python: str | None) -> Path:
    files = {f"{room}/{path}": ROOT / room / path for room in ROOMS for path in _files(ROOT / room)}
    if (teams := models_directory.parent / TEAMS).exists():
        files[TEAMS] = teams
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    staged = build / "functions" / (digest.hexdigest()[:16] + ("-compiled" if python else ""))
    if not staged.is_dir():
        _copy(files, staged, python)
    return staged


def _files(room: Path) -> list[str]:
    found = (path.relative_to(room) for path in room.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if "__pycache__" not in path.parts and path.suffix != ".pyc")


def _copy(files: Mapping[str, Path], staged: Path, python: str | None) -> None:
    staged.parent.mkdir(parents=True, exist_ok=True)
    # Two synths at once must not see each other's half: fill aside, then rename.
    aside = Path(tempfile.mkdtemp(dir=staged.parent))
    aside.chmod(0o755)
    for name, path in files.items():
        (aside / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, aside / name)
    if python is not None:
        # A function cannot write any beside its code: each cold start would compile all that it imports.
        write_bytecode(aside, python, at="/var/task")
    try:
        os.rename(aside, staged)
    except OSError:
        shutil.rmtree(aside)
        if not staged.is_dir():
            raise
