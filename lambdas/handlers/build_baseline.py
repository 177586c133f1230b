"""Build what a challenger is monitored against, and the request that registers it with its evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pydantic import AwareDatetime, BaseModel, Json

from kedge.config.metrics import ONE_VALUE
from kedge.config.model import ModelConfig
from kedge.config.prices import cost_sentence
from kedge.drift.importance import parse_importance
from kedge.errors import UnreadableImportanceError
from kedge.instants import to_text
from kedge.own_columns import ROW_ID
from kedge.retraining.lineage import Lineage, model_card
from kedge.retraining.permutation import permutation_importance
from lambdas.adapters import clients
from lambdas.adapters.bucket import layout
from lambdas.adapters.bucket.baselines import decode_reference
from lambdas.adapters.models import load_model
from lambdas.adapters.release import approval_requests, model_registry, staged_baselines
from lambdas.adapters.release.model_registry import Registration, StagedFile
from lambdas.adapters.training import (
    run_leftovers,
    training_data,
    training_facts,
    training_jobs,
    training_outputs,
    transform_outputs,
)
from lambdas.adapters.training.transform_outputs import Answered
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.baseline_files import baseline_files
from report.approval_figures import figure_lines


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    training_images: Json[dict[str, str]]
    source_commit: str = ""


class Snapshot(BaseModel, frozen=True):
    """The answer of snapshot_data: the rows."""

    training_end: AwareDatetime
    train_rows: int
    holdout_rows: int
    notes: tuple[str, ...] = ()
    holdout_start: str | None = None
    holdout_end: str | None = None


class Gate(BaseModel, frozen=True):
    """The answer of compare_models: the challenger's verdict."""

    reasons: tuple[str, ...] = ()
    rows: tuple[dict[str, Any], ...] = ()


class Artefact(BaseModel, frozen=True):
    """The answer of pin_artefact: where the model is kept, and its digest."""

    uri: str
    sha256: str


class Request(BaseModel, frozen=True):
    """A challenger that has passed the gate."""

    model: str
    run: str
    time: AwareDatetime
    snapshot: Snapshot
    gate: Gate
    artefact: Artefact
    trained_uri: str
    trigger: Any = None
    champion: dict[str, Any] = {}


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Freeze the baseline, stage it, and write the registration request."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    s3, bucket, model, run = clients.s3(), settings.data_bucket, request.model, request.run
    config = training_data.load_run_config(s3, bucket, load_model(model), run)
    training = training_data.load_table(s3, bucket, layout.retraining_key(model, run, layout.TRAINING_ROWS))
    holdout, permuted = scored_holdout(s3, bucket, request, config)
    importance = known_importance(s3, request.trained_uri, holdout, permuted, config)
    # Its name is the run's until the registry has given the version that it will be named after.
    files = baseline_files(config, run, training, holdout, importance)
    prefix = layout.retraining_key(model, run, layout.STAGED)
    staged = {name: stage(s3, bucket, f"{prefix}/{name}", body) for name, body in files.items()}
    manifest = training_data.load_json(s3, bucket, layout.retraining_key(model, run, layout.MANIFEST))
    lineage = lineage_of(request, config, manifest["digest"], settings)
    training_data.save_file(
        s3, bucket, layout.retraining_key(model, run, layout.LINEAGE), lineage.encode(), "application/json"
    )
    said, measured = description(request), holdout_metrics(files)
    registration = Registration(
        run=run,
        image=lineage.serving_image,
        artefact_uri=request.artefact.uri,
        environment=training_jobs.serving_environment(config),
        description=said,
        properties=properties(request, prefix, manifest["digest"], files) | lineage.properties(),
        card=model_card(
            lineage, description=said, metrics=measured, gate=request.gate.reasons, caveats=request.snapshot.notes
        ),
        statistics=staged[layout.STATISTICS],
        constraints=staged[layout.CONSTRAINTS],
        quality=staged[layout.QUALITY],
        quality_limits=staged[layout.QUALITY_CONSTRAINTS],
    )
    approval_requests.save(s3, bucket, model, run, approval_request(request, lineage.cost))
    logger.info("baseline built", model=model, run=run, files=len(files))
    asked = model_registry.registration_request(config, registration)
    return {"package": asked, "staged_prefix": prefix, "cost": lineage.cost}


def scored_holdout(s3: Any, bucket: str, request: Request, config: ModelConfig) -> tuple[pa.Table, list[Answered]]:
    """The holdout with the challenger's answers, and its answers to the same rows with a feature shuffled."""
    truth = training_data.load_table(s3, bucket, layout.retraining_key(request.model, request.run, layout.TRUTH))
    scored, row_ids = layout.scored_prefix(request.model, request.run, "challenger"), truth.column(ROW_ID).to_pylist()
    answers, permuted = (
        transform_outputs.load_answers(s3, bucket, scored, config, rows=len(row_ids), permuted=shuffled)
        for shuffled in (False, True)
    )
    aligned = transform_outputs.align_answers(answers, row_ids, scored_by="challenger")
    return with_answers(truth, aligned, config), permuted


def with_answers(truth: pa.Table, aligned: Sequence[Answered], config: ModelConfig) -> pa.Table:
    """The holdout with what the challenger answered, its classes' probabilities among it."""
    holdout = truth.append_column(config.prediction.name, pa.array([answer.value for answer in aligned]))
    for place, name in enumerate(config.prediction.probabilities):
        holdout = holdout.append_column(name, pa.array([answer.probabilities[place] for answer in aligned]))
    return holdout


