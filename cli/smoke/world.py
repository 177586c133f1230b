"""The deployed Kedge as the smoke meets it: its functions, queues and state, and the endpoint's one client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from botocore.exceptions import ClientError

from cli.operator.deployment import RELEASE, RETRAINING, Deployment
from cli.smoke.listener import Listener
from cli.smoke.model import MODEL, Row, draw_rows, label_lines, load_definition
from cli.smoke.proof import NotProvedError
from cli.smoke.waiting import SmokeWaiting
from lambdas.adapters import executions
from lambdas.adapters.bucket import layout
from lambdas.adapters.bucket.timeline import load_timeline
from lambdas.adapters.state import champions
from lambdas.adapters.state.champions import Champion


class Smoke:
    """One run against one account and region; nothing but the smoke's own model is touched."""

    def __init__(self, deployment: Deployment, waiting: SmokeWaiting, *, models: Path) -> None:
        self.deployment, self.waiting, self.models = deployment, waiting, models
        self.config = load_definition()
        self.sent: dict[str, int] = {}  # the truth by inference id
        self.refused: list[str] = []  # ids that were answered by an error

    def client(self, service: str) -> Any:
        """A boto3 client of a service."""
        return self.deployment.client(service)

    @property
    def now(self) -> datetime:
        """The account's time."""
        return self.deployment.now

    @cached_property
    def random(self) -> np.random.Generator:
        """A random generator that differs between runs, and repeats in the offline account."""
        return np.random.default_rng(int(self.now.timestamp()))

    @cached_property
    def listener(self) -> Listener:
        """Receives Kedge's messages, once it is opened."""
        return Listener(self.client("sqs"), self.client("sns"))

    @property
    def bucket(self) -> str:
        """The data bucket."""
        return self.deployment.bucket

    @property
    def champion(self) -> Champion | None:
        """The package that serves the smoke's model."""
        return champions.load(self.client("dynamodb"), self.deployment.table, MODEL)

    def serving(self) -> Champion:
        """The package that serves; without one an error says so."""
        champion = self.champion
        if champion is None:
            raise NotProvedError(
                f"no package of {MODEL} serves", arn=MODEL, remedy="run `kedge smoke --from first-champion` first"
            )
        return champion

    def timeline(self, *kinds: str, version: str | None = None) -> list[dict[str, Any]]:
        """The timeline's entries of these kinds, oldest first, perhaps of one package version."""
        found = [entry for entry in load_timeline(self.client("s3"), self.bucket, MODEL) if entry["kind"] in kinds]
        return [e for e in found if version is None or str(e["detail"].get("package_version")) == version]

    # Functions and queues -----------------------------------------------------------------------------------------

    def invoke(self, name: str, event: Mapping[str, Any]) -> Any:
        """A function's answer to an event; a failure raises `NotProvedError`."""
        called = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
        answer = json.loads(called["Payload"].read() or b"null")
        if "FunctionError" in called:
            said = answer.get("errorMessage", answer) if isinstance(answer, dict) else answer
            raise NotProvedError(
                f"it failed: {said}", arn=name, remedy=f"look at its log: aws logs tail /aws/lambda/{name} --since 1h"
            )
        return answer

    def invoke_with(self, name: str, message: Mapping[str, Any]) -> Any:
        """A function's answer to a message, as its queue hands it over."""
        return self.invoke(name, {"Records": [{"body": json.dumps(message)}]})

    def send(self, stack: str, queue: str, message: Mapping[str, Any]) -> str:
        """Put a message into a stage's queue; the queue's URL."""
        url = self.deployment.find(stack, "AWS::SQS::Queue", queue)
        self.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(message))
        return url

    def retraining(self, run: str) -> tuple[str, str | None]:
        """The ARN of a retraining's execution, and how it stands."""
        return self._execution(RETRAINING, "KedgeRetrain", run)

    def release(self, run: str) -> tuple[str, str | None]:
        """The ARN of a release's execution, and how it stands."""
        return self._execution(RELEASE, "KedgeRelease", run)

    def _execution(self, stack: str, machine: str, run: str) -> tuple[str, str | None]:
        arn = executions.execution_arn(self.deployment.find(stack, "AWS::StepFunctions::StateMachine", machine), run)
        return arn, executions.status(self.client("stepfunctions"), arn)

    # The endpoint -------------------------------------------------------------------------------------------------

    def endpoint(self) -> Mapping[str, Any] | None:
        """The smoke's endpoint as SageMaker describes it; None if there is none."""
        try:
            found: Mapping[str, Any] = self.client("sagemaker").describe_endpoint(
                EndpointName=self.config.endpoint.name
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
                return None
            raise
        return found

    def ask(self, count: int) -> list[str]:
        """Send requests, each with an id of its own; the ids that were answered."""
        return [place for place in map(self._ask, draw_rows(count, self.random)) if place]

    def _ask(self, row: Row) -> str:
        name = f"smoke-{self.random.integers(1 << 62):016x}"
        runtime, endpoint = self.client("sagemaker-runtime"), self.config.endpoint
        try:
            runtime.invoke_endpoint(
                EndpointName=endpoint.name, ContentType=endpoint.content_type, InferenceId=name, Body=row.payload
            )
        except runtime.exceptions.ModelError:
            self.refused.append(name)
            return ""
        self.sent[name] = row.label
        return name

    def label(self, names: list[str]) -> str:
        """Upload the truth of some requests, below the current hour; the object's key."""
        key = f"{layout.collected_labels_prefix(MODEL, self.now)}/smoke-{names[0]}.jsonl"
        body = label_lines({name: self.sent[name] for name in names})
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)
        return key
