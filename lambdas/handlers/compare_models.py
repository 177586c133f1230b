"""Compare challenger and champion on the holdout that both have scored."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AwareDatetime, BaseModel

from kedge.config.model import ModelConfig
from kedge.gate.every_check import Rule, judge_challenger
from kedge.gate.facts import Beside
from kedge.gate.groups import holdout_groupings, holdout_slices
from kedge.gate.holdout import GateReport, GateRow, Holdout
from kedge.instants import to_text
from kedge.outcomes.columns import answer_column, label_column
from kedge.own_columns import LABEL, ROW_ID, TIME
from kedge.performance.measures import Numbers
from lambdas.adapters import clients, rule_functions
from lambdas.adapters.bucket import layout, package_schemas
from lambdas.adapters.bucket.sensitive_columns import with_sensitive
from lambdas.adapters.models import load_model
from lambdas.adapters.training import training_data, transform_outputs
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.gate import kept_table
from lambdas.steps.gate.cost import cost_of
from lambdas.steps.gate.facts import fresher_days, importance_before, served_answers
from lambdas.steps.gate.importance import known_importance, scored_holdout
from lambdas.steps.gate.kept_table import GateJudgement


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str


class ChampionRef(BaseModel, frozen=True):
    """The model that serves, if one does."""

    present: bool = False
    package_version: str | None = None
    training_end: AwareDatetime | None = None


class RowsTaken(BaseModel, frozen=True):
    """What snapshot_data answered of the rows."""

    training_end: AwareDatetime | None = None
    drift: dict[str, Any] | None = None
    # Whether a trial follows if it passes.
    staged: bool = False


class PinnedArtefact(BaseModel, frozen=True):
    """What pin_artefact answered."""

    uri: str = ""
    bytes: int | None = None


class Request(BaseModel, frozen=True):
    """One retraining whose transform jobs have ended."""

    model: str
    run: str
    time: AwareDatetime
    champion: ChampionRef = ChampionRef()
    snapshot: RowsTaken = RowsTaken()
    artefact: PinnedArtefact = PinnedArtefact()
    trained_uri: str | None = None
    trigger: Any = None

    @property
    def triggers(self) -> tuple[str, ...]:
        """What wanted this retraining: every trigger that was active."""
        found = self.trigger if isinstance(self.trigger, dict) else {"kind": self.trigger}
        return tuple(map(str, found.get("triggers") or ([found["kind"]] if found.get("kind") else [])))


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Judge the challenger, and keep the evidence beside the retraining's other files."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    s3 = clients.s3()
    today = load_model(request.model, settings.data_bucket)
    config = training_data.load_run_config(s3, settings.data_bucket, today, request.run)
    report = judge(s3, settings.data_bucket, request, config)
    what = GateJudgement(request.model, request.run, request.champion.package_version, request.time)
    table = kept_table.keep(s3, settings.data_bucket, what, report, final=not request.snapshot.staged)
    logger.info("compared", model=request.model, run=request.run, verdict=report.verdict)
    # The approver is told the cost with the package, whose lineage holds it.
    return table | {"cost": cost_of(request.run, config) if report.verdict == "REFUSE" else ""}


def judge(s3: Any, bucket: str, request: Request, config: ModelConfig) -> GateReport:
    """Join both models' answers to the truth, row by row."""
    truth = training_data.load_table(s3, bucket, layout.retraining_key(request.model, request.run, layout.TRUTH))
    version = request.champion.package_version
    released = package_schemas.load(s3, bucket, config, version) if version else config
    answers = {
        name: answered(s3, bucket, request, name, truth, (config, schema))
        for name, schema in (("challenger", config), ("champion", released))
        if name == "challenger" or request.champion.present
    }
    labels = label_column(truth.column(LABEL), config.problem, config.labels.classes).values
    groupings = holdout_groupings(truth, config)
    holdout = Holdout(
        labels,
        answers["challenger"],
        answers.get("champion"),
        config,
        with_sensitive(s3, bucket, config, truth, since=pc.min(truth.column(TIME)).as_py(), until=request.time),
        groupings,
        holdout_slices(truth, groupings),
        learnt=None if request.champion.present else learnt_labels(s3, bucket, request, config),
        beside=facts(s3, bucket, request, (config, released), truth),
    )
    return judge_challenger(holdout, rule_of(bucket, request, config))


