"""A window counted by Athena's SQL is the window counted in memory: the same evidence for every kind of model."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kedge.capture.typed_rows import typed_predictions
from kedge.columns.casting import columns_of
from kedge.columns.margins import with_margins
from kedge.config.policies import PerformanceLimit
from kedge.config.reading import parse_model_config
from kedge.estimation.estimators import fit_estimator
from kedge.labels.fold import label_schema
from kedge.labels.horizon import believed_horizon
from kedge.labels.join import join_labels
from kedge.labels.join_sql import answers_table, join_sql, labels_table
from kedge.labels.labelled_rows import labelled_rows
from kedge.outcomes.counts import count_outcomes
from kedge.outcomes.outcomes import read_outcomes
from kedge.profile.freezing import freeze_baseline
from kedge.quality.window import QualityReference, judge_quality
from kedge.severity import Severity
from kedge.slices.counts import slice_reference
from kedge.window_sql.joined import JoinedRows
from kedge.window_sql.parts import Counted
from kedge.window_sql.plan import WindowPlan
from lambdas.adapters.bucket.baselines import Reference
from lambdas.steps.measuring.join_window import measured_columns
from lambdas.steps.measuring.measure_window import AnsweredWindow, gather_rows
from lambdas.steps.requests import JudgeRequest
from tests.athena_sql import count_plan, run_sql

START, END = datetime(2016, 1, 4, tzinfo=UTC), datetime(2016, 1, 14, tzinfo=UTC)
NOW = datetime(2016, 1, 20, 7, tzinfo=UTC)
REACH = START - timedelta(days=3)
YAML = """
model: odd-model
problem: {problem}
mode: watch
endpoint: {{name: odd{variants}}}
prediction: {{name: answer{probabilities}}}
features:
  - {{name: weight, kind: numeric}}
  - {{name: light, kind: numeric, dtype: float32}}
  - {{name: carrier, kind: categorical}}
  - {{name: paid, kind: boolean}}
  - {{name: amount, kind: numeric}}
