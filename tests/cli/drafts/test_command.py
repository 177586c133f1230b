"""`kedge init` writes a YAML that Kedge can follow, or says why it cannot."""

import json

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.main import app
from kedge.config.reading import parse_model_config
from tests.builders import capture_record, json_lines, make_window
from tests.handlers.aws_world import BUCKET, MODEL, aws_world


def init(*arguments):
    return CliRunner().invoke(app, ["init", *map(str, arguments)])


def test_booleans_are_one_kind_however_they_are_written(tmp_path):
    table = pa.table({"x": pa.array(np.arange(200) % 7), "paid": pa.array([True, False] * 100), "y": [0, 1] * 100})
    pq.write_table(table, tmp_path / "a.parquet")
    spelt = table.set_column(1, "paid", pa.array(["True", "False"] * 100))
    pa.csv.write_csv(spelt, tmp_path / "b.csv")
    for file in ("a.parquet", "b.csv"):
        out = tmp_path / f"{file}.yaml"
        assert init("--data", tmp_path / file, "--label", "y", "--out", out).exit_code == 0
        assert ("paid", "boolean", "string") in columns_of(written(out))


def test_the_model_is_named_after_the_yaml_that_is_asked_for(rows):
    out = rows / "shop.yaml"
    assert (
        init("--data", rows / "parcels.parquet", "--label", "lost", "--drop", "prediction", "--out", out).exit_code == 0
    )
    assert written(out).model == "shop"
    assert CliRunner().invoke(app, ["models", "validate", str(out)]).exit_code == 0


def written(path):
    return parse_model_config(path.read_text(), source=path.name)


def columns_of(config):
    return [(feature.name, feature.kind, feature.declared_dtype) for feature in config.features]


@pytest.fixture
def rows(tmp_path):
    """Training rows with an identifier, a time, the model's answer and the truth."""
    table = make_window(rows=300)
    facts = {
        "parcel_id": pa.array(range(300)),
        "sent": pa.array(np.arange(300).astype("datetime64[s]")),
        "size": table.column("weight").cast(pa.float32()),
        "lost": pa.array([0, 1] * 150),
    }
    for name, values in facts.items():
        table = table.append_column(name, values)
    pq.write_table(table, tmp_path / "parcels.parquet")
    pa.csv.write_csv(table, tmp_path / "parcels.csv")
    return tmp_path


@pytest.mark.parametrize(("file", "size"), [("parcels.parquet", "float32"), ("parcels.csv", "float64")])
def test_names_kinds_and_types_come_from_the_rows_in_their_order(rows, file, size):
    out = rows / "out" / "parcels.yaml"
    result = init("--data", rows / file, "--label", "lost", "--drop", "prediction", "--out", out)
    assert result.exit_code == 0, result.output
    config = written(out)
    assert (config.model, config.endpoint.name, config.problem) == ("parcels", "parcels", "binary_classification")
    assert columns_of(config) == [
        ("weight", "numeric", "float64"),
        ("items", "numeric", "int64"),
        ("carrier", "categorical", "string"),
        ("size", "numeric", size),
    ]
    assert "# parcel_id is left out" in out.read_text()
    assert "sent is left out" in result.output


@pytest.mark.parametrize(
    ("truth", "problem", "classes"),
    [
        (["yes", "no"] * 150, "binary_classification", ("no", "yes")), ([True, False] * 150, "binary_classification", ("0", "1")),
        (["a", "b", "c"] * 100, "multiclass_classification", ("a", "b", "c")),
        ([i / 7 for i in range(300)], "regression", ("0", "1")), ([i * 3 for i in range(300)], "regression", ("0", "1")),
    ],
)  # fmt: skip
def test_the_label_says_what_is_predicted(tmp_path, truth, problem, classes):
    pq.write_table(
        make_window(rows=300).drop(["prediction"]).append_column("y", pa.array(truth)), tmp_path / "m.parquet"
    )
    assert init("--data", tmp_path / "m.parquet", "--label", "y", "--out", tmp_path / "m.yaml").exit_code == 0
    config = written(tmp_path / "m.yaml")
    assert (config.problem, config.labels.classes) == (problem, classes)
    # Only of two classes does one stand for "yes".
    assert ("the positive class stands last" in (tmp_path / "m.yaml").read_text()) == (
        len(classes) == 2 and classes != ("0", "1")
    )


def test_names_that_yaml_would_misread_come_back_as_they_were(tmp_path):
    names = ["no", "1", "a: b", "x,y", "ü"]
    pq.write_table(pa.table({name: np.arange(50.0) ** 2 for name in names}), tmp_path / "odd.parquet")
    assert init("--data", tmp_path / "odd.parquet", "--name", "123", "--out", tmp_path / "odd.yaml").exit_code == 0
    config = written(tmp_path / "odd.yaml")
    assert config.model == "123"
    assert list(config.feature_names) == names


