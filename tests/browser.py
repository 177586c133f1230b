"""The browser of the page tests, from npm alone: `make browser` puts it below `.browser/`, and nothing else is touched.

- `@sparticuz/chromium` (MIT; 70 MB to load, 210 MB unpacked) holds Chromium's headless shell (BSD-3-Clause and the licences of its parts)
  for x86-64 Linux, and the libraries that a bare machine lacks.
- `axe-core` (MPL-2.0; 0.7 MB) finds what people with a screen reader or a keyboard cannot use.

Both are pinned by version and by the registry's SHA-512. They are tools of the tests: nothing of them is deployed. Where they cannot
be had (no network, another processor) the reason is printed and kept, and the tests that need a browser are skipped with it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
HERE = ROOT / ".browser"
CHROMIUM, LIBRARIES, AXE, WHY_NOT = HERE / "chromium", HERE / "lib", HERE / "axe.min.js", HERE / "why-not.txt"
PACKAGES = {
    "@sparticuz/chromium@153.0.0": "jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA==",
    "axe-core@4.14.1": "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
}
# npm asks for little, and a registry that does not answer must not hold a test run up for long.
NPM = ["npm", "pack", "--silent", "--fetch-retries=1", "--fetch-timeout=120000"]
UNPACK = "const z=require('zlib'),f=require('fs');f.writeFileSync(process.argv[2],z.brotliDecompressSync(f.readFileSync(process.argv[1])))"

# Libraries, a renderer without a graphics card, and the fonts.
ARCHIVES = ("al2023.tar", "swiftshader.tar", "fonts.tar")


class NoBrowserError(Exception):
    """Why there is no browser here."""


def fetch() -> None:
    """Load, check and unpack both packages."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise NoBrowserError(
            f"the packaged Chromium is for x86-64 Linux, this is {platform.system()} {platform.machine()}"
        )
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    for package, digest in PACKAGES.items():
        _unpack(_packed(package, digest))
    for name in ("chromium", *ARCHIVES):
        packed = HERE / "package" / "bin" / f"{name}.br"
        _run(["node", "-e", UNPACK, str(packed), str(HERE / name)])
    for name in ARCHIVES:
        with tarfile.open(HERE / name) as archive:
            archive.extractall(HERE, filter="data")
        (HERE / name).unlink()
    (HERE / "package" / "axe.min.js").replace(AXE)
    shutil.rmtree(HERE / "package")
    CHROMIUM.chmod(0o755)
    _run([str(CHROMIUM), "--version"], variables())


def command() -> tuple[list[str], dict[str, str]] | str:
    """How to start the browser, with its environment; or, as a text, why there is none."""
    if not AXE.is_file():
        return WHY_NOT.read_text() if WHY_NOT.is_file() else "there is no browser here: `make browser` loads it"
    return [str(CHROMIUM)], variables()


def variables() -> dict[str, str]:
    """The environment in which the packaged Chromium finds its libraries; what the machine has comes first."""
    libraries = f"/usr/lib/x86_64-linux-gnu:/lib/x86_64-linux-gnu:{LIBRARIES}:{HERE}"
    fonts = {} if Path("/etc/fonts/fonts.conf").is_file() else {"FONTCONFIG_PATH": str(HERE)}
    return {**os.environ, "LD_LIBRARY_PATH": libraries, **fonts}


def _packed(package: str, digest: str) -> Path:
    name = _run([*NPM, f"--pack-destination={HERE}", package]).strip().splitlines()[-1]
    path = HERE / Path(name).name
    found = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    if found != digest:
        raise NoBrowserError(f"{package} is not what was pinned: its SHA-512 is {found}")
    return path


def _unpack(path: Path) -> None:
    with tarfile.open(path) as archive:
        archive.extractall(HERE, filter="data")
    path.unlink()


def _run(line: list[str], environment: Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=600, env=environment, check=True)
    except FileNotFoundError:
        raise NoBrowserError(f"{line[0]} is not installed") from None
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = str(getattr(error, "stderr", "") or error).strip().splitlines()
        raise NoBrowserError(f"{Path(line[0]).name} failed: {said[-1] if said else 'it said nothing'}") from None
    return done.stdout


def main() -> int:
    """Fetch the browser unless it is here; print why not, which fails no run."""
    if AXE.is_file():
        return 0
    try:
        fetch()
    except NoBrowserError as error:
        shutil.rmtree(HERE, ignore_errors=True)
        HERE.mkdir()
        WHY_NOT.write_text(f"there is no browser here: {error}")
        print(WHY_NOT.read_text() + "; the tests in a browser are skipped", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
