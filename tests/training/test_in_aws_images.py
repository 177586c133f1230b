"""The scripts train and serve under AWS's own packages, on each image's Python and without a network."""

import csv
import json

import pytest

from kedge.config.reading import parse_model_config
from tests.training.test_script_mode import COLUMNS, write_channel
from tests.training.toolkit import IMAGES, Container, can_isolate

CONFIG = """
model: hotel
problem: {problem}
endpoint: {{name: hotel, content_type: {content_type}}}
features: [{{name: adr, kind: numeric}}, {{name: meal, kind: categorical}}]
training: {{framework: {framework}{more}}}
{rest}
"""
SEVERAL = "labels: {classes: [came, 'left, early', never]}"
ROWS = [[120, "HB"], [80, "BB"]]
BODIES = {
    "text/csv": "120,HB\n80,BB\n",
    "text/csv; charset=utf-8": "120,HB\n80,BB\n",
    "application/json": json.dumps({"instances": ROWS}),
    "application/jsonlines": "".join(json.dumps({"features": row}) + "\n" for row in ROWS),
}
# Content type, Accept, and what must come back. Without a wish the endpoint's own content type is answered.
EXCHANGES = [
    ("text/csv", "text/csv", "text/csv; charset=utf-8"),
    ("text/csv; charset=utf-8", "text/csv; charset=utf-8", "text/csv; charset=utf-8"),
    ("text/csv", None, "text/csv; charset=utf-8"),
    ("text/csv", "*/*", "text/csv; charset=utf-8"),
    ("application/json", "application/json", "application/json"),
    ("application/json", "application/json; charset=utf-8", "application/json"),
    ("application/jsonlines", "application/jsonlines", "application/jsonlines"),
]

pytestmark = pytest.mark.slow


def config_of(image, problem="binary_classification", content_type="text/csv"):
    more = ", hyperparameters: {trees: 30}" if image.framework == "xgboost" else ""
    rest = SEVERAL if problem == "multiclass_classification" else ""
    text = CONFIG.format(problem=problem, content_type=content_type, framework=image.framework, more=more, rest=rest)
    return parse_model_config(text, source="hotel.yaml")


def requests_of(exchanges):
    return [{"content_type": kind, "accept": accept, "body": BODIES[kind]} for kind, accept, _ in exchanges]


def scores_in(answer):
    """The answers of a body, whatever it was written as."""
    kind, body = answer["content_type"].split(";")[0], answer["body"]
    if kind == "application/json":
        return json.loads(body)["predictions"]
    if kind == "application/jsonlines":
        return [json.loads(line)["predictions"][0] for line in body.splitlines()]
    return [float(line) for line in body.splitlines()]


def train(image, directory, config, columns=COLUMNS, truth=int):
    """Train in one container; return the model directory and the log."""
    container = Container(image, directory / "job")
    log = container.train(config, write_channel(directory / "channel", columns, truth))
    return container.root / "model", log


@pytest.mark.parametrize("image", IMAGES, ids=str)
def test_a_binary_model_answers_in_the_content_type_that_was_asked_for(image, tmp_path):
    config = config_of(image)
    model, log = train(image, tmp_path, config)
    assert "train-auc=" in log
    refused = [("text/csv", "image/png"), ("image/png", "text/csv")]
    strange = [{"content_type": kind, "accept": accept, "body": "1"} for kind, accept in refused]
    answers = Container(image, tmp_path / "endpoint").serve(model, config, [*requests_of(EXCHANGES), *strange])
    for (kind, accept, expected), found in zip(EXCHANGES, answers, strict=False):
        assert (found["status"], found["content_type"]) == (200, expected), (kind, accept, found)
        high, low = scores_in(found)
        assert high > 0.6, kind
        assert low < 0.4, kind
    assert [answer["status"] for answer in answers[len(EXCHANGES) :]] == [500, 500]


@pytest.mark.parametrize("image", [image for image in IMAGES if image.version != "3.0-5"], ids=str)
def test_several_classes_are_answered_by_name_with_every_probability(image, tmp_path):
    config = config_of(image, "multiclass_classification", "application/json")
    columns = COLUMNS | {"problem": "multiclass_classification", "classes": ["came", "left, early", "never"]}
    model, _ = train(image, tmp_path, config, columns, lambda risky: "left, early" if risky else "came")
    exchanges = [("application/json", None, ""), ("text/csv", "text/csv", "")]
    as_json, as_csv = Container(image, tmp_path / "endpoint").serve(model, config, requests_of(exchanges))
    assert as_json["content_type"] == "application/json"
    rows = json.loads(as_json["body"])["predictions"]
    assert [row[0] for row in rows] == ["left, early", "came"]
    assert [sum(row[1:]) for row in rows] == pytest.approx([1, 1], abs=1e-5)
    assert [row[0] for row in csv.reader(as_csv["body"].splitlines())] == ["left, early", "came"]


@pytest.mark.parametrize("image", [image for image in IMAGES if image.python == "3.12"], ids=str)
def test_a_regression_answers_numbers(image, tmp_path):
    config = config_of(image, "regression")
    columns = COLUMNS | {"problem": "regression"}
    model, log = train(image, tmp_path, config, columns, lambda risky: 90.5 if risky else 10.5)
    assert "train-rmse=" in log
    (answer,) = Container(image, tmp_path / "endpoint").serve(model, config, requests_of(EXCHANGES[:1]))
    high, low = scores_in(answer)
    assert high > 55
    assert low < 45


@pytest.mark.skipif(not can_isolate(), reason="this machine starts no process without a network (unshare -rn)")
def test_without_its_environment_an_isolated_job_fails_in_pip(tmp_path):
    image = IMAGES[0]
    with pytest.raises(AssertionError, match="pip"):
        Container(image, tmp_path / "job").train(config_of(image), write_channel(tmp_path / "channel"), environment={})
