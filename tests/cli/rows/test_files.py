"""Rows of every format and place read alike, and a fault of one file named."""

import gzip
import json

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from moto import mock_aws

from cli.rows.files import UnreadableFileError, open_rows
from tests.adapters.aws import forget_clients

ROWS = pa.table({"weight": [1.5, None, 3.0], "carrier": ["sea", "road", None], "fast": [True, False, None]})


def lines(table):
    return "\n".join(json.dumps(row) for row in table.to_pylist())


@pytest.fixture
def bucket(monkeypatch):
    for name, value in {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        forget_clients()
        made = boto3.resource("s3").create_bucket(
            Bucket="rows", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        yield made
    forget_clients()


def parquet_bytes(table):
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def test_json_lines_hold_what_parquet_holds(tmp_path):
    (tmp_path / "a.jsonl").write_text(lines(ROWS))
    rows = open_rows(tmp_path / "a.jsonl")
    assert rows.read(["weight", "carrier", "fast"]).to_pylist() == ROWS.to_pylist()


def test_compressed_text_is_read_like_plain_text(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines(ROWS).encode()))
    assert open_rows(tmp_path / "a.jsonl.gz").read(["carrier"]) == open_rows_of_json(tmp_path).read(["carrier"])
    pa.csv.write_csv(ROWS, tmp_path / "a.csv")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    assert open_rows(tmp_path / "b.csv.gz").read(["weight"]) == open_rows(tmp_path / "a.csv").read(["weight"])


def open_rows_of_json(folder):
    (folder / "plain.jsonl").write_text(lines(ROWS))
    return open_rows(folder / "plain.jsonl")


def test_a_value_that_is_a_number_on_one_line_and_a_word_on_another_is_text(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"x": 1}\n{"x": "two", "y": [1]}\n{"x": true}\n')
    assert open_rows(tmp_path / "a.jsonl").read(["x", "y"]).to_pydict() == {
        "x": ["1", "two", "true"],
        "y": [None, "[1]", None],
    }


def test_a_column_that_later_json_lines_lack_is_missing_there(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"x": 1, "y": "a"}\n')
    (tmp_path / "b.jsonl").write_text('{"x": 2}\n')
    assert open_rows(tmp_path).read(["x", "y"]).to_pydict() == {"x": [1, 2], "y": ["a", None]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"x": 1}\n{"x": \n', ["line 2", "cut short"]),
        (b"[1, 2]\n", ["line 1", "not a JSON object"]),
        ('{"x": "é"}\n'.encode("latin-1"), ["line 1", "UTF-8"]),
        (b"", ["is empty"]),
        (b"\n\n", ["is empty"]),
    ],
)
def test_a_broken_json_line_is_named_by_its_number(tmp_path, content, words):
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(UnreadableFileError) as caught:
        open_rows(tmp_path / "a.jsonl").read(["x"])
    assert all(word in str(caught.value) for word in ["a.jsonl", *words])


def test_a_compressed_file_that_is_cut_short_or_not_compressed_is_named(tmp_path):
    pa.csv.write_csv(pa.table({"x": np.arange(100_000)}), tmp_path / "a.csv")
    whole = gzip.compress((tmp_path / "a.csv").read_bytes())
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableFileError, match=r"cut\.csv\.gz: the compressed file is cut short"):
        open_rows(tmp_path / "cut.csv.gz").read(["x"])
    (tmp_path / "plain.csv.gz").write_bytes(b"x\n1\n")
    with pytest.raises(UnreadableFileError, match=r"take \.gz off its name"):
        open_rows(tmp_path / "plain.csv.gz")


def test_hidden_files_and_success_marks_of_a_folder_are_no_rows(tmp_path):
    pq.write_table(ROWS, tmp_path / "part-0.parquet")
    (tmp_path / "_SUCCESS.csv").write_text("")
    (tmp_path / ".part-1.parquet").write_bytes(b"half")
    assert open_rows(tmp_path).read(["weight"]).num_rows == 3


def test_a_folder_whose_files_disagree_about_a_type_is_read_as_text(tmp_path):
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": ["three"]}), tmp_path / "b.parquet")
    assert open_rows(tmp_path).read(["x"]).column("x").to_pylist() == ["1", "2", "three"]


def test_the_head_stops_reading_and_batches_are_told(tmp_path):
    pq.write_table(pa.table({"x": np.arange(300_000), "y": np.arange(300_000)}), tmp_path / "a.parquet")
    rows, told = open_rows(tmp_path / "a.parquet"), []
    assert rows.total_rows == 300_000
    told_rows = type(rows)(rows.path, rows.sources, rows.schema, lambda name, values: told.append((name, values)))
    assert 1 <= told_rows.head(["x", "y"], 1).num_rows < 300_000
    assert [name for name, _ in told] == [rows.path]
    told.clear()
    told_rows.read(["x", "y"])
    assert sum(values for _, values in told) == 600_000


def test_objects_below_an_s3_prefix_are_rows_like_any_others(bucket):
    bucket.put_object(Key="day=1/a.parquet", Body=parquet_bytes(ROWS))
    bucket.put_object(Key="day=1/b.jsonl", Body=lines(ROWS).encode())
    bucket.put_object(Key="day=10/c.parquet", Body=parquet_bytes(ROWS))
    rows = open_rows("s3://rows/day=1")
    assert [source.name for source in rows.sources] == ["s3://rows/day=1/a.parquet", "s3://rows/day=1/b.jsonl"]
    assert rows.read(["weight"]).column("weight").to_pylist() == [1.5, None, 3.0] * 2
    assert open_rows("s3://rows/day=10/c.parquet").read(["carrier"]).num_rows == 3


@pytest.mark.parametrize(
    ("place", "words"),
    [("s3://rows/nothing", "no such object"), ("s3://", "names no bucket"), ("s3://rows/notes", "names must end in")],
)
def test_an_s3_address_without_rows_is_named(bucket, place, words):
    bucket.put_object(Key="notes/readme.txt", Body=b"no rows")
    with pytest.raises(UnreadableFileError, match=words):
        open_rows(place)


def test_a_cut_object_in_s3_is_named_with_its_address(bucket):
    bucket.put_object(Key="a.parquet", Body=parquet_bytes(ROWS)[:100])
    with pytest.raises(UnreadableFileError, match=r"s3://rows/a\.parquet: the Parquet file is cut short"):
        open_rows("s3://rows/a.parquet")


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_columns_that_only_folders_name_have_each_files_rows_whatever_stands_in_it(tmp_path, ending):
    folder = tmp_path / "date=2016-01-01"
    folder.mkdir()
    if ending == "csv":
        # Behind the first megabyte, by which Arrow would guess a type.
        (folder / "a.csv").write_text("x\n" + "12345678\n" * 150_000 + "word\n")
    elif ending == "jsonl":
        (folder / "a.jsonl").write_text('{"x": 1}\n' * 150_001)
    else:
        pq.write_table(pa.table({"x": np.arange(150_001)}), folder / "a.parquet")
    found = open_rows(tmp_path).read(["date"]).column("date")
    assert (len(found), found.unique().to_pylist()) == (150_001, ["2016-01-01"])
