"""Which of several Kedges of an account a command means: `--stage`, else KEDGE_STAGE, else `stage` in the context of cdk.json."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.refusals import in_a_sentence
from kedge.config.stage import VARIABLE, Stage

CONTEXT = Path(__file__).resolve().parents[1] / "cdk.json"
# A command with one of these options reaches a deployment.
_REACHING = {"region", "endpoint_url"}
_Option = Annotated[
    str | None,
    typer.Option(help="Which Kedge, where an account has several.", envvar=VARIABLE, show_default="that of cdk.json"),
]


class Commands(typer.Typer):
    """Commands; those that reach a deployment have the option `--stage`."""

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        """Register a command."""
        register = super().command(name, **settings)
        return lambda function: register(_with_stage(name or "", function))


def _with_stage(name: str, function: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(function, eval_str=True)
    if not _REACHING & set(signature.parameters):
        return function

    @wraps(function)
    def run(*, stage: str | None, **options: Any) -> None:
        with in_a_sentence(name):
            wanted = Stage(_written() if stage is None else stage)
        with _in_environment(wanted):
            function(**options)

    option = inspect.Parameter("stage", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_Option)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
    return run


def _written() -> str:
    return str(json.loads(CONTEXT.read_text(encoding="utf-8"))["context"].get("stage", ""))


@contextmanager
def _in_environment(stage: Stage) -> Iterator[None]:
    """Put the stage where the adapters look for it, as a function's deployment does, until the command has ended."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = stage.name
    try:
        yield
    finally:
        del os.environ[VARIABLE]
        if before is not None:
            os.environ[VARIABLE] = before
