"""AWS's own training and serving packages with each image's Python: an environment per image, built once, and run."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kedge.config.model import ModelConfig
from lambdas.adapters.training.training_jobs import TrainingWorkshop, serving_environment, training_job_request
from stacks.parts.workshop import pack_training_source

BUILD = Path(__file__).parents[2] / "build" / "toolkit"
CONTAINER = Path(__file__).with_name("container.py")
ML = "/opt/ml"
# What the images hold beside their framework. pip as the newest images have it; setuptools before 82, which dropped
# pkg_resources; no wheel, because 3.2-0 has none.
COMMON = """
sagemaker-containers==2.8.6.post2 sagemaker-training==5.1.4 pip==23.2.1 setuptools==75.3.2 six==1.17.0 retrying==1.3.4
inotify-simple==1.3.5 psutil==5.9.8 paramiko==3.4.1 bcrypt==4.2.0 pynacl==1.5.0 cryptography==43.0.3 cffi==1.17.1
pycparser==2.22 boto3==1.35.99 botocore==1.35.99 s3transfer==0.10.4 jmespath==1.0.1 python-dateutil==2.9.0.post0
urllib3==1.26.20 protobuf==3.20.3
"""
FLASK_1 = "Flask==1.1.1 Werkzeug==0.15.6 Jinja2==2.11.3 MarkupSafe==1.1.1 itsdangerous==2.0.1 click==8.1.7"
FLASK_3 = "Flask==3.1.3 Werkzeug==3.1.3 Jinja2==3.1.6 MarkupSafe==3.0.2 itsdangerous==2.2.0 click==8.1.8 blinker==1.9.0"
NUMPY_1 = "numpy==1.24.1 scipy==1.10.1"
NUMPY_2 = "numpy==2.1.0 scipy==1.16.3"


@dataclass(frozen=True)
class Image:
    """One of SageMaker's images: its framework and tag, its Python, and what is installed."""

    framework: str
    version: str
    python: str
    packages: str

    def __str__(self) -> str:
        return f"{self.framework}-{self.version}-python{self.python}"


IMAGES = (
    Image("xgboost", "3.2-0", "3.12", f"{FLASK_3} {NUMPY_2} xgboost-cpu==3.2.0"),
    Image("xgboost", "3.0-5", "3.10", f"{FLASK_1} {NUMPY_1} xgboost-cpu==3.0.5"),
    Image("xgboost", "1.7-1", "3.9", f"{FLASK_1} {NUMPY_1} xgboost==1.7.4"),
    Image(
        "sklearn",
        "1.9-0",
        "3.12",
        f"{FLASK_3} {NUMPY_2} scikit-learn==1.9.0 joblib==1.5.2 threadpoolctl==3.6.0 narwhals==2.0.1",
    ),
    Image("sklearn", "1.2-1", "3.8", f"{FLASK_1} {NUMPY_1} scikit-learn==1.2.1 joblib==1.3.2 threadpoolctl==3.5.0"),
)  # the second and last but one tag of each, and the default


@functools.cache
def interpreter(version: str) -> Path | None:
    """Where a Python of this version is: pyenv's, or one on the PATH that runs (pyenv's shims may not)."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    names = [*map(str, sorted(root.glob(f"versions/{version}.*/bin/python"))), shutil.which(f"python{version}")]
    for name in filter(None, names):
        told = subprocess.run([name, "-c", "import sys; print(*sys.version_info[:2], sep='.')"], capture_output=True)
        if told.stdout.decode().strip() == version:
            return Path(name)
    return None


@functools.cache
def can_isolate() -> bool:
    """Tell whether this machine lets us start a process without a network."""
    return shutil.which("unshare") is not None and subprocess.run(["unshare", "-rn", "true"]).returncode == 0


def environment(image: Image) -> Path:
    """The image's Python with its packages, built on first use; the test is skipped where that cannot be."""
    python = interpreter(image.python)
    if python is None:
        pytest.skip(f"no Python {image.python} here")
    packages = f"{COMMON} {image.packages}".split()
    home = BUILD / image.python / hashlib.sha256(" ".join(packages).encode()).hexdigest()[:16]
    home.parent.mkdir(parents=True, exist_ok=True)
    # Several test processes may want it at once; the last line of the building is the file that says it is whole.
    with open(home.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "whole").exists():
            _build(home, python, packages)
    return home / "bin" / "python"


