import ast
import importlib
import os
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from lambdas.entry import entry
from lambdas.logs import tracer
from tests.architecture.source_imports import sources
from tests.synthesised import functions

FUNCTIONS = (
    *("fan_out", "profile_logs", "measure_performance", "join_labels", "detect_drift"),
    *("watch_monitor", "watch_captures", "keep_history", "write_pages", "draw_widget", "expire_captures"),
    *(
        "decide_retraining",
        "snapshot_data",
        "pin_artefact",
        "compare_models",
        "replay_staging",
        "judge_staging",
        "build_baseline",
        "approve_package",
        "take_trained",
        "tell",
    ),
    *("start_release", "plan_release", "watch_canary", "watch_experiment", "settle"),
    *("deliver", "send_digest", "take_package", "define_models"),
)


def properties_of(name):
    return [function["Properties"] for path, function in functions().items() if path.endswith(f"/{name}")]


def test_every_handler_file_is_a_function_and_every_function_a_handler_file():
    files = {path.stem for path in sources("lambdas/handlers") if "\ndef handler(" in path.read_text()}
    assert files == set(FUNCTIONS) == {path.split("/")[1] for path in functions()}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_handler_string_resolves(name):
    for properties in properties_of(name):
        module, _, attribute = properties["Handler"].rpartition(".")
        assert callable(getattr(importlib.import_module(module), attribute))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_gets_exactly_the_environment_that_its_settings_ask_for(name):
    settings = importlib.import_module(f"lambdas.handlers.{name}").Settings
    asked = {field.upper() for field in settings.model_fields}
    for properties in properties_of(name):
        assert set(properties.get("Environment", {}).get("Variables", {})) == asked


def test_every_handler_says_in_one_sentence_what_it_does():
    for name in FUNCTIONS:
        handler = importlib.import_module(f"lambdas.handlers.{name}").handler
        assert handler.__doc__, name
        assert handler.__doc__.strip().endswith("."), name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_handler_is_entered_by_the_one_entry_and_answers_an_empty_event_without_doing_anything(name, monkeypatch):
    module = importlib.import_module(f"lambdas.handlers.{name}")
    (source,) = [path for path in sources("lambdas/handlers") if path.stem == name]
    (found,) = [each for each in ast.parse(source.read_text()).body if getattr(each, "name", "") == "handler"]
    assert [ast.unparse(decorator) for decorator in found.decorator_list] == ["entry"]

    # Neither settings nor clients are there: whatever the handler itself did would fail.
    monkeypatch.setattr(module, "Settings", None)
    monkeypatch.setattr(module, "clients", None)
    context = SimpleNamespace(function_name=name, memory_limit_in_mb=1, invoked_function_arn="arn", aws_request_id="1")
    assert module.handler({}, context) == {"imported": True}


def test_a_trace_keeps_no_answer(monkeypatch):
    kept = []

    class Subsegment:
        def put_annotation(self, **_fact): ...

        def put_metadata(self, **fact):
            kept.append(fact)

    @contextmanager
    def in_subsegment(name):
        yield Subsegment()

    monkeypatch.setattr(tracer, "provider", SimpleNamespace(in_subsegment=in_subsegment))
    context = SimpleNamespace(function_name="f", memory_limit_in_mb=1, invoked_function_arn="arn", aws_request_id="1")
    assert entry(lambda event, _: {"secret": event["a"]})({"a": 1}, context) == {"secret": 1}
    assert kept == []


@pytest.mark.parametrize("alone", [True, False])
def test_what_a_functions_process_imports_is_no_garbage_to_look_for_and_no_other_process_is_touched(alone):
    environment = {name: value for name, value in os.environ.items() if name != "AWS_LAMBDA_RUNTIME_API"}
    program = "import gc; from lambdas.entry import entry; entry(print); print(gc.get_freeze_count() > 10_000)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | ({"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"} if alone else {}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{alone}\n"
