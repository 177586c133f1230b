"""Values that stay out of sentences, wherever a sentence is made."""

import json
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from kedge.columns.casting import columns_of
from kedge.config.reading import parse_model_config
from kedge.drift.report import judge_drift
from kedge.gate.groups import holdout_groupings, holdout_slices
from kedge.outcomes.outcomes import read_outcomes
from kedge.profile.counting import count_rows
from kedge.profile.freezing import freeze_baseline
from kedge.slices.counts import slice_reference
from kedge.slices.encoding import decode_slices, encode_slices
from kedge.slices.groupings import coarse_codes, freeze_grouping
from kedge.slices.judgement import count_slices, judge_slices

START = datetime(2016, 1, 1, tzinfo=UTC)
SECRET = "Zanzibar"


def model(sensitive: str = ""):
    keys = f", sensitive: {sensitive}" if sensitive else ""
    return parse_model_config(
        f"{{model: m, endpoint: {{name: e}}, features: [{{name: town, kind: categorical{keys}}}, {{name: pay, kind: numeric{keys}}}],"
        "segments: {minimum_rows: 50, minimum_per_class: 5}}",
        source="m.yaml",
    )


def rows(share: float, towns: int, pay: float, n: int = 4000) -> pa.Table:
    random = np.random.default_rng(1)
    others = [f"town{i}" for i in range(towns - 1)]
    town = np.where(random.random(n) < share, SECRET, random.choice(others, n))
    score = random.random(n)
    label = np.where((town == SECRET) & (share > 0.3), 1 - np.rint(score), np.rint(score)).astype(int)
    return pa.table(
        {"town": town.tolist(), "pay": random.normal(pay, 1, n), "prediction": score, "label": [str(v) for v in label]}
    )


def said(config, towns: int) -> str:
    """All that a window's report says, but for its histograms."""
    before, now = rows(0.2, towns, 4321.0), rows(0.5, towns, 9876.0)
    baseline = freeze_baseline("m", "1", columns_of(config), before, before)
    slices = decode_slices(encode_slices(slice_reference(baseline, before, config)))
    slices = slices.shown_as(config.hidden)
    outcomes, _ = read_outcomes(now, "prediction", "label", config)
    counted = count_slices(
        lambda names: [({name: now.column(name) for name in names}, outcomes)],
        slices,
        config.segments,
        ruler=slices.ruler,
    )
    found = judge_slices(counted, config.segments)
    assert found.segments
    report = judge_drift(
        baseline,
        count_rows(baseline, now),
        config,
        start=START,
        end=START + timedelta(days=7),
    )
    return json.dumps(report.to_json() | found.to_json())


@pytest.mark.parametrize(
    ("sensitive", "towns", "shown"), [("", 5, True), ("", 150, False), ("true", 5, False), ("false", 150, True)]
)
def test_a_report_names_levels_as_the_yaml_lets_it_and_hides_many_by_default(sensitive, towns, shown):
    words = said(model(sensitive), towns)
    assert (SECRET in words) is shown
    assert bool(re.search(rf"town=level \d+ of {towns}\b", words)) is not shown


def test_a_sensitive_number_is_told_by_its_place_among_the_baselines():
    words = said(model("true"), 5)
    assert "from 4321" not in words
    assert "to 9876" not in words
    assert "100% of the baseline's values are at most the window's median" in words


def test_the_gate_and_pairs_tell_hidden_groups_by_their_place():
    config, table = model("true"), rows(0.5, 5, 10.0)
    names = [*holdout_slices(table, holdout_groupings(table, config))]
    assert "town=level 1 of 5" in names
    assert "pay=band 4 of 4" in names
    grouping = freeze_grouping("town", "categorical", table.column("town")).shown_as(config.hidden)
    assert coarse_codes(grouping, groups=3)[1] == ("level 1 of 5", "level 2 of 5", "other", "missing")


def test_a_page_numbers_the_bars_of_a_sensitive_column():
    config, table = model("true"), rows(0.5, 5, 10.0)
    baseline = freeze_baseline("m", "1", columns_of(config), table, table)
    page = judge_drift(
        baseline, count_rows(baseline, table), config, start=START, end=START + timedelta(days=7)
    ).to_page()
    assert page["histograms"]["town"]["labels"][0] == "level 1 of 5"
    assert SECRET not in json.dumps(page)
