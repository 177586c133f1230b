"""Take the snapshot of a retraining: what is learnt from, what is judged on, or why neither will do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field, Json

from kedge.config.model import ModelConfig
from kedge.config.sections import Vpc
from kedge.config.stage import MODEL_TAG
from kedge.errors import (
    BaselineAbsentError,
    FeatureGroupError,
    InitialRowsError,
    JoinCancelledError,
    QueryTooLongError,
    UnscorablePackageError,
)
from kedge.instants import to_text
from kedge.profile.baseline import Baseline
from kedge.retraining.labelled_history import LabelledHistory
from kedge.retraining.population import Population, population_of
from kedge.retraining.selection import selected, with_holdout_that_fits
from kedge.retraining.snapshot import Split, refusal_reasons, split_at, split_in_time, without_unscorable
from kedge.retraining.validation import faults_of, training_drift
from lambdas import stage
from lambdas.adapters import clients
from lambdas.adapters.bucket import baselines, layout
from lambdas.adapters.models import load_managed_model
from lambdas.adapters.times import wall_clock
from lambdas.adapters.training import finished_trainings, foreign_packages, pipelines, training_jobs
from lambdas.adapters.training.foreign_packages import ForeignPackage
from lambdas.adapters.training.served_models import copied_model_request
from lambdas.adapters.training.staging_endpoints import staging_request
from lambdas.adapters.training.training_jobs import TrainingWorkshop
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.point_in_time import Athena
from lambdas.steps.retraining_run import RetrainingRun, Serving, describe, find_champion
from lambdas.steps.snapshot_files import unscorable_notes, write_snapshot
from lambdas.steps.training_rows.training_history import Workplace, gather


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    training_images: Json[dict[str, str]]
    # By folder.
    training_sources: Json[dict[str, str]]
    training_role_arn: str
    scoring_role_arn: str
    # Of models whose containers reach a network, by model and kind.
    own_roles: Json[dict[str, dict[str, str]]] = Field(default_factory=dict)
    # Of the whole deployment.
    vpc: Json[Vpc | None] = None
    kms_key_id: str | None = None
    athena_database: str
    athena_workgroup: str


class Request(BaseModel, frozen=True):
    """A retraining that begins."""

    model: str
    run: str
    time: AwareDatetime
    trigger: Any = None


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Gather ripe rows, split them in time, refuse them or write them, and ask for the jobs that use them."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    config, bucket = load_managed_model(request.model, settings.data_bucket), settings.data_bucket
    champion = find_champion(config, bucket, settings.state_table)
    try:
        package = foreign_package(request, config)
    except UnscorablePackageError as error:
        return rejected([str(error)], champion)
    run = RetrainingRun(config, request.run, request.time, bucket, champion)
    if champion and champion.config.problem != config.problem:
        was = champion.config.problem
        reason = f"the YAML says {config.problem}, and the champion is a {was}: give the new model a name of its own"
        return rejected([reason], champion)
    ends = [end for end in (champion and champion.training_end, package and package.learnt_until) if end]
    learnt_until = max(ends, default=None)
    try:
        history, origin = gather(run, workplace(run, settings, context), learnt_until)
    except (InitialRowsError, FeatureGroupError, JoinCancelledError, QueryTooLongError) as error:
        # The same file, group or query fails again: a person must mend it, and no attempt is to be repeated.
        return rejected([str(error)], champion)
    split, choices, reasons = split_rows(run, history, learnt_until=learnt_until)
    said = [package.said] if package else []
    if reasons:
        return rejected([*reasons, *said, *origin.notes], champion)
    drift = training_drift(split.training, baseline_before(run), config)
    notes = [*said, *history.of_schemas, *origin.notes, *choices]
    snapshot, learnt = write_snapshot(run, split, origin, [*notes, *(drift.sentences if drift else ())])
    snapshot |= {"drift": drift.to_json()} if drift else {}
    requests = jobs(run, settings)
    snapshot |= {"staged": True} if "staging" in requests else {}
    if package:
        # The holdouts of later runs are newer too.
        snapshot["training_end"] = to_text(max(package.learnt_until, split.training_end or package.learnt_until))
        requests["challenger_model"] = package.challenger(requests["challenger_model"])
        finished = {"training_inputs": "", "training": package.taken_by(run.run)}
    elif config.training.pipeline:
        requests["pipeline"] = pipeline_request(run, snapshot)
        # Another execution may give another model: what it needs besides the rows is the pipeline's own.
        finished = {"training_inputs": ""}
    else:
        decides = {**requests["training_job"], **requests.get("tuning_job", {})}
        finished = finished_training(run, training_jobs.inputs_digest(decides, learnt))
    snapshot["notes"] = [*notes, *unscorable_notes(split), *reuse_notes(finished)]
    return (
        {"verdict": "READY", "snapshot": snapshot, "reasons": [], "champion": describe(champion)} | requests | finished
    )


def workplace(run: RetrainingRun, settings: Settings, context: Any) -> Workplace:
    """Where the rows are gathered."""
    athena = Athena(
        settings.athena_database,
        settings.athena_workgroup,
        remaining_seconds=lambda: context.get_remaining_time_in_millis() / 1000,
    )
    return Workplace(settings.state_table, athena, f"{run.run}-{context.aws_request_id}")


def pipeline_request(run: RetrainingRun, snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Ask for an execution of the pipeline that trains this model."""
    facts = {name: str(snapshot[name]) for name in ("train_uri", "manifest_uri", "training_end")}
    facts |= {"run": run.run, "output_uri": f"s3://{run.bucket}/{layout.trained_prefix(run.model, run.run)}"}
    return pipelines.start_request(run.config, run=run.run, facts=facts, now=wall_clock())


