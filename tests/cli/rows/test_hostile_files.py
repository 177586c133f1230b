"""Files that are made to hurt: each command ends in a sentence, in the memory of a small machine."""

import gzip
import io
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[3]
MIB_MAX = 1024
# The process itself says its peak; addresses are bounded besides, so that a fault costs a test and not the machine.
_RUN = """
import os, resource, runpy, sys
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
def leave(code):
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(f"\\nPEAK {int(peak.split()[1]) // 1024}", file=sys.stderr, flush=True)
    end(code)
end, os._exit = os._exit, leave
try:
    runpy.run_module("cli", run_name="__main__")
except SystemExit as ended:
    leave(ended.code or 0)
"""


def run(*args) -> tuple[int, str, int]:
    """A command's exit code, what it said, and its peak in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "400"},
    )
    said, _, peak = done.stderr.rpartition("PEAK ")
    return done.returncode, done.stdout + said, int(peak or -1)


def packed(size: int, start: bytes) -> bytes:
    return gzip.compress(start + b"0" * size, 1)


def laughs(merged: bool) -> str:
    """Eight lines that stand for 9^7 values."""
    start, letters = ("a: &a {k: 1}\n" if merged else "a: &a [x]\n"), "abcdefgh"
    for before, name in pairwise(letters):
        nine = ", ".join([f"*{before}"] * 9)
        start += f"{name}: &{name} {{<<: [{nine}]}}\n" if merged else f"{name}: &{name} [{nine}]\n"
    return start


def long_values() -> pa.Table:
    return pa.table({"x": [1.0] * 40, "c": ["y" * (2 << 20)] * 40})


def one_long_level() -> pa.Table:
    level = pa.DictionaryArray.from_arrays(pa.array([0] * 200_000, pa.int32()), pa.array(["y" * (8 << 20)]))
    return pa.table({"x": [1.0] * 200_000, "c": level})


def in_parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, use_dictionary=["c"] if table.num_rows > 40 else False)
    return sink.getvalue()


def healthy() -> bytes:
    return in_parquet(pa.table({"x": [1.0, 2.0] * 150, "c": ["a", "b"] * 150}))


def saying_rows(said: int, lie: int) -> bytes:
    """A file of 300 rows whose footer says another number, of two bytes too, for the one row group or for the whole file."""
    whole, numbers = healthy(), [bytes([0x16, n << 1 & 127 | 128, n >> 6]) for n in (300, lie)]
    place = -1
    for _ in range(said):
        place = whole.index(numbers[0], place + 1)
    return whole[:place] + numbers[1] + whole[place + 3 :]


TOO_LONG, TOO_DEEP = "a line has more than 1,048,576 bytes", "is nested too deep"
LONG_VALUES = "column 'c' holds values of more than 1,048,576 bytes"
FILES = {
    "line.csv": (lambda: b"x,c\n1,a\n2," + b"y" * (60 << 20), TOO_LONG),
    "header.csv": (lambda: b"y" * (60 << 20) + b"\n1\n", TOO_LONG),
    "line.jsonl": (
        lambda: b'{"x": 1, "c": "a"}\n{"c": "' + b"y" * (60 << 20) + b'"}\n',
        "line 2 has more than 8,388,608 bytes",
    ),
    "bomb.csv.gz": (lambda: packed(60 << 20, b"x,c\n"), TOO_LONG),
    "bomb.jsonl.gz": (lambda: packed(60 << 20, b'{"x": '), "line 1 has more than 8,388,608 bytes"),
    "lists.jsonl": (lambda: b'{"x": 1}\n{"x": ' + b"[" * 99_999 + b"]" * 99_999 + b"}\n", TOO_DEEP),
    "objects.jsonl": (lambda: b'{"z": ' + b'{"a":' * 99_999 + b"1" + b"}" * 99_999 + b"}\n", TOO_DEEP),
    "values.parquet": (lambda: in_parquet(long_values()), LONG_VALUES),
    "rows.parquet": (lambda: saying_rows(1, 200), "its footer says 200 rows, but it has 300"),
    "group.parquet": (lambda: saying_rows(5, 200), "its footer says 300 rows, but it has 200"),
    "encrypted.parquet": (lambda: healthy()[:-4] + b"PARE", "the Parquet file is encrypted"),
    "footer.parquet": (lambda: healthy()[:-8] + b"\xff" * 4 + b"PAR1", "is cut short or damaged"),
    "cut.parquet": (lambda: healthy()[:-200], "is cut short or damaged"),
    "level.parquet": (lambda: in_parquet(one_long_level()), LONG_VALUES),
}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_of_rows_is_refused_in_a_sentence(tmp_path, name):
    file, healthy, (content, said) = tmp_path / name, tmp_path / "healthy.parquet", FILES[name]
    file.write_bytes(content())
    pq.write_table(pa.table({"x": [1.0, 2.0] * 200, "c": ["a", "b"] * 200}), healthy)
    code, words, peak = run("check", "--baseline", healthy, "--window", file)
    assert (code, said in words) == (2, True), words
    assert peak < MIB_MAX


def test_a_small_file_of_many_rows_is_counted_whole(tmp_path):
    file = tmp_path / "rows.csv.gz"
    with gzip.open(file, "wb", 1) as zipped:
        zipped.write(b"x,c\n")
        for _ in range(40):
            zipped.write(b"1.5,a\n" * 100_000)
    code, words, peak = run("check", "--baseline", file, "--window", file)
    assert (code, "4,000,000 rows" in words) == (0, True), words
    assert peak < MIB_MAX


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (laughs(merged=False), "refers to itself"), (laughs(merged=True), "refers to itself"),
        ("model: &a [*a]", "refers to itself"), (f"model: {'9' * 10_000}", "a value has more than the 4,096 characters"),
        ("model: 1" + ":1" * 200_000, "a value has more than the 4,096 characters"),
        ("x" * (40 << 20), "more than the 1,048,576 characters"), ("model: 2016-99-99", "not YAML"),
        ("[" * 100_000, "not YAML"),
    ],
    ids=["laughs", "merged laughs", "itself", "a long number", "a number of base 60", "40 MB", "no date", "nested"],
)  # fmt: skip
def test_a_hostile_yaml_is_refused_in_a_sentence(tmp_path, text, said):
    file = tmp_path / "m.yaml"
    file.write_text(text)
    code, words, peak = run("models", "validate", file)
    assert (code, said in words) == (2, True), words
    assert peak < MIB_MAX