def known_importance(
    s3: Any, trained_uri: str, holdout: pa.Table, permuted: Sequence[Answered], config: ModelConfig
) -> dict[str, float]:
    """What the training job says that its features weigh; where it says nothing that can be read, what shuffling them costs."""
    # It ranks alerts and decides nothing: no reason to lose a challenger that has passed its gate.
    try:
        content = training_outputs.load_importance(s3, trained_uri)
        if content is not None:
            return parse_importance(content, config.feature_names)
    except UnreadableImportanceError as error:
        logger.warning("the job's importance left out", model=config.model, reason=str(error))
    try:
        return permutation_importance(holdout, {answer.row_id: answer.value for answer in permuted}, config)
    except UnreadableImportanceError as error:
        logger.warning("importance left out", model=config.model, reason=str(error))
        return {}


def stage(s3: Any, bucket: str, key: str, content: bytes) -> StagedFile:
    """Write one file, and say where it is and what it holds."""
    kind = "application/json" if key.endswith(".json") else "application/octet-stream"
    training_data.save_file(s3, bucket, key, content, kind)
    return StagedFile(f"s3://{bucket}/{key}", hashlib.sha256(content).hexdigest())


def approval_request(request: Request, cost: str) -> dict[str, Any]:
    """What the machine tells the approver with the package's ARN; kept, so that it can be told where the machine cannot."""
    return {
        "run": request.run,
        "reasons": list(request.gate.reasons),
        "rows": list(request.gate.rows),
        "snapshot": request.snapshot.model_dump(mode="json", exclude_none=True),
        "champion": request.champion,
        "trigger": request.trigger,
        "cost": cost,
    }


def description(request: Request) -> str:
    """What an approver reads first."""
    rows = f"trained on {request.snapshot.train_rows:,} rows until {request.snapshot.training_end:%Y-%m-%d}"
    trigger = request.trigger if isinstance(request.trigger, dict) else {}
    snapshot = request.snapshot.model_dump(exclude_none=True)
    figures = figure_lines(request.gate.rows, champion=request.champion, snapshot=snapshot, live=trigger.get("live"))
    said = [f"{request.model} {rows}", *figures, *request.snapshot.notes, *request.gate.reasons]
    return " ".join(f"{sentence}." for sentence in said)


def lineage_of(request: Request, config: ModelConfig, digest: str, settings: Settings) -> Lineage:
    """Where the challenger is from; SageMaker describes the jobs of the run."""
    sagemaker, bucket = clients.sagemaker(), settings.data_bucket
    # <bucket>/trained/<model>/<run>/<job>/output/model.tar.gz
    *_, job, _, _ = request.trained_uri.split("/")
    trained_by = training_facts.load(sagemaker, job)
    seconds = run_leftovers.instance_seconds(sagemaker, request.run)
    return Lineage(
        run=request.run,
        trained_by=trained_by,
        data_manifest=f"s3://{bucket}/{layout.retraining_key(request.model, request.run, layout.MANIFEST)}",
        data_digest=digest,
        artefact_uri=request.artefact.uri,
        artefact_sha256=request.artefact.sha256,
        serving_image=training_jobs.serving_image_of(config, training_jobs.image_of(config, settings.training_images)),
        source_commit=settings.source_commit,
        scoring_job_arns=run_leftovers.scoring_job_arns(sagemaker, request.run),
        trigger=request.trigger if isinstance(request.trigger, dict) else {"kind": str(request.trigger or "")},
        champion=str(request.champion.get("package_version") or "none"),
        cost=cost_sentence(seconds, usd_an_hour=config.retraining.usd_per_instance_hour),
    )


def properties(request: Request, prefix: str, digest: str, files: Mapping[str, bytes]) -> dict[str, str]:
    """The package's lineage and its reason, as the registry keeps them."""
    trigger = request.trigger if isinstance(request.trigger, dict) else {"kind": str(request.trigger or "")}
    reasons = trigger.get("reasons") or [trigger.get("reason", "")]
    return {
        model_registry.RUN: request.run,
        model_registry.STAGED: prefix,
        model_registry.TRAINING_END: to_text(request.snapshot.training_end),
        model_registry.SNAPSHOT: digest,
        model_registry.ARTEFACT_SHA256: request.artefact.sha256,
        model_registry.BASELINE_SHA256: staged_baselines.digest(files),
        "kedge:trigger": str(trigger.get("kind", "")),
        "kedge:triggers": " ".join(map(str, trigger.get("triggers", []))),
        "kedge:reason": str(reasons[0]) if reasons else "",
        # The registry takes no ">" here: what is left of an arrow would read as a minus.
        "kedge:gate": request.gate.reasons[0].replace("->", "to") if request.gate.reasons else "",
        "kedge:champion": str(request.champion.get("package_version") or "none"),
        "kedge:train_rows": str(request.snapshot.train_rows),
        "kedge:holdout_rows": str(request.snapshot.holdout_rows),
    } | {f"kedge:{name}": f"{value:.4f}" for name, value in holdout_metrics(files).items()}


def holdout_metrics(files: Mapping[str, bytes]) -> dict[str, float]:
    """What the challenger reaches on the holdout.

    Metrics of single classes are left out: classes may be many, and named as no property may be.
    """
    found = decode_reference(files[layout.REFERENCE]).counts.metrics()
    return {name: float(metric.value) for name, metric in found.items() if name in ONE_VALUE}