context: [region]
labels: {{classes: {classes}, fields: [refund, region]{horizon}}}
fairness: {{columns: [carrier, region, weight, light], bands: {{light: [2.0, 0.5]}}, minimum_group_rows: 10{favourable}}}
performance: {{cost_column: amount, minimum_rows: 10}}
segments: {{minimum_rows: 10, minimum_per_class: 5}}
business:
  - {{name: revenue, column: amount}}
  - {{name: repaid, label_field: refund}}
{figures}
"""
FIGURES = "".join(
    f"  - {{name: of_{over}, column: amount, over: {over}}}\n  - {{name: repaid_{over}, label_field: refund, over: {over}}}\n"
    for over in (
        "decided_positive",
        "decided_negative",
        "true_positive",
        "false_positive",
        "true_negative",
        "false_negative",
    )
)
CLASSES = {
    "binary_classification": ["no", "yes"],
    "multiclass_classification": ["low", "1", "true"],
    "regression": ["0", "1"],
}
# What labels, categories and amounts may say.
WORDS = np.array(
    ["low", " low", "1", "1.0", "true", "TRUE", "yes", "no", "NA", "", "0", "1e0", "maybe", "it's", "high"], object
)
NUMBERS = np.array(["0", "1.5", " 2 ", "-3.25", "1e1", "true", "x", "nan", "inf", "", ".5", "7."], object)


def config_of(problem, *, variants=False, horizon=None, probabilities=True, classes=None, favourable=True):
    classes = classes or CLASSES[problem]
    named = [f"p{k}" for k in range(len(classes))] if probabilities and problem.startswith("multi") else []
    text = YAML.format(
        problem=problem,
        variants=", variants: [blue, green]" if variants else "",
        probabilities=f", probabilities: {named}" if named else "",
        classes=classes,
        horizon="" if horizon is None else f", label_horizon_days: {horizon}",
        favourable=", threshold: 1.0"
        if problem == "regression"
        else f", favourable: '{classes[0 if favourable else -1]}'",
        figures=FIGURES if problem == "binary_classification" else "",
    )
    return parse_model_config(text, source="odd.yaml")


def answers_of(rng, config, rows, *, decisions, whole):
    """What was answered, as it was captured: everything text, with what cannot be read among it."""
    names = {}
    if config.problem == "multiclass_classification":
        names["answer"] = rng.choice(np.array([*config.classes, "low", "1.0", "strange", ""], object), rows)
        chances = rng.dirichlet(np.ones(len(config.classes)), rows)
        for k, name in enumerate(config.prediction.probabilities):
            names[name] = np.where((rng.random(rows) < 0.05) & (not whole), "", chances[:, k].astype(str))
    else:
        # Ties, both ends, and what is no answer.
        scores = np.round(rng.beta(1, 2, rows), int(rng.integers(1, 9))) * (1.0 if config.problem[0] == "b" else 9.0)
        scores = np.where(rng.random(rows) < 0.1, rng.choice([0.0, 1.0, 0.5], rows), scores)
        names["answer"] = np.where(
            rng.random(rows) < 0.05, rng.choice(["", "1.5", "-1", "x"], rows), scores.astype(str)
        )
        if decisions:
            names["answer"] = rng.choice(np.array(config.classes, object), rows)
    names |= {name: rng.normal(1, 2, rows).round(2).astype(str) for name in ("weight", "amount")}
    names["light"] = rng.choice(np.array(["0.5", "0.1", "2", "", "3.3"], object), rows)
    names |= {name: rng.choice(WORDS, rows) for name in ("carrier", "region")}
    names["paid"] = rng.choice(np.array(["true", "0", "?", "1"], object), rows)
    return names


def part_of(rng, config, rows, *, decisions=False, whole=False):
    """A part of the predictions table, also from before and after the window: some ids are answered twice."""
    start, end = REACH - timedelta(days=1), END + timedelta(days=1)
    columns = {
        name: pa.array(texts.tolist(), pa.string())
        for name, texts in answers_of(rng, config, rows, decisions=decisions, whole=whole).items()
    }
    span = int((end - start).total_seconds() * 1000)
    times = rng.permutation(np.unique(rng.integers(0, span, 3 * rows + 3)))[:rows]
    columns["kedge_time"] = pa.array((times * 1000 + int(start.timestamp() * 1e6)).tolist(), pa.timestamp("us", "UTC"))
    ids = [f"row-{n}" for n in rng.integers(0, max(4 * rows, 1), rows)]
    columns |= {"kedge_row_id": pa.array(ids, pa.string()), "kedge_event_id": pa.array(ids, pa.string())}
    if config.endpoint.variants:
        columns["kedge_variant"] = pa.array(
            rng.choice(np.array(["blue", "green", None], object), rows).tolist(), pa.string()
        )
    return typed_predictions(pa.table(columns), config, config.row_identifiers)


def labels_of(rng, config, part, *, minutes=(-1, 0, 30, 90, 1500, 20_000)):
    """Labels of most rows, on the days of their answers; some are no class, some are collected after now."""
    rows = part.num_rows
    words = NUMBERS if config.problem == "regression" else np.array([*config.classes, *config.classes, *WORDS], object)
    delays = rng.choice(minutes, rows) * 60.0
    seconds = np.array(part.column("kedge_time").cast(pa.int64()).to_numpy() / 1e6 + delays).round(3)
    found = pa.table(
        {
            "kedge_row_id": part.column("kedge_row_id"),
            "label": pa.array(rng.choice(words, rows).tolist(), pa.string()),
            "kedge_collected": pa.array((seconds * 1e6).astype(np.int64).tolist(), pa.timestamp("us", "UTC")),
            "kedge_source": pa.array(["f"] * rows, pa.string()),
            "kedge_field_refund": pa.array(rng.choice(NUMBERS, rows).tolist(), pa.string()),
            "kedge_field_region": pa.array(rng.choice(WORDS, rows).tolist(), pa.string()),
        }
    )
    kept = {
        row_id: place for place, row_id in enumerate(found.column("kedge_row_id").to_pylist()) if rng.random() < 0.8
    }
    return found.take(pa.array(list(kept.values()), pa.int64())).select(label_schema(config.labels.fields).names)


def reference_of(config):
    """The champion's holdout: its outcomes, its estimator, and its slices."""
    rng = np.random.default_rng(7)
    holdout = part_of(rng, config, 400, whole=True)
    labels = NUMBERS[:4] if config.problem == "regression" else np.array(config.classes, object)
    holdout = holdout.append_column("label", pa.array(rng.choice(labels, 400).tolist(), pa.string()))
    counted = with_margins(holdout, config)
    baseline = freeze_baseline(config.model, "3", columns_of(config), counted, counted)
    outcomes, _ = read_outcomes(holdout, "answer", "label", config)
    estimator = fit_estimator(outcomes, threshold=config.prediction.threshold)
    slices = slice_reference(baseline, holdout, config).shown_as(config.hidden)
    return Reference(count_outcomes(outcomes, config), estimator, {}, "digest"), slices


