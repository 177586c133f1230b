"""The training script and the serving script tried on a few rows, with the files, variables and requests of the real jobs."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from cli.refusals import BadInputError
from cli.rehearsal.answers import TriedAnswer, answer_faults
from cli.rehearsal.serving import LACKING
from kedge.comparisons import counted
from kedge.config.model import ModelConfig
from kedge.own_columns import LABEL
from kedge.retraining.learning import learning_files
from kedge.retraining.rows import scoring_payload
from kedge.retraining.snapshot import Split

LEARNT_ROWS, SCORED_ROWS, ALONE_ROWS = 400, 100, 3
TRAINING_SECONDS, SERVING_SECONDS = 900, 300
_LOG_LINES = 12
_SERVING = Path(__file__).with_name("serving.py")
# What a job gets of this machine: no credentials, and nothing of this repository's.
_INHERITED = ("PATH", "LANG", "LD_LIBRARY_PATH")


@dataclass(frozen=True)
class RehearsedScript:
    """What the scripts did, and where a retraining would have failed."""

    facts: tuple[str, ...]
    faults: tuple[str, ...]
    notes: tuple[str, ...] = ()
    log: tuple[str, ...] = ()


def rehearse_script(config: ModelConfig, split: Split, *, source: Path, python: str) -> RehearsedScript:
    """Train on some of the rows and score some of the holdout, each in a process of its own without credentials.

    Parameters
    ----------
    source : Path
        The folder of scripts that travels to the jobs.
    python : str
        The interpreter that stands in for the image's.
    """
    entry = source / config.training.entry_point
    if not entry.is_file():
        raise BadInputError(f"{entry}: there is no such script; training.entry_point of {config.model}.yaml names it")
    learnt, scored = _few(split.training, LEARNT_ROWS), _few(split.holdout, SCORED_ROWS)
    with tempfile.TemporaryDirectory(prefix="kedge-rehearsal-") as folder:
        root = Path(folder)
        trained = _train(config, learnt, root, source=source, python=python)
        if trained.faults:
            return trained
        return _serve(config, scored, root, trained.facts, python=python)


def _few(rows: pa.Table, most: int) -> pa.Table:
    """Rows at even distances, and one of each class that these would miss, in their order."""
    places = {*np.linspace(0, rows.num_rows - 1, min(most, rows.num_rows), dtype=int).tolist()}
    _, first = np.unique(rows.column(LABEL).to_numpy(zero_copy_only=False).astype(str), return_index=True)
    places |= {*first.tolist()} if len(first) < most else set()
    return rows.take(pa.array(sorted(places), pa.int64()))


def _train(config: ModelConfig, rows: pa.Table, root: Path, *, source: Path, python: str) -> RehearsedScript:
    code = root / "code"
    for place in (root / "model", root / "output" / "data"):
        place.mkdir(parents=True)
    shutil.copytree(source, code, ignore=shutil.ignore_patterns("__pycache__"))
    for name, (content, _) in learning_files(rows, config).items():
        path = root / "input" / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(content))
    script = config.training.entry_point
    program = [python, script] if script.endswith(".py") else ["bash", script]
    said = [
        part for name, value in sorted(config.training.hyperparameters.items()) for part in (_option(name), str(value))
    ]
    ended = _run([*program, *said], code, _variables(config, root), TRAINING_SECONDS)
    name = f"{config.training.source_dir}/{script}"
    if ended.fault:
        return RehearsedScript((), (f"{name}, on {counted(rows.num_rows, 'row')}: {ended.fault}",), log=ended.log)
    if not (root / "model" / "code" / "inference.py").is_file():
        fault = f"{name} wrote no code/inference.py into SM_MODEL_DIR: the endpoint would have no script"
        return RehearsedScript((), (fault,), log=ended.log)
    return RehearsedScript((f"{name} learnt from {counted(rows.num_rows, 'row')}",), ())


def _option(name: str) -> str:
    return f"-{name}" if len(name) == 1 else f"--{name}"


def _variables(config: ModelConfig, root: Path) -> dict[str, str]:
    """What SageMaker's script mode tells a script.

    https://github.com/aws/sagemaker-training-toolkit/blob/master/ENVIRONMENT_VARIABLES.md
    """
    chosen = {name: value for name, value in config.training.hyperparameters.items()}
    channels = ["train", *(["validation"] if config.training.validation_fraction else [])]
    return {
        **config.training.environment,
        "SM_MODEL_DIR": str(root / "model"),
        "SM_INPUT_DIR": str(root / "input"),
        "SM_OUTPUT_DIR": str(root / "output"),
        "SM_OUTPUT_DATA_DIR": str(root / "output" / "data"),
        "SM_CHANNELS": json.dumps([*channels]),
        **{f"SM_CHANNEL_{name.upper()}": str(root / "input" / "data" / name) for name in channels},
        "SM_HPS": json.dumps(chosen),
        "SM_CURRENT_HOST": "algo-1",
        "SM_HOSTS": '["algo-1"]',
        "SM_NUM_CPUS": str(os.cpu_count() or 1),
        "SM_NUM_GPUS": "0",
        **{f"SM_HP_{name.upper()}": str(value) for name, value in chosen.items()},
    }


def _serve(config: ModelConfig, rows: pa.Table, root: Path, facts: Sequence[str], *, python: str) -> RehearsedScript:
    requests, answers = root / "requests", root / "answers"
    for place in (requests, answers):
        place.mkdir()
    together = [*_requests(rows, config)]
    alone = [*_requests(rows.slice(0, ALONE_ROWS), config, one_by_one=True)]
    for number, body in enumerate([*together, *alone]):
        (requests / f"{number:06d}").write_bytes(body)
    variables = {**config.training.serving_environment, "SM_MODEL_DIR": str(root / "model")}
    ended = _run(
        [python, str(_SERVING), str(root / "model"), config.endpoint.content_type, str(requests), str(answers)],
        root, variables, SERVING_SECONDS,
    )  # fmt: skip
    if ended.status == LACKING:
        note = f"code/inference.py has no {ended.log[-1]}: the image's own would run, which is not known here; serving was not tried"
        return RehearsedScript(tuple(facts), (), (note,))
    if ended.fault:
        done = len([*answers.glob("[0-9]*[0-9]")])
        when = (
            f"at request {done + 1} of {len(together) + len(alone)}"
            if done
            else "while it loaded or at the first request"
        )
        return RehearsedScript((), (f"code/inference.py, {when}: {ended.fault}",), log=ended.log)
    served = [_served(answers / f"{number:06d}") for number in range(len(together) + len(alone))]
    outcome = answer_faults(config, rows, served[: len(together)], alone=served[len(together) :], requests=alone)
    return RehearsedScript((*facts, *outcome.facts), outcome.faults, outcome.notes)


def _requests(rows: pa.Table, config: ModelConfig, *, one_by_one: bool = False) -> Iterator[bytes]:
    """What a batch transform sends: many lines of CSV at once, and of JSON one row; without the id, which only the job keeps."""
    payload = b"".join(scoring_payload(rows, config))
    if config.endpoint.content_type != "text/csv":
        yield from (json.dumps(json.loads(line)["payload"]).encode() for line in payload.splitlines())
        return
    lines = [row[1:] for row in csv.reader(io.StringIO(payload.decode(), newline=""))]
    for part in [[line] for line in lines] if one_by_one else [lines]:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(part)
        yield text.getvalue().encode()


def _served(path: Path) -> TriedAnswer:
    kind = path.with_name(f"{path.name}.type")
    return TriedAnswer(path.read_bytes(), kind.read_text() if kind.exists() else None)


@dataclass(frozen=True)
class _Ended:
    status: int | None
    fault: str
    log: tuple[str, ...]


def _run(command: Sequence[str], folder: Path, variables: dict[str, str], seconds: int) -> _Ended:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment = inherited | {"PYTHONDONTWRITEBYTECODE": "1", **variables}
    with tempfile.TemporaryFile() as log:
        try:
            # The user's own scripts, on the user's own machine.
            status = subprocess.run(  # noqa: S603
                command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, timeout=seconds, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            return _Ended(None, f"not done after {seconds // 60} minutes with these few rows", _last_lines(log))
        lines = _last_lines(log)
    if status == 0:
        return _Ended(status, "", lines)
    return _Ended(status, lines[-1] if lines else f"exit code {status}, and it printed nothing", lines)


def _last_lines(log: io.BufferedRandom) -> tuple[str, ...]:
    log.seek(max(0, log.seek(0, io.SEEK_END) - 2**16))
    text = log.read().decode("utf-8", "replace")
    return tuple(line for line in text.splitlines() if line.strip())[-_LOG_LINES:]
