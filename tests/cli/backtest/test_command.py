import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from tests.cli.histories import UNTIL, WEEKS_LOST, YAML, run, write_history

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_history(tmp_path_factory.mktemp("histories"))


def document_of(tmp_path, data, *options, **changed):
    result = run(data, "--json", tmp_path / "out.json", *options, **changed)
    assert result.exit_code == 0, result.output
    return json.loads((tmp_path / "out.json").read_text())


@pytest.fixture(scope="module")
def document(files):
    return document_of(files, files / "history.parquet", "--html", files / "out.html")


def test_windows_follow_each_other_from_the_baselines_end(document):
    windows = document["windows"]
    assert windows[0]["start"] == "2016-03-01T00:00:00Z"
    assert [w["start"] for w in windows[1:]] == [w["end"] for w in windows[:-1]]
    assert len(windows) == 10
    assert {w["rows"] for w in windows} == {150 * 7}
    assert document["baseline"]["rows"] == 60 * 150


def test_exactly_the_lost_windows_are_lost(document):
    assert [w["loss"] for w in document["windows"]] == [number in WEEKS_LOST for number in range(10)]


def test_a_loss_starts_a_retraining_that_costs_what_was_said(tmp_path, files, document):
    assert [w["action"] for w in document["windows"]][WEEKS_LOST[0]] == "START"
    again = document_of(tmp_path, files / "history.parquet", "--retraining-cost-usd", "12.5")
    assert again["totals"]["cost_usd"] == 12.5 * document["totals"]["retrainings"]
    assert document["totals"]["retrainings"] == [w["action"] for w in document["windows"]].count("START")


def test_drift_that_harms_nobody_is_an_alert_without_a_loss(document):
    harmless = [w for number, w in enumerate(document["windows"]) if number >= 2 and number not in WEEKS_LOST]
    assert {w["drift"] for w in harmless} == {"CRITICAL"}
    assert all(w["drifted"] == ["weight"] for w in harmless)
    totals = document["totals"]
    assert totals["alerts"] == sum(w["alert"] for w in document["windows"]) == 8
    assert (totals["losses"], totals["missed_losses"], totals["false_alerts"]) == (2, 0, len(harmless))


def test_the_metrics_of_a_window_are_scikit_learns(files, document):
    rows = pq.read_table(files / "history.parquet").to_pandas().set_index("time").sort_index()
    for window in document["windows"]:
        inside = rows[window["start"][:-1] : window["end"][:-1]]
        inside = inside[inside.index < window["end"][:-1]]
        found = next(m for m in window["performance"]["metrics"] if m["name"] == "auc")
        assert found["value"] == pytest.approx(roc_auc_score(inside.label, inside.score), abs=1e-3)


def test_settings_stand_side_by_side_over_the_same_windows(document):
    assert [c["name"] for c in document["comparison"]] == ["default", "sensitive", "psi"]
    assert all(len(c["windows"]) == 10 for c in document["comparison"])
    assert document["comparison"][0]["totals"] == document["totals"]
    assert all(c["totals"]["losses"] == 2 for c in document["comparison"])


def test_identifiers_times_and_labels_are_no_features_and_that_is_told(document):
    assert [(c["name"], c["role"]) for c in document["settings"]["columns"]] == [
        ("weight", "feature"),
        ("carrier", "feature"),
        ("score", "prediction"),
    ]
    assert any(note.startswith("parcel_id is not judged") for note in document["notes"])


def test_the_proposal_keeps_to_the_wished_alerts(tmp_path, files):
    found = document_of(tmp_path, files / "history.parquet", "--alerts-per-year", "10")["proposal"]
    assert found["alerts_allowed"] == 2  # in 70 days
    assert [t["field"] for t in found["thresholds"]] == ["drift.effect_max", "drift.psi_max"]
    assert all(t["messages"] <= 2 for t in found["thresholds"])