class Window:
    """One window's answers and labels, counted by either engine."""

    def __init__(self, config, part, labels, *, remembered=None, learnt_until=None):
        self.config, self.part, self.labels = config, part, labels
        self.remembered, self.learnt_until = remembered, learnt_until
        self.reference, self.slices = reference_of(config)
        self.columns = tuple(measured_columns(config))

    def in_memory(self):
        times = self.part.column("kedge_time").to_pylist()
        inside = self.part.filter(pa.array([REACH <= time < END for time in times], pa.bool_()))
        joined = join_labels(
            inside.select(["kedge_row_id", "kedge_time", *self.columns]), [self.labels], self.config.labels.fields
        )
        rows = labelled_rows(
            joined, self.config, now=NOW.timestamp(), unmatched=2, classes=(*self.config.classes, "high")
        )
        learnt = rows.horizon(self.config.labels.horizon_quantile, self.config.labels.classes)
        horizon = believed_horizon(learnt, configured=self.config.labels.label_horizon_days, remembered=self.remembered)
        request = JudgeRequest(model="odd-model", time=NOW, window={"start": START, "end": END})
        window = AnsweredWindow(request, self.config, rows, horizon, learnt, ("a note",), self.learnt_until)
        return gather_rows(window, self.reference, self.slices)

    def by_sql(self):
        config, run = self.config, "3-a"
        rows = JoinedRows(config, self.columns, "kedge", run, "s3://b/${kedge_run}/", "s3://b/levels/", NOW)
        answers, labels = (
            answers_table(config, self.columns, location="s3://b/a/"),
            labels_table(config, location="s3://b/l/"),
        )
        join = join_sql(answers, labels, database="kedge", run=run, start=REACH, end=END)
        tables = {answers.name: in_run(self.part, answers, run), labels.name: in_run(self.labels, labels, run)}
        joined = run_sql(rows.select(join), tables)
        assert joined.column_names == [f"c{place}" for place in range(len(rows.schema))]
        plan = WindowPlan(
            rows, START, END, estimator=self.reference.estimator, slices=self.slices, mark_key=self.reference.digest,
            classes=(*config.classes, "high"), remembered_days=self.remembered, learnt_until=self.learnt_until,
        )  # fmt: skip
        counted = Counted(table for _, table in count_plan(plan, in_run(joined, rows.table, run)))
        return plan.gathered(counted, unmatched=2, notes=("a note",))


TYPES = {
    "string": pa.string(),
    "double": pa.float64(),
    "float": pa.float32(),
    "timestamp": pa.timestamp("ms"),
    "bigint": pa.int64(),
}


def in_run(rows, table, run):
    """Rows as a table of the catalogue shows them: columns that no file has are null, and types are those of the catalogue."""
    columns = {}
    for name, kind in table.columns:
        found = rows.column(name) if name in rows.column_names else pa.nulls(rows.num_rows, TYPES[kind])
        assert found.type == TYPES[kind] or (kind == "timestamp" and pa.types.is_timestamp(found.type)), name
        columns[name] = found
    beside = {"kedge_run": run, "$path": "s3://b/file"}
    return pa.table(columns | {name: pa.array([text] * rows.num_rows, pa.string()) for name, text in beside.items()})


def same(one, other, place=""):
    """Compare all that is known of a window: counts are equal, sums of doubles to ten digits."""
    if is_dataclass(one):
        one, other = ({each.name: getattr(side, each.name) for each in fields(side)} for side in (one, other))
    if isinstance(one, dict):
        assert {*one} == {*other}, place
        for key in one:
            same(one[key], other[key], f"{place}.{key}")
    elif isinstance(one, tuple) and any(map(is_dataclass, one)):
        same(dict(enumerate(one)), dict(enumerate(other)), place)
    elif isinstance(one, datetime):
        assert abs(one - other) < timedelta(milliseconds=2), place
    elif isinstance(one, np.ndarray | float):
        digits = 1e-9 if np.asarray(one).dtype.kind == "f" else 0
        np.testing.assert_allclose(one, other, rtol=digits, atol=digits, err_msg=place)
    else:
        assert one == other, f"{place}: {one!r} is not {other!r}"


def check(window):
    """Both engines know the same of a window; return it."""
    here, there = window.in_memory(), window.by_sql()
    if there is None:
        assert here.labels.rows == 0
    else:
        same(here, there)
    return here


def window_of(seed, config, rows, **facts):
    rng = np.random.default_rng(seed)
    part = part_of(rng, config, rows)
    return Window(config, part, labels_of(rng, config, part), **facts)


@pytest.mark.parametrize("problem", sorted(CLASSES))
def test_both_engines_count_the_same_of_a_window(problem):
    config = config_of(problem, variants=True, horizon=2.0)
    found = check(window_of(5, config, 400, learnt_until=START + timedelta(days=2)))
    # There is something to compare.
    evidence = found.evidence
    assert evidence.outcomes.counts.rows > 30
    assert {*evidence.variants} == {"blue", "green"}
    assert [counts.column for counts in evidence.sensitive] == ["carrier", "region", "weight", "light"]
    assert any(len(columns) == 2 for columns in evidence.slices.opened.tables)
    assert evidence.estimates.metrics
    assert found.labels.faults.repeated > found.labels.faults.conflicting > 0
    assert found.labels.faults.newer > 0 or problem == "regression"


