"""What an adoption would write: its YAML, its baseline, and the champion item; decided before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any

import pyarrow as pa

from cli.adopt.answers import answer_attribute, infer_answers
from cli.adopt.captured_days import first_hour
from cli.adopt.monitor_files import MonitorFiles, named_by_statistics, read_monitor_files, rebuild
from cli.adopt.monitor_schedule import MonitorSchedule
from cli.adopt.running import CapturedRows, Running
from cli.adopt.running_endpoint import look_at
from cli.adopt.running_log import look_at_log
from cli.adopt.transform_jobs import look_at_job
from cli.drafts.draft import ModelDraft, model_name
from cli.drafts.from_rows import draft_from_rows
from cli.models import read_model
from cli.operator.deployment import Deployment
from cli.refusals import BadInputError
from cli.rows.files import open_rows
from kedge.arrays import Floats
from kedge.capture.source import SOURCES
from kedge.capture.typed_rows import typed_column
from kedge.columns.casting import Column, columns_of
from kedge.columns.row_batches import RowBatches
from kedge.comparisons import counted
from kedge.config.capture_place import adopted_version, is_adopted
from kedge.config.model import ModelConfig
from kedge.config.reading import parse_model_config
from kedge.config.sections import Source
from kedge.drift.unjudged import unjudged_side
from kedge.own_columns import LABEL, TIME
from lambdas.adapters.state import champions
from lambdas.adapters.state.champions import Champion
from lambdas.steps.baseline_files import baseline_files

# Windows are judged back to here at most: profile_logs follows a backlog no further.
BACKLOG = timedelta(days=30)


@dataclass(frozen=True)
class Wish:
    """What a person types: what is watched (an endpoint, one of the transform jobs, or the model of a log), and the baseline."""

    source: Source
    name: str
    model: str
    baseline: str | None
    label: str | None
    baseline_days: int
    yaml: Path
    monitor_files: tuple[str, ...] = ()
    schedule: MonitorSchedule | None = None
    to_bucket: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def described(self) -> Mapping[str, Any]:
        """The fields of the YAML's `endpoint` that are known before anything is inferred; what is typed wins over a schedule."""
        return {**(self.schedule.described if self.schedule else {}), **self.attributes}

    @property
    def has_rows(self) -> bool:
        """Whether the baseline is something else than what was captured first."""
        return self.baseline is not None or bool(self.monitor_files)


@dataclass(frozen=True)
class Adoption:
    """What is to be written, and what a person should know of how it was found."""

    running: Running
    config: ModelConfig
    yaml: str
    yaml_is_new: bool
    files: Mapping[str, bytes]
    champion: Champion
    before: Champion | None
    baseline_of: str
    notes: tuple[str, ...]
    next_steps: tuple[str, ...]
    to_bucket: bool = False


def plan_adoption(deployment: Deployment, wish: Wish) -> Adoption:
    """Look at what answers and at its records, and decide everything; nothing is written."""
    now = deployment.now
    running, begun = answering(deployment, wish)
    files = read_monitor_files(deployment.client("s3"), wish.monitor_files) if wish.monitor_files else None
    text, is_new, notes = yaml_of(deployment, running, wish, files)
    config = parse_model_config(text, source=str(wish.yaml))
    require_its_own(config, running, wish)
    if files is not None and not config.capture.has_requests:
        raise BadInputError(
            f"only the answers of {running.name} are captured, and {files.place} is taken for the features: leave --baseline-from away "
            "(with a schedule, name --baseline), and the first captured days are the baseline"
        )
    version, end = adopted_version(now), baseline_end(begun, now, wish)
    try:
        captured = running.read(deployment, config, begun, end)
    except BadInputError as error:
        if not is_new:
            raise
        # Nothing lies at wish.yaml yet: what there is to correct must be seen.
        raise BadInputError(
            f"{error}. Say where features and answers stand with --features-attribute, --inference-attribute or "
            "--probability-attribute (a JMESPath from the top of the payload, such as predictions[*].result.scores, or a place in a "
            "line of CSV); or save this draft as "
            f"{wish.yaml} and correct it:\n\n{text}"
        ) from error
    require_context(config, captured)
    training, holdout, baseline_of, found = baseline_rows(config, captured, wish)
    edges: Mapping[str, Floats] = {}
    if files is not None:
        rebuilt = rebuild(config, files, label=wish.label)
        training, edges = rebuilt.rows, rebuilt.edges
        beside = (answers_stand_in(config, captured), _NO_REFERENCE) if config.capture.has_answers else ()
        found = (*unjudged_side(config), *rebuilt.notes, *beside)
        baseline_of = f"{counted(files.statistics.rows, 'row')} as {files.place} counts them"
    before = champion_before(deployment, config, version)
    judged_from = max(now - BACKLOG, begun) if wish.has_rows else min(end, now)
    if before is not None:
        # What the model before answered is not judged by the new baseline.
        judged_from = now.replace(minute=0, second=0, microsecond=0)
    return Adoption(
        running,
        config,
        text,
        is_new,
        baseline_files(config, version, oldest_first(training, config), typed(holdout, config), {}, edges=edges),
        champion_of(running, version, judged_from),
        before,
        baseline_of,
        (*notes, *found),
        next_steps(running, config, wish, own_bucket=deployment.bucket),
        wish.to_bucket,
    )


