"""Build what a challenger is monitored against, and the request that registers it with its evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field, Json

from kedge.comparisons import figures_of
from kedge.config.metrics import ONE_VALUE
from kedge.config.model import ModelConfig
from kedge.instants import to_text
from kedge.retraining.lineage import Lineage, TrainedBy, model_card
from lambdas.adapters import clients
from lambdas.adapters.bucket import layout
from lambdas.adapters.bucket.baselines import decode_reference
from lambdas.adapters.models import load_model
from lambdas.adapters.release import approval_requests, model_registry, staged_baselines
from lambdas.adapters.release.model_registry import Registration, StagedFile
from lambdas.adapters.training import run_leftovers, training_data, training_facts, training_jobs
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.baseline_files import baseline_files
from lambdas.steps.gate.cost import cost_of
from lambdas.steps.gate.importance import known_importance, scored_holdout
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
    # Seconds of instances beside the jobs', by type: of a trial.
    paid: dict[str, float] = {}


class Artefact(BaseModel, frozen=True):
    """The answer of pin_artefact: where the model is kept, and its digest."""

    uri: str
    sha256: str


class ScoredContainer(BaseModel, frozen=True):
    """What the challenger was scored in, as its model was made: that is what is registered."""

    Image: str
    Environment: dict[str, str] = Field(default_factory=dict)


class MadeBy(BaseModel, frozen=True):
    """What made the challenger: a training job, or a package that somebody else registered."""

    job: str | None = None
    package_arn: str | None = None
    # What a tuning found, in words.
    tuned: str = ""


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
    # A machine that began before these were told does not say them.
    training: MadeBy = MadeBy()
    container: ScoredContainer | None = None


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Freeze the baseline, stage it, and write the registration request."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    s3, bucket, model, run = clients.s3(), settings.data_bucket, request.model, request.run
    today = load_model(model, bucket)
    config = training_data.load_run_config(s3, bucket, today, run)
    holdout, permuted = scored_holdout(s3, bucket, model, run, config)
    importance = known_importance(s3, bucket, request.trained_uri, lambda: (holdout, permuted), config)
    # Its name is the run's until the registry has given the version that it will be named after.
    with training_data.open_rows(s3, bucket, layout.retraining_key(model, run, layout.TRAINING_ROWS)) as training:
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
        environment=request.container.Environment if request.container else training_jobs.serving_environment(config),
        description=said,
        # The registry takes 50: the rows of the gate come last.
        properties=properties(request, prefix, manifest["digest"], files)
        | lineage.properties()
        | gate_properties(request.gate.rows),
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
    return {
        "package": model_registry.registration_request(config, registration),
        "staged_prefix": prefix,
        "cost": lineage.cost,
        "tuned": request.training.tuned,
        # As the YAML says today, not when the run began.
        "approval": today.approval.mode,
    }


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
        "tuned": request.training.tuned,
    }


def description(request: Request) -> str:
    """What an approver reads first."""
    foreign = (request.training.package_arn or "").rpartition("/")[2]
    rows = (
        f"is package version {foreign}, which Kedge did not train"
        if foreign
        else f"trained on {request.snapshot.train_rows:,} rows until {request.snapshot.training_end:%Y-%m-%d}"
    )
    trigger = request.trigger if isinstance(request.trigger, dict) else {}
    snapshot = request.snapshot.model_dump(exclude_none=True)
    figures = figure_lines(request.gate.rows, champion=request.champion, snapshot=snapshot, live=trigger.get("live"))
    said = [f"{request.model} {rows}", *figures, request.training.tuned, *request.snapshot.notes, *request.gate.reasons]
    return " ".join(f"{sentence}." for sentence in said if sentence)


def lineage_of(request: Request, config: ModelConfig, digest: str, settings: Settings) -> Lineage:
    """Where the challenger is from; SageMaker describes the jobs of the run."""
    sagemaker, bucket = clients.sagemaker(), settings.data_bucket
    image = training_jobs.image_of(config, settings.training_images)
    serving = request.container.Image if request.container else training_jobs.serving_image_of(config, image)
    return Lineage(
        run=request.run,
        trained_by=trained_by(request, serving),
        data_manifest=f"s3://{bucket}/{layout.retraining_key(request.model, request.run, layout.MANIFEST)}",
        data_digest=digest,
        artefact_uri=request.artefact.uri,
        artefact_sha256=request.artefact.sha256,
        serving_image=serving,
        source_commit=settings.source_commit,
        scoring_job_arns=run_leftovers.scoring_job_arns(sagemaker, request.run),
        trigger=request.trigger if isinstance(request.trigger, dict) else {"kind": str(request.trigger or "")},
        champion=str(request.champion.get("package_version") or "none"),
        cost=cost_of(request.run, config, request.gate.paid),
    )


def trained_by(request: Request, image: str) -> TrainedBy:
    """The training job as SageMaker describes it; of somebody else's package, that package."""
    if request.training.package_arn:
        return TrainedBy.package(request.training.package_arn, image)
    # <bucket>/trained/<model>/<run>/<job>/output/model.tar.gz
    job = request.training.job or request.trained_uri.split("/")[-3]
    return replace(training_facts.load(clients.sagemaker(), job), tuned=request.training.tuned)


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
        model_registry.TRIGGER: str(trigger.get("kind", "")),
        model_registry.TRIGGERS: " ".join(map(str, trigger.get("triggers", []))),
        "kedge:reason": str(reasons[0]) if reasons else "",
        # The registry takes no ">" here: what is left of an arrow would read as a minus.
        "kedge:gate": request.gate.reasons[0].replace("->", "to") if request.gate.reasons else "",
        "kedge:champion": str(request.champion.get("package_version") or "none"),
        "kedge:train_rows": str(request.snapshot.train_rows),
        "kedge:holdout_rows": str(request.snapshot.holdout_rows),
        "kedge:gate_table": layout.retraining_key(request.model, request.run, layout.GATE),
    } | {f"kedge:{name}": f"{value:.4f}" for name, value in holdout_metrics(files).items()}


def holdout_metrics(files: Mapping[str, bytes]) -> dict[str, float]:
    """What the challenger reaches on the holdout.

    Metrics of single classes are left out: classes may be many, and named as no property may be.
    """
    found = decode_reference(files[layout.REFERENCE]).counts.metrics()
    return {name: float(metric.value) for name, metric in found.items() if name in ONE_VALUE}


def gate_properties(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The gate's table as the registry can keep it: a property a row, warnings first; the whole one is where `kedge:gate_table` says."""
    ordered = sorted(rows, key=lambda row: row["verdict"] == "PASS")
    return {f"kedge:gate:{row['gate']}": f"{row['verdict']}: {figures_of(row)}" for row in ordered}
