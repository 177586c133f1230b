"""A script runs in a fork of a process that has its libraries: it ends as a process of its own would, and no other one sees what it did."""

import signal
import subprocess

import pytest

from offline.containers.processes import Processes, Program

# What a script leaves behind in the modules of its process.
LEAVES = "import json, os, sys\nprint(getattr(json, 'left', None), os.environ.get('LEFT'), os.getcwd(), sys.argv[1:])\njson.left = 'a trace'"


@pytest.fixture
def run(tmp_path):
    started = []

    def run(source, *arguments, **environment):
        script = tmp_path / f"{len(started)}.py"
        script.write_text(source)
        log = script.with_suffix(".log")
        command = [str(script), *arguments]
        process = Processes().start(Program(command, tmp_path, environment, log))
        started.append(process)
        return process, log

    yield run
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("source", "status", "told"),
    [
        ("print('well')", 0, "well"),
        ("import sys; sys.exit(3)", 3, ""),
        ("raise ValueError('no rows')", 1, "ValueError: no rows"),
        ("import os; os.abort()", -signal.SIGABRT, ""),
        ("import atexit; atexit.register(print, 'at its end')", 0, "at its end"),
    ],
)
def test_it_ends_as_a_process_of_its_own(run, source, status, told):
    process, log = run(source)
    assert process.wait(60) == process.poll() == status
    assert told in log.read_text()


def test_it_can_be_waited_for_and_ended(run):
    process, _ = run("import threading; threading.Event().wait()")
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    process.kill()


def test_nothing_of_one_script_is_seen_by_the_next(run, tmp_path):
    for arguments, environment in ((["--a"], {"LEFT": "1"}), ([], {})):
        process, log = run(LEAVES, *arguments, **environment)
        assert process.wait(60) == 0
        assert log.read_text() == f"None {environment.get('LEFT')} {tmp_path} {arguments}\n"


def test_scripts_start_with_their_libraries_loaded(run):
    process, log = run("import sys; print('xgboost' in sys.modules)")
    assert process.wait(60) == 0
    assert log.read_text() == "True\n"
