"""The benchmarks run at a tiny size, and write what they found beside the command that found it."""

import sys
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

import benchmarks.__main__ as command
from benchmarks import capture, cold_start, data, fleet, judging, label_join, measure, peers
from benchmarks.results import RESULTS, Figure, Section, write
from benchmarks.runtime_api import RuntimeApi
from benchmarks.scale import Scale
from kedge.capture.records import parse_capture_files

TINY = Scale.tiny()


def test_the_data_are_seeded_and_of_21_columns(tmp_path):
    first, second, other = (
        pq.read_table(data.write(tmp_path / f"{name}.parquet", rows=3000, seed=seed))
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == second
    assert first != other
    assert tuple(first.column_names) == data.COLUMNS
    assert len(data.COLUMNS) == 21
    assert first.num_rows == 3000


def test_a_child_is_charged_with_its_own_and_its_childrens_time():
    burn = "import time\nwhile time.process_time() < 0.3: pass\n"
    spent = measure.run(
        [
            sys.executable,
            "-c",
            f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])\n{burn}print('done')",
        ]
    )
    assert spent.cpu_seconds >= 0.6
    assert spent.exit_code == 0
    assert spent.output == "done\n"
    assert 1 < spent.peak_mib < 200
    assert measure.run([sys.executable, "-c", "raise SystemExit(3)"]).exit_code == 3


def test_a_figure_stands_beside_its_command_and_says_whether_its_limit_is_kept(tmp_path):
    figures = [
        Figure("fast", 0.08, "times", "python -m benchmarks peers", limit=0.1),
        Figure("slow", 25.0, "ms", "python -m benchmarks judging", limit=20.0),
        Figure("rows", 90_000, "rows", "python -m benchmarks capture", limit=100_000, more_is_better=True),
        Figure("known", 3.2, "s", "python -m benchmarks cold_start"),
    ]
    write([Section("Speed", figures, "a note")], path=tmp_path / "RESULTS.md")
    lines = (tmp_path / "RESULTS.md").read_text().splitlines()
    assert "| fast | 0.08 times | <= 0.1 | yes | `python -m benchmarks peers` |" in lines
    assert "| slow | 25 ms | <= 20 | **no** | `python -m benchmarks judging` |" in lines
    assert "| rows | 90,000 rows | >= 100,000 | **no** | `python -m benchmarks capture` |" in lines
    assert "| known | 3.2 s |  |  | `python -m benchmarks cold_start` |" in lines
    assert "a note" in lines


def test_sections_measured_earlier_stay_on_the_page_and_one_measured_again_takes_its_own_place(tmp_path, monkeypatch):
    page = tmp_path / "RESULTS.md"
    for name, value in (("judging", 1.0), ("capture", 2.0), ("judging", 3.0)):
        found = Section(name.title(), [Figure(name, value, "s", "c")], "| a | table |")
        monkeypatch.setattr(f"benchmarks.{name}.section", lambda work, scale, found=found: found)
        command.main([name], scale=TINY, work=tmp_path, results=page)
    lines = page.read_text().splitlines()
    assert [line for line in lines if line.startswith("## ")] == ["## Judging", "## Capture"]
    assert [line[:15] for line in lines if " s |" in line] == ["| judging | 3 s", "| capture | 2 s"]
    assert lines.count("| a | table |") == 2


def test_the_page_is_written_as_it_is_read(tmp_path):
    page = tmp_path / "RESULTS.md"
    page.write_text(RESULTS.read_text())
    write([], path=page)
    assert page.read_text().partition("\n## ")[2] == RESULTS.read_text().partition("\n## ")[2]


def test_every_section_is_a_module_that_can_measure():
    for name in command.SECTIONS:
        assert callable(__import__(f"benchmarks.{name}", fromlist=["section"]).section), name