def answering(deployment: Deployment, wish: Wish) -> tuple[Running, datetime]:
    """What answers, and the first hour with records; if there is none, an error says so."""
    running: Running
    if wish.source == "endpoint":
        running = look_at(deployment.client("sagemaker"), wish.name, account=deployment.caller.account)
    elif wish.source == "batch_transform":
        running = look_at_job(deployment.client("sagemaker"), wish.name)
        if wish.schedule is not None and running.capture_uri != wish.schedule.watched:
            raise BadInputError(
                f"{', '.join(wish.schedule.names)} watches {wish.schedule.said}, and {wish.name} captures to {running.capture_uri}"
            )
    else:
        running = look_at_log(wish.model, wish.yaml, deployment.bucket)
    begun = first_hour(deployment.client("s3"), running)
    if begun is None:
        raise BadInputError(
            f"the records of {running.name} belong below {running.capture_uri}, but nothing is there yet: adopt it once it has "
            "answered some rows"
        )
    return running, begun


def champion_before(deployment: Deployment, config: ModelConfig, version: str) -> Champion | None:
    """The champion that the adoption replaces: an earlier adoption; a package that Kedge released is refused."""
    before = champions.load(deployment.client("dynamodb"), deployment.table, config.model)
    if before is not None and (not is_adopted(before.package_version) or before.package_version == version):
        raise BadInputError(_not_again(before, config))
    return before


def champion_of(running: Running, version: str, judged_from: datetime) -> Champion:
    """The model that answers as a champion, with a baseline of its own."""
    return Champion(
        package_arn=f"{running.arn}/{version}",
        package_version=version,
        baseline=version,
        promoted_at=judged_from,
        training_end=None,
        endpoint_config=running.config,
        model_name=running.model_name,
    )


def yaml_of(
    deployment: Deployment, running: Running, wish: Wish, files: MonitorFiles | None = None
) -> tuple[str, bool, tuple[str, ...]]:
    """The model's YAML: the one that is there is taken as it is, else one is drafted from what was captured."""
    if wish.yaml.exists():
        read_model(wish.yaml)
        return wish.yaml.read_text(encoding="utf-8"), False, (f"{wish.yaml} is there, and is taken as it is",)
    draft, answers = running.draft(deployment, wish.model, wish.described)
    if wish.baseline is not None and draft.features:
        draft = named_by_rows(draft, wish)
    if files is not None and draft.features:
        draft = named_by_statistics(draft, files, label=wish.label)
    has_answers = draft.capture.get("mode") != "Input"
    inferred = infer_answers(answers) if has_answers else None
    notes = [*draft.notes]
    prediction: dict[str, Any] = {}
    if inferred is not None:
        draft = replace(draft, problem=inferred.problem, classes=inferred.classes)
        # An attribute says where the answer stands.
        is_said = inferred.field == 0 or answer_attribute(wish.described) is not None
        prediction = {} if is_said else {"field": inferred.field}
        notes += inferred.notes
    elif has_answers:
        notes.append("the captured answers do not show what is predicted: write problem, prediction and labels.classes")
    draft = replace(
        draft,
        mode="watch",
        prediction=prediction,
        notes=tuple(notes),
        source=running.source,
    )
    if wish.schedule is not None:
        draft = wish.schedule.onto(draft)
    return draft.to_yaml(source=str(wish.yaml)), True, draft.notes