def _build(home: Path, python: Path, packages: Sequence[str]) -> None:
    uv = str(Path(sys.executable).with_name("uv"))
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run([uv, "venv", "--quiet", "--no-project", "--python", python, home], check=True)
    install = [uv, "pip", "install", "--quiet", "--no-deps", "--python", str(home / "bin" / "python"), *packages]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"the image's packages cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    (mapping,) = home.glob("lib/python*/site-packages/sagemaker_containers/_mapping.py")
    # As AWS's images mend it for Pythons from 3.10 on.
    text = mapping.read_text().replace("collections.Mapping", "collections.abc.Mapping")
    mapping.write_text(text.replace("import collections\n", "import collections.abc\n"))
    (home / "whole").touch()


class Container:
    """One container: /opt/ml under a fresh directory of its own, and what runs there has no network."""

    def __init__(self, image: Image, directory: Path) -> None:
        self.image, self.root, self._python = image, directory, environment(image)
        self._site = directory / "site-packages"  # what script mode installs, kept out of the shared environment
        for place in ("input/config", "input/data/code", "model", "output/data", "code", "site-packages"):
            (self.root / place).mkdir(parents=True, exist_ok=True)

    def train(self, config: ModelConfig, channel: Path, environment: Mapping[str, str] | None = None) -> str:
        """Run the training job that Kedge asks for; return its log."""
        source = pack_training_source()
        shop = TrainingWorkshop("image", f"s3://assets/{source.name}", "role", "role", None, ())
        request = training_job_request(config, shop, train_uri="s3://data/train/", output_uri="s3://data/output")
        assert request["EnableNetworkIsolation"]
        shutil.copytree(channel, self.root / "input" / "data" / "train")
        shutil.copy(source, self.root / "input" / "data" / "code")
        channels = {c["ChannelName"]: {"TrainingInputMode": "File"} for c in request["InputDataConfig"]}
        hosts = {"current_host": "localhost", "hosts": ["localhost"], "network_interface_name": "lo"}
        files = {"hyperparameters": request["HyperParameters"], "inputdataconfig": channels, "resourceconfig": hosts}
        for name, document in files.items():
            text = json.dumps(document).replace(f"{ML}/", f"{self.root}/")
            (self.root / "input" / "config" / f"{name}.json").write_text(text)
        given = request["Environment"] if environment is None else environment
        return self._run(f"train_{self.image.framework}", environment=given)

    def serve(self, model: Path, config: ModelConfig, requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Answer requests with a model directory, in the environment that Kedge gives it."""
        shutil.copytree(model, self.root / "model", dirs_exist_ok=True)
        answers = self.root / "answers.json"
        self._run("serve", answers, environment=serving_environment(config), standard_input=json.dumps(requests))
        found: list[dict[str, Any]] = json.loads(answers.read_text())
        return found

    def _run(self, *arguments: object, environment: Mapping[str, str], standard_input: str = "") -> str:
        own = {
            "PATH": f"{self._python.parent}:/usr/bin:/bin",
            "HOME": str(self.root),
            "SAGEMAKER_BASE_DIR": str(self.root),
            "PIP_TARGET": str(self._site),
            "PYTHONPATH": str(self._site),
            "AWS_DEFAULT_REGION": "eu-west-1",
            "OMP_WAIT_POLICY": "PASSIVE",
        }
        given = {name: value.replace(ML, str(self.root)) for name, value in environment.items()}
        command = [
            *(["unshare", "-rn"] if can_isolate() else []),
            str(self._python),
            str(CONTAINER),
            *map(str, arguments),
        ]
        done = subprocess.run(
            command, env=own | given, cwd=self.root, input=standard_input, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
        return done.stdout
