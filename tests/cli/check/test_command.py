"""`kedge check` as a person types it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from scipy import stats
from typer.testing import CliRunner

from cli.main import app
from tests.builders import YAML, make_window

ROOT = Path(__file__).parents[3]


@pytest.fixture
def files(tmp_path):
    """A baseline, a window like it, and one that drifted, each as Parquet and as CSV."""
    for name, table in (
        ("baseline", make_window(rows=4000, seed=1)),
        ("same", make_window(rows=2000, seed=2)),
        ("drifted", make_window(rows=2000, seed=3, shift=0.8)),
        ("few", make_window(rows=60, seed=4)),
    ):
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=500)
        pa.csv.write_csv(table, tmp_path / f"{name}.csv")
    (tmp_path / "parcels.yaml").write_text(YAML)
    return tmp_path


def run(files, window, *options, baseline="baseline.parquet"):
    arguments = ["check", "--baseline", str(files / baseline), "--window", str(files / window), *options]
    return CliRunner().invoke(app, arguments)


def report_of(files, window, *options, **more):
    out = files / "report.json"
    result = run(files, window, "--json", str(out), *options, **more)
    assert out.exists(), result.output
    return json.loads(out.read_text())


@pytest.mark.parametrize(
    ("window", "fail_on", "code"),
    [("same", "warning", 0), ("drifted", "critical", 1), ("drifted", "warning", 1), ("few", "warning", 2)],
)
def test_the_exit_code_says_whether_the_limit_was_reached(files, window, fail_on, code):
    assert run(files, f"{window}.parquet", "--fail-on", fail_on).exit_code == code


def test_a_warning_fails_only_where_it_is_asked_to(files):
    pq.write_table(make_window(rows=8000, seed=5, shift=0.18), files / "little.parquet")
    assert run(files, "little.parquet").exit_code == 0
    assert run(files, "little.parquet", "--fail-on", "warning").exit_code == 1


def test_the_table_names_what_moved_and_why(files):
    output = run(files, "drifted.parquet").output
    assert "CRITICAL" in output
    assert "- weight: " in output
    assert "the median moved from" in output


def test_parquet_csv_and_a_folder_of_them_give_the_same_report(files):
    expected = report_of(files, "drifted.parquet", "--prediction", "prediction")
    assert report_of(files, "drifted.csv", "--prediction", "prediction") == expected
    folder = files / "parts"
    folder.mkdir()
    table = pq.read_table(files / "drifted.parquet")
    pq.write_table(table.slice(0, 700), folder / "a.parquet")
    pa.csv.write_csv(table.slice(700), folder / "b.csv")
    assert report_of(files, "parts", "--prediction", "prediction") == expected
    told = report_of(files, "drifted.csv", "--prediction", "prediction", baseline="baseline.csv")
    assert told["columns"] == expected["columns"]


def test_the_ks_statistic_is_scipys(files):
    report = report_of(files, "drifted.parquet")
    weights = [pq.read_table(files / f"{name}.parquet").column("weight").to_numpy() for name in ("baseline", "drifted")]
    expected = stats.ks_2samp(*weights, method="asymp")
    found = next(c for c in report["columns"] if c["name"] == "weight")["statistics"]
    assert found["ks_statistic"] == pytest.approx(expected.statistic, abs=1e-12)
    assert np.log(found["ks_p_value"]) == pytest.approx(np.log(expected.pvalue), rel=0.05)


def test_the_models_yaml_says_what_is_watched(files):
    report = report_of(files, "same.parquet", "--config", str(files / "parcels.yaml"))
    assert report["model"] == "parcels"
    assert [(c["name"], c["role"]) for c in report["columns"]] == [
        ("weight", "feature"),
        ("items", "feature"),
        ("carrier", "feature"),
        ("prediction", "prediction"),
    ]


def test_a_prediction_is_told_apart_and_a_label_is_no_feature(files):
    report = report_of(files, "same.parquet", "--prediction", "prediction", "--label", "items")
    assert [(c["name"], c["role"]) for c in report["columns"]] == [
        ("weight", "feature"),
        ("carrier", "feature"),
        ("prediction", "prediction"),
    ]


def test_labels_beside_probabilities_are_judged_as_quality(files):
    for name, noise in (("before", 0.1), ("after", 0.6)):
        table = make_window(rows=3000, seed=len(name))
        rng = np.random.default_rng(0)
        truth = (table.column("prediction").to_numpy() + noise * rng.normal(size=3000) > 0.3).astype(int)
        pq.write_table(table.append_column("label", pa.array(truth)), files / f"{name}.parquet")
    options = ("--prediction", "prediction", "--label", "label")
    report = report_of(files, "after.parquet", *options, baseline="before.parquet")
    assert report["performance"]["severity"] == "CRITICAL"
    assert report["severity"] == "OK"
    assert run(files, "after.parquet", *options, baseline="before.parquet").exit_code == 1
    assert "quality is lost" in run(files, "after.parquet", *options, baseline="before.parquet").output


def labelled(files, name, truth):
    table = make_window(rows=len(truth), seed=9)
    pq.write_table(table.append_column("label", pa.array(truth)), files / name)


def test_a_label_that_cannot_be_compared_is_told_and_a_window_that_lost_it_is_bad_input(files):
    labelled(files, "zero_one.parquet", [0, 1] * 1000)
    labelled(files, "words.parquet", ["stays", "cancels"] * 1000)
    options = ("--prediction", "prediction", "--label", "label")
    told = run(files, "words.parquet", *options, baseline="words.parquet")
    assert told.exit_code == 0
    assert "quality is not judged" in told.output
    assert "labels.classes" in told.output
    assert "--prediction" in run(files, "zero_one.parquet", "--label", "label", baseline="zero_one.parquet").output
    lost = run(files, "words.parquet", *options, baseline="zero_one.parquet")
    assert lost.exit_code == 2
    assert "column 'label' holds 'cancels'" in lost.stderr


def test_nothing_is_half_written_where_one_of_the_files_cannot_be(files):
    (files / "taken").mkdir()
    result = run(files, "same.parquet", "--json", str(files / "out.json"), "--html", str(files / "taken"))
    assert result.exit_code == 2
    assert "taken: Is a directory" in result.stderr
    assert not (files / "out.json").exists()
    assert not list(files.glob(".*.part"))


def test_identifiers_and_times_are_left_out_and_told(files):
    for name in ("baseline", "same"):
        table = pq.read_table(files / f"{name}.parquet")
        count = table.num_rows
        table = table.append_column("parcel_id", pa.array(range(count)))
        table = table.append_column("sent", pa.array(np.arange(count).astype("datetime64[s]")))
        pq.write_table(table, files / f"{name}.parquet")
    result = run(files, "same.parquet")
    assert "parcel_id is not judged" in result.output
    assert "sent is not judged" in result.output
    assert result.exit_code == 0


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_values_of_objects_are_columns_and_lists_are_left_out(files, ending):
    for name, rows in (("first", 3000), ("now", 2000)):
        values = np.random.default_rng(rows).normal(size=rows)
        nested = {"tags": [["a", "b"]] * rows, "where": [{"lat": 1.5, "lon": 2.5}] * rows}
        table = pa.table({"x;y": values} | nested)
        if ending == "parquet":
            pq.write_table(table, files / f"{name}.parquet")
        else:
            (files / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    report = report_of(files, f"now.{ending}", baseline=f"first.{ending}")
    assert [(column["name"], column["severity"]) for column in report["columns"]] == [
        (name, "OK") for name in ("x;y", "where.lat", "where.lon")
    ]
    assert any("tags" in note for note in report["notes"])


def test_text_that_a_file_declares_as_text_stays_text_also_where_it_reads_as_numbers(files):
    random = np.random.default_rng(1)
    for name, rows in (("codes", 3000), ("now", 2000)):
        codes = pa.DictionaryArray.from_arrays(
            pa.array(random.integers(0, 3, rows), pa.int8()), pa.array(["1", "2", "10"])
        )
        pq.write_table(
            pa.table({"declared": codes, "plain": codes.cast(codes.type.value_type)}), files / f"{name}.parquet"
        )
    columns = report_of(files, "now.parquet", baseline="codes.parquet")["columns"]
    assert {column["name"]: column["kind"] for column in columns} == {"declared": "categorical", "plain": "categorical"}
    assert {column["severity"] for column in columns} == {"OK"}


def test_float32_through_csv_lands_where_it_came_from(files):
    for name in ("baseline", "same"):
        table = pq.read_table(files / f"{name}.parquet")
        pq.write_table(
            table.set_column(0, "weight", table.column("weight").cast(pa.float32())), files / f"{name}32.parquet"
        )
        pa.csv.write_csv(pq.read_table(files / f"{name}32.parquet"), files / f"{name}32.csv")
    expected = report_of(files, "same32.parquet", baseline="baseline32.parquet")
    assert report_of(files, "same32.csv", baseline="baseline32.parquet") == expected


def test_a_page_is_written_with_its_pictures(files):
    run(files, "drifted.parquet", "--html", str(files / "deep" / "report.html"))
    page = (files / "deep" / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "<svg" in page


def test_a_window_too_small_says_how_many_rows_are_needed(files):
    report = report_of(files, "few.parquet")
    assert report["severity"] == "INSUFFICIENT_DATA"
    assert report["reasons"] == ["the window has 60 rows; 200 are needed to judge drift"]


def spoil(files):
    """Every kind of bad window or baseline, by the words that must name it."""
    table = pq.read_table(files / "same.parquet")
    pq.write_table(table.drop(["carrier"]), files / "lacking.parquet")
    whole = (files / "same.parquet").read_bytes()
    (files / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    (files / "empty.csv").write_bytes(b"")
    (files / "header.csv").write_text("weight,items,carrier,prediction\n")
    (files / "latin.csv").write_bytes("weight,items,carrier,prediction\n1,2,caf\xe9,0.5\n".encode("latin-1"))
    (files / "latin_header.csv").write_bytes("weight,items,carri\xe9r,prediction\n1,2,sea,0.5\n".encode("latin-1"))
    (files / "utf16.csv").write_text((files / "same.csv").read_text(), encoding="utf-16")
    (files / "parquet.csv").write_bytes(whole)
    (files / "csv.parquet").write_bytes((files / "same.csv").read_bytes())
    (files / "zero.parquet").write_bytes(b"")
    (files / "ragged.csv").write_text("weight,items,carrier,prediction\n1,2,sea,0.5\n1,2\n")
    (files / "twice.csv").write_text("weight,weight\n1,2\n")
    pq.write_table(table.slice(0, 0), files / "norows.parquet")
    (files / "notes.txt").write_text("no rows")
    pq.write_table(table.set_column(0, "weight", pa.nulls(table.num_rows, pa.float64())), files / "void.parquet")
    (files / "bad.yaml").write_text(YAML.replace("kind: numeric", "knd: numeric"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": "absent.csv"}, ["absent.csv", "no such file"]), ({"window": "lacking.parquet"}, ["lacking.parquet", "carrier"]),
        ({"window": "cut.parquet"}, ["cut.parquet", "cut short"]), ({"window": "empty.csv"}, ["empty.csv", "is empty"]),
        ({"window": "header.csv"}, ["header.csv", "no rows"]), ({"window": "latin.csv"}, ["latin.csv", "'carrier'", "UTF-8"]),
        ({"window": "latin_header.csv"}, ["latin_header.csv", "its header", "UTF-8"]), ({"window": "utf16.csv"}, ["utf16.csv", "UTF-16"]),
        ({"window": "parquet.csv"}, ["parquet.csv", "rename it to .parquet"]), ({"window": "csv.parquet"}, ["csv.parquet", "not Parquet"]),
        ({"window": "zero.parquet"}, ["zero.parquet", "is empty"]),
        ({"window": "ragged.csv"}, ["ragged.csv", "Expected 4 columns"]), ({"window": "twice.csv"}, ["weight", "rename"]),
        ({"window": "norows.parquet"}, ["norows.parquet", "no rows"]), ({"window": "notes.txt"}, ["notes.txt", ".parquet"]),
        ({"baseline": "norows.parquet"}, ["norows.parquet", "no rows"]),
        ({"baseline": "void.parquet"}, ["void.parquet", "'weight' has no value"]),
        ({"config": "bad.yaml"}, ["bad.yaml", "knd", "did you mean kind"]), ({"config": "absent.yaml"}, ["absent.yaml"]),
        ({"prediction": "answer"}, ["answer"]), ({"label": "truth"}, ["truth"]),
    ],
)  # fmt: skip
def test_bad_input_is_a_sentence_and_code_two_and_nothing_is_written(files, options, words):
    spoil(files)
    paths = {"baseline": "baseline.parquet", "window": "same.parquet"} | options
    arguments = ["check", "--json", str(files / "out.json"), "--html", str(files / "out.html")]
    for name, value in paths.items():
        arguments += [f"--{name}", value if name in ("prediction", "label") else str(files / value)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2, result.output
    assert all(word in result.stderr for word in words), result.stderr
    assert "Traceback" not in result.stderr
    assert not (files / "out.json").exists()
    assert not (files / "out.html").exists()


def test_the_command_runs_from_a_shell(files):
    arguments = ["check", "--baseline", str(files / "baseline.parquet"), "--window", str(files / "drifted.csv")]
    finished = subprocess.run(
        [sys.executable, "-m", "cli", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert finished.returncode == 1, finished.stderr
    assert "CRITICAL 2,000 rows against baseline.parquet" in finished.stdout