def test_judging_and_adding_are_measured(tmp_path):
    found = judging.section(tmp_path, TINY)
    assert [figure.unit for figure in found.figures] == ["CPU ms", "CPU ms", "CPU ms", "times"]
    assert all(np.isfinite(figure.value) for figure in found.figures)


def test_captured_objects_are_read_back_whole(tmp_path):
    config = judging.model()
    batch = parse_capture_files(capture.captured(config, rows=50), config)
    assert batch.table.num_rows == 50
    assert batch.quarantined == ()
    assert capture.section(tmp_path, TINY).figures[0].value > 0


def test_kedge_is_measured_beside_those_peers_that_can_be_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "PEERS", {"nannyml": (), "whylogs": ()})
    monkeypatch.setattr(peers, "_TIMES", 1)
    monkeypatch.setattr(peers, "script", lambda peer: tmp_path / f"{peer}.py")
    (tmp_path / "nannyml.py").write_text("import time\nwhile time.process_time() < 0.2: pass\n")
    found_environment = {"nannyml": (sys.executable, ""), "whylogs": (None, "no network")}
    monkeypatch.setattr(peers, "environment", found_environment.get)
    found = peers.section(tmp_path, TINY)
    told = {figure.what: figure for figure in found.figures}
    assert told["kedge check, 1,200 rows, peak memory"].value > 10
    ratio = told["kedge check against nannyml with byte-code"].value
    assert ratio == pytest.approx(
        told["kedge check, 1,200 rows"].value / told["nannyml, the fastest, best of 1 runs"].value
    )
    assert told["kedge check, 2,400 rows, from start to end"].value > 0.1
    assert found.notes.endswith("- whylogs was skipped: no network")


def test_the_runtime_api_hands_out_events_and_takes_answers():
    program = (
        "import json, sys, urllib.request as u\nbase = f'http://{sys.argv[1]}/2018-06-01/runtime/invocation/'\n"
        "for _ in range(2):\n"
        "    got = u.urlopen(base + 'next')\n    number = json.load(got)['n']\n"
        "    u.urlopen(base + got.headers['Lambda-Runtime-Aws-Request-Id'] + '/response', data=str(number * 2).encode())\n"
    )
    with RuntimeApi([{"n": 1}, {"n": 2}]) as api:
        assert measure.run([sys.executable, "-c", program, api.address]).exit_code == 0
    assert [(is_result, text) for _, is_result, text in api.answered] == [(True, "2"), (True, "4")]


def test_import_times_are_added_up_by_package():
    told = "import time: self [us] | cumulative | imported package\nimport time: 1000 | 1000 | numpy._core\nimport time: 500 | 1500 | numpy\n"
    told += "import time: 200 | 200 | json\n"
    assert cold_start.own_times(told) == {"numpy": 0.0015, "Python's own": 0.0002}


@pytest.mark.slow
def test_labels_are_joined_whole_and_folded_on_both_histories(tmp_path):
    answers, labels = label_join.write_files(tmp_path, 500)
    found = label_join.measured(answers, labels, label_join.model())
    rows = pq.read_table(answers).join(pq.read_table(labels), "kedge_row_id").to_pydict()
    truth, scores = np.array(rows["label"]) == "1", np.array(rows["score"])
    assert found["auc"].value == pytest.approx(roc_auc_score(truth, scores))
    section = label_join.section(tmp_path, TINY)
    assert all(figure.value > 0 for figure in section.figures)
    # Five days with an object and 24 parts each.
    assert "(125 objects opened)" in section.figures[4].what


def test_the_ticks_of_many_models_are_counted_and_timed_by_a_model_of_latencies(tmp_path):
    section = fleet.section(tmp_path, TINY)
    assert fleet.waited_seconds(Counter({"dynamodb Query": 2, "cloudwatch PutMetricData": 1})) == 0.04
    assert all(figure.kept is not False for figure in section.figures)
    assert "- a quiet hour: 1 dynamodb BatchGetItem, 2 dynamodb Query, 1 sagemaker ListEndpoints" in section.notes
