"""What `kedge backtest` cannot use: a sentence, exit code 2, and nothing is written."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.cli.histories import YAML, run, write_history


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_history(tmp_path_factory.mktemp("histories"))


def spoil(folder, files):
    rows = pq.read_table(files / "history.parquet")
    pq.write_table(rows.set_column(1, "time", pa.array(["soon"] * rows.num_rows)), folder / "soon.parquet")
    pq.write_table(rows.set_column(1, "time", pa.nulls(rows.num_rows, pa.date32())), folder / "undated.parquet")
    pq.write_table(rows.slice(0, 0), folder / "norows.parquet")
    pq.write_table(rows.select(["time", "parcel_id"]), folder / "ids.parquet")
    words = np.random.default_rng(5).choice(["cat", "dog"], rows.num_rows)
    pq.write_table(rows.set_column(5, "label", pa.array(words)), folder / "pets.parquet")
    several = pc.if_else(pc.equal(rows["label"], 1), rows["carrier"], "none")
    pq.write_table(rows.set_column(5, "label", several), folder / "several.parquet")
    names = rows["parcel_id"]
    many = rows.set_column(4, "score", names).set_column(5, "label", names)
    pq.write_table(many, folder / "many.parquet")
    pq.write_table(rows.set_column(4, "score", pc.multiply(rows["score"], 100)), folder / "percent.parquet")
    whole = (files / "history.parquet").read_bytes()
    (folder / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    (folder / "regression.yaml").write_text(YAML + "problem: regression\n")
    (folder / "other.yaml").write_text(YAML.replace("weight", "carrier2"))
    (folder / "parcels.yaml").write_text(YAML)
    (folder / "absent.yaml").write_text(YAML.replace("weight", "height"))
    pq.write_table(rows, folder / "history.parquet")


@pytest.mark.parametrize(
    ("changed", "options", "words"),
    [
        ({"window": "28"}, [], ["--window '28'", "28d"]), ({"window": "0d"}, [], ["--window"]), ({"window": "a month"}, [], ["28d"]),
        ({"window": "1min"}, [], ["windows, at most", "longer --window"]), ({"window": "2000d"}, [], ["no window is complete"]),
        ({"baseline-until": "March"}, [], ["--baseline-until 'March'", "2016-01-31"]),
        ({"baseline-until": "2015-01-01"}, [], ["no row is older", "2016-01-01"]),
        ({"baseline-until": "2017-01-01"}, [], ["no window is complete", "2016-05-09"]),
        ({"time": "when"}, [], ["history.parquet", "'when'", "time"]), ({"prediction": "answer"}, [], ["'answer'"]),
        ({"label": "score"}, [], ["three columns"]),
        ({"baseline-until": "9999-12-31"}, [], ["no window is complete"]), ({"window": "900000d"}, [], ["no window is complete"]),
        ({"label": "truth"}, [], ["'truth'"]), ({"time": "carrier"}, [], ["'road'", "not a time"]),
        ({"data": "soon.parquet"}, [], ["soon.parquet", "'time' holds 'soon'"]), ({"data": "undated.parquet"}, [], ["none of its 19500 rows"]),
        ({"data": "norows.parquet"}, [], ["no rows"]), ({"data": "cut.parquet"}, [], ["cut short"]),
        ({"data": "absent.parquet"}, [], ["no such"]),
        ({"data": "ids.parquet", "prediction": None, "label": None}, [], ["no column can be judged", "parcel_id"]),
        ({"data": "pets.parquet"}, [], ["labels.classes", "'label'"]),
        ({"data": "several.parquet"}, [], ["several.parquet", "no answer in column 'score'", "the 3 classes of 'label'"]),
        ({"data": "many.parquet"}, [], ["many.parquet", "holds more than 1,000 different values"]),
        ({"data": "percent.parquet"}, [], ["percent.parquet", "'score' has values outside 0 to 1", "--problem"]),
        ({}, ["--retraining-cost-usd", "-1"], ["--retraining-cost-usd"]), ({}, ["--alerts-per-year", "nan"], ["--alerts-per-year"]),
        ({"problem": "binary_classification"}, ["--config", "regression.yaml"], ["regression.yaml says regression"]),
        ({}, ["--config", "parcels.yaml", "--config", "other.yaml"], ["other.yaml and", "the watched features"]),
        ({}, ["--config", "absent.yaml"], ["height"]), ({}, ["--config", "nowhere.yaml"], ["nowhere.yaml"]),
    ],
)  # fmt: skip
def test_bad_input_is_a_sentence_and_code_two_and_nothing_is_written(tmp_path, files, changed, options, words):
    spoil(tmp_path, files)
    asked = dict(changed)
    data = tmp_path / asked.pop("data", "history.parquet")
    placed = [tmp_path / option if option.endswith(".yaml") else option for option in options]
    result = run(data, "--json", tmp_path / "out.json", "--html", tmp_path / "out.html", *placed, **asked)
    assert result.exit_code == 2, result.output
    assert all(word in result.stderr for word in words), result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out.json").exists()
    assert not (tmp_path / "out.html").exists()
