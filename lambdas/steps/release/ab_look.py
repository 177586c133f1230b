"""A look at an A/B test: each model's answers to requests of its own, what came of them, and all of both so far judged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.arrays import Bools, Floats
from kedge.config.model import ModelConfig
from kedge.own_columns import ROW_ID
from kedge.performance.business import figure_values
from kedge.release.ab import AbProgress, AbSide, SideRows, judge_ab
from kedge.release.tried import TrialVerdict
from lambdas.adapters import clients
from lambdas.adapters.release import experiments
from lambdas.adapters.release.experiments import ANSWER, OF_CHALLENGER, divided_schema
from lambdas.steps.release.trial_look import LATE, TrialLook, fleets_of, labels_of, read_answers, smallest


def hour_of_both(look: TrialLook, since: datetime, until: datetime) -> pa.Table:
    """What either answered in an hour, and the columns of the requests that business figures count."""
    of_challenger, of_champion, classes = look.schemas()
    columns, found = counted_columns(look.config), list[pa.Table]()
    for variant, schema in ((look.variant, of_challenger), (look.config.endpoint.variant, of_champion)):
        rows = read_answers(look.captures(variant, since, until), schema, classes, smallest, columns)
        whose = pa.repeat(variant == look.variant, rows.num_rows)
        found.append(rows.append_column(OF_CHALLENGER, whose).select(divided_schema(columns).names))
    return pa.concat_tables(found)


def counted_columns(config: ModelConfig) -> tuple[str, ...]:
    """Columns of the requests that are needed to know what came of the answers."""
    names = (figure.column for figure in config.business if figure.depends_on_answers)
    return tuple(dict.fromkeys(name for name in names if name is not None))


def judge(look: TrialLook, *, days_are_over: bool, triggers: Sequence[str]) -> TrialVerdict:
    """Judge all rows so far, with the labels that are in, and both fleets' counts.

    `triggers` are what asked for the version: the gate's rule for a newer model that is not worse holds for some of them.
    """
    config, experiment = look.config, look.experiment
    schema = divided_schema(counted_columns(config))
    rows = once(experiments.load_hours(clients.s3(), look.bucket, config.model, experiment.run, schema))
    fields = tuple(dict.fromkeys(f.label_field for f in config.business if f.label_field is not None))
    labels, beside = labels_of(look, rows.column(ROW_ID).combine_chunks(), fields)
    both, mine = side_rows(config, rows, labels, beside), rows.column(OF_CHALLENGER).to_numpy(zero_copy_only=False)
    challenger, champion = fleets_of(look)
    fewest, rule = timedelta(days=config.release.divided.days.minimum), config.gate.non_inferior
    progress = AbProgress(
        experiment.share,
        may_be_proved=look.now >= look.began + fewest + LATE,
        days_are_over=days_are_over,
        may_be_equal=rule is not None and rule.holds_for(triggers),
    )
    return judge_ab(AbSide(both.at(mine), challenger), AbSide(both.at(~mine), champion), config, progress)


def once(rows: pa.Table) -> pa.Table:
    """Without the ids that both answered: a client that asked again got the other model, and what came of it is nobody's alone."""
    ids, mine = rows.column(ROW_ID), rows.column(OF_CHALLENGER)
    of_both = pc.and_(
        pc.is_in(ids, value_set=ids.filter(mine).combine_chunks()),
        pc.is_in(ids, value_set=ids.filter(pc.invert(mine)).combine_chunks()),
    )
    return rows.filter(pc.invert(of_both)).combine_chunks()


def side_rows(config: ModelConfig, rows: pa.Table, labels: Floats, beside: dict[str, Floats]) -> SideRows:
    """The answers, their labels, and each business figure of each row."""
    answers, known = rows.column(ANSWER).to_numpy(), np.isfinite(labels)
    decided: Bools | None = None
    truth = None
    if config.problem == "binary_classification":
        decided = answers >= config.prediction.threshold
        truth = np.where(known, labels, -1).astype(np.int64)
    table, figures = pa.table({name: rows.column(name) for name in counted_columns(config)} | beside), {}
    for figure in config.business:
        values = figure_values(figure, table, decided, truth) if figure.depends_on_answers else None
        if values is not None:
            figures[figure.name] = np.where(known, values, np.nan) if figure.label_field else values
    return SideRows(answers, labels, figures)