def facts(s3: Any, bucket: str, request: Request, schemas: tuple[ModelConfig, ModelConfig], truth: pa.Table) -> Beside:
    """What is known of both models that no row of the holdout shows."""
    config, released = schemas
    version = request.champion.package_version if request.champion.present else None
    importance: dict[str, float] = {}
    if request.trained_uri is not None and version is not None:
        # What the job says is enough, as a rule: the answers to shuffled rows are read where it says nothing.
        scored = partial(scored_holdout, s3, bucket, request.model, request.run, config)
        importance = known_importance(s3, bucket, request.trained_uri, scored, config)
    return Beside(
        triggers=request.triggers,
        fresher_days=fresher_days(request.snapshot.training_end, request.champion.training_end),
        artefact_bytes=request.artefact.bytes,
        importance=importance,
        importance_before=importance_before(s3, bucket, request.model, version),
        drift=request.snapshot.drift,
        served=served_answers(s3, bucket, config, released, version, truth) if version else None,
    )


def rule_of(bucket: str, request: Request, config: ModelConfig) -> Rule | None:
    """The model's own rule, as a call that is given the rows so far; None where the YAML names none."""
    name = config.gate.rule_function
    if name is None:
        return None
    model, run = request.model, request.run
    scored = [*(["champion"] if request.champion.present else []), "challenger"]
    places = {side: f"s3://{bucket}/{layout.scored_prefix(model, run, side)}" for side in scored}
    question = {
        "model": model,
        "run": run,
        "time": to_text(request.time),
        "champion": request.champion.package_version,
        "artefact": request.artefact.uri,
        "holdout": {"truth": f"s3://{bucket}/{layout.retraining_key(model, run, layout.TRUTH)}", **places},
    }

    def ask(rows: Sequence[GateRow]) -> dict[str, Any]:
        told = {**question, "rows": [row.to_json() for row in rows]}
        answer = rule_functions.ask(name, told, timeout_seconds=config.gate.rule_timeout_seconds)
        logger.info("own rule", model=model, run=run, function=name, verdict=str(answer.get("verdict")))
        return answer

    return ask


def learnt_labels(s3: Any, bucket: str, request: Request, config: ModelConfig) -> Numbers:
    """The labels that the challenger has learnt from."""
    key = layout.retraining_key(request.model, request.run, layout.TRAINING_ROWS)
    with training_data.open_rows(s3, bucket, key) as training:
        batches = [
            label_column(batch.column(LABEL), config.problem, config.labels.classes) for batch in training.read([LABEL])
        ]
    return np.concatenate([batch.values[batch.known] for batch in batches])


def answered(
    s3: Any, bucket: str, request: Request, name: str, truth: pa.Table, schemas: tuple[ModelConfig, ModelConfig]
) -> Numbers:
    """One model's answers in the order of the truth; what is no possible answer is NaN, or a negative code.

    Read by the second schema, the model's own; classes are numbered by the first, as the truth's are: one that the truth cannot
    have is a wrong answer.
    """
    config, own = schemas
    prefix = layout.scored_prefix(request.model, request.run, name)
    found = transform_outputs.load_answers(s3, bucket, prefix, own, rows=truth.num_rows)
    aligned = transform_outputs.align_answers(found, truth.column(ROW_ID).to_pylist(), scored_by=name)
    values = pa.array([answer.value for answer in aligned])
    return answer_column(values, config.problem, config.labels.classes).values
