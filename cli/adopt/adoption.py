"""What adopting an endpoint would write: its YAML, its baseline, and the champion item; decided before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from cli.adopt.answers import infer_answers
from cli.adopt.captured_days import CapturedRows, Running, first_hour, read_days
from cli.adopt.running_endpoint import look_at
from cli.adopt.running_log import RunningLog, draft_from_log
from cli.drafts.draft import ModelDraft, model_name
from cli.drafts.from_endpoint import FILES_READ, draft_from_endpoint
from cli.drafts.from_rows import draft_from_rows
from cli.models import read_model
from cli.operator.deployment import Deployment
from cli.refusals import BadInputError
from cli.rows.files import open_rows
from kedge.capture.payloads import answered_rows, input_rows
from kedge.capture.typed_rows import typed_column
from kedge.columns.casting import Column, columns_of
from kedge.config.capture_place import adopted_version, is_adopted
from kedge.config.model import ModelConfig
from kedge.config.reading import parse_model_config
from kedge.config.sections import Source
from kedge.errors import UnreadableRecordError
from kedge.own_columns import LABEL
from lambdas.adapters.bucket import inference_logs, row_objects
from lambdas.adapters.state import champions
from lambdas.adapters.state.champions import Champion
from lambdas.steps.baseline_files import baseline_files

# Windows are judged back to here at most: profile_logs follows a backlog no further.
BACKLOG = timedelta(days=30)
LINES_READ = 2000


@dataclass(frozen=True)
class Wish:
    """What a person types: the endpoint, or the model whose log is watched, and where the baseline comes from."""

    endpoint: str
    model: str | None
    baseline: str | None
    label: str | None
    baseline_days: int
    yaml: Path
    source: Source = "endpoint"


@dataclass(frozen=True)
class Adoption:
    """What is to be written, and what a person should know of how it was found."""

    endpoint: Running
    config: ModelConfig
    yaml: str
    yaml_is_new: bool
    files: Mapping[str, bytes]
    champion: Champion
    before: Champion | None
    baseline_of: str
    notes: tuple[str, ...]
    next_steps: tuple[str, ...]


def plan_adoption(deployment: Deployment, wish: Wish) -> Adoption:
    """Look at the endpoint and its captures, or at the log, and decide everything; nothing is written."""
    s3, now = deployment.client("s3"), deployment.now
    endpoint: Running = (
        RunningLog(default_name(wish.endpoint, wish.model), deployment.bucket)
        if wish.source == "log"
        else look_at(deployment.client("sagemaker"), wish.endpoint, account=deployment.caller.account)
    )
    begun = first_hour(s3, endpoint)
    if begun is None:
        if isinstance(endpoint, RunningLog):
            raise BadInputError(
                f"nothing is below {endpoint.capture_uri}/yyyy/mm/dd/hh/ yet: adopt the model once some records are there"
            )
        raise BadInputError(
            f"endpoint {endpoint.name} captures to {endpoint.capture_uri}, but nothing is there yet: adopt it once it has answered "
            "some requests"
        )
    text, is_new, notes = yaml_of(deployment, endpoint, wish)
    config = parse_model_config(text, source=str(wish.yaml))
    require_its_own(config, endpoint, wish)
    version = adopted_version(now)
    end = baseline_end(begun, now, wish)
    captured = read_days(s3, endpoint, config, start=begun, end=end)
    training, holdout, baseline_of, found = baseline_rows(config, captured, wish)
    before = champions.load(deployment.client("dynamodb"), deployment.table, config.model)
    if before is not None and (not is_adopted(before.package_version) or before.package_version == version):
        raise BadInputError(_not_again(before, config))
    champion = Champion(
        package_arn=f"{endpoint.arn}/{version}",
        package_version=version,
        baseline=version,
        promoted_at=max(now - BACKLOG, begun) if wish.baseline else min(end, now),
        training_end=None,
        endpoint_config=endpoint.config,
        model_name=endpoint.model_name,
    )
    if before is not None:
        # What the model before answered is not judged by the new baseline.
        champion = replace(champion, promoted_at=now.replace(minute=0, second=0, microsecond=0))
    return Adoption(
        endpoint,
        config,
        text,
        is_new,
        baseline_files(config, version, typed(training, config), typed(holdout, config), {}),
        champion,
        before,
        baseline_of,
        (*notes, *found),
        next_steps(endpoint, config, wish, own_bucket=deployment.bucket),
    )


def yaml_of(deployment: Deployment, endpoint: Running, wish: Wish) -> tuple[str, bool, tuple[str, ...]]:
    """The model's YAML: the one that is there is taken as it is, else one is drafted from what was captured."""
    if wish.yaml.exists():
        read_model(wish.yaml)
        return wish.yaml.read_text(encoding="utf-8"), False, (f"{wish.yaml} is there, and is taken as it is",)
    if isinstance(endpoint, RunningLog):
        draft, answers = draft_from_log(deployment.client("s3"), endpoint)
        draft = replace(draft, source="log")
    else:
        draft = draft_from_endpoint(deployment, endpoint.name, name=wish.model)
        answers = captured_answers(deployment, endpoint)
        draft = replace(
            draft, capture={"uri": endpoint.capture_uri, "sampling_percentage": endpoint.sampling_percentage}
        )
    if wish.baseline is not None:
        draft = named_by_rows(draft, wish)
    inferred = infer_answers(answers)
    notes = [*draft.notes]
    prediction: dict[str, Any] = {}
    if inferred is not None:
        draft = replace(draft, problem=inferred.problem, classes=inferred.classes)
        prediction = {} if inferred.field == 0 else {"field": inferred.field}
        notes += inferred.notes
    else:
        notes.append("the captured answers do not show what is predicted: write problem, prediction and labels.classes")
    draft = replace(
        draft,
        mode="watch",
        prediction=prediction,
        notes=tuple(notes),
    )
    return draft.to_yaml(source=str(wish.yaml)), True, tuple(notes)


