import json
import shutil
import tarfile
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from stacks.parts.layers import LAYERS
from stacks.parts.packages import LayersMissingError, prepare_packages
from stacks.parts.workshop import pack_training_source
from tests.synthesised import EXAMPLE, ROOT, example_models


def test_functions_hold_the_rooms_that_they_run_and_no_model():
    packages = prepare_packages(models_directory=example_models(), layers="placeholder")
    assert {path.name for path in packages.code_directory.iterdir()} == {"kedge", "lambdas", "report"}
    assert not list(packages.code_directory.rglob("*.pyc"))


def test_the_definitions_are_one_file_that_holds_each_models_yaml_and_changes_with_it(tmp_path):
    shutil.copytree(example_models(), tmp_path / "models")

    def staged():
        return prepare_packages(models_directory=tmp_path / "models", layers="placeholder", build=tmp_path)

    first, yaml = staged(), tmp_path / "models" / EXAMPLE
    assert json.loads(first.definitions.read_text()) == {"hotel-cancellations": yaml.read_text()}
    assert staged().definitions == first.definitions
    yaml.write_text(f"{yaml.read_text()}# a comment\n")
    assert staged().definitions != first.definitions
    assert staged().code_directory == first.code_directory


def test_the_same_sources_are_staged_into_the_same_directory():
    first, second = (prepare_packages(models_directory=example_models(), layers="placeholder") for _ in range(2))
    assert first.code_directory == second.code_directory


def test_a_deployment_without_built_layers_says_how_to_build_them(tmp_path):
    with pytest.raises(LayersMissingError, match="make layers"):
        prepare_packages(models_directory=example_models(), layers="built", build=tmp_path)


@pytest.mark.slow
def test_a_function_never_compiles_its_code(tmp_path):
    for name in LAYERS:
        (tmp_path / "layers" / name / "python").mkdir(parents=True)
    packages = prepare_packages(models_directory=example_models(), layers="built", build=tmp_path, platform=())
    code = packages.code_directory
    sources = [*code.rglob("*.py")]
    assert sources
    for source in sources:
        found = Path(cache_from_source(str(source))).read_bytes()
        # Hash-based and unchecked (PEP 552): the sources' times do not outlive the asset's zip.
        assert int.from_bytes(found[4:8], "little") == 1, source


def test_without_built_layers_and_without_lambdas_python_nothing_is_compiled(tmp_path):
    for name in LAYERS:
        (tmp_path / "layers" / name / "python").mkdir(parents=True)
    absent = ("--python-version", "0.9")
    packages = prepare_packages(models_directory=example_models(), layers="built", build=tmp_path, platform=absent)
    assert not list(packages.code_directory.rglob("*.pyc"))


def test_the_training_source_is_a_tarball_that_script_mode_can_unpack():
    packed = pack_training_source()
    assert packed.name == "sourcedir.tar.gz"
    with tarfile.open(packed) as archive:
        assert {"train.py", "inference.py"} <= set(archive.getnames())
    assert pack_training_source() == packed


def test_a_folder_of_a_teams_own_travels_with_its_folders_and_without_caches(tmp_path):
    for name in ("learn.py", "figures/shares.py", "figures/__pycache__/shares.pyc", ".git/config"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    with tarfile.open(pack_training_source(tmp_path)) as archive:
        assert sorted(archive.getnames()) == ["figures/shares.py", "learn.py"]


def test_layers_are_taken_as_they_are_found(tmp_path):
    def directory():
        packages = prepare_packages(models_directory=example_models(), layers="found", build=tmp_path)
        return packages.layers_directory.name

    assert directory() == "placeholder-layers"
    for name in LAYERS:
        (tmp_path / "layers" / name / "python").mkdir(parents=True)
    assert directory() == "layers"
    (tmp_path / "layers" / LAYERS[0] / "python").rmdir()
    assert directory() == "placeholder-layers"


def test_a_placeholder_says_what_the_layer_would_hold(tmp_path):
    packages = prepare_packages(models_directory=example_models(), layers="placeholder", build=tmp_path)
    listed = (packages.layers_directory / "statistics" / "requirements.txt").read_text()
    assert listed.endswith((ROOT / "layers" / "statistics.txt").read_text())
