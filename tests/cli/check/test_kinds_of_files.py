"""One table gives one verdict whatever its file, and nothing is called OK where nothing was judged."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.builders import capture_record

ROWS = 600


def columns(seed, *, moved=0.0):
    random = np.random.default_rng(seed)
    return {"age": random.normal(50 + moved, 10, ROWS).round(3), "plan": random.choice(["basic", "gold", "plus"], ROWS)}


def write(path, table):
    """The rows in the file that its name asks for."""
    rows = table.to_pylist()
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    elif path.suffix == ".csv":
        pa.csv.write_csv(table, path)
    elif path.name.endswith("capture.jsonl"):
        sides = [(f"{row['age']},{row['plan']}", str(row["prediction"])) for row in rows]
        path.write_text(
            "\n".join(json.dumps(capture_record(*side, inferenceId=str(i))) for i, side in enumerate(sides))
        )
    else:
        path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.fixture
def check(tmp_path):
    """`kedge check` of two tables (or files) in these endings: exit code, report and what was said."""

    def run(before, now, *options, ending="parquet", window_ending=None):
        sides = []
        for name, rows, end in (("base", before, ending), ("win", now, window_ending or ending)):
            sides.append(
                rows if not isinstance(rows, dict | pa.Table) else write(tmp_path / f"{name}.{end}", pa.table(rows))
            )
        out = tmp_path / "out.json"
        out.unlink(missing_ok=True)
        arguments = ["check", "--baseline", sides[0], "--window", sides[1], "--json", out, *options]
        result = CliRunner().invoke(app, list(map(str, arguments)))
        report = json.loads(out.read_text()) if out.exists() else None
        return result.exit_code, report, result.output

    return run


def severities(report):
    return {column["name"]: column["severity"] for column in report["columns"]}


YAML = """
model: m
endpoint: {name: m}
features: [{name: age, kind: numeric}, {name: plan, kind: categorical}]
"""


def test_one_table_gives_one_report_whatever_file_it_stands_in(check, tmp_path):
    (tmp_path / "m.yaml").write_text(YAML)
    before, now = (
        columns(seed, moved=moved) | {"prediction": np.random.default_rng(seed).random(ROWS)}
        for seed, moved in ((1, 0), (2, 8))
    )
    reports = []
    for ending in ("parquet", "csv", "jsonl", "capture.jsonl"):
        code, report, said = check(before, now, "--config", tmp_path / "m.yaml", ending=ending)
        assert code == 1, said
        assert "3 of 3 columns judged" in said
        reports.append({name: report[name] for name in ("severity", "reasons", "columns", "quality", "window")})
    assert all(report == reports[0] for report in reports)


@pytest.mark.parametrize(
    "pair", [("parquet", "csv"), ("csv", "capture.jsonl"), ("capture.jsonl", "parquet"), ("jsonl", "csv")]
)
def test_the_two_sides_may_stand_in_different_files(check, tmp_path, pair):
    (tmp_path / "m.yaml").write_text(YAML)
    sides = [columns(seed) | {"prediction": np.random.default_rng(seed).random(ROWS)} for seed in (1, 2)]
    code, report, said = check(*sides, "--config", tmp_path / "m.yaml", ending=pair[0], window_ending=pair[1])
    assert (code, {*severities(report).values()}) == (0, {"OK"}), said


@pytest.mark.parametrize("single", ["before", "now"])
@pytest.mark.parametrize("endings", [("parquet", "parquet"), ("parquet", "csv"), ("jsonl", "parquet")])
def test_a_float32_on_one_side_is_the_same_value_as_the_float64_on_the_other(check, single, endings):
    values = np.array([0.1, 0.2, 0.3])[np.arange(ROWS) % 3]
    # What a float32 is once JSON or CSV wrote all its digits.
    through = values.astype(np.float32).astype(np.float64)
    sides = {"before": values, "now": values} | {single: through}
    code, report, said = check(
        {"rate": sides["before"]}, {"rate": sides["now"]}, ending=endings[0], window_ending=endings[1]
    )
    assert (code, severities(report)) == (0, {"rate": "OK"}), said
    sides[single] = values.astype(np.float32)
    assert check({"rate": sides["before"]}, {"rate": sides["now"]})[0] == 0


@pytest.mark.parametrize("words", [("yes", "no"), ("Y", "N"), ("on", "off"), ("t", "f"), ("True", "False"), ("1", "0")])
def test_a_boolean_is_read_in_every_spelling(check, tmp_path, words):
    (tmp_path / "m.yaml").write_text(YAML.replace("{name: plan, kind: categorical}", "{name: paid, kind: boolean}"))
    sides = [
        columns(1) | {"paid": np.where(np.random.default_rng(n).random(ROWS) < share, *words)}
        for n, share in ((1, 0.2), (2, 0.9))
    ]
    code, report, _ = check(
        *[{k: side[k] for k in ("age", "paid")} for side in sides], "--config", tmp_path / "m.yaml", ending="csv"
    )
    assert (code, severities(report)) == (1, {"age": "OK", "paid": "CRITICAL"})


def test_a_boolean_that_holds_none_on_both_sides_is_refused_as_a_number_is(check, tmp_path):
    for kind, said in (("boolean", "has no true or false in any row"), ("numeric", "has no value in any row")):
        (tmp_path / "m.yaml").write_text(
            YAML.replace("{name: plan, kind: categorical}", f"{{name: plan, kind: {kind}}}")
        )
        code, report, words = check(columns(1), columns(2), "--config", tmp_path / "m.yaml")
        assert (code, report) == (2, None)
        assert said in words or "holds no number in any row" in words


@pytest.mark.parametrize(
    ("word", "share"), [("-", 0.3), ("?", 0.06), ("NA", 0.3), ("none", 0.1), (".", 0.1), ("N/A", 0.1), ("#N/A", 0.1)]
)
def test_a_word_for_no_value_among_numbers_is_a_missing_value_and_said(check, word, share):
    def with_words(seed, moved):
        random = np.random.default_rng(seed)
        side = columns(seed, moved=moved)
        return side | {"age": np.where(random.random(ROWS) < share, word, side["age"].astype(str))}

    code, report, said = check(with_words(1, 0), with_words(2, 20), ending="csv")
    assert (code, severities(report)["age"]) == (1, "CRITICAL")
    assert word in ("NA", "N/A") or f"{word!r} in" in said
    assert "the median moved" in said


def test_a_category_may_have_a_level_of_such_a_name(check):
    sides = [
        columns(seed) | {"plan": np.random.default_rng(seed).choice(["-", "none", "gold"], ROWS, p=p)}
        for seed, p in ((1, [0.1, 0.1, 0.8]), (2, [0.8, 0.1, 0.1]))
    ]
    assert severities(check(*sides, ending="csv")[1])["plan"] == "CRITICAL"


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_date_is_left_out_whatever_the_file_calls_it(check, ending):
    days = [
        np.array(start, "datetime64[D]") + np.random.default_rng(n).integers(0, 200, ROWS)
        for n, start in enumerate(["2025-01-01", "2025-08-01"])
    ]
    sides = [columns(seed) | {"signup": [str(day) for day in found]} for seed, found in ((1, days[0]), (2, days[1]))]
    code, report, said = check(*sides, ending=ending)
    assert (code, severities(report)) == (0, {"age": "OK", "plan": "OK"})
    assert "signup is not judged: a time" in said


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_one_column_without_values_on_both_sides_takes_no_other_down(check, tmp_path, ending):
    (tmp_path / "m.yaml").write_text(YAML.replace("]", ", {name: km, kind: numeric}]"))
    for void in (pa.nulls(ROWS, pa.float64()), pa.array([float("nan")] * ROWS)):
        sides = [columns(seed) | {"km": void} for seed in (1, 2)]
        for options in ((), ("--config", tmp_path / "m.yaml")):
            code, report, said = check(*sides, *options, ending=ending)
            assert (code, severities(report)) == (0, {"age": "OK", "plan": "OK"}), said
            assert "km" in said
            assert "2 of 2 columns judged" in said


def test_values_below_a_key_are_columns_named_by_their_path(check, tmp_path):
    for name, moved in (("base", 0), ("win", 20)):
        pairs = zip(*(pa.array(values).to_pylist() for values in columns(1, moved=moved).values()), strict=True)
        lines = [{"id": "x", "features": {"age": age, "more": {"plan": plan}}} for age, plan in pairs]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    code, report, _ = check(tmp_path / "base.jsonl", tmp_path / "win.jsonl")
    assert (code, severities(report)) == (1, {"id": "OK", "features.age": "CRITICAL", "features.more.plan": "OK"})


def test_captured_records_are_read_by_the_yaml_and_without_one_said_to_be_what_they_are(check, tmp_path):
    (tmp_path / "m.yaml").write_text(YAML)
    rows = columns(1) | {"prediction": np.full(ROWS, 0.5)}
    capture = write(tmp_path / "a.capture.jsonl", pa.table(rows))
    with capture.open("a") as file:
        file.write('\n{"captureData": {}, "eventMetadata": {"eventId": "e"}}\n')
    code, _, said = check(rows, capture)
    assert code == 2
    assert "this is Data Capture; name the model's YAML" in said
    code, _, said = check(rows, capture, "--config", tmp_path / "m.yaml")
    assert code == 0
    assert f"1 of {ROWS + 1:,} captured records cannot be read" in said


def test_captured_requests_are_drafted_as_their_rows(tmp_path):
    capture = write(tmp_path / "a.capture.jsonl", pa.table(columns(1) | {"prediction": np.full(ROWS, 0.5)}))
    result = CliRunner().invoke(app, ["init", "--data", str(capture), "--out", str(tmp_path / "d.yaml")])
    assert result.exit_code == 0, result.output
    assert (
        "{name: feature_0, kind: numeric}\n  - {name: feature_1, kind: categorical}"
        in (tmp_path / "d.yaml").read_text()
    )


def test_a_file_without_a_header_line_is_noticed_and_read_on_request(check, tmp_path):
    for name, seed in (("base", 1), ("win", 2)):
        random, side = np.random.default_rng(seed), columns(seed)
        lines = [f"{label},{age}" for label, age in zip(random.integers(0, 2, ROWS), side["age"], strict=True)]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    sides = tmp_path / "base.csv", tmp_path / "win.csv"
    code, _, said = check(*sides)
    assert code == 2
    assert "has it no header? --no-header" in said
    code, report, _ = check(*sides, "--no-header")
    assert (code, report["window"]["rows"], {*severities(report)}) == (0, ROWS, {"_c0", "_c1"})
    assert {*severities(check(*sides, "--columns", "label,age")[1])} == {"label", "age"}
    assert "--columns names 3" in check(*sides, "--columns", "a,b,c")[2]
    draft = [
        "init",
        "--data",
        str(sides[0]),
        "--columns",
        "label,age",
        "--label",
        "label",
        "--out",
        str(tmp_path / "d.yaml"),
    ]
    assert CliRunner().invoke(app, draft).exit_code == 0
    assert "{name: age, kind: numeric}" in (tmp_path / "d.yaml").read_text()


@pytest.mark.parametrize("header", ["0,1,2", "2019,2020,2021", "id,2020,x", "a,b,1"])
def test_numbers_may_be_names(tmp_path, check, header):
    for name, seed in (("base", 1), ("win", 2)):
        rows = np.random.default_rng(seed).normal(size=(ROWS, 3))
        (tmp_path / f"{name}.csv").write_text("\n".join([header, *(",".join(map(str, row)) for row in rows.tolist())]))
    assert check(tmp_path / "base.csv", tmp_path / "win.csv")[0] == 0


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_codes_with_leading_zeros_stay_text(check, ending):
    codes = ["01067", "10115", "20095"]
    sides = [columns(seed) | {"zip": np.random.default_rng(seed).choice(codes, ROWS)} for seed in (1, 2)]
    report = check(*sides, ending=ending)[1]
    assert {column["name"]: column["kind"] for column in report["columns"]} == {
        "age": "numeric",
        "plan": "categorical",
        "zip": "categorical",
    }


IDENTIFIERS = {
    "growing with gaps": lambda random: np.cumsum(random.integers(1, 900, ROWS)) + 10_000,
    "growing, some late": lambda random: (
        np.where(np.arange(ROWS) % 300, np.cumsum(random.integers(1, 900, ROWS)), 1) + 10_000
    ),
    "shuffled without gaps": lambda random: random.permutation(ROWS) + 5000,
    "growing, as floats": lambda random: np.cumsum(random.integers(1, 900, ROWS)).astype(float),
}


@pytest.mark.parametrize("name", IDENTIFIERS)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_an_identifier_is_known_by_how_it_behaves(check, ending, name):
    sides = [columns(seed) | {"booking": IDENTIFIERS[name](np.random.default_rng(seed))} for seed in (1, 2)]
    code, report, said = check(*sides, ending=ending)
    assert (code, {*severities(report)}) == (0, {"age", "plan"}), said
    assert "an identifier" in said


def test_nearly_unique_numbers_that_do_not_grow_are_a_feature(check):
    sides = [{"cents": np.random.default_rng(seed).integers(0, 10**9, ROWS)} for seed in (1, 2)]
    assert severities(check(*sides)[1]) == {"cents": "OK"}


def test_folders_that_name_a_value_are_columns(check, tmp_path):
    for side, shares in (("base", {"eu": 300, "us%2Fca": 300}), ("win", {"eu": 550, "us%2Fca": 50})):
        for place, rows in shares.items():
            (tmp_path / side / f"region={place}").mkdir(parents=True)
            pq.write_table(pa.table(columns(1)).slice(0, rows), tmp_path / side / f"region={place}" / "rows.parquet")
    code, report, said = check(tmp_path / "base", tmp_path / "win")
    assert (code, severities(report)["region"]) == (1, "CRITICAL")
    assert "us/ca" in said or "eu" in said


@pytest.mark.parametrize("window", ["decimals", "floats"])
def test_decimals_are_numbers(check, window):
    decimals = [pa.array(columns(seed)["age"].round(2).astype(str)).cast(pa.decimal128(12, 2)) for seed in (1, 2)]
    now = decimals[1] if window == "decimals" else decimals[1].cast(pa.float64())
    code, report, said = check({"price": decimals[0]}, {"price": now})
    assert (code, [column["kind"] for column in report["columns"]]) == (0, ["numeric"]), said


def test_semicolons_and_decimal_commas_are_the_same_table(check, tmp_path):
    plain = check(columns(1), columns(2, moved=8), ending="csv")
    for name in ("base", "win"):
        text = (tmp_path / f"{name}.csv").read_text().replace(",", ";").replace(".", ",")
        (tmp_path / f"{name}.csv").write_text("\ufeff" + text)
    found = check(tmp_path / "base.csv", tmp_path / "win.csv")
    assert (found[0], found[1]["columns"]) == (plain[0], plain[1]["columns"])


def test_points_between_thousands_before_a_decimal_comma_are_no_text(check, tmp_path):
    found = [{"amount": pa.array(np.random.default_rng(seed).normal(50_000, 9_000, 900))} for seed in (1, 2)]
    for name, table in zip(("base", "win"), found, strict=True):
        written = [f"{value:,.2f}".translate(str.maketrans(",.", ".,")) for value in table["amount"].to_pylist()]
        (tmp_path / f"{name}.csv").write_text("amount;country\n" + "".join(f"{one};DE\n" for one in written))
    _, report, said = check(tmp_path / "base.csv", tmp_path / "win.csv")
    assert {column["name"]: column["kind"] for column in report["columns"]}["amount"] == "numeric", said


def test_nothing_is_ok_where_nothing_was_judged(check):
    few = {name: values[:20] for name, values in columns(2).items()}
    code, report, said = check(columns(1), few)
    assert (code, report["severity"]) == (2, "INSUFFICIENT_DATA")
    assert "0 of 2 columns judged" in said