def named_by_rows(draft: ModelDraft, wish: Wish) -> ModelDraft:
    """The draft with the training rows' names, kinds and types, where they have a column for each value of a request."""
    rows = open_rows(str(wish.baseline))
    apart = {name for name in ("prediction",) if name in rows.schema.names}
    read = draft_from_rows(str(wish.baseline), label=wish.label, apart=apart, endpoint=wish.endpoint, name=draft.name)
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


def captured_answers(deployment: Deployment, endpoint: Running) -> list[Any]:
    """Answers of the newest capture files, whatever their layout."""
    s3, place = deployment.client("s3"), endpoint.captures
    answers: list[Any] = []
    with inference_logs.readable(place):
        keys = sorted(row_objects.list_sizes(s3, place.bucket, endpoint.variant_prefix), reverse=True)[:FILES_READ]
        for block in inference_logs.open_blocks(s3, place.bucket, keys, row_objects.READ_AHEAD_BYTES):
            for line in (line for piece in block.pieces for line in piece.content.split(b"\n") if line.strip()):
                try:
                    found, rows = answered_rows(line), len(input_rows(line))
                except UnreadableRecordError:
                    continue
                # Some containers write all rows' answers on one line.
                on_a_line = len(found) == 1 and isinstance(found[0], list) and len(found[0]) == rows > 1
                answers += found[0] if on_a_line else found
                if len(answers) >= LINES_READ:
                    return answers
    return answers


def require_its_own(config: ModelConfig, endpoint: Running, wish: Wish) -> None:
    """Refuse a YAML that speaks of another endpoint, or of captures elsewhere, or of no log."""
    if isinstance(endpoint, RunningLog):
        if (config.model, config.source) != (endpoint.name, "log"):
            raise BadInputError(
                f"{wish.yaml} does not describe the log of {endpoint.name}: model is {config.model}, source is {config.source}"
            )
        return
    if config.source != "endpoint":
        raise BadInputError(
            f"{wish.yaml} says source: {config.source}: kedge adopt {config.model} --source {config.source}"
        )
    said = {
        "endpoint.name": (config.endpoint.name, endpoint.name),
        "endpoint.variant": (config.endpoint.variant, endpoint.variant),
        "capture.uri": ((config.capture.uri or "").rstrip("/"), endpoint.capture_uri),
        "capture.sampling_percentage": (config.capture.sampling_percentage, endpoint.sampling_percentage),
        "mode": (config.mode, "watch"),
    }
    wrong = [
        f"{name} is {found or 'absent'}, not {wanted}" for name, (found, wanted) in said.items() if found != wanted
    ]
    if wrong:
        raise BadInputError(f"{wish.yaml} does not describe endpoint {endpoint.name} as it is: {'; '.join(wrong)}")


def baseline_end(begun: datetime, now: datetime, wish: Wish) -> datetime:
    """Where the first captured days end: not after the last full hour."""
    return min(begun + timedelta(days=wish.baseline_days), now.replace(minute=0, second=0, microsecond=0))


def baseline_rows(
    config: ModelConfig, captured: CapturedRows, wish: Wish
) -> tuple[pa.Table, pa.Table, str, tuple[str, ...]]:
    """The training rows, rows with answers, where both are from, and what was lost or is missing."""
    answered = captured.rows
    notes = []
    if captured.unread:
        notes.append(f"{captured.unread:,} captured records could not be read: {captured.reason}")
    if captured.is_sample:
        notes.append("of the captures an even sample was read")
    days = f"{captured.start:%Y-%m-%d %H:%M} to {captured.end:%Y-%m-%d %H:%M} UTC"
    if wish.baseline is None:
        of = f"{answered.num_rows:,} rows captured from {days}"
        notes.append("the baseline is what was captured first: drift from the training data before that is not seen")
        notes.append(_NO_REFERENCE)
        return answered, answered, of, tuple(notes)
    rows, label = training_rows(config, wish)
    of = f"{rows.num_rows:,} rows of {wish.baseline}"
    if config.prediction.name not in rows.column_names:
        notes.append(f"the rows hold no answers ({config.prediction.name}): those captured from {days} stand for them")
        notes.append(_NO_REFERENCE)
        return rows, answered, of, tuple(notes)
    holdout = rows.filter(rows.column(config.prediction.name).is_valid())
    if label is None:
        notes.append(_NO_REFERENCE)
    return rows, holdout, of, tuple(notes)


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


def next_steps(endpoint: Running, config: ModelConfig, wish: Wish, *, own_bucket: str) -> tuple[str, ...]:
    """What remains to be done by a person before the first window is judged."""
    bucket = endpoint.captures.bucket
    steps = []
    if bucket != own_bucket:
        steps.append(f'let Kedge read the captures: add "{bucket}" to capture_buckets in the context of cdk.json')
    if endpoint.capture_key is not None:
        steps.append(
            f"the captures are encrypted with {endpoint.capture_key}: add the key's ARN to capture_keys there, and let the key's "
            "policy allow this account"
        )
    steps.append(f"deploy the YAML ({wish.yaml}): make deploy")
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


def default_name(endpoint: str, model: str | None) -> str:
    """The model's name where none is given: the endpoint's."""
    return model_name(model or endpoint)
