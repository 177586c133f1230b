"""Take the snapshot of a retraining: what is learnt from, what is judged on, or why neither will do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel, Json

from kedge.config.model import ModelConfig
from kedge.errors import InitialRowsError
from kedge.package_schema import encode_schema, same_schema
from kedge.retraining.labelled_history import LabelledHistory, labelled_history
from kedge.retraining.permutation import permuted_rows
from kedge.retraining.rows import champion_rows, column_description, scoring_payload, training_csv
from kedge.retraining.snapshot import (
    Split,
    file_entry,
    refusal_reasons,
    snapshot_manifest,
    split_in_time,
    unscorable_sentence,
    without_unscorable,
)
from lambdas.adapters import clients, metrics
from lambdas.adapters.bucket import layout, package_schemas
from lambdas.adapters.bucket.answered_rows import load_answered_rows
from lambdas.adapters.models import load_managed_model
from lambdas.adapters.release import endpoints
from lambdas.adapters.state import champions, windows
from lambdas.adapters.training import finished_trainings, training_data, training_jobs
from lambdas.adapters.training.served_models import copied_model_request
from lambdas.adapters.training.training_jobs import TrainingWorkshop
from lambdas.adapters.training.transform_outputs import PERMUTED
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.fold_labels import fold_labels

PARQUET = "application/vnd.apache.parquet"
# What is here the challenger scores, all of it.
SCORED = "holdout/input/"
# What is here the training job gets, all of it.
LEARNT = "train/"
# The same rows with the features of the champion's own schema, where it has another. The scoring role reads both places.
SCORED_BY_CHAMPION = "holdout/champion/"


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    training_images: Json[dict[str, str]]
    training_source_uri: str
    training_role_arn: str
    scoring_role_arn: str
    kms_key_id: str | None = None


class Request(BaseModel, frozen=True):
    """A retraining that begins."""

    model: str
    run: str
    time: AwareDatetime
    trigger: Any = None


@dataclass(frozen=True)
class Serving:
    """The model that serves, or would if its endpoint were there: its schema, and the end of what it learnt, where that is known."""

    model_name: str
    config: ModelConfig
    package_version: str | None = None
    training_end: datetime | None = None
    # Where no endpoint names the model, its package says what it is.
    package_arn: str | None = None

    def schema_beside(self, config: ModelConfig) -> ModelConfig | None:
        """Its schema where it is another than the one to be trained."""
        return None if same_schema(self.config, config) else self.config


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Gather ripe rows, split them in time, refuse them or write them, and ask for the jobs that use them."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    config = load_managed_model(request.model)
    champion = find_champion(config, settings)
    if champion and champion.config.problem != config.problem:
        was = champion.config.problem
        reason = f"the YAML says {config.problem}, and the champion is a {was}: give the new model a name of its own"
        return {"verdict": "REJECTED", "reasons": [reason], "champion": describe(champion)}
    try:
        history, sources = gather(request, settings, config, champion)
    except InitialRowsError as error:
        # The same file fails again: a person must mend it, and no attempt is to be repeated.
        return {"verdict": "REJECTED", "reasons": [str(error)], "champion": describe(champion)}
    split = split_in_time(
        history.rows,
        holdout_fraction=config.training.holdout_fraction,
        champion_training_end=champion.training_end if champion else None,
    )
    split = without_unscorable(split, config, champion.schema_beside(config) if champion else None)
    reasons = (*history.problems, *refusal_reasons(split, config, lacking=history.lacking))
    reasons = (*reasons, *history.left_out) if reasons else ()
    answer = {"reasons": list(reasons), "champion": describe(champion)}
    logger.info(
        "split",
        model=request.model,
        run=request.run,
        training_rows=split.training.num_rows,
        holdout_rows=split.holdout.num_rows,
        unscorable_rows=split.unscorable,
        reasons=len(reasons),
    )
    if reasons:
        return {"verdict": "REJECTED"} | answer
    snapshot, learnt = write(request, settings, config, split, manifest_facts(history, sources), champion)
    asked = jobs(request, settings, config, champion)
    finished = finished_training(request, training_jobs.inputs_digest(asked["training_job"], learnt), settings)
    notes = [*history.of_schemas, *unscorable_notes(split), *reuse_notes(finished)]
    return {"verdict": "READY", "snapshot": snapshot | {"notes": notes}} | answer | asked | finished


def finished_training(request: Request, inputs: str, settings: Settings) -> dict[str, Any]:
    """The digest of what the training job gets, and the training of an earlier run that got the same and came to nothing."""
    found = finished_trainings.find(
        clients.s3(), clients.stepfunctions(), settings.data_bucket, model=request.model, inputs=inputs
    )
    if found is None:
        return {"training_inputs": inputs}
    logger.info("training reused", model=request.model, run=request.run, job=found.job)
    reason = (
        f"the training of run {found.run} is reused: rows, parameters, script and image are the same, and that run failed or "
        "was stopped after it"
    )
    training = {"job": found.job, "artefact_uri": found.artefact_uri, "run": found.run, "reason": reason}
    return {"training_inputs": inputs, "training": training}


def reuse_notes(finished: dict[str, Any]) -> list[str]:
    """What the approver is told of a training that is not the run's own."""
    return [finished["training"]["reason"]] if "training" in finished else []


