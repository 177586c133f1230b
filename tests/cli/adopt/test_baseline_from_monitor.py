"""`kedge adopt --baseline-from`: the baseline is rebuilt from Model Monitor's own files."""

import json

import numpy as np
import pytest

from kedge.config.reading import parse_model_config
from lambdas.adapters.bucket import baselines
from lambdas.adapters.state import champions
from tests.cli.adopt.other_team import BEGUN, ENDPOINT, THEIRS, adopt, captured, deploy
from tests.handlers.aws_world import BUCKET, TABLE
from tests.kedge.test_monitor_statistics import category, equal_buckets, number
from tests.synthesised import ROOT

SAMPLES = ROOT / "tests" / "data" / "model_monitor"
AMOUNTS = np.random.default_rng(7).normal(50, 15, 1000).tolist()


def statistics(*columns):
    return json.dumps({"version": 0.0, "dataset": {"item_count": 1000}, "features": list(columns)})


def training_columns(*, sketch=True):
    amount = number(
        "amount", sketch=[AMOUNTS] if sketch else None, buckets=equal_buckets(AMOUNTS), present=900, missing=100
    )
    items = number("items", sketch=[[1.0] * 200 + [2.0] * 200 + [3.0] * 600], present=1000, kind="Integral")
    return [amount, items, category("country", {"DE": 600, "FR": 400})]


@pytest.fixture
def files(tmp_path, world):
    deploy(world)
    captured(world)

    def write(text, name="statistics.json"):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def frozen(world):
    champion = champions.load(world.dynamodb, TABLE, ENDPOINT)
    return champion, baselines.load_baseline(world.s3, BUCKET, ENDPOINT, champion.baseline)


def test_names_kinds_counts_and_missing_values_are_the_files(world, tmp_path, files):
    done, out = adopt(tmp_path, "--apply", "--baseline-from", files(statistics(*training_columns())))
    assert done.exit_code == 0, done.output
    config = parse_model_config(out.read_text(), source=out.name)
    assert [(f.name, f.kind) for f in config.features] == [
        ("amount", "numeric"),
        ("items", "numeric"),
        ("country", "categorical"),
    ]
    champion, baseline = frozen(world)
    assert champion.promoted_at == BEGUN
    assert baseline.profile.rows == 1000
    assert baseline.own["amount"].missing == 100
    country = dict(zip(baseline.bins["country"].levels, baseline.own["country"].cells.tolist(), strict=True))
    assert country == {"DE": 600, "FR": 400}
    for said in ("1,000 rows as", "each column for itself", "the rows hold no answers", "measured quality is not"):
        assert said in done.output


def test_without_a_sketch_rows_are_counted_in_the_files_ten_buckets(world, tmp_path, files):
    done, _ = adopt(tmp_path, "--apply", "--baseline-from", files(statistics(*training_columns(sketch=False))))
    assert done.exit_code == 0, done.output
    assert "amount: the file has no usable sketch" in done.output
    _, baseline = frozen(world)
    assert len(baseline.bins["amount"].edges) == 11
    assert baseline.own["amount"].cells.sum() == 900


def test_one_column_more_is_the_truth_that_model_monitor_puts_first(tmp_path, files):
    label = number("_c0", sketch=[[0.0, 1.0] * 500], present=1000)
    shown, _ = adopt(tmp_path, "--baseline-from", files(statistics(label, *training_columns())))
    assert shown.exit_code == 0, shown.output
    assert "_c0, the first column, is taken as the truth" in shown.output


def test_the_label_may_be_named_and_stand_anywhere(tmp_path, files):
    label = number("fraud", sketch=[[0.0, 1.0] * 500], present=1000)
    command = ("--baseline-from", files(statistics(*training_columns(), label)), "--label", "fraud")
    shown, _ = adopt(tmp_path, *command)
    assert shown.exit_code == 0, shown.output
    assert "is taken as the truth" not in shown.output


def test_types_that_people_corrected_in_the_constraints_are_taken_and_the_rest_is_said(world, tmp_path, files):
    statistics_file = files(statistics(*training_columns()))
    constraints = {
        "features": [{"name": "items", "inferred_type": "String"}],
        "monitoring_config": {"distribution_constraints": {"comparison_threshold": 0.2}},
    }
    done, _ = adopt(
        tmp_path, files(json.dumps(constraints), "constraints.json"), "--baseline-from", statistics_file, "--apply"
    )
    assert done.exit_code == 0, done.output
    _, baseline = frozen(world)
    # The captured requests say 3, and the sketch 3.0.
    assert set(baseline.bins["items"].levels) == {"1", "2", "3"}
    assert "comparison_threshold of 0.2" in done.output
    assert "items is categorical as Model Monitor says" in done.output