def named_by_rows(draft: ModelDraft, wish: Wish) -> ModelDraft:
    """The draft with the training rows' names, kinds and types, where they have a column for each value of a request."""
    rows = open_rows(str(wish.baseline))
    apart = {name for name in ("prediction",) if name in rows.schema.names}
    read = draft_from_rows(str(wish.baseline), label=wish.label, apart=apart, endpoint=None, name=draft.name)
    by_place = all(feature.name == f"feature_{place}" for place, feature in enumerate(draft.features))
    names = [feature.name for feature in read.features]
    if by_place and len(names) != len(draft.features):
        raise BadInputError(
            f"a request has {len(draft.features)} values, and {wish.baseline} has {len(names)} columns that can be features "
            f"({', '.join(names)}); name the truth with --label, and take out the columns that the model does not get"
        )
    if not by_place:
        of_rows = {feature.name: feature for feature in read.features}
        absent = [feature.name for feature in draft.features if feature.name not in of_rows]
        if absent:
            raise BadInputError(f"{wish.baseline} has no column {', '.join(absent)}, which the requests have")
        return replace(draft, features=tuple(of_rows[feature.name] for feature in draft.features))
    order = "the payload has no names: the training rows' columns are taken in their order"
    kept = tuple(note for note in draft.notes if not note.startswith("the payload has no names"))
    return replace(draft, features=read.features, notes=(*kept, order, *read.notes))


def require_context(config: ModelConfig, captured: CapturedRows) -> None:
    """Refuse a context that no transform job can give: endpoints and logs may send it later, a job's input has its columns."""
    rows = captured.rows
    wanted = [name for name in config.context if name not in config.labels.fields]
    absent = [name for name in wanted if rows.column(name).null_count == rows.num_rows]
    if absent and config.source == "batch_transform":
        raise BadInputError(
            f"context has {', '.join(absent)}, which no input row of the transform jobs has: a context is found by its name, in input of "
            "JSON objects or of CSV with a header line, and InputFilter keeps it from the model. Add it to the input, name it in labels.fields "
            "where label records have it, or take it out of context"
        )


def require_its_own(config: ModelConfig, running: Running, wish: Wish) -> None:
    """Refuse a YAML that speaks of something else than what is adopted, or of captures elsewhere."""
    wanted = {"source": running.source, **running.fields, "mode": "watch"}
    found = {name: attrgetter(name)(config) for name in wanted}
    if "capture.uri" in wanted:
        found["capture.uri"] = (config.capture.uri or "").rstrip("/")
    wrong = [
        f"{name} is {_said(found[name])}, not {_said(value)}" for name, value in wanted.items() if found[name] != value
    ]
    if wrong:
        raise BadInputError(f"{wish.yaml} does not describe {running.name} as it is: {'; '.join(wrong)}")


def _said(value: Any) -> str:
    return (", ".join(value) if isinstance(value, tuple) else str(value)) or "absent"


def baseline_end(begun: datetime, now: datetime, wish: Wish) -> datetime:
    """Where the first captured days end: not after the last full hour, for an hour's files come late; a job's are all there."""
    last = now if SOURCES[wish.source].by_manifest else now.replace(minute=0, second=0, microsecond=0)
    return min(begun + timedelta(days=wish.baseline_days), last)


def baseline_rows(
    config: ModelConfig, captured: CapturedRows, wish: Wish
) -> tuple[pa.Table, pa.Table, str, tuple[str, ...]]:
    """The training rows, rows with answers, where both are from, and what was lost or is missing."""
    answered = captured.rows
    notes = [*unjudged_side(config)]
    if captured.unread:
        notes.append(f"{captured.unread:,} captured records could not be read: {captured.reason}")
    if captured.is_sample:
        notes.append("of the captures an even sample was read")
    days = f"{captured.start:%Y-%m-%d %H:%M} to {captured.end:%Y-%m-%d %H:%M} UTC"
    if wish.baseline is None:
        of = f"{counted(answered.num_rows, 'row')} captured from {days}"
        notes.append("the baseline is what was captured first: drift from the training data before that is not seen")
        notes += [_NO_REFERENCE] if config.capture.has_answers else []
        return answered, answered, of, tuple(notes)
    rows, label = training_rows(config, wish)
    of = f"{counted(rows.num_rows, 'row')} of {wish.baseline}"
    if not config.capture.has_answers:
        return rows, answered, of, tuple(notes)
    if config.prediction.name not in rows.column_names:
        if not config.capture.has_requests:
            raise BadInputError(
                f"{wish.baseline} has no column {config.prediction.name}, and only the answers are captured: name rows with the model's "
                "answers, or leave --baseline away"
            )
        return rows, answered, of, (*notes, answers_stand_in(config, captured), _NO_REFERENCE)
    holdout = rows.filter(rows.column(config.prediction.name).is_valid())
    if label is None:
        notes.append(_NO_REFERENCE)
    return rows, holdout, of, tuple(notes)