def test_a_yaml_that_is_there_is_not_replaced_unless_asked(rows):
    out = rows / "parcels.yaml"
    out.write_text("mine")
    options = ("--data", rows / "parcels.parquet", "--label", "lost", "--drop", "prediction", "--out", out)
    refused = init(*options)
    assert refused.exit_code == 2
    assert "--force replaces it" in refused.stderr
    assert out.read_text() == "mine"
    assert init(*options, "--force").exit_code == 0
    assert written(out).model == "parcels"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "--data FILE"), (("--data", "absent.csv"), "absent.csv: there is no such file"),
        (("--data", "parcels.csv", "--label", "answer"), "column 'answer' is not there"),
        (("--data", "parcels.csv", "--drop", "answer"), "column 'answer' is not there"),
        (("--data", "parcels.csv", "--label", "lost"), "'prediction' is what Kedge calls the model's answer; --drop it"),
        (("--data", "parcels.csv", "--label", "carrier", "--drop", "prediction", "--name", "---"), "gives no valid name"),
        (("--data", "one.csv", "--label", "y"), "1 different values, so a model cannot learn from it"),
        (("--data", "ids.csv"), "no column can be a feature"), (("--data", "header.csv"), "it has no rows"),
    ],
)  # fmt: skip
def test_what_cannot_become_a_model_is_refused_and_nothing_is_written(rows, monkeypatch, options, words):
    (rows / "one.csv").write_text("x,y\n1,1\n2,1\n")
    (rows / "ids.csv").write_text("id\n" + "\n".join(map(str, range(200))) + "\n")
    (rows / "header.csv").write_text("x,y\n")
    monkeypatch.chdir(rows)
    result = init(*options, "--out", "new.yaml")
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert not (rows / "new.yaml").exists()


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        world.serve()
        yield world


def captured(world, *records):
    world.put(f"capture/{MODEL}/1/{world.config.endpoint.name}/AllTraffic/2016/01/04/02/a.jsonl", json_lines(*records))


def test_an_endpoint_is_described_and_its_features_are_read_from_what_it_captured(world, tmp_path):
    captured(world, capture_record("1.5,2,sea\n2.5,3,air", "0.1\n0.2"), {"broken": 1})
    out = tmp_path / "e.yaml"
    result = init("--endpoint", world.config.endpoint.name, "--out", out)
    assert result.exit_code == 0, result.output
    config = written(out)
    assert (config.model, config.endpoint.instance_count, config.endpoint.content_type) == (MODEL, 2, "text/csv")
    assert columns_of(config) == [
        ("feature_0", "numeric", "float64"),
        ("feature_1", "numeric", "float64"),
        ("feature_2", "categorical", "string"),
    ]
    assert "the payload has no names" in result.output


def test_the_names_of_a_json_payload_are_kept(world, tmp_path):
    record = capture_record(json.dumps({"weight": 1.5, "carrier": None}), "0.1")
    record["captureData"]["endpointInput"] |= {"encoding": "JSON", "observedContentType": "application/json"}
    captured(world, record)
    assert init("--endpoint", world.config.endpoint.name, "--out", tmp_path / "e.yaml").exit_code == 0
    config = written(tmp_path / "e.yaml")
    assert config.feature_names == ("weight", "carrier")
    assert config.endpoint.content_type == "application/json"


def test_an_endpoint_that_tells_nothing_is_refused_with_the_other_way(world, tmp_path):
    out = tmp_path / "e.yaml"
    nothing = init("--endpoint", world.config.endpoint.name, "--out", out)
    assert "no captured request" in nothing.stderr
    captured(world, capture_record("1,2", "0"), capture_record("1,2,3", "0"))
    uneven = init("--endpoint", world.config.endpoint.name, "--out", out)
    assert "not all rows of the same length" in uneven.stderr
    absent = init("--endpoint", "nowhere", "--out", out)
    assert "no endpoint is called 'nowhere'" in absent.stderr
    assert {nothing.exit_code, uneven.exit_code, absent.exit_code} == {2}
    assert not out.exists()


def test_an_endpoint_without_capture_is_refused(world, tmp_path):
    variant = {
        "VariantName": "v",
        "ModelName": f"{MODEL}-v1-aaaa",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1.0,
    }
    boto3.client("sagemaker").create_endpoint_config(EndpointConfigName="quiet", ProductionVariants=[variant])
    boto3.client("sagemaker").create_endpoint(EndpointName="quiet", EndpointConfigName="quiet")
    result = init("--endpoint", "quiet", "--out", tmp_path / "e.yaml")
    assert result.exit_code == 2
    assert "endpoint quiet captures nothing" in result.stderr
    assert BUCKET not in result.stderr
