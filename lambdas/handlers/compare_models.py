"""Compare challenger and champion on the holdout that both have scored."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AwareDatetime, BaseModel

from kedge.config.model import ModelConfig
from kedge.gate.every_check import judge_challenger
from kedge.gate.groups import holdout_groupings, holdout_slices
from kedge.gate.holdout import GateReport, Holdout
from kedge.outcomes.columns import answer_column, label_column
from kedge.own_columns import LABEL, ROW_ID, TIME
from kedge.performance.measures import Numbers
from lambdas.adapters import clients
from lambdas.adapters.bucket import layout, package_schemas, timeline
from lambdas.adapters.bucket.sensitive_columns import with_sensitive
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.models import load_model
from lambdas.adapters.training import training_data, transform_outputs
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str


class ChampionRef(BaseModel, frozen=True):
    """The model that serves, if one does."""

    present: bool = False
    package_version: str | None = None


class Request(BaseModel, frozen=True):
    """One retraining whose transform jobs have ended."""

    model: str
    run: str
    time: AwareDatetime
    champion: ChampionRef = ChampionRef()


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Judge the challenger, and keep the evidence beside the retraining's other files."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    s3 = clients.s3()
    config = training_data.load_run_config(s3, settings.data_bucket, load_model(request.model), request.run)
    report = judge(s3, settings.data_bucket, request, config)
    key = layout.retraining_key(request.model, request.run, layout.GATE)
    rows = [row.to_json() for row in report.rows]
    answer = {"verdict": report.verdict, "reasons": list(report.reasons), "rows": rows}
    training_data.save_file(s3, settings.data_bucket, key, json.dumps(answer, indent=1).encode(), "application/json")
    kind = "gate_passed" if report.verdict == "PASS" else "gate_failed"
    detail = {"run": request.run, "champion": request.champion.package_version, "report_key": key, **answer}
    timeline.record(s3, settings.data_bucket, Entry(request.model, kind, request.time, detail))
    logger.info("compared", model=request.model, run=request.run, verdict=report.verdict)
    return answer | {"report_key": key}


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
    return judge_challenger(
        Holdout(
            labels,
            answers["challenger"],
            answers.get("champion"),
            config,
            with_sensitive(s3, bucket, config, truth, since=pc.min(truth.column(TIME)).as_py(), until=request.time),
            groupings,
            holdout_slices(truth, groupings),
            learnt=None if request.champion.present else learnt_labels(s3, bucket, request, config),
        )
    )


def learnt_labels(s3: Any, bucket: str, request: Request, config: ModelConfig) -> Numbers:
    """The labels that the challenger has learnt from."""
    key = layout.retraining_key(request.model, request.run, layout.TRAINING_ROWS)
    training = training_data.load_table(s3, bucket, key)
    found = label_column(training.column(LABEL), config.problem, config.labels.classes)
    return found.values[found.known]


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
