"""The drift function's cold start under Lambda's runtime interface client, and where the time goes."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from benchmarks.measure import ROOT
from benchmarks.results import Figure, Section
from benchmarks.runtime_api import RuntimeApi
from benchmarks.scale import Scale
from stacks.parts.layers import build_layers
from stacks.parts.packages import prepare_packages
from tests.handlers.bookings import load_bookings
from tests.handlers.monitor_world import load_event, monitor_world, scored

COMMAND = "python -m benchmarks cold_start"
HANDLER = "lambdas.handlers.detect_drift.handler"
CLIENT = "awslambdaric==4.2.2"
TOLD_PACKAGES = 8
_PATIENCE_SECONDS = 120


def section(work: Path, scale: Scale) -> Section:
    """Measure the first judgement of a fresh process, a second one, and the imports."""
    packages = install(work)
    with judged_account() as account:
        environment = account | {"PYTHONPATH": os.pathsep.join(map(str, packages)), "PYTHONDONTWRITEBYTECODE": "1"}
        starts = [invoke(environment, events=2) for _ in range(max(1, min(3, scale.repeats)))]
    first, second = min(start[0] for start in starts), min(start[1] for start in starts)
    imports, shares = imported(environment)
    figures = [
        Figure("cold start to the first verdict", first, "s", COMMAND),
        Figure("of that, imports of the handler", imports, "s", COMMAND),
        Figure("a second verdict in the same environment", second, "s", COMMAND),
    ]
    told = ", ".join(f"{name} {seconds:.2f}" for name, seconds in shares)
    return Section(
        "Cold start of detect_drift",
        figures,
        f"Under {CLIENT}, with the layers' exact versions installed for this machine's platform, not for Lambda's "
        "arm64, on all of this machine's processor; S3, DynamoDB, SNS, SQS and CloudWatch are moto's, on this "
        f"machine. Imports by package, in seconds (`-X importtime`, which itself costs): {told}.",
    )


def install(work: Path) -> list[Path]:
    """The function's code, its layers, boto3 and the client that Lambda's runtime brings, each as it is deployed."""
    layers = work / "layers"
    if not (layers / "statistics").is_dir():
        build_layers(layers, platform=())
    runtime = work / "runtime"
    if not runtime.is_dir():
        aside = work / "runtime.part"
        shutil.rmtree(aside, ignore_errors=True)
        command = [
            sys.executable,
            "-m",
            "uv",
            "pip",
            "install",
            "--quiet",
            "--compile-bytecode",
            "--target",
            str(aside),
        ]
        subprocess.run([*command, CLIENT, _pinned("boto3")], check=True)  # noqa: S603  # our own arguments
        aside.rename(runtime)
    packages = prepare_packages(models_directory=ROOT / "models", layers="built", build=work, platform=())
    return [packages.code_directory, layers / "counting" / "python", layers / "statistics" / "python", runtime]


@contextmanager
def judged_account() -> Iterator[dict[str, str]]:
    """An account in which a window waits to be judged, behind an HTTP endpoint, and the function's environment."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patched, monitor_world(patched) as world:
        world.promote(datetime(2015, 10, 1, tzinfo=UTC))
        world.freeze()
        rows = load_bookings("2015-12-07", "2016-01-04")
        world.answer(rows, scored(rows, skill=0.8)[0])
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        server.start()
        host, port = server.get_host_and_port()
        try:
            yield environment | {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "_HANDLER": HANDLER}
        finally:
            server.stop()


def invoke(environment: Mapping[str, str], *, events: int) -> list[float]:
    """Seconds from the process's start to its first answer, and from each answer to the next."""
    with RuntimeApi([load_event("message_judge")] * events) as api:
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603  # the runtime client with our handler
            [*_python(), "-m", "awslambdaric", HANDLER],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**environment, "AWS_LAMBDA_RUNTIME_API": api.address},
        )
        api.finished.wait(_PATIENCE_SECONDS)
        process.kill()
        _, errors = process.communicate()
    times = [started, *(when for when, _, _ in api.answered)]
    if len(api.answered) < events or not all(is_result for _, is_result, _ in api.answered):
        answers = [text for _, _, text in api.answered]
        raise RuntimeError(f"the function answered {answers}; it wrote {errors.decode(errors='replace')[-2000:]}")
    return [after - before for before, after in pairwise(times)]


def imported(environment: Mapping[str, str]) -> tuple[float, list[tuple[str, float]]]:
    """Seconds that the handler's imports take, and the packages that take most of them."""
    module = HANDLER.rpartition(".")[0]
    program = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    plain = _child([*_python(), "-c", program], environment).stdout
    told = _child([*_python(), "-X", "importtime", "-c", f"import {module}"], environment).stderr
    slowest = sorted(own_times(told).items(), key=lambda each: each[1], reverse=True)
    return float(plain), slowest[:TOLD_PACKAGES]


def own_times(told: str) -> dict[str, float]:
    """Seconds by top-level package, of what `-X importtime` wrote."""
    found: defaultdict[str, float] = defaultdict(float)
    for line in told.splitlines():
        own, _, rest = line.removeprefix("import time:").partition("|")
        if own.strip().isdigit():
            package = rest.rpartition("|")[2].strip().partition(".")[0]
            found[package if package not in sys.stdlib_module_names else "Python's own"] += int(own) / 1e6
    return found


def _child(command: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=True)  # noqa: S603


def _python() -> list[str]:
    """The interpreter without this virtual environment: what is not in the layers is not there."""
    return [str(Path(sys.base_prefix) / "bin" / Path(sys.executable).name), "-S"]


def _pinned(package: str) -> str:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return next(line.partition(" ")[0] for line in lines if line.startswith(f"{package}=="))


if __name__ == "__main__":
    print(json.dumps([vars(f) for f in section(ROOT / "build" / "bench", Scale()).figures], indent=2))
