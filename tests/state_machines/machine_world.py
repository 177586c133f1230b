"""A world in which a machine runs alone: functions that answer from a table, and a SageMaker that only keeps books."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import LambdaBackend
from moto.awslambda_simple.models import LambdaSimpleBackend

DEFINITIONS = Path(__file__).resolve().parents[2] / "state_machines"
TABLE, MODEL = "state", "hotel"
PIPELINE_EXECUTION = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/hotel-training/execution/0123456789ab"
FUNCTIONS = (
    "SnapshotData",
    "PinArtefact",
    "TakeTrained",
    "CompareModels",
    "ReplayStaging",
    "JudgeStaging",
    "BuildBaseline",
    "PlanRelease",
    "WatchCanary",
    "WatchExperiment",
    "Settle",
    "Tell",
)
NOTHING = b"PK\x05\x06" + bytes(18)  # an empty archive: the fakes answer in its place
Answer = dict[str, Any] | Exception | Callable[[dict[str, Any]], dict[str, Any]]


class FakeFunctions:
    """Functions by name: each gives its answers in turn, the last one for ever; an exception is raised."""

    def __init__(self, account: Any, **answers: list[Answer] | Answer) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._answers = {name: given if isinstance(given, list) else [given] for name, given in answers.items()}
        for backend in (LambdaBackend, LambdaSimpleBackend):
            account.patch(backend, "invoke", lambda _backend, *given: self._invoke(*given))
        role = make_role(account, "functions", service="lambda")
        for name in FUNCTIONS:
            account.client("lambda").create_function(
                FunctionName=name,
                Runtime="python3.13",
                Role=role,
                Handler="index.handler",
                Code={"ZipFile": NOTHING},
            )

    def set(self, **answers: list[Answer] | Answer) -> None:
        """Change what functions answer."""
        self._answers |= {name: given if isinstance(given, list) else [given] for name, given in answers.items()}

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return the events that a function got."""
        return [event for called, event in self.events if called == name]

    def told(self) -> list[str]:
        """Return the kinds that people were told, in order."""
        return [event["kind"] for event in self.named("Tell")]

    def _invoke(self, name: str, _qualifier: Any, body: Any, _headers: Any, response_headers: Any) -> bytes:
        name, event = name.split(":")[-1], json.loads(body)
        self.events.append((name, event))
        answers = self._answers.get(name, [{}])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, LambdaClientError):
            raise answer
        try:
            if isinstance(answer, Exception):
                raise answer
            return json.dumps(answer(event) if callable(answer) else answer).encode()
        except Exception as error:
            response_headers["x-amz-function-error"] = "Unhandled"
            return json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)}).encode()


def throttled() -> LambdaClientError:
    """Return what Lambda answers when too many invocations run."""
    return LambdaClientError("TooManyRequestsException", "Rate Exceeded.")


