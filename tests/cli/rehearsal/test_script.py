"""`kedge models validate --data --script` finds in seconds what a training or transform job would find after an hour."""

import sys

import numpy as np
import pyarrow as pa
import pytest

from cli.refusals import BadInputError
from cli.rehearsal.command import ROOT
from cli.rehearsal.script import rehearse_script
from kedge.config.reading import parse_model_config
from kedge.own_columns import LABEL, ROW_ID, TIME
from kedge.retraining.rows import typed_rows
from kedge.retraining.snapshot import Split
from tests.builders import START, YAML, make_window

TRAIN = """
import os, pathlib, shutil
code = pathlib.Path(os.environ["SM_MODEL_DIR"], "code")
code.mkdir()
assert len(open(os.environ["SM_CHANNEL_TRAIN"] + "/train.csv").readlines()) > 100
shutil.copy("serve.py", code / "inference.py")
"""
SERVE = """
def model_fn(folder):
    return 0.25

def input_fn(body, content_type):
    return body.splitlines()

def predict_fn(rows, model):
    return [model + len(row) / 1000 for row in rows]

def output_fn(answers, accept):
    return "".join(f"{answer}\\n" for answer in answers), accept
"""
CLASSES = "\nproblem: multiclass_classification\nlabels: {classes: [low, high]}\n"


def config_of(extra=""):
    return parse_model_config(YAML + "\ntraining: {entry_point: train.py}\n" + extra, source="parcels.yaml")


def split_of(config, rows=400):
    table = make_window(rows=rows).drop_columns(["prediction"])
    labels = [config.labels.classes[place % len(config.labels.classes)] for place in range(rows)]
    own = {
        ROW_ID: [f"r{place}" for place in range(rows)],
        TIME: pa.array([START] * rows, pa.timestamp("us", "UTC")),
        LABEL: np.arange(rows) / 7 if config.problem == "regression" else labels,
    }
    whole = typed_rows(pa.table({**dict(zip(table.column_names, table.columns, strict=True)), **own}), config)
    return Split(whole.slice(0, 300), whole.slice(300))


@pytest.fixture
def tried(tmp_path):
    def rehearse(config, *, train=TRAIN, serve=SERVE):
        (tmp_path / "train.py").write_text(train)
        (tmp_path / "serve.py").write_text(serve)
        return rehearse_script(config, split_of(config), source=tmp_path, python=sys.executable)

    return rehearse


def test_scripts_that_keep_to_the_contract_pass(tried):
    result = tried(config_of())
    assert (result.faults, result.notes) == ((), ())
    assert result.facts[0] == "training/train.py learnt from 300 rows"
    assert result.facts[1].startswith("code/inference.py answered 100 rows, from 0.2")


@pytest.mark.parametrize(
    ("extra", "framework", "content_type"),
    [
        ("", "xgboost", "text/csv"),
        (CLASSES, "sklearn", "text/csv"),
        (CLASSES, "xgboost", "application/json"),
        ("\nproblem: regression\n", "sklearn", "application/json"),
    ],
)
def test_the_scripts_of_the_repository_pass(extra, framework, content_type):
    yaml = YAML.replace("{name: parcels}", f"{{name: parcels, content_type: {content_type}}}")
    config = parse_model_config(yaml + extra + f"\ntraining: {{framework: {framework}}}\n", source="parcels.yaml")
    result = rehearse_script(config, split_of(config), source=ROOT / "training", python=sys.executable)
    assert result.faults == ()
    assert "answered 100 rows" in result.facts[1]


@pytest.mark.parametrize(
    ("scripts", "words"),
    [
        ({"train": "import no_such_library"}, "training/train.py, on 300 rows: ModuleNotFoundError: No module named"),
        ({"train": "import sys; sys.exit(3)"}, "exit code 3, and it printed nothing"),
        ({"train": "pass"}, "wrote no code/inference.py into SM_MODEL_DIR"),
        ({"serve": "raise OSError('no model.json')"}, "while it loaded or at the first request: OSError: no model.json"),
        ({"serve": SERVE.replace("body.splitlines()", "body.splitlines()[-1:]")}, "answered 1 line to 100 rows of CSV"),
        ({"serve": SERVE.replace("model + ", "1.5 + ")}, "100 of 100 answers are no probability between 0 and 1"),
        ({"serve": SERVE.replace("{answer}", "yes")}, "is not an id and an answer"),
        ({"serve": SERVE.replace("len(row)", "len(rows)")}, "row 1 is answered 0.251 alone and 0.35 among others"),
    ],
)  # fmt: skip
def test_what_would_fail_the_jobs_is_a_fault_in_a_sentence(tried, scripts, words):
    assert words in tried(config_of(), **scripts).faults[0]


def test_an_answer_that_is_none_of_the_classes_is_a_fault(tried):
    serve = SERVE.replace("{answer}", "medium")
    assert "none of labels.classes (low, high): medium" in tried(config_of(CLASSES), serve=serve).faults[0]


def test_bare_text_and_equal_answers_are_notes(tried):
    bare = SERVE.replace(", accept\n", "\n").replace("len(row) / 1000", "0")
    result = tried(config_of(), serve=bare)
    assert result.faults == ()
    assert "returns bare text" in result.notes[0]
    assert result.notes[1] == "all 100 answers are the same"


def test_a_serving_script_that_leaves_functions_to_the_image_is_not_tried(tried):
    serve = SERVE.replace("def output_fn", "def written")
    assert "has no output_fn: the image's own would run" in tried(config_of(), serve=serve).notes[0]


def test_the_scripts_get_no_credentials(tried, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    train = TRAIN + "\nassert not [name for name in os.environ if name.startswith('AWS')]\n"
    assert tried(config_of(), train=train).faults == ()


def test_a_script_that_is_not_there_is_named(tmp_path):
    config = config_of()
    with pytest.raises(BadInputError, match=r"train\.py: there is no such script; training\.entry_point"):
        rehearse_script(config, split_of(config), source=tmp_path, python=sys.executable)
