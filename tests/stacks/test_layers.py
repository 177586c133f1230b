"""The slow ones build the layers as for a deployment, so they download from the package index."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stacks.parts.layers import LAMBDA, LAYERS, LayerNotInstalledError, build_layers, size_bytes
from stacks.parts.packages import prepare_packages
from tests.architecture.source_imports import ROOT, reached
from tests.synthesised import example_models, functions

LIMIT_MIB = 230
OURS = {"kedge", "lambdas", "report"}
OF_THE_RUNTIME = {"boto3", "botocore", "jmespath"}


@pytest.fixture(scope="module")
def layers(tmp_path_factory):
    return built(tmp_path_factory.mktemp("layers"), platform=LAMBDA)


def built(target, platform):
    try:
        build_layers(target, platform=platform)
    except LayerNotInstalledError as error:
        if "error sending request" in str(error):
            pytest.skip("the package index cannot be reached, so no layer can be built")
        raise
    return target


@pytest.fixture(scope="module")
def code():
    return prepare_packages(models_directory=example_models(), layers="placeholder").code_directory


def layers_of(path):
    references = functions()[path]["Properties"]["Layers"]
    return [next(name for name in LAYERS if ref["Ref"].startswith(f"{name.title()}Layer")) for ref in references]


def packages_imported(path):
    handler = ROOT / "lambdas" / "handlers" / f"{path.split('/')[1]}.py"
    tops = {name.split(".")[0] for names in reached(handler).values() for name in names}
    return {top for top in tops - OURS - OF_THE_RUNTIME if top and top not in sys.stdlib_module_names}


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(functions()))
def test_layers_and_code_fit_into_lambda(path, layers, code):
    total = size_bytes(code) + sum(size_bytes(layers / name) for name in layers_of(path))
    assert total / 2**20 < LIMIT_MIB


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(functions()))
def test_layers_hold_what_the_handler_imports(path, layers):
    held = {entry.name.split(".")[0] for name in layers_of(path) for entry in (layers / name / "python").iterdir()}
    assert packages_imported(path) - held == set()


@pytest.mark.parametrize("path", sorted(functions()))
def test_a_function_has_no_layer_that_it_does_not_import(path):
    imported = packages_imported(path)
    assert ("statistics" in layers_of(path)) is ("scipy" in imported)
    assert ("tables" in layers_of(path)) is ("awswrangler" in imported)


@pytest.mark.slow
def test_layers_are_made_for_lambdas_python_and_processor(layers):
    binaries = [path.name for path in layers.rglob("*.so") if ".cpython-" in path.name]
    assert binaries
    assert {"cpython-314-aarch64-linux-gnu" in name for name in binaries} == {True}


@pytest.fixture(scope="module")
def layers_for_here(tmp_path_factory):
    """The same layers, cut the same way, for the Python and processor that run this test."""
    return built(tmp_path_factory.mktemp("layers-for-here"), platform=())


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    """What Lambda's runtime brings, and nothing else of this virtual environment."""
    import botocore

    directory, installed = tmp_path_factory.mktemp("runtime"), Path(botocore.__file__).parents[1]
    for name in ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six.py"):
        os.symlink(installed / name, directory / name)
    return directory


# Our own modules are forgotten after each handler; what a layer holds is imported once by each set of layers.
IMPORTS = """
import importlib, json, sys, traceback
places, ours, modules = json.loads(sys.argv[1])
sys.path += places
said = {}
for module in modules:
    try:
        importlib.import_module(module)
        said[module] = ""
    except Exception:
        said[module] = traceback.format_exc()
    for name in [name for name in sys.modules if name.partition(".")[0] in ours]:
        del sys.modules[name]
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def imported(layers_for_here, runtime, code):
    """What each handler's import says under its layers alone: nothing, or why it fails."""
    by_layers = {}
    for path in functions():
        by_layers.setdefault(tuple(layers_of(path)), []).append(f"lambdas.handlers.{path.split('/')[1]}")
    said = {}
    for layers, modules in by_layers.items():
        places = [code, *(layers_for_here / name / "python" for name in layers), runtime]
        asked = json.dumps([[str(place) for place in places], sorted(OURS), modules])
        # -S leaves out the virtual environment, -I the directory of the test; -B writes nothing beside the staged code.
        command = [sys.executable, "-I", "-S", "-B", "-c", IMPORTS, asked]
        said |= json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return said


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(functions()))
def test_every_handler_imports_from_its_layers_alone(path, imported):
    assert imported[f"lambdas.handlers.{path.split('/')[1]}"] == ""
