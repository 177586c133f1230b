"""Layers: what a function can import beside its own code, and how large code and layers may be together.

Lambda unpacks at most five layers below /opt, of which /opt/python is searched after the function's own code and the
runtime's packages; all of them unzipped and the code must stay below 250 MB. Imitated: both limits, refused at deployment in
Lambda's words, and what can be imported. The packages that run are this process's own, but code of a function finds
only those that one of its layers holds, as files below `python/`; of a layer that stands in for one that is not built,
and holds a `requirements.txt` alone, those that these requirements would install, with what they need themselves. The
size of such a layer is unknown, and what was cut out of it too.
"""

from __future__ import annotations

import functools
import io
import re
import sys
import zipfile
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from offline.region import Region

LAYERS_MAX = 5
UNZIPPED_BYTES_MAX = 262_144_000
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html: the SDK, and what the SDK needs.
OF_THE_RUNTIME = frozenset(("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six"))


class Layers:
    """The account's layers by ARN, as folders."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self._staged: dict[str, Path] = {}
        self._size = functools.cache(_size_bytes)

    def register(self, arn: str, asset: Path) -> None:
        """Remember where a layer's version was staged."""
        self._staged[arn] = asset

    def folder(self, arn: str) -> Path:
        """Return where a layer's version lies; an archive is unpacked."""
        asset = self._staged.get(arn)
        if asset is None or asset.is_file():
            source = asset or io.BytesIO(self.region.backend("lambda").layers_versions_by_arn(arn).code_bytes)
            self._staged[arn] = self.region.directory / "layers" / re.sub(r"\W", "-", arn)
            with zipfile.ZipFile(source) as archive:
                archive.extractall(self._staged[arn])
        return self._staged[arn]

    def check(self, code: Path, arns: Sequence[str]) -> None:
        """Refuse more layers, or more bytes, than Lambda takes."""
        if len(arns) > LAYERS_MAX:
            raise ValueError(f"Cannot reference more than {LAYERS_MAX} layers.")
        self.check_alone(code)
        total = self._size(code) + sum(self._size(self.folder(arn)) for arn in arns)
        if total > UNZIPPED_BYTES_MAX:
            raise ValueError(
                f"Function code combined with layers exceeds the maximum allowed size of {UNZIPPED_BYTES_MAX} bytes. "
                f"The actual size is {total} bytes."
            )

    def check_alone(self, asset: Path) -> None:
        """Refuse a function's code or a layer that is too large by itself."""
        if self._size(asset) > UNZIPPED_BYTES_MAX:
            raise ValueError(f"Unzipped size must be smaller than {UNZIPPED_BYTES_MAX} bytes")


class Importable:
    """The modules that Python, Lambda's runtime and a function's layers hold."""

    def __init__(self, layers: Iterable[Path] = ()) -> None:
        self._places: list[Path] = []
        self._listed: frozenset[str] = OF_THE_RUNTIME | sys.stdlib_module_names
        for layer in layers:
            self._places += [layer / "python", *layer.glob("python/lib/python*/site-packages")]
            if (layer / "requirements.txt").is_file() and not (layer / "python").exists():
                self._listed |= _installed_by((layer / "requirements.txt").read_text(encoding="utf-8"))
        self.holds = functools.cache(self._holds)

    def _holds(self, module: str) -> bool:
        if module.partition(".")[0] in self._listed:
            return True
        paths = [place.joinpath(*module.split(".")) for place in self._places]
        return any(path.is_dir() or any(path.parent.glob(f"{path.name}.*")) for path in paths)

    def check(self, module: str) -> None:
        """Raise what Python raises where a module, or the package that it is in, is not there."""
        parts = module.split(".")
        for depth in range(1, len(parts) + 1):
            name = ".".join(parts[:depth])
            if not self.holds(name):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _size_bytes(asset: Path) -> int:
    if asset.is_dir():
        return sum(path.stat().st_size for path in asset.rglob("*") if path.is_file())
    with zipfile.ZipFile(asset) as archive:
        return sum(entry.file_size for entry in archive.infolist())


@functools.cache
def _installed_by(requirements: str) -> frozenset[str]:
    """The top-level modules of the distributions that these lines install, as they are installed in this process."""
    lines = (line.partition("#")[0].strip() for line in requirements.splitlines())
    waiting = [(name, extra) for line in lines if line for name, extra in _asked_for(Requirement(line))]
    found: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        if wanted not in found:
            found.add(wanted)
            needs = [Requirement(need) for need in metadata.requires(wanted[0]) or ()]
            needs = [need for need in needs if need.marker is None or need.marker.evaluate({"extra": wanted[1]})]
            waiting += [each for need in needs for each in _asked_for(need)]
    files = (path for name in {name for name, _ in found} for path in metadata.files(name) or ())
    return frozenset(path.parts[0].partition(".")[0] for path in files if path.parts[0] != "..")


def _asked_for(requirement: Requirement) -> list[tuple[str, str]]:
    return [(requirement.name, extra) for extra in ("", *requirement.extras)]