def foreign_package(request: Request, config: ModelConfig) -> ForeignPackage | None:
    """The package that is judged in place of a training; None where one trains."""
    arn = request.trigger.get("package_arn") if isinstance(request.trigger, dict) else None
    if not arn:
        return None
    return foreign_packages.load(clients.sagemaker(), arn, content_type=config.endpoint.content_type)


def split_rows(
    run: RetrainingRun, history: LabelledHistory, *, learnt_until: datetime | None
) -> tuple[Split, tuple[str, ...], list[str]]:
    """The rows split in time and selected, what was selected, and why they will not do; without reasons where they will.

    `learnt_until` is the newest row that the champion, or a challenger that is trained already, has learnt from.
    """
    split, population = split_counted(history, run.config, learnt_until)
    split, judged = with_holdout_that_fits(split, run.config, population)
    split = without_unscorable(split, run.config, run.champions_schema)
    faults = faults_of(
        split,
        run.config,
        unparsable=history.unparsable,
        labelled_fraction=history.labelled_fraction,
        lacking=history.lacking,
        population=population,
    )
    # What the YAML wants selected may leave too few rows.
    split, choices = selected(split, run.config, population, history.older_first_rows)
    reasons = [*history.problems, *refusal_reasons(split, run.config, lacking=history.lacking), *faults]
    reasons += history.left_out if reasons else ()
    logger.info(
        "split",
        model=run.model,
        run=run.run,
        training_rows=split.training.num_rows,
        holdout_rows=split.holdout.num_rows,
        unscorable_rows=split.unscorable,
        reasons=len(reasons),
    )
    return split, (*choices, *judged), reasons


def split_counted(
    history: LabelledHistory, config: ModelConfig, learnt_until: datetime | None
) -> tuple[Split, Population]:
    """Split the rows that are there, and say how many there are wherever they lie."""
    if history.population is not None:
        boundary = history.population.boundary
        rows = history.rows
        return (split_at(rows, boundary) if boundary else Split(rows, rows)), history.population
    split = split_in_time(history.rows, holdout_fraction=config.training.holdout_fraction, learnt_until=learnt_until)
    return split, population_of(split, config)


