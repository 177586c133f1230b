"""No file needs a newer Python than the one that runs it: the oldest image's, pyproject's, and the functions'."""

import os
import re
import subprocess
import sys

import pytest

from tests.synthesised import ROOT
from tests.training.toolkit import IMAGES, interpreter

ROOMS = ("app.py", "benchmarks", "cli", "demo", "kedge", "lambdas", "offline", "report", "stacks")
OLDEST_IMAGE = "3.8"
# Vermin's console script, as a module: what it finds does not depend on the PATH.
VERMIN = [sys.executable, "-c", "from vermin.main import main; main()", "--no-tips", "--violations"]


def violations(version: str, *places: object, features: tuple[str, ...] = ()) -> str:
    """What needs a newer Python than this one; empty if nothing does."""
    asked = [argument for feature in features for argument in ("--feature", feature)]
    done = subprocess.run([*VERMIN, f"-t={version}-", *asked, *map(str, places)], capture_output=True, text=True)
    assert "Minimum required versions" in done.stdout, done.stdout + done.stderr
    return done.stdout if done.returncode else ""


def in_training(*places: object) -> str:
    return violations(OLDEST_IMAGE, *places, features=("union-types",))


def supported() -> str:
    return re.search(r'requires-python = ">=(\d+\.\d+)"', (ROOT / "pyproject.toml").read_text())[1]


def test_what_runs_in_the_containers_is_written_in_the_oldest_images_python():
    assert min(IMAGES, key=lambda image: int(image.python.partition(".")[2])).python == OLDEST_IMAGE
    assert in_training(ROOT / "training") == ""
    # Their annotations are not evaluated, so that a union in one is no feature of the language.
    assert violations(OLDEST_IMAGE, ROOT / "offline/containers/forking.py", ROOT / "offline/containers/worker.py") == ""


def test_the_rest_needs_no_newer_python_than_pyproject_says():
    assert violations(supported(), *(ROOT / room for room in ROOMS)) == ""


def test_the_functions_run_on_a_python_that_knows_their_language():
    major, minor = re.search(r"Runtime\.PYTHON_(\d+)_(\d+)", (ROOT / "stacks/parts/functions.py").read_text()).groups()
    assert (int(major), int(minor)) >= tuple(map(int, supported().split(".")))


@pytest.mark.parametrize(
    "source",
    [
        "def f(a, b): return list(zip(a, b, strict=True))",
        "def f(a): return isinstance(a, bytes | bytearray)",
        "def f(a):\n    d = {'a': 1}\n    d |= {'b': 2}\n    return d",
        "def f(a):\n    match a:\n        case 1: return 2",
        "A = 'ab'.removeprefix('a')",
        "from datetime import UTC",
    ],
)
def test_each_of_what_once_broke_an_old_image_is_found(tmp_path, source):
    (tmp_path / "script.py").write_text(source)
    assert in_training(tmp_path / "script.py") != ""


@pytest.mark.skipif("CI" not in os.environ, reason="a workstation may have one Python only")
def test_ci_has_an_old_interpreter():
    assert any(interpreter(image.python) for image in IMAGES if image.python in ("3.8", "3.9"))