def unscorable_notes(split: Split) -> list[str]:
    """What the manifest and the approver are told of rows that no batch transform can take."""
    return [unscorable_sentence(split.unscorable)] if split.unscorable else []


def gather(
    request: Request, settings: Settings, config: ModelConfig, champion: Serving | None
) -> tuple[LabelledHistory, list[str]]:
    """Everything answered and labelled of late, the user's first rows, and where all of it came from."""
    s3, bucket = clients.s3(), settings.data_bucket
    since = request.time - timedelta(days=config.training.window_days)
    learnt = windows.load_horizon(clients.dynamodb(), settings.state_table, request.model)
    chosen = config.labels.label_horizon_days
    fold = fold_labels(bucket, config, now=request.time, horizon_days=learnt if chosen is None else chosen)
    if fold.files or fold.unknown:
        metrics.put(clients.cloudwatch(), model=request.model, values=fold.gauges(), time=request.time)
    answered = load_answered_rows(s3, bucket, config, since=since, until=request.time)
    initial = training_data.load_initial_rows(s3, bucket, config, may_lack=champion is not None)
    history = labelled_history(
        answered.rows,
        initial,
        config,
        now=request.time,
        known_horizon_days=learnt,
        champion=champion.schema_beside(config) if champion else None,
    )
    return history, [*answered.parts, *([layout.initial_key(request.model)] if initial is not None else [])]


def manifest_facts(history: LabelledHistory, sources: list[str]) -> dict[str, Any]:
    """The rows' origin, for the manifest."""
    return {"usable": history.usable, "label_horizon_days": history.horizon.days, "sources": sources}


def find_champion(config: ModelConfig, settings: Settings) -> Serving | None:
    """What the endpoint's config names is the champion, also where Kedge did not make it.

    Without an endpoint it is the package that was promoted last: an endpoint that was deleted makes no challenger better.
    """
    endpoint = endpoints.describe_endpoint(clients.sagemaker(), config.endpoint.name)
    known = champions.load(clients.dynamodb(), settings.state_table, config.model)
    named = (
        endpoints.describe_served_model(clients.sagemaker(), endpoint.endpoint_config).model_name if endpoint else None
    )
    if known is None:
        return Serving(named, config) if named else None
    return Serving(
        named or known.model_name,
        package_schemas.load(clients.s3(), settings.data_bucket, config, known.baseline),
        known.package_version,
        known.training_end,
        package_arn=None if named else known.package_arn,
    )


def describe(champion: Serving | None) -> dict[str, Any]:
    """The champion as the machine passes it on."""
    if champion is None:
        return {"present": False}
    return {"present": True, "model_name": champion.model_name, "package_version": champion.package_version}


