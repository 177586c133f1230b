"""Containers load a model's own script and answer as the framework images do."""

import json

import pytest

from offline.containers.containers import ContainerError, Containers
from offline.containers.processes import Processes
from tests.offline.sagemaker_world import BROKEN, INFERENCE, archive

MODEL = json.dumps({"mean": 1.0})


@pytest.fixture
def containers(tmp_path):
    made = Containers(tmp_path, Processes())
    yield made
    made.close()


def start(containers, script=INFERENCE, environment=None, **files):
    return containers.get(archive({"model.json": MODEL, "code/inference.py": script, **files}), environment or {})


def test_rows_go_in_and_answers_come_out(containers):
    reply = start(containers).invoke(b"1,5\n2,5\n", "text/csv", "text/csv")
    assert (reply.status, reply.body, reply.content_type) == (200, b"2.0\n3.0", "text/csv; charset=utf-8")
    assert reply.microseconds >= 0


def test_a_large_body_passes_through_the_pipe(containers):
    reply = start(containers).invoke(b"1\n" * 300_000, "text/csv", "text/csv")
    assert reply.body.count(b"\n") == 299_999


def test_what_the_script_raises_is_a_500_and_the_next_request_is_answered(containers):
    flaky = INFERENCE.replace("return [mean + row", "assert rows[0] > 0, 'negative'\n    return [mean + row")
    container = start(containers, flaky)
    assert container.invoke(b"-1", "text/csv", "").body == b"negative"
    assert container.invoke(b"-1", "text/csv", "").status == 500
    assert container.invoke(b"1", "text/csv", "").body == b"2.0"


def test_prints_do_not_get_between_the_answers(containers):
    noisy = INFERENCE.replace("return [mean + row", "print('x' * 100_000)\n    return [mean + row")
    assert start(containers, noisy).invoke(b"1", "text/csv", "").body == b"2.0"


def test_absent_functions_have_the_images_defaults(containers):
    script = """
class Model:
    def predict(self, rows):
        return [sum(row) for row in rows]

def model_fn(model_dir):
    return Model()
"""
    container = start(containers, script)
    assert container.invoke(b"1,2\n3,4\n", "text/csv", "text/csv").body == b"3.0\n7.0\n"
    assert container.invoke(b"[[1, 2]]", "application/json", "application/json").body == b"[3]"
    assert container.invoke(b"x", "image/png", "text/csv").status == 415
    assert container.invoke(b"1,2", "text/csv; charset=utf-8", "text/csv").status == 415
    assert container.invoke(b"1,2", "text/csv", "image/png").status == 406


@pytest.mark.parametrize("accept", ["", "*/*"])
def test_a_client_that_accepts_anything_gets_json_or_what_the_environment_says(containers, accept):
    script = INFERENCE.replace("), accept", "), accept + '; asked'")
    assert start(containers, script).invoke(b"1", "text/csv", accept).content_type == "application/json; asked"
    chosen = start(containers, script, {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"})
    assert chosen.invoke(b"1", "text/csv", accept).content_type == "text/csv; asked; charset=utf-8"


@pytest.mark.parametrize("kind", ["str", "str.encode"])
def test_a_script_that_returns_bare_text_answers_html_whatever_the_client_accepts(containers, kind):
    bare = INFERENCE.replace('return "\\n".join(str(each) for each in predictions), accept', f"return {kind}('2.0')")
    for accept in ("text/csv", "application/json", ""):
        reply = start(containers, bare).invoke(b"1", "text/csv", accept)
        assert (reply.body, reply.content_type) == (b"2.0", "text/html; charset=utf-8")


def test_only_two_content_types_written_exactly_so_reach_the_script_as_text(containers):
    script = INFERENCE.replace(
        "def input_fn(body, content_type):", "def input_fn(body, content_type):\n    return [type(body).__name__]\n"
    )
    container = start(containers, script.replace("mean + row", "row"))
    kinds = ["text/csv", "application/json", "text/csv; charset=utf-8", "application/jsonlines", "text/plain", ""]
    assert [container.invoke(b"1", kind, "text/csv").body.decode() for kind in kinds] == [
        "str",
        "str",
        "bytes",
        "bytes",
        "bytes",
        "str",
    ]


def test_a_model_that_does_not_load_fails_its_ping(containers):
    with pytest.raises(ContainerError, match="corrupt"):
        start(containers, "def model_fn(model_dir):\n    raise ValueError('corrupt')").ping()
    with pytest.raises(ContainerError, match="model_fn"):
        start(containers, "x = 1").ping()


def test_a_process_that_dies_answers_500_and_is_started_again(containers):
    mortal = INFERENCE.replace("return [mean + row", "import os\n    rows[0] or os._exit(1)\n    return [mean + row")
    container = start(containers, mortal)
    assert container.invoke(b"0", "text/csv", "").status == 500
    assert container.invoke(b"1", "text/csv", "").body == b"2.0"


def test_the_same_artefact_is_served_by_one_process(containers):
    assert start(containers) is start(containers)
    assert start(containers) is not start(containers, BROKEN)
    assert start(containers) is not start(containers, environment={"A": "1"})


def test_beyond_a_few_the_least_recently_used_is_stopped_and_comes_back(containers):
    kept, first = start(containers, environment={"N": "kept"}), start(containers, environment={"N": "first"})
    kept.fleets = 1
    for number in range(5):
        start(containers, environment={"N": str(number)}).ping()
    assert kept.running
    assert not first.running
    assert first.invoke(b"1", "text/csv", "").body == b"2.0"


def test_a_process_gets_no_credentials(containers, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    script = INFERENCE.replace(
        "return [mean + row", "import os\n    return [os.environ.get('AWS_SECRET_ACCESS_KEY')]\n#"
    )
    assert start(containers, script).invoke(b"1", "text/csv", "").body == b"None"