def test_a_proposed_threshold_in_a_yaml_gives_what_was_proposed(tmp_path, files):
    found = document_of(tmp_path, files / "history.parquet", "--alerts-per-year", "10")["proposal"]["thresholds"][0]
    (tmp_path / "tuned.yaml").write_text(YAML + f"drift: {{effect_max: {found['threshold']}}}\n")
    options = ("--config", tmp_path / "tuned.yaml", "--config", files / "parcels.yaml")
    document = document_of(tmp_path, files / "history.parquet", *options)
    totals = {c["name"]: c["totals"] for c in document["comparison"]}
    assert list(totals) == ["tuned", "parcels", "default", "sensitive", "psi"]
    assert totals["tuned"]["drift_false_alerts"] == found["drift_false_alerts"]
    assert totals["tuned"]["drift_missed_losses"] == found["drift_missed_losses"]
    assert totals["parcels"] == totals["default"]


@pytest.mark.parametrize("form", ["shuffled", "csv", "epoch", "text", "folder"])
def test_the_order_and_the_form_of_the_rows_change_nothing(tmp_path, files, document, form):
    rows = pq.read_table(files / "history.parquet")
    data = tmp_path / "history"
    if form == "shuffled":
        rows = rows.take(np.random.default_rng(5).permutation(rows.num_rows))
    if form == "epoch":
        rows = rows.set_column(1, "time", pa.compute.cast(rows.column("time"), pa.int64()))
    if form == "text":
        rows = rows.set_column(1, "time", pa.compute.strftime(rows.column("time"), "%Y-%m-%dT%H:%M:%SZ"))
    data.mkdir()
    if form == "csv":
        pa.csv.write_csv(rows, data / "rows.csv")
    elif form == "folder":
        for number in range(4):
            pq.write_table(rows.slice(number * 5000, 5000), data / f"{number}.parquet")
    else:
        pq.write_table(rows, data / "rows.parquet")
    found = document_of(tmp_path, data)
    assert found["totals"] == document["totals"]
    assert [(w["rows"], w["drift"], w["loss"], w["action"]) for w in found["windows"]] == [
        (w["rows"], w["drift"], w["loss"], w["action"]) for w in document["windows"]
    ]


def test_without_labels_nothing_is_measured_and_that_is_told(tmp_path, files):
    found = document_of(tmp_path, files / "history.parquet", label=None)
    assert {w["loss"] for w in found["windows"]} == {None}
    assert "losses" not in found["totals"]
    assert any("--label" in note for note in found["notes"])
    assert "label" in [c["name"] for c in found["settings"]["columns"]]  # nobody said that it is one


def test_without_a_prediction_the_features_are_judged(tmp_path, files):
    found = document_of(tmp_path, files / "history.parquet", prediction=None)
    assert {w["loss"] for w in found["windows"]} == {None}
    assert any("--prediction" in note for note in found["notes"])