def test_the_files_may_lie_in_s3(world, tmp_path, files):
    world.s3.put_object(Bucket=THEIRS, Key="monitor/statistics.json", Body=statistics(*training_columns()).encode())
    shown, _ = adopt(tmp_path, "--baseline-from", f"s3://{THEIRS}/monitor/statistics.json")
    assert shown.exit_code == 0, shown.output
    refused, _ = adopt(tmp_path, "--baseline-from", f"s3://{THEIRS}/monitor/other.json")
    assert (refused.exit_code, "there is no such object" in refused.stderr) == (2, True)


def test_a_column_of_which_the_file_says_nothing_is_not_watched_and_named(world, tmp_path, files):
    columns = [*training_columns()[:2], {"name": "country", "inferred_type": "Unknown"}]
    done, _ = adopt(tmp_path, "--apply", "--baseline-from", files(statistics(*columns)))
    assert done.exit_code == 0, done.output
    assert "country is not watched: the file has no distribution of it" in done.output
    assert "country" not in frozen(world)[1].bins


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "it is not JSON"),
        (statistics(*training_columns()[:2]), "a request has 3 values, and"),
        (json.dumps({"regression_metrics": {}}), "no list of features"),
    ],
    ids=["no JSON", "too few columns", "model quality"],
)
def test_files_that_do_not_fit_are_refused_in_a_sentence(tmp_path, files, text, said):
    refused, out = adopt(tmp_path, "--apply", "--baseline-from", files(text))
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert not out.exists()


def test_two_baselines_or_stray_constraints_are_refused(tmp_path, files):
    refused, _ = adopt(tmp_path, "--baseline-from", files("{}"), "--baseline", "x.csv")
    assert "keep one of them" in refused.stderr
    refused, _ = adopt(tmp_path, "constraints.json")
    assert "needs --baseline-from" in refused.stderr


def test_a_baseline_that_amazons_analyzer_wrote_is_taken_over(world, tmp_path):
    deploy(world)
    captured(world, payload="preproc-not-YET-supported-for-csv-json")
    command = ("--baseline-from", SAMPLES / "statistics.json", SAMPLES / "constraints.json")
    done, _ = adopt(tmp_path, *command, "--apply")
    assert done.exit_code == 0, done.output
    _, baseline = frozen(world)
    assert (list(baseline.bins), baseline.profile.rows) == (["message", "prediction"], 418)
    assert "comparison_threshold of 1" in done.output


def as_the_analyzer_writes_it(name, kind, statistics, **common):
    """A column with what Amazon's analyzer writes beside the documented fields."""
    part = "numerical_statistics" if kind in ("Integral", "Fractional") else "string_statistics"
    counted = {"num_present": 23432, "num_missing": 0} | common
    return {"name": name, "inferred_type": kind, part: {"common": counted, "completeness": 1.0, **statistics}}


def test_words_of_many_values_have_no_distribution_and_are_not_watched(world, tmp_path, files):
    # As in a baseline of 23,432 house prices: a zip code of 4,811 values, a city, and a sketch whose lists stand for 1, 2, 4, 8 rows.
    random = np.random.default_rng(1)
    prices = random.lognormal(13, 0.8, 23432).round(-2)
    levels = [prices[:232].tolist(), *(np.sort(random.choice(prices, n)).tolist() for n in (1000, 1300, 2000))]
    sketch = {"parameters": {"c": 0.64, "k": 2048.0}, "data": levels}
    kll = {"buckets": equal_buckets(prices), "sketch": sketch}
    price = {"mean": 6e5, "approximate_num_distinct_values": 5097, "distribution": {"kll": kll}}
    columns = [
        as_the_analyzer_writes_it("price", "Fractional", price),
        as_the_analyzer_writes_it("zipcode", "String", {"distinct_count": 4811.0}),
        as_the_analyzer_writes_it("city", "String", {"distinct_count": 2310.0}),
    ]
    done, out = adopt(tmp_path, "--apply", "--baseline-from", files(statistics(*columns)))
    assert done.exit_code == 0, done.output
    for name in ("zipcode", "city"):
        assert f"{name} is not watched: the file has no distribution of it" in done.output
    _, baseline = frozen(world)
    assert [name for name in baseline.bins if name != "prediction"] == ["price"]
    cells = baseline.own["price"].cells
    assert cells.sum() == 23432
    middle = baseline.bins["price"].edges[np.searchsorted(np.cumsum(cells), 11716)]
    assert abs((prices <= middle).mean() - 0.5) < 0.05
    assert "{name: zipcode, kind: categorical}" in out.read_text()