def test_a_hundred_classes_are_counted_in_queries_that_athena_takes():
    config = config_of("multiclass_classification", classes=[f"a class of some length {k}" for k in range(100)])
    check(window_of(6, config, 150))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    problem=st.sampled_from(sorted(CLASSES)),
    rows=st.sampled_from([0, 1, 40, 400]),
    variants=st.booleans(),
    horizon=st.sampled_from([None, 0.0, 2.0, 8.5]),
    remembered=st.sampled_from([None, 4.0]),
    learnt=st.sampled_from([None, START + timedelta(days=2)]),
    bare=st.booleans(),
)
def test_both_engines_count_the_same_of_any_window(seed, problem, rows, variants, horizon, remembered, learnt, bare):
    config = config_of(problem, variants=variants, horizon=horizon, probabilities=not bare, favourable=bare)
    check(window_of(seed, config, rows, remembered=remembered, learnt_until=learnt))


def test_levels_that_are_too_long_for_one_query_are_counted_in_several():
    window = window_of(9, config_of("binary_classification", horizon=2.0), 300)
    rows, long = window.part, "x" * 5_000
    for name in ("carrier", "region"):
        texts = pa.array([text and text + long for text in rows.column(name).to_pylist()], pa.string())
        rows = rows.set_column(rows.column_names.index(name), name, texts)
    # Without slices each sensitive column has its own levels.
    window.part, window.slices = rows, None
    found = check(window)
    assert sum(len(name) > 5_000 for counts in found.evidence.sensitive for name in counts.groups) > 5


def test_classes_that_are_numbers_are_read_as_classes():
    config = config_of("binary_classification", classes=["1", "2"], horizon=2.0)
    rng = np.random.default_rng(6)
    part = part_of(rng, config, 200, decisions=True)
    found = check(Window(config, part, labels_of(rng, config, part)))
    assert found.evidence.outcomes.counts.decisions_only
    assert min(found.evidence.outcomes.counts.by_class.values()) > 5


def test_a_horizon_is_learnt_alike():
    rng, config = np.random.default_rng(18), config_of("binary_classification")
    part = part_of(rng, config, 1500)
    found = check(Window(config, part, labels_of(rng, config, part, minutes=(0.4, 30.6, 1500.9))))
    assert found.learnt.days == 1500 / 1440


@pytest.mark.parametrize("sliced", [True, False])
def test_a_sensitive_number_that_no_slice_knows_has_its_own_levels(sliced):
    config = config_of("binary_classification", horizon=2.0)
    segments = config.segments.model_copy(update={"columns": ("paid", "region")})
    fairness = config.fairness.model_copy(update={"bands": {}})
    window = window_of(8, config.model_copy(update={"segments": segments, "fairness": fairness}), 400)
    # Few levels, among them both zeros and what four bytes round; and more levels than are shown.
    rng = np.random.default_rng(11)
    few = np.array([0.1, 0.0, -0.0, 16777217.0, 1e-7, np.inf, None], object)
    odd = {
        "light": pa.array(rng.choice(few, 400).tolist(), pa.float32()),
        "weight": pa.array(rng.integers(-100, 100, 400).tolist(), pa.float64()),
    }
    for name, values in odd.items():
        window.part = window.part.set_column(window.part.column_names.index(name), name, values)
    window.slices = window.slices if sliced else None
    found = {counts.column: {*counts.groups} for counts in check(window).evidence.sensitive}
    assert found["light"] in ({*each, "0.1", "16777216", "1e-7", "inf", "missing"} for each in ({"0"}, {"-0"}))
    assert len(found["weight"]) == 51


def test_a_window_that_is_critical_with_its_costs_is_not_ok_where_athena_has_no_table_of_them():
    config = config_of("binary_classification", horizon=2.0)
    limits = (
        PerformanceLimit(metric="accuracy", at_least=0.0),
        PerformanceLimit(metric="cost_per_thousand", at_most=-1e6),
    )
    known = config.performance.model_copy(update={"limits": limits, "coverage_min": 0.0})
    named = config.endpoint.model_copy(update={"custom_attributes": ("fee",)})
    unknown = {"performance": known.model_copy(update={"cost_column": "fee"}), "endpoint": named}
    window = window_of(5, config.model_copy(update={"performance": known}), 400)
    blind = Window(config.model_copy(update=unknown), window.part, window.labels)
    found = [
        judge_quality(gathered.evidence, QualityReference(window.reference.counts), each.config).measured
        for each, gathered in ((window, window.in_memory()), (blind, blind.by_sql()))
    ]
    assert [report.severity for report in found] == [Severity.CRITICAL, Severity.INSUFFICIENT_DATA]
    assert "1 column not looked at, because the window is counted by Athena: fee" in found[1].notes
