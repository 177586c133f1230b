"""A SageMaker MLflow tracking server or app by its REST API: signed requests, without MLflow's own package."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from kedge.errors import MlflowError
from kedge.retraining.mlflow_run import REPORTS_TAG, RUN_TAG, MlflowRun, place_of
from lambdas.adapters.channels.sending import Post, Reply, SendResult, by_status, send

_API = "/api/2.0/mlflow"
# What MLflow takes in one call: tags and parameters, and figures.
_TEXTS, _FIGURES = 100, 1000
# A server that is older, or that keeps its files elsewhere than in S3, signs no address; an account may forbid it.
_SIGNS_NOTHING = ("status 403", "status 404", "status 501")


class MlflowServer:
    """One server; each call raises `MlflowError` with what the server said."""

    def __init__(self, arn: str) -> None:
        self.arn, self.place = arn, place_of(arn)
        self._auth = SigV4Auth(boto3.Session().get_credentials(), self.place.service, self.place.region)

    def record(self, experiment: str, name: str, run: MlflowRun, files: Mapping[str, bytes]) -> str:
        """Write a run, or complete it where an earlier try has begun it; return its ID.

        Files go by an address that the server signs. Where it signs none they are left out: the run's tags say where they are.
        """
        run_id = self._run_id(self._experiment_id(experiment), name, run.tags[REPORTS_TAG])
        for batch in _batches(run):
            self.call("/runs/log-batch", {"run_id": run_id, **batch})
        for path, body in files.items():
            if not self._upload(run_id, path, body):
                break
        self.call("/runs/update", {"run_id": run_id, "status": run.status, "end_time": _now()})
        return run_id

    def _experiment_id(self, name: str) -> str:
        found = self.call("/experiments/search", {"filter": f"name = '{name}'", "max_results": 1}).get("experiments")
        return str(
            found[0]["experiment_id"] if found else self.call("/experiments/create", {"name": name})["experiment_id"]
        )

    def _run_id(self, experiment: str, name: str, reports: str) -> str:
        query = {"experiment_ids": [experiment], "filter": f"tags.`{REPORTS_TAG}` = '{reports}'", "max_results": 1}
        found = self.call("/runs/search", query).get("runs")
        if found:
            return str(found[0]["info"]["run_id"])
        tags = [{"key": RUN_TAG, "value": name}, {"key": REPORTS_TAG, "value": reports}]
        made = self.call(
            "/runs/create", {"experiment_id": experiment, "run_name": name, "start_time": _now(), "tags": tags}
        )
        return str(made["run"]["info"]["run_id"])

    def _upload(self, run_id: str, path: str, body: bytes) -> bool:
        signed, answer = self._ask("/artifacts/presigned-upload-url", {"run_id": run_id, "path": path})
        if signed.why in _SIGNS_NOTHING:
            return False
        found = _read(signed, answer, self.arn)
        put, _ = _exchange(Post(found["presigned_url"], body, dict(found.get("headers") or {}), "PUT"))
        _read(put, b"", self.arn)
        return True

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Call an operation of the REST API."""
        return _read(*self._ask(operation, request), self.arn)

    def _ask(self, operation: str, request: Mapping[str, Any]) -> tuple[SendResult, bytes]:
        url, body = f"{self.place.url}{_API}{operation}", json.dumps(request).encode()
        headers = {
            "Content-Type": "application/json",
            "X-Amz-Content-SHA256": hashlib.sha256(body).hexdigest(),
            self.place.header: self.arn,
        }
        signed = AWSRequest("POST", url, data=body, headers=headers)
        self._auth.add_auth(signed)
        return _exchange(Post(url, body, dict(signed.headers.items())))


def _exchange(post: Post) -> tuple[SendResult, bytes]:
    answers: list[bytes] = []

    def read(reply: Reply) -> SendResult:
        answers.append(reply.body)
        return by_status(reply)

    result = send(post, read)
    return result, b"".join(answers)


def _read(result: SendResult, answer: bytes, arn: str) -> dict[str, Any]:
    if result.verdict != "accepted":
        said = answer[:500].decode(errors="replace")
        raise MlflowError(arn=arn, reason=f"{result.why}: {said}" if said else result.why)
    try:
        found = json.loads(answer or b"{}")
    except ValueError as error:
        raise MlflowError(arn=arn, reason=f"{result.why}, and an answer that is no JSON") from error
    return found if isinstance(found, dict) else {}


def _batches(run: MlflowRun) -> Iterator[dict[str, Any]]:
    for kind, given, size in (("params", run.params, _TEXTS), ("tags", run.tags, _TEXTS)):
        texts = [{"key": name, "value": value} for name, value in given.items()]
        yield from ({kind: texts[at : at + size]} for at in range(0, len(texts), size))
    now = _now()
    figures = [{"key": name, "value": value, "timestamp": now, "step": 0} for name, value in run.metrics.items()]
    yield from ({"metrics": figures[at : at + _FIGURES]} for at in range(0, len(figures), _FIGURES))


def _now() -> int:
    return int(time.time() * 1000)
