"""The rows that a retraining may use: read by this function, or selected by Athena where they are too many for its memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from kedge.config.model import ModelConfig
from kedge.errors import LabelsUnfoldedError
from kedge.labels.horizon import LabelHorizon
from kedge.retraining.labelled_history import LabelledHistory, RowsOfSchema, labelled_history
from kedge.retraining.snapshot import Origin
from lambdas.adapters import athena_joins, clients, metrics
from lambdas.adapters.bucket import layout
from lambdas.adapters.bucket.answered_rows import load_answered_rows
from lambdas.adapters.state import windows
from lambdas.adapters.training import training_data
from lambdas.logs import logger
from lambdas.steps.fold_labels import fold_labels
from lambdas.steps.point_in_time import Athena, point_in_time
from lambdas.steps.retraining_run import RetrainingRun
from lambdas.steps.training_rows.athena_history import SelectedRows, select_on_athena

# What the rows need of the function's time: labels are folded as long as more of it is left.
ROWS_SECONDS = 480
UNKNOWN = (
    "no judged window has shown it yet, and these rows are too many to learn it here; set labels.label_horizon_days"
)


@dataclass(frozen=True)
class Workplace:
    """Where rows are gathered: the state table, Athena, and the name of this attempt alone."""

    state_table: str
    athena: Athena
    attempt: str


def gather(run: RetrainingRun, place: Workplace, learnt_until: datetime | None) -> tuple[LabelledHistory, Origin]:
    """Everything that was answered and labelled lately, the user's first rows, and where all of it came from.

    `learnt_until` is the newest row that champion or challenger has learnt from.

    Raises
    ------
    LabelsUnfoldedError
        More labels have come than fit into the time; the next attempt goes on behind those that are folded.
    """
    s3, config = clients.s3(), run.config
    learnt = windows.load_horizon(clients.dynamodb(), place.state_table, run.model)
    chosen = config.labels.label_horizon_days
    fold = fold_labels(
        run.bucket,
        config,
        now=run.time,
        horizon_days=learnt if chosen is None else chosen,
        has_time=lambda: place.athena.remaining_seconds() > ROWS_SECONDS,
    )
    if fold.files or fold.unknown:
        metrics.put(clients.cloudwatch(), model=run.model, values=fold.gauges(), time=run.time)
    if not fold.is_whole:
        raise LabelsUnfoldedError(model=run.model, files=fold.files, days=fold.days_opened)
    initial = training_data.load_initial_rows(s3, run.bucket, config, may_lack=run.champion is not None)
    history, parts, notes = _history(run, place, initial, learnt, learnt_until)
    if config.capture.counted_percentage < 100:
        notes.append(
            f"of what was answered {config.capture.counted_percentage} % is counted and kept, and no other row can be learnt from "
            "(capture.counted_percentage)"
        )
    sources = (*parts, *([layout.initial_key(run.model)] if initial is not None else []))
    if config.training.feature_group is not None:
        sources = (*sources, f"feature group {config.training.feature_group}")
    return history, Origin(history.usable, history.horizon.days, sources, tuple(notes))


def _history(
    run: RetrainingRun,
    place: Workplace,
    initial: RowsOfSchema | None,
    learnt: float | None,
    learnt_until: datetime | None,
) -> tuple[LabelledHistory, tuple[str, ...], list[str]]:
    """The history, the parts that it was read from, and what is to be told of it."""
    s3, config, since = clients.s3(), run.config, run.config.training.reaches_to(run.time)
    size = athena_joins.window_bytes(s3, run.bucket, model=run.model, start=since, end=run.time)
    if size >= config.labels.athena_from_bytes:
        known = learnt if config.labels.label_horizon_days is None else config.labels.label_horizon_days
        if known is None:
            nothing, notes = _combined(run, place, (), None, config, None)
            return replace(nothing, horizon=LabelHorizon(None, UNKNOWN)), (), notes
        # What these rows are thinned to would teach another one.
        fixed = config.model_copy(update={"labels": config.labels.model_copy(update={"label_horizon_days": known})})
        own, _ = _combined(run, replace(place, attempt=f"{place.attempt}-own"), (), initial, fixed, None)
        found = select_on_athena(run, own, learnt_until, athena=place.athena, attempt=place.attempt)
        if found is not None:
            logger.info("selected on Athena", model=run.model, run=run.run, bytes=size, objects_read=len(found.parts))
            initial = RowsOfSchema(found.before(initial.rows), initial.answered) if initial else None
            history, notes = _combined(run, place, found.rows, initial, fixed, None)
            return _of_all(history, found), found.parts, notes
    answered = load_answered_rows(s3, run.bucket, config, since=since, until=run.time)
    history, notes = _combined(run, place, answered.rows, initial, config, learnt)
    return history, answered.parts, notes


def _combined(
    run: RetrainingRun,
    place: Workplace,
    answered: tuple[RowsOfSchema, ...],
    initial: RowsOfSchema | None,
    config: ModelConfig,
    learnt: float | None,
) -> tuple[LabelledHistory, list[str]]:
    rows, notes = list(answered), list[str]()
    if config.training.feature_group is not None:
        rows, notes = point_in_time(
            [*rows, *([initial] if initial else [])], config, bucket=run.bucket, run=place.attempt, athena=place.athena
        )
        initial = rows.pop() if initial else None
    history = labelled_history(
        rows, initial, config, now=run.time, known_horizon_days=learnt, champion=run.champions_schema
    )
    return history, notes


def _of_all(history: LabelledHistory, found: SelectedRows) -> LabelledHistory:
    """What is told of all rows, not of those that were fetched."""
    return replace(
        history,
        too_old=history.too_old + found.too_old,
        labelled_fraction=found.labelled_fraction,
        population=found.population,
    )
