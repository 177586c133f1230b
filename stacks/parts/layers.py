"""The Lambda layers: `python -m stacks.parts.layers` builds them for Python 3.14 on arm64, without Docker."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
LAYERS = ("counting", "statistics", "tables")
LAMBDA = ("--python-platform", "aarch64-manylinux_2_28", "--python-version", "3.14")

# Lambda's runtime brings boto3; and pip needs setuptools, a function does not.
RUNTIME_BRINGS = (
    "boto3",
    "botocore",
    "s3transfer",
    "jmespath",
    "setuptools",
    "_distutils_hack",
    "distutils-precedence",
)
UNUSED = (
    "bin",
    "*-stubs",
    "**/tests",
    "**/*.pyi",
    "**/*.pxd",
    "**/*.pyx",
    "**/*.pxi",
    "numpy/_core/include",
    "numpy/_core/lib",
    "pyarrow/include",
    "pyarrow/includes",
    "pyarrow/src",
    "pyarrow/*flight*",
    # A wheel holds no symlinks: these two are whole copies of the library that is loaded.
    "pyarrow/libarrow_python.so",
    "pyarrow/libarrow_python.so.*.*",
)
# What `import scipy.special` loads, and no more: 27 MiB of solvers and statistics stay behind.
SCIPY_KEPT = ("special", "_lib")


class LayerNotInstalledError(Exception):
    """A layer's packages could not be resolved or fetched."""

    def __init__(self, *, layer: str, output: str) -> None:
        super().__init__(f"layers/{layer}.txt could not be installed: {output.strip()}")


def build_layers(target: Path, *, platform: Sequence[str] = LAMBDA) -> None:
    """Build every layer below the target; what `counting` holds, the layers on it do not hold again."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as aside:
        for name in LAYERS:
            _install(name, Path(aside) / name / "python", platform)
        for name in LAYERS:
            packages = Path(aside) / name / "python"
            below = set() if name == "counting" else {path.name for path in (target / "counting" / "python").iterdir()}
            trim(packages, below=below)
            if (python := python_of(platform)) is not None:
                write_bytecode(packages, python, at="/opt/python")
            shutil.rmtree(target / name, ignore_errors=True)
            (Path(aside) / name).rename(target / name)


def trim(packages: Path, *, below: set[str]) -> None:
    """Remove what the runtime or the layer below brings, and what nothing imports."""
    for path in list(packages.iterdir()):
        distribution = re.split(r"-\d", path.name)[0]
        if path.name in below or path.stem in RUNTIME_BRINGS or distribution in RUNTIME_BRINGS:
            _remove(path)
    for pattern in UNUSED:
        for path in list(packages.glob(pattern)):
            _remove(path)
    if (packages / "scipy").is_dir():
        _cut_scipy(packages)


def python_of(platform: Sequence[str]) -> str | None:
    """The interpreter that can write the platform's byte-code; None where it is not here."""
    if "--python-version" not in platform:
        return sys.executable
    return shutil.which(f"python{platform[platform.index('--python-version') + 1]}")


def write_bytecode(packages: Path, python: str, *, at: str) -> None:
    """Write byte-code beside the sources, which will lie `at` that place: imports take two to three times as long without."""
    options = ["-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s", str(packages), "-p", at]
    command = [python, "-m", "compileall", *options, str(packages)]
    subprocess.run(command, check=False)  # noqa: S603 - an interpreter found on the PATH


def size_bytes(directory: Path) -> int:
    """The bytes of every file below a directory: what Lambda counts against its limit."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def _cut_scipy(packages: Path) -> None:
    for path in (packages / "scipy").iterdir():
        if path.is_dir() and path.name not in SCIPY_KEPT:
            _remove(path)
    binaries = list((packages / "scipy").rglob("*.so"))
    libraries = set((packages / "scipy.libs").glob("*")) if (packages / "scipy.libs").is_dir() else set()
    while needed := {lib for lib in libraries if any(lib.name.encode() in each.read_bytes() for each in binaries)}:
        binaries = list(needed)
        libraries -= needed
    for library in libraries:
        _remove(library)


def _install(name: str, target: Path, platform: Sequence[str]) -> None:
    command = [
        *(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--only-binary", ":all:"),
        *("--target", str(target), *platform),
        *("--requirements", str(ROOT / "layers" / f"{name}.txt")),
        *("--constraints", str(_constraints(target.parents[1]))),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    if done.returncode:
        raise LayerNotInstalledError(layer=name, output=done.stderr)


def _constraints(directory: Path) -> Path:
    # The lock also holds digests, which a constraint must not.
    directory.mkdir(parents=True, exist_ok=True)
    pins = re.findall(r"^[\w.\-\[\]]+==[^\\\n]+", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)
    constraints = directory / "constraints.txt"
    constraints.write_text("\n".join(pin.strip() for pin in pins) + "\n")
    return constraints


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    build_layers(BUILD / "layers")
    if python_of(LAMBDA) is None:
        print(
            "no interpreter of Lambda's Python here: layers and functions go without byte-code, and cold starts take longer"
        )
    for layer in LAYERS:
        print(f"{layer}: {size_bytes(BUILD / 'layers' / layer) / 2**20:.0f} MiB")
