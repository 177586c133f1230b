"""A retraining as a run of MLflow: its parameters, figures, and the gate's verdicts; and where a SageMaker MLflow answers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# https://mlflow.org/docs/latest/rest-api.html: keys and values that MLflow takes.
_NAME, _VALUE, _NOT_ALLOWED = 250, 6000, re.compile(r"[^\w\-. /]", re.ASCII)
# The second finds a run that was begun: of two deployments, each in a region of its own, both may have one of the same name.
RUN_TAG, REPORTS_TAG = "kedge.run", "kedge.reports"
ENDS = {"SUCCEEDED": "FINISHED", "FAILED": "FAILED", "TIMED_OUT": "FAILED", "ABORTED": "KILLED"}


@dataclass(frozen=True)
class MlflowPlace:
    """Where a tracking server or an app answers, and how a request is signed and routed there."""

    url: str
    region: str
    service: str
    header: str


def place_of(arn: str) -> MlflowPlace:
    """Tell where an MLflow of SageMaker's answers, from its ARN, as AWS's package `sagemaker-mlflow` does.

    >>> place_of("arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/team").url
    'https://eu-west-1.experiments.sagemaker.aws'
    >>> place_of("arn:aws:sagemaker:eu-west-1:123456789012:mlflow-app/app-1").url
    'https://mlflow.sagemaker.eu-west-1.app.aws'
    """
    region, kind = arn.split(":")[3], arn.split(":")[5].partition("/")[0]
    if kind == "mlflow-app":
        return MlflowPlace(f"https://mlflow.sagemaker.{region}.app.aws", region, "sagemaker", "x-sm-mlflow-app-arn")
    url = f"https://{region}.experiments.sagemaker.aws"
    return MlflowPlace(url, region, "sagemaker-mlflow", "x-mlflow-sm-tracking-server-arn")


@dataclass(frozen=True)
class MlflowRun:
    """What MLflow is told of a retraining.

    Attributes
    ----------
    status : str
        MLflow's word for how it ended.
    metrics : Mapping of str to float
        Figures of the gate's table, and what the training job reported.
    """

    status: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


def mlflow_run(
    run: str,
    *,
    ended: str,
    facts: Mapping[str, str],
    gate: Mapping[str, Any] | None,
    lineage: Mapping[str, Any] | None,
) -> MlflowRun:
    """Describe a retraining that has ended by the files that it has written.

    Parameters
    ----------
    ended : str
        How Step Functions says that it ended.
    facts : Mapping of str to str
        Tags that are known without a file.
    gate, lineage : mapping or None
        Its `gate.json` and `lineage.json`, as far as it came.

    >>> row = {"gate": "metric", "verdict": "PASS", "reason": "better", "metric": "auc", "champion": 0.7, "challenger": 0.8}
    >>> found = mlflow_run("r-1", ended="SUCCEEDED", facts={}, gate={"verdict": "PASS", "reasons": [], "rows": [row]}, lineage=None)
    >>> found.status, found.metrics, found.tags["gate"]
    ('FINISHED', {'challenger.auc': 0.8, 'champion.auc': 0.7}, 'PASS')
    >>> row |= {"champion": math.nan}
    >>> mlflow_run("r-2", ended="FAILED", facts={}, gate={"verdict": "REFUSE", "reasons": [], "rows": [row]}, lineage=None).metrics
    {'challenger.auc': 0.8}
    """
    tags, metrics, params = {RUN_TAG: run, "kedge.ended": ended, **facts}, dict[str, float](), dict[str, str]()
    for row in (gate or {}).get("rows", []):
        tags[f"gate.{row['gate']}"] = f"{row['verdict']}: {row['reason']}"
        if row.get("metric"):
            metrics |= {f"{who}.{row['metric']}": row[who] for who in ("challenger", "champion") if who in row}
        elif "value" in row:
            metrics[f"gate.{row['gate']}"] = row["value"]
    if gate is not None:
        tags |= {"gate": gate["verdict"], "gate.reasons": "; ".join(gate["reasons"])}
    if lineage is not None:
        job = lineage["trained_by"]
        params = {
            **job["hyperparameters"],
            **{f"kedge.{name}": str(job[name]) for name in _OF_THE_JOB if job.get(name)},
        }
        metrics |= {f"training.{name}": value for name, value in job["metrics"].items()}
        tags |= {f"kedge.{name}": str(lineage[name]) for name in _OF_THE_PACKAGE if lineage.get(name)}
    # Of rows of one class a figure may be none, which JSON cannot say.
    named = {_fit(name): float(value) for name, value in metrics.items() if math.isfinite(value)}
    return MlflowRun(ENDS[ended], _texts(params), named, _texts(tags))


_OF_THE_JOB = ("image", "instance_type", "instance_count", "spot", "source_uri", "job_arn", "tuning_job_arn")
_OF_THE_PACKAGE = (
    "artefact_uri",
    "artefact_sha256",
    "data_manifest",
    "data_digest",
    "source_commit",
    "champion",
    "cost",
)


def _texts(given: Mapping[str, Any]) -> dict[str, str]:
    return {_fit(name): str(value)[:_VALUE] for name, value in given.items() if str(value)}


def _fit(name: str) -> str:
    return _NOT_ALLOWED.sub("_", name)[:_NAME]