def answers_stand_in(config: ModelConfig, captured: CapturedRows) -> str:
    """What is said where the baseline has no answers of its own."""
    return (
        f"the rows hold no answers ({config.prediction.name}): those captured from {captured.start:%Y-%m-%d %H:%M} to "
        f"{captured.end:%Y-%m-%d %H:%M} UTC stand for them"
    )


_NO_REFERENCE = (
    "without labelled rows and the model's answers to them (--baseline with a column `prediction` and --label), drift is judged "
    "and measured quality is not"
)


def typed(rows: pa.Table, config: ModelConfig) -> pa.Table:
    """The rows with the model's columns in the types that its YAML declares, as the predictions table has them."""
    answers = [Column(name, "prediction", "numeric", "float64") for name in config.prediction.probabilities]
    for column in (*columns_of(config), *answers):
        if column.name in rows.column_names:
            place = rows.column_names.index(column.name)
            rows = rows.set_column(place, column.name, typed_column(rows.column(place), column))
    return rows


def oldest_first(rows: pa.Table, config: ModelConfig) -> RowBatches:
    """The training rows, typed; what says nothing of its time stands in its order."""
    rows = typed(rows, config)
    return RowBatches.of(rows.sort_by(TIME) if TIME in rows.column_names else rows)


def training_rows(config: ModelConfig, wish: Wish) -> tuple[pa.Table, str | None]:
    """The features, and what there is of answers and labels, of the file that a person named."""
    rows = open_rows(str(wish.baseline))
    names = rows.schema.names
    absent = [name for name in config.feature_names if name not in names]
    if absent:
        raise BadInputError(f"{wish.baseline} has no column {', '.join(absent)}; the columns are: {', '.join(names)}")
    label = wish.label or (LABEL if LABEL in names else None)
    if label is not None and label not in names:
        raise BadInputError(f"{wish.baseline} has no column {label}; the columns are: {', '.join(names)}")
    answers = [name for name in config.answer_columns if name in names]
    answers = answers if len(answers) == len(config.answer_columns) else []
    context = [name for name in config.context if name in names and name != label]
    table = rows.read([*config.feature_names, *answers, *context, *([label] if label else [])])
    return table.rename_columns([LABEL if name == label else name for name in table.column_names]), label


def next_steps(running: Running, config: ModelConfig, wish: Wish, *, own_bucket: str) -> tuple[str, ...]:
    """What remains to be done by a person before the first window is judged."""
    buckets = [b for b in dict.fromkeys((running.captures.bucket, *running.other_buckets)) if b != own_bucket]
    steps = []
    if buckets:
        named = ", ".join(f'"{bucket}"' for bucket in buckets)
        steps.append(
            f"let Kedge read the captures: add {named} to capture_buckets in the context of cdk.json and deploy"
        )
    if running.capture_key is not None:
        steps.append(
            f"the captures are encrypted with {running.capture_key}: add the key's ARN to capture_keys there, and let the key's "
            "policy allow this account"
        )
    if wish.schedule is not None and wish.schedule.ground_truth is not None:
        truth = wish.schedule.ground_truth.rstrip("/")
        steps.append(
            f"send the labels to Kedge too, in the same format: aws s3 sync {truth} s3://{own_bucket}/labels/{config.model}, then "
            "whenever new ones are there"
        )
    if not wish.to_bucket:
        steps.append(
            f"deploy the YAML ({wish.yaml}): make deploy; or without a deployment: kedge models put {wish.yaml}"
        )
    judged = {"hourly": "at 40 past each hour", "daily": "at 02:00 UTC", "weekly": "on Mondays at 02:00 UTC"}
    steps.append(f"windows are judged {judged[config.cadence.judge]}; kedge history {config.model} tells of the first")
    return tuple(steps)


def _not_again(before: Champion, config: ModelConfig) -> str:
    if is_adopted(before.package_version):
        return f"{config.model} was adopted in this very minute ({before.package_version})"
    return (
        f"version {before.package_version} of {config.model} is a package that Kedge released: there is nothing to adopt; name "
        "another model with --model"
    )


def default_name(name: str, model: str | None) -> str:
    """The model's name where none is given: that of what answers."""
    return model_name(model or name)