def test_a_regression_is_judged_by_its_errors(tmp_path, files):
    rows = pq.read_table(files / "history.parquet")
    truth = pa.array(10 + 5 * rows.column("weight").to_numpy() + np.random.default_rng(1).normal(size=rows.num_rows))
    week = (np.arange(rows.num_rows) // 150 - 60) // 7
    answers = pa.array(
        truth.to_numpy() + np.random.default_rng(2).normal(size=rows.num_rows) * np.where(week == 7, 2.0, 1.0)
    )
    pq.write_table(
        rows.drop(["score", "label"]).append_column("answer", answers).append_column("truth", truth),
        tmp_path / "r.parquet",
    )
    found = document_of(tmp_path, tmp_path / "r.parquet", prediction="answer", label="truth")
    assert found["settings"]["problem"] == "regression"
    assert [w["loss"] for w in found["windows"]] == [number == 7 for number in range(10)]


def test_several_classes_are_judged_by_their_accuracy(tmp_path, files):
    rows = pq.read_table(files / "history.parquet")
    rng = np.random.default_rng(1)
    truth = rng.choice(["cat", "dog", "eel"], rows.num_rows)
    week = (np.arange(rows.num_rows) // 150 - 60) // 7
    wrong = rng.random(rows.num_rows) < np.where(week == 3, 0.3, 0.1)
    answers = np.where(wrong, rng.choice(["cat", "dog", "eel"], rows.num_rows), truth)
    rows = (
        rows.drop(["score", "label"]).append_column("answer", pa.array(answers)).append_column("truth", pa.array(truth))
    )
    pq.write_table(rows, tmp_path / "m.parquet")
    for options in ({}, {"problem": "multiclass_classification"}):
        found = document_of(tmp_path, tmp_path / "m.parquet", prediction="answer", label="truth", **options)
        assert found["settings"]["problem"] == "multiclass_classification"
        assert [w["loss"] for w in found["windows"]] == [number == 3 for number in range(10)]


def test_labels_that_are_not_in_for_a_window_are_not_a_loss(tmp_path, files):
    rows = pq.read_table(files / "history.parquet")
    week = (np.arange(rows.num_rows) // 150 - 60) // 7
    labels = pa.array(rows.column("label").to_numpy(), mask=week >= 4)
    pq.write_table(rows.set_column(5, "label", labels), tmp_path / "late.parquet")
    found = document_of(tmp_path, tmp_path / "late.parquet")
    assert [w["loss"] for w in found["windows"]] == [False] * 4 + [None] * 6


def test_while_labels_are_out_quality_is_estimated_and_shown_beside_the_truth_before(tmp_path, files):
    rows = pq.read_table(files / "history.parquet")
    week = (np.arange(rows.num_rows) // 150 - 60) // 7
    # Labels stop after the third week; from the seventh on every answer is close to the threshold.
    labels = pa.array(rows.column("label").to_numpy(), mask=week >= 3)
    score = rows.column("score").to_numpy()
    unsure = pa.array(np.where(week >= 6, 0.5 + (score - 0.5) / 10, score))
    rows = rows.set_column(5, "label", labels).set_column(4, "score", unsure)
    pq.write_table(rows, tmp_path / "late.parquet")
    found = document_of(tmp_path, tmp_path / "late.parquet")["windows"]
    estimates = [w["performance"]["estimate"] for w in found]
    for window, estimate in zip(found[:3], estimates, strict=False):
        assert "severity" not in estimate  # the labels speak
        auc = {m["name"]: m for m in window["performance"]["metrics"]}["auc"]
        expected = {m["name"]: m for m in estimate["metrics"]}["auc"]
        assert expected["value"] == pytest.approx(auc["value"], abs=0.03)
    assert [w["loss"] for w in found[3:]] == [None] * 7
    assert {e["severity"] for e in estimates[3:6]} == {"OK"}
    assert {e["severity"] for e in estimates[6:]} == {"CRITICAL"}
    assert all(w["alert"] and w["severity"] == "CRITICAL" for w in found[6:])


def test_labels_that_begin_with_the_first_window_have_no_reference(tmp_path, files):
    rows = pq.read_table(files / "history.parquet")
    labels = pa.array(rows.column("label").to_numpy(), mask=np.arange(rows.num_rows) < 60 * 150)
    pq.write_table(rows.set_column(5, "label", labels), tmp_path / "begun.parquet")
    found = document_of(tmp_path, tmp_path / "begun.parquet")
    assert {w["loss"] for w in found["windows"]} == {None}
    assert any("quality has no reference" in note for note in found["notes"])


@pytest.mark.parametrize("value", [1e308, -1e308, float("inf"), float("nan")])
def test_values_at_the_edge_of_numbers_break_nothing(tmp_path, files, value):
    rows = pq.read_table(files / "history.parquet")
    wild = rows.column("weight").to_numpy().copy()
    wild[::3] = value
    truth = np.where(np.arange(rows.num_rows) % 5 == 0, value, 1.0)
    rows = rows.drop(["score", "label"]).set_column(2, "weight", pa.array(wild))
    pq.write_table(
        rows.append_column("answer", pa.array(wild)).append_column("truth", pa.array(truth)), tmp_path / "wild.parquet"
    )
    found = document_of(tmp_path, tmp_path / "wild.parquet", prediction="answer", label="truth", problem="regression")
    assert len(found["windows"]) == 10


def test_a_window_without_rows_is_not_measured_and_not_left_out(tmp_path, files):
    rows = pq.read_table(files / "history.parquet")
    week = (np.arange(rows.num_rows) // 150 - 60) // 7
    pq.write_table(rows.filter(pa.array(week != 1)), tmp_path / "gap.parquet")
    found = document_of(tmp_path, tmp_path / "gap.parquet")["windows"]
    assert [w["rows"] for w in found][:3] == [1050, 0, 1050]
    assert (found[1]["severity"], found[1]["loss"], found[1]["action"]) == ("INSUFFICIENT_DATA", None, "NONE")


def test_rows_after_the_last_complete_window_are_told(tmp_path, files):
    found = document_of(tmp_path, files / "history.parquet", window="21d")
    assert len(found["windows"]) == 3
    assert found["rest"] == {"rows": 7 * 150, "start": "2016-05-03T00:00:00Z"}
    assert any("1050 rows from 2016-05-03" in note for note in found["notes"])


def test_an_earlier_weeks_baseline_in_a_yaml_is_honoured(tmp_path, files):
    (tmp_path / "trailing.yaml").write_text(YAML + "drift: {baseline: trailing, trailing_days: 7}\n")
    found = document_of(tmp_path, files / "history.parquet", "--config", tmp_path / "trailing.yaml")
    # The weight moved once: against the week before, that is drift in one window only.
    assert [w["drift"] for w in found["windows"]] == ["OK", "OK", "CRITICAL", *["OK"] * 7]
    assert [w["drift"] for w in found["comparison"][1]["windows"]][2:] == ["CRITICAL"] * 8


def test_the_page_and_the_table_tell_the_same_totals(files, document):
    output = run(files / "history.parquet").output
    head, *lines = output.splitlines()[: len(document["windows"]) + 1]
    assert [line[head.index("drift") :].split()[0] for line in lines] == [w["drift"] for w in document["windows"]]
    assert [line[: head.index("rows") + len("rows")].split()[-1] for line in lines] == ["1050"] * len(lines)
    assert any(line.endswith("…") for line in lines)
    told = f"{document['totals']['alerts']} alerts in {document['totals']['alert_episodes']} episode"
    assert told in output
    page = (files / "out.html").read_text()
    assert page.startswith("<!doctype html>")
    assert page.count('<svg class="strip"') == 3 + 3


def test_the_command_runs_from_a_shell(files):
    arguments = ["--data", "history.parquet", "--time", "time", "--baseline-until", UNTIL, "--window", "28d"]
    finished = subprocess.run(
        [sys.executable, "-m", "cli", "backtest", *arguments],
        cwd=files,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert "default: 2 windows" in finished.stdout


def test_groups_segments_and_what_moved_are_told_of_each_window(tmp_path, files):
    config = tmp_path / "parcels.yaml"
    config.write_text(YAML + "labels: {fields: [sex]}\nfairness: {columns: [sex], disparate_impact_min: 0.8}\n")
    rows = pq.read_table(files / "history.parquet")
    # From the fourth window on, whoever is refused is mostly a woman; before, it was nobody's sex.
    refused, late = rows.column("score").to_numpy() < 0.5, np.arange(rows.num_rows) >= 150 * (60 + 7 * 3)
    chance = np.random.default_rng(8).random(rows.num_rows)
    sex = np.where(chance < np.where(late & refused, 0.9, np.where(late, 0.1, 0.5)), "f", "m")
    pq.write_table(rows.append_column("sex", pa.array(sex)), tmp_path / "history.parquet")
    windows = document_of(tmp_path, tmp_path / "history.parquet", "--config", config)["windows"]
    verdicts = [window["performance"]["fairness"]["severity"] for window in windows]
    assert (verdicts[0], verdicts[-1]) == ("OK", "CRITICAL")
    assert windows[-1]["alert"]
    assert windows[-1]["reasons"][0].startswith("sex: ")
    lost = next(window for window in windows if window["loss"])
    assert lost["performance"]["concept_drift"]["shifts"][0]["since"]
    assert "segments" in lost["performance"]


def test_two_classes_of_any_name_lose_quality_in_the_same_windows(files, tmp_path):
    rows = pq.read_table(files / "history.parquet")
    named = pc.if_else(pc.equal(rows["label"], 1), "<=50K", ">50K")
    pq.write_table(rows.set_column(rows.schema.get_field_index("label"), "label", named), tmp_path / "words.parquet")
    plain = document_of(tmp_path, files / "history.parquet")
    found = document_of(tmp_path, tmp_path / "words.parquet")
    assert [w["loss"] for w in found["windows"]] == [w["loss"] for w in plain["windows"]]
    assert any("'<=50K' is taken as the positive class" in note for note in found["notes"])
    turned = rows.set_column(rows.schema.get_field_index("score"), "score", pc.subtract(1, rows["score"]))
    pq.write_table(turned, tmp_path / "turned.parquet")
    notes = document_of(tmp_path, tmp_path / "turned.parquet")["notes"]
    assert any("its answers point to the other class" in note for note in notes)