class FakeSageMaker:
    """SageMaker at the level of its calls: what was asked, jobs that end in time, names that are taken."""

    def __init__(self, account: Any, job_minutes: int = 10) -> None:
        self.account, self.job_minutes = account, job_minutes
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._refusals: list[tuple[str, str, str, str]] = []
        self.job_endings: list[str] = []
        self.failure_reason = "AlgorithmError"
        self.endpoint_status = "Updating"
        self.pipeline_ending, self.pipeline_ends = "Succeeded", account.clock.now
        self._jobs: dict[str, dict[str, Any]] = {}
        boto3._get_default_session().events.register("before-call.sagemaker", self._answer)

    def named(self, operation: str) -> list[dict[str, Any]]:
        """Return the requests of one operation."""
        return [request for called, request in self.calls if called == operation]

    def fail(self, operation: str, code: str, times: int = 1, about: str = "", saying: str = "") -> None:
        """Have the next calls of an operation fail, or the next of those about something."""
        self._refusals += [(operation, code, about, saying or f"{operation} was refused")] * times

    def _answer(self, model: Any, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        request = json.loads(params["body"])
        if model.name != "DescribeEndpoint":
            # A look changes nothing: it is not counted among what was asked for.
            self.calls.append((model.name, request))
        for refusal in self._refusals:
            operation, code, about, message = refusal
            if operation == model.name and about in params["body"].decode():
                self._refusals.remove(refusal)
                return _error(code, message)
        if model.name.endswith("PipelineExecution"):
            return self._pipeline(model.name)
        if model.name.endswith("Job"):
            return self._job(model.name, request)
        arn = f"arn:aws:sagemaker:{self.account.region}:{self.account.account_id}"
        answers = {
            "CreateModel": {"ModelArn": f"{arn}:model/{request.get('ModelName')}"},
            "DescribeEndpoint": {"EndpointName": MODEL, "EndpointStatus": self.endpoint_status},
            "CreateModelPackage": {"ModelPackageArn": f"{arn}:model-package/{MODEL}/3"},
        }
        return _ok(answers.get(model.name, {}))

    def _pipeline(self, operation: str) -> tuple[Any, dict[str, Any]]:
        now = self.account.clock.now
        if operation.startswith("Start"):
            self.pipeline_ends = now + timedelta(minutes=self.job_minutes)
            return _ok({"PipelineExecutionArn": PIPELINE_EXECUTION})
        if operation.startswith("Stop"):
            self.pipeline_ends, self.pipeline_ending = now, "Stopped"
            return _ok({"PipelineExecutionArn": PIPELINE_EXECUTION})
        status = self.pipeline_ending if now >= self.pipeline_ends else "Executing"
        return _ok({"PipelineExecutionArn": PIPELINE_EXECUTION, "PipelineExecutionStatus": status})

    def _job(self, operation: str, request: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        verb = next(verb for verb in ("Create", "Describe", "Stop") if operation.startswith(verb))
        field = operation.removeprefix(verb)
        name, now = request[f"{field}Name"], self.account.clock.now
        if verb == "Create":
            if name in self._jobs:
                return _error("ResourceInUse", f"{name} already exists")
            ending = self.job_endings.pop(0) if self.job_endings else "Completed"
            self._jobs[name] = {"ends": now + timedelta(minutes=self.job_minutes), "ending": ending}
            return _ok({f"{field}Arn": name})
        job = self._jobs[name]
        if verb == "Stop":
            job.update(ends=now, ending="Stopped")
            return _ok({})
        status = job["ending"] if now >= job["ends"] else "InProgress"
        artefact = {"S3ModelArtifacts": f"s3://bucket/{name}/model.tar.gz"}
        found = {f"{field}Name": name, f"{field}Status": status, "ModelArtifacts": artefact, "CreationTime": now}
        return _ok(found | ({"FailureReason": self.failure_reason} if status == "Failed" else {}))


class _Http:
    def __init__(self, status_code: int) -> None:
        self.status_code, self.headers = status_code, {}


def _ok(parsed: dict[str, Any]) -> tuple[_Http, dict[str, Any]]:
    return _Http(200), parsed | {"ResponseMetadata": {"HTTPStatusCode": 200, "RequestId": "r"}}


def _error(code: str, message: str) -> tuple[_Http, dict[str, Any]]:
    return _Http(400), {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": "r"},
    }


class Machine:
    """One of the deployed definitions, its lease taken as its starter takes it, and its run."""

    def __init__(
        self, account: Any, name: str, functions: FakeFunctions, sagemaker: FakeSageMaker | None = None
    ) -> None:
        self.account, self.functions, self.sagemaker = account, functions, sagemaker
        self.states = account.client("stepfunctions")
        self.arn = self.states.create_state_machine(
            name=f"kedge-{name}", definition=definition(account, name), roleArn=make_role(account, "machine")
        )["stateMachineArn"]
        # The key that the requests of function_answers name.
        keys = account.backend("kms").keys
        keys["k"] = keys[account.client("kms").create_key()["KeyMetadata"]["KeyId"]]
        account.client("dynamodb").create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "model", "KeyType": "HASH"}, {"AttributeName": "item", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("model", "item")],
            BillingMode="PAY_PER_REQUEST",
        )

    def start(self, run: str = "hotel-3f2a", **more: Any) -> str:
        """Take the lease and start an execution; return its ARN."""
        arn = f"{self.arn.replace(':stateMachine:', ':execution:')}:{run}"
        self.hold_lease(arn)
        given = {"model": MODEL, "run": run, "time": "2016-01-01T00:00:00Z"} | more
        self.states.start_execution(stateMachineArn=self.arn, name=run, input=json.dumps(given))
        return arn

    def run(self, hours: int = 24, **more: Any) -> dict[str, Any]:
        """Start an execution, let time pass, and return how it ended."""
        arn = self.start(**more)
        self.account.clock.advance_to(self.account.clock.now + timedelta(hours=hours))
        return self.ending(arn)

    def ending(self, arn: str) -> dict[str, Any]:
        """Describe an execution."""
        return self.states.describe_execution(executionArn=arn)

    def visited(self, arn: str | None = None) -> list[str]:
        """Return the states that an execution entered, in order."""
        arn = arn or f"{self.arn.replace(':stateMachine:', ':execution:')}:hotel-3f2a"
        events = self.states.get_execution_history(executionArn=arn)["events"]
        return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]

    def hold_lease(self, holder: str) -> None:
        """Write down who holds the model's lease."""
        item = {"model": {"S": MODEL}, "item": {"S": "lease"}, "holder": {"S": holder}}
        self.account.client("dynamodb").put_item(TableName=TABLE, Item=item)

    def lease(self) -> str | None:
        """Return who holds the model's lease, if anyone does."""
        key = {"model": {"S": MODEL}, "item": {"S": "lease"}}
        item = self.account.client("dynamodb").get_item(TableName=TABLE, Key=key).get("Item")
        return item["holder"]["S"] if item else None


def definition(account: Any, name: str) -> str:
    """Return a definition as deployed, each function called after its substitution."""
    text = (DEFINITIONS / f"{name}.asl.json").read_text().replace("${StateTableName}", TABLE)
    text = text.replace("${MetricNamespace}", "Kedge")
    prefix = f"arn:aws:lambda:{account.region}:{account.account_id}:function:"
    for function in FUNCTIONS:
        text = text.replace(f"${{{function}FunctionArn}}", prefix + function)
    return text


def make_role(account: Any, name: str, *actions: str, service: str = "states") -> str:
    """Make a role that a service may take, by default one that may do everything."""
    iam = account.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    allowed = {"Effect": "Allow", "Action": list(actions or ["*"]), "Resource": "*"}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=_policy(allowed))
    return str(arn)


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
