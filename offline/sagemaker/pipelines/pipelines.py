"""SageMaker Pipelines: CreatePipeline and its kin, and the steps of an execution, one after the other.

The real service runs steps by their dependencies and of many types, as the pipeline's role. Imitated: Training and RegisterModel
steps in the order of the definition, each a real job or package of this account; parameters with defaults, `Get` and `Std:Join`;
a token that finds the first execution; stopping, which stops the job of the running step. Refused: other types of steps, and
parameters that the definition does not know.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError
from moto.core.exceptions import JsonRESTError

from offline.iam.guard import Guard
from offline.region import Region
from offline.sagemaker.api import ValidationError, add_operations, arn, check_role
from offline.sagemaker.job import TRAINING
from offline.sagemaker.jobs import Jobs
from offline.sagemaker.registry import Registry

POLL, STOP = timedelta(seconds=15), timedelta(seconds=20)
ENDED = ("Completed", "Failed", "Stopped")
FAILED = "Step failure: One or multiple steps failed."


def install(region: Region, pipelines: Pipelines) -> None:
    """Answer the operations on pipelines and their executions."""
    add_operations(
        region,
        CreatePipeline=pipelines.create,
        StartPipelineExecution=pipelines.start,
        DescribePipelineExecution=lambda request: pipelines.find(request["PipelineExecutionArn"]).document,
        ListPipelineExecutionSteps=pipelines.list_steps,
        ListPipelineExecutions=pipelines.list_executions,
        StopPipelineExecution=pipelines.stop,
    )


class Pipelines:
    """The account's pipelines and their executions."""

    def __init__(self, region: Region, guard: Guard, jobs: Jobs, registry: Registry) -> None:
        self.region, self.guard, self.jobs, self.registry = region, guard, jobs, registry
        self.known: dict[str, dict[str, Any]] = {}
        self.executions: dict[str, Execution] = {}
        self._tokens: dict[tuple[str, str], str] = {}

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer CreatePipeline."""
        name, definition = request["PipelineName"], json.loads(request["PipelineDefinition"])
        if name in self.known:
            raise ValidationError(
                f"Pipeline names must be unique within an AWS account and region: {name} exists already."
            )
        check_role(self.guard, request["RoleArn"])
        strange = sorted({step["Type"] for step in definition["Steps"]} - set(WORK))
        if strange:
            raise ValidationError(f"steps of type {', '.join(strange)} are not imitated")
        self.known[name] = {"role": request["RoleArn"], "definition": definition}
        return {"PipelineArn": arn(self.region, "pipeline", name)}

    def start(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer StartPipelineExecution."""
        name = request["PipelineName"].rpartition("/")[2]
        if name not in self.known:
            raise ValidationError(f"Pipeline {arn(self.region, 'pipeline', name)} does not exist.")
        token = (name, request.get("ClientRequestToken", ""))
        if token[1] and token in self._tokens:
            return {"PipelineExecutionArn": self._tokens[token]}
        values = self._parameters(name, request.get("PipelineParameters", []))
        number = len(self.executions) + 1
        execution_arn = arn(self.region, "pipeline", f"{name}/execution/{number:012x}")
        execution = Execution(
            self, self.known[name], execution_arn, values, request.get("PipelineExecutionDisplayName")
        )
        self.executions[execution_arn] = execution
        self._tokens[token] = execution_arn
        execution.begin()
        return {"PipelineExecutionArn": execution_arn}

    def _parameters(self, name: str, given: list[dict[str, str]]) -> dict[str, Any]:
        declared = {
            each["Name"]: each.get("DefaultValue") for each in self.known[name]["definition"].get("Parameters", [])
        }
        values = {each["Name"]: each["Value"] for each in given}
        if strange := sorted(set(values) - set(declared)):
            raise ValidationError(f"Unknown parameters {strange}: the pipeline definition has {sorted(declared)}.")
        values = {**declared, **values}
        if missing := sorted(key for key, value in values.items() if value is None):
            raise ValidationError(f"Parameters {missing} do not have default values and were not given.")
        return values

    def find(self, execution_arn: str) -> Execution:
        """Return an execution, or refuse as SageMaker does."""
        if execution_arn not in self.executions:
            raise ValidationError(f"Pipeline execution with ARN {execution_arn} does not exist.")
        return self.executions[execution_arn]

    def list_steps(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer ListPipelineExecutionSteps: newest first unless it is asked otherwise."""
        steps = self.find(request["PipelineExecutionArn"]).steps
        return {"PipelineExecutionSteps": steps if request.get("SortOrder") == "Ascending" else steps[::-1]}

    def list_executions(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer ListPipelineExecutions: newest first."""
        below = f"{arn(self.region, 'pipeline', request['PipelineName'])}/"
        shown = ("PipelineExecutionArn", "PipelineExecutionStatus", "PipelineExecutionDisplayName")
        found = [
            each.document
            for each in self.executions.values()
            if each.document["PipelineExecutionArn"].startswith(below)
        ]
        summaries = [{key: document[key] for key in shown if document.get(key)} for document in found[::-1]]
        return {"PipelineExecutionSummaries": summaries}

    def stop(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer StopPipelineExecution."""
        execution = self.find(request["PipelineExecutionArn"])
        if execution.document["PipelineExecutionStatus"] != "Executing":
            raise ValidationError("Only pipelines with 'Executing' status can be stopped.")
        execution.stop()
        return {"PipelineExecutionArn": request["PipelineExecutionArn"]}


class Execution:
    """One execution, its steps so far, and what they made."""

    def __init__(
        self,
        pipelines: Pipelines,
        pipeline: dict[str, Any],
        execution_arn: str,
        values: dict[str, Any],
        name: str | None,
    ) -> None:
        self.pipelines, self.pipeline, self.region = pipelines, pipeline, pipelines.region
        self.arn, self.steps, self._left = execution_arn, list[dict[str, Any]](), list(pipeline["definition"]["Steps"])
        self.made: dict[str, Any] = {f"Parameters.{key}": value for key, value in values.items()}
        self.made["Execution.PipelineExecutionId"] = execution_arn.rpartition("/")[2]
        now = self.region.clock.now
        self.document = {
            "PipelineArn": execution_arn.partition("/execution/")[0],
            "PipelineExecutionArn": execution_arn,
            "PipelineExecutionStatus": "Executing",
            "CreationTime": now,
            "LastModifiedTime": now,
            **({"PipelineExecutionDisplayName": name} if name else {}),
        }

    def begin(self) -> None:
        """Run the first step soon."""
        self._later(self._next)

    def _later(self, action: Callable[[], None], after: timedelta = POLL) -> None:
        self.region.clock.call_at(self.region.clock.now + after, action, self.arn)

    def _next(self) -> None:
        if self.document["PipelineExecutionStatus"] != "Executing":
            return
        if not self._left:
            self._end("Succeeded")
            return
        step = self._left.pop(0)
        shown = {"StepName": step["Name"], "StepStatus": "Executing", "StartTime": self.region.clock.now}
        self.steps.append(shown)
        try:
            WORK[step["Type"]](self, step, self._resolved(step["Arguments"]))
        except (ClientError, JsonRESTError) as error:
            self._fail(f"ClientError: {error}")

    def _resolved(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._resolved(each) for each in node]
        if not isinstance(node, dict):
            return node
        if set(node) == {"Get"}:
            return self.made[node["Get"]]
        if set(node) == {"Std:Join"}:
            joined = node["Std:Join"]
            return str(joined["On"]).join(str(self._resolved(each)) for each in joined["Values"])
        return {key: self._resolved(each) for key, each in node.items()}

    def train(self, step: dict[str, Any], request: dict[str, Any]) -> None:
        """Run a training job as the pipeline's role."""
        name = f"pipelines-{self.made['Execution.PipelineExecutionId']}-{step['Name']}"[:63].lower()
        role, job_arn = self.pipeline["role"], arn(self.region, "training-job", name)
        for action, resource in (("sagemaker:CreateTrainingJob", job_arn), ("iam:PassRole", request["RoleArn"])):
            facts = {"iam:passedtoservice": "sagemaker.amazonaws.com"}
            if not self.pipelines.guard.allows(role, action, resource, facts):
                self._fail(f"ClientError: {role} is not authorized to perform {action} on {resource}")
                return
        self.pipelines.jobs.create_training({**request, "TrainingJobName": name})
        self.steps[-1]["Metadata"] = {"TrainingJob": {"Arn": job_arn}}
        self._later(lambda: self._look(step, name))

    def _look(self, step: dict[str, Any], name: str) -> None:
        document = self.pipelines.jobs.find(TRAINING, {"TrainingJobName": name}).document
        status = document["TrainingJobStatus"]
        if self.document["PipelineExecutionStatus"] != "Executing":
            return
        if status not in ENDED:
            self._later(lambda: self._look(step, name))
        elif status == "Completed":
            artefact = document["ModelArtifacts"]["S3ModelArtifacts"]
            self.made[f"Steps.{step['Name']}.ModelArtifacts.S3ModelArtifacts"] = artefact
            self._succeed()
        else:
            self._fail(document.get("FailureReason", f"the job is {status}"))

    def register(self, _step: dict[str, Any], request: dict[str, Any]) -> None:
        """Register a model package; SageMaker writes down which execution made it."""
        made = self.pipelines.registry.create({**request, "MetadataProperties": {"GeneratedBy": self.arn}})
        self.steps[-1]["Metadata"] = {"RegisterModel": {"Arn": made["ModelPackageArn"]}}
        self._succeed()

    def _succeed(self) -> None:
        self.steps[-1] |= {"StepStatus": "Succeeded", "EndTime": self.region.clock.now}
        self._later(self._next)

    def _fail(self, reason: str) -> None:
        self.steps[-1] |= {"StepStatus": "Failed", "FailureReason": reason, "EndTime": self.region.clock.now}
        self.document["FailureReason"] = FAILED
        self._end("Failed")

    def stop(self) -> None:
        """Stop the running step's job, then the execution."""
        self._end("Stopping")
        job = (self.steps[-1].get("Metadata") or {}).get("TrainingJob") if self.steps else None
        if job and self.steps[-1]["StepStatus"] == "Executing":
            self.pipelines.jobs.stop(TRAINING, {"TrainingJobName": job["Arn"].rpartition("/")[2]})
            self.steps[-1]["StepStatus"] = "Stopped"
        self._later(lambda: self._end("Stopped"), STOP)

    def _end(self, status: str) -> None:
        self.document |= {"PipelineExecutionStatus": status, "LastModifiedTime": self.region.clock.now}


WORK: dict[str, Callable[[Execution, dict[str, Any], dict[str, Any]], None]] = {
    "Training": Execution.train,
    "RegisterModel": Execution.register,
}