def baseline_before(run: RetrainingRun) -> Baseline | None:
    """What the serving package was trained on, as frozen cells; None where no baseline is kept of it."""
    if run.champion is None or run.champion.baseline is None:
        return None
    with suppress(BaselineAbsentError):
        return baselines.load_baseline(clients.s3(), run.bucket, run.model, run.champion.baseline)
    return None


def rejected(reasons: Sequence[str], champion: Serving | None) -> dict[str, Any]:
    """The answer where these rows will not do."""
    return {"verdict": "REJECTED", "reasons": list(reasons), "champion": describe(champion)}


def finished_training(run: RetrainingRun, inputs: str) -> dict[str, Any]:
    """The digest of what the training job gets, and the training of an earlier run that got the same and came to nothing."""
    found = finished_trainings.find(clients.s3(), clients.stepfunctions(), run.bucket, model=run.model, inputs=inputs)
    if found is None:
        return {"training_inputs": inputs}
    logger.info("training reused", model=run.model, run=run.run, job=found.job)
    reason = (
        f"the training of run {found.run} is reused: rows, parameters, script and image are the same, and that run failed or "
        "was stopped after it"
    )
    training = {"job": found.job, "artefact_uri": found.artefact_uri, "status": "Completed", "run": found.run}
    training["reason"] = reason
    return {"training_inputs": inputs, "training": training}


def reuse_notes(finished: dict[str, Any]) -> list[str]:
    """What the approver is told of a training that is not the run's own."""
    return [finished["training"]["reason"]] if "training" in finished else []


def jobs(run: RetrainingRun, settings: Settings) -> dict[str, Any]:
    """Ask for the training job, the challenger's model, a copy of the champion's, and a transform job for each."""
    own = settings.own_roles.get(run.model, {})
    workshop = TrainingWorkshop(
        image=training_jobs.image_of(run.config, settings.training_images),
        source_uri=settings.training_sources[run.config.training.source_dir],
        training_role_arn=own.get("training", settings.training_role_arn),
        scoring_role_arn=own.get("scoring", settings.scoring_role_arn),
        kms_key_id=settings.kms_key_id,
        tags=(stage.current().tag, (MODEL_TAG, run.model), ("kedge:run", run.run)),
        vpc=settings.vpc,
    )
    trained = f"s3://{run.bucket}/{layout.trained_prefix(run.model, run.run)}"
    scored = f"s3://{run.bucket}/{layout.scored_prefix(run.model, run.run, 'challenger')}"
    requests = {
        "training_job": training_jobs.training_job_request(
            run.config,
            workshop,
            train_uri=run.uri(layout.LEARNT),
            output_uri=trained,
            validation_uri=run.uri(layout.VALIDATED),
        ),
        "challenger_model": training_jobs.challenger_model_request(run.config, workshop),
        "challenger_transform": training_jobs.transform_request(
            run.config, workshop, model_name=run.run, input_uri=run.uri(layout.SCORED), output_uri=scored
        ),
    }
    if tuning := training_jobs.tuning_job_request(run.config, requests["training_job"], run=run.run):
        requests["tuning_job"] = tuning
    instances = run.champion.instances if run.champion else 1
    if staging := staging_request(run.config, workshop, run=run.run, instances=instances):
        requests["staging"] = staging
    return requests | (champions_jobs(run, run.champion, workshop) if run.champion else {})


def champions_jobs(run: RetrainingRun, champion: Serving, workshop: TrainingWorkshop) -> dict[str, Any]:
    """Ask for a copy of the champion's model, and for its transform job."""
    return {
        "champion_model": copied_model_request(
            clients.sagemaker(), workshop, run.config, model_name=champion.model_name, package_arn=champion.package_arn
        ),
        "champion_transform": training_jobs.transform_request(
            champion.config,
            workshop,
            model_name=f"{run.run}-champion",
            input_uri=run.uri(run.champions_rows()),
            output_uri=f"s3://{run.bucket}/{layout.scored_prefix(run.model, run.run, 'champion')}",
        ),
    }