def write(
    request: Request,
    settings: Settings,
    config: ModelConfig,
    split: Split,
    facts: dict[str, Any],
    champion: Serving | None,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Write the snapshot's files, then the manifest that vouches for them; also the digests of what the job learns from."""
    s3, prefix = clients.s3(), layout.retraining_prefix(request.model, request.run)
    holdout, permuted = scored_key(config, "rows"), permuted_rows(split.holdout, config)
    contents = {
        f"{LEARNT}train.csv": (split.training, training_csv(split.training), "text/csv"),
        f"{LEARNT}columns.json": (None, json.dumps(column_description(config)).encode(), "application/json"),
        "training.parquet": (split.training, training_data.table_bytes(split.training), PARQUET),
        holdout: (split.holdout, scoring_payload(split.holdout, config), config.endpoint.content_type),
        "holdout/truth.parquet": (split.holdout, training_data.table_bytes(split.holdout), PARQUET),
        # A YAML that changes while this runs belongs to the next run.
        package_schemas.NAME: (None, encode_schema(config), "application/json"),
    }
    if champion and (schema := champion.schema_beside(config)):
        rows = scoring_payload(champion_rows(split.holdout, schema), schema)
        contents[champion_key(champion, config)] = (split.holdout, rows, schema.endpoint.content_type)
    if permuted.num_rows:
        content = scoring_payload(permuted, config)
        contents[scored_key(config, PERMUTED)] = (None, content, config.endpoint.content_type)
    for name, (_, content, kind) in contents.items():
        training_data.save_file(s3, settings.data_bucket, f"{prefix}/{name}", content, kind)
    manifest = snapshot_manifest(
        model=request.model,
        run=request.run,
        **facts,
        notes=unscorable_notes(split),
        files={name: file_entry(rows, content) for name, (rows, content, _) in contents.items()},
    )
    body = json.dumps(manifest, indent=1).encode()
    training_data.save_file(s3, settings.data_bucket, f"{prefix}/manifest.json", body, "application/json")
    base = f"s3://{settings.data_bucket}/{prefix}"
    held_out = manifest["files"]["holdout/truth.parquet"]
    learnt = {name: entry["sha256"] for name, entry in manifest["files"].items() if name.startswith(LEARNT)}
    snapshot = {
        "prefix": prefix,
        "train_uri": f"{base}/{LEARNT}",
        "holdout_uri": f"{base}/{holdout}",
        "manifest_uri": f"{base}/manifest.json",
        "train_rows": split.training.num_rows,
        "holdout_rows": split.holdout.num_rows,
        "holdout_start": held_out["first"],
        "holdout_end": held_out["last"],
        "unscorable_rows": split.unscorable,
        "training_end": f"{split.training_end:%Y-%m-%dT%H:%M:%SZ}",
        "digest": manifest["digest"],
    }
    return snapshot, learnt


def champion_key(champion: Serving, config: ModelConfig) -> str:
    """The file of the holdout's rows that the champion scores: the challenger's own, unless it reads others."""
    schema = champion.schema_beside(config)
    return (
        scored_key(config, "rows") if schema is None else scored_key(schema, "rows").replace(SCORED, SCORED_BY_CHAMPION)
    )


def scored_key(config: ModelConfig, name: str) -> str:
    """A file of rows to be scored, in the endpoint's own content type."""
    return f"{SCORED}{name}.csv" if config.endpoint.content_type == "text/csv" else f"{SCORED}{name}.jsonl"


def jobs(request: Request, settings: Settings, config: ModelConfig, champion: Serving | None) -> dict[str, Any]:
    """Ask for the training job, the challenger's model, a copy of the champion's, and a transform job for each."""
    base = f"s3://{settings.data_bucket}/{layout.retraining_prefix(request.model, request.run)}"
    trained = f"s3://{settings.data_bucket}/{layout.trained_prefix(request.model, request.run)}"
    scored = f"s3://{settings.data_bucket}/{layout.scored_prefix(request.model, request.run)}"
    workshop = TrainingWorkshop(
        image=training_jobs.image_of(config, settings.training_images),
        source_uri=settings.training_source_uri,
        training_role_arn=settings.training_role_arn,
        scoring_role_arn=settings.scoring_role_arn,
        kms_key_id=settings.kms_key_id,
        tags=(("kedge:model", request.model), ("kedge:run", request.run)),
    )
    asked = {
        "training_job": training_jobs.training_job_request(
            config, workshop, train_uri=f"{base}/{LEARNT}", output_uri=trained
        ),
        "challenger_model": training_jobs.challenger_model_request(config, workshop),
        "challenger_transform": training_jobs.transform_request(
            config, workshop, model_name=request.run, input_uri=f"{base}/{SCORED}", output_uri=f"{scored}/challenger"
        ),
    }
    if champion:
        asked["champion_model"] = copied_model_request(
            clients.sagemaker(), workshop, model_name=champion.model_name, package_arn=champion.package_arn
        )
        asked["champion_transform"] = training_jobs.transform_request(
            champion.config,
            workshop,
            model_name=f"{request.run}-champion",
            input_uri=f"{base}/{champion_key(champion, config)}",
            output_uri=f"{scored}/champion",
        )
    return asked
