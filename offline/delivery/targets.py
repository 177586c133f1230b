"""How one AWS service hands an input to a resource of another: as a role, or as a service that a policy lets in.

In AWS a delivery that fails for a passing reason is tried again with growing waits; one that can never succeed (the
target is gone, the policy says no) or has run out of tries goes to the dead-letter queue, if there is one. Imitated
for Lambda, SQS, SNS and Step Functions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from botocore.exceptions import ClientError
from moto.core.exceptions import ServiceException
from werkzeug.exceptions import HTTPException

from offline.functions.events import FunctionEvents
from offline.iam.guard import Guard
from offline.region import Region

SUPPORTED_SERVICES = ("lambda", "sqs", "sns", "states")
# What no further try can change: the target is gone, its policy or key says no, or it cannot take this input.
TERMINAL_CODES = frozenset(
    {
        # It may not.
        *("AccessDenied", "AccessDeniedException", "AuthorizationError"),
        *("KMSAccessDenied", "KMSAccessDeniedException", "KmsAccessDenied", "KmsAccessDeniedException"),
        # It is not there.
        *("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "StateMachineDoesNotExist"),
        *("NotFound", "NotFoundException", "ResourceNotFound", "ResourceNotFoundException"),
        *("KMSNotFound", "KMSNotFoundException", "KmsNotFound"),
        # It does not take this.
        *("InvalidArn", "InvalidExecutionInput", "InvalidInputTooLarge", "InvalidMessageContents", "InvalidName"),
        *("InvalidParameter", "InvalidParameterValue", "InvalidParameterValueException", "ParameterValueInvalid"),
        *("InvalidRequestContentException", "RequestTooLargeException", "ValidationException"),
    }
)
LONGEST_BACKOFF_SECONDS = 3600
INPUT_BYTES_MAX = 262_144


class TargetError(Exception):
    """A target did not take what was handed to it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.terminal = code in TERMINAL_CODES


@dataclass(frozen=True)
class Caller:
    """On whose behalf a delivery is made: a service, for one of its resources, with a role or without."""

    principal: str
    source_arn: str
    role_arn: str | None = None


@dataclass(frozen=True)
class RetryPolicy:
    """How long a failing delivery is tried."""

    attempts: int = 185
    age_seconds: int = 86_400

    @classmethod
    def of(cls, declared: dict[str, Any] | None) -> RetryPolicy:
        """Read what a rule's target or a schedule declares."""
        declared = declared or {}
        return cls(
            int(declared.get("MaximumRetryAttempts", cls.attempts)),
            int(declared.get("MaximumEventAgeInSeconds", cls.age_seconds)),
        )


@dataclass(frozen=True)
class Failure:
    """Why a delivery was given up."""

    error: TargetError
    retries: int
    condition: str | None

    def attributes(self, **more: str) -> dict[str, dict[str, str]]:
        """Return the message attributes that the services put on a dead letter."""
        facts = {"ERROR_CODE": self.error.code, "ERROR_MESSAGE": str(self.error), "RETRY_ATTEMPTS": str(self.retries)}
        if self.condition:
            facts["EXHAUSTED_RETRY_CONDITION"] = self.condition
        return {name: {"DataType": "String", "StringValue": value} for name, value in (facts | more).items()}


class Targets:
    """Delivers to the account's functions, queues, topics and state machines."""

    def __init__(self, region: Region, guard: Guard, function_events: FunctionEvents) -> None:
        self.region, self.guard, self.function_events = region, guard, function_events

    def deliver(self, arn: str, payload: str, caller: Caller, parameters: dict[str, Any] | None = None) -> None:
        """Hand a payload to the resource that an ARN names; raise TargetError if it does not take it."""
        if len(payload.encode()) > INPUT_BYTES_MAX:
            raise TargetError("InvalidInputTooLarge", f"the input is larger than {INPUT_BYTES_MAX} bytes")
        deliver = {"lambda": self._invoke, "sqs": self._send, "sns": self._publish, "states": self._start}
        with _named_errors():
            deliver[arn.split(":")[2]](arn, payload, caller, parameters or {})

    def persist(self, send: Callable[[int], None], policy: RetryPolicy, give_up: Callable[[Failure], None]) -> None:
        """Call `send` with the attempt's number until it succeeds, waiting longer each time, or give up."""
        self._try(send, policy, give_up, 0, self.region.clock.now)

    def _try(
        self,
        send: Callable[[int], None],
        policy: RetryPolicy,
        give_up: Callable[[Failure], None],
        retries: int,
        since: datetime,
    ) -> None:
        try:
            send(retries + 1)
        except TargetError as error:
            again = self.region.clock.now + timedelta(seconds=min(2.0**retries, LONGEST_BACKOFF_SECONDS))
            if error.terminal:
                give_up(Failure(error, retries, None))
            elif retries >= policy.attempts:
                give_up(Failure(error, retries, "MaximumRetryAttempts"))
            elif again > since + timedelta(seconds=policy.age_seconds):
                give_up(Failure(error, retries, "MaximumEventAgeInSeconds"))
            else:
                self.region.clock.call_at(
                    again, lambda: self._try(send, policy, give_up, retries + 1, since), "deliver again"
                )

    def bury(self, queue_arn: str, body: str, attributes: dict[str, dict[str, str]], caller: Caller) -> None:
        """Put a dead letter into a queue."""
        with _named_errors():
            self._check(caller, "sqs:SendMessage", queue_arn)
            self.region.backend("sqs").send_message(queue_arn.split(":")[-1], body, message_attributes=attributes)

    def _invoke(self, arn: str, payload: str, caller: Caller, _parameters: dict[str, Any]) -> None:
        self._check(caller, "lambda:InvokeFunction", arn)
        self.function_events.invoke_later(arn, json.loads(payload))

    def _send(self, arn: str, payload: str, caller: Caller, parameters: dict[str, Any]) -> None:
        group = (parameters.get("SqsParameters") or {}).get("MessageGroupId")
        name = arn.split(":")[-1]
        if caller.role_arn:
            url = self.region.backend("sqs").get_queue(name).physical_resource_id
            with self.region.as_role(caller.role_arn):
                more = {"MessageGroupId": group} if group else {}
                self.region.plain_client("sqs").send_message(QueueUrl=url, MessageBody=payload, **more)
            return
        self._check(caller, "sqs:SendMessage", arn)
        self.region.backend("sqs").send_message(name, payload, group_id=group)

    def _publish(self, arn: str, payload: str, caller: Caller, parameters: dict[str, Any]) -> None:
        subject = parameters.get("Subject")
        if caller.role_arn:
            with self.region.as_role(caller.role_arn):
                more = {"Subject": subject} if subject else {}
                self.region.plain_client("sns").publish(TopicArn=arn, Message=payload, **more)
            return
        self._check(caller, "sns:Publish", arn)
        self.region.backend("sns").publish(payload, arn, subject=subject)

    def _start(self, arn: str, payload: str, caller: Caller, _parameters: dict[str, Any]) -> None:
        if not caller.role_arn:
            raise TargetError("AccessDeniedException", f"a role is needed to start {arn}")
        # The service names the execution, as EventBridge does: nobody can choose the name of one that a rule starts.
        name = "_".join(str(UUID(int=self.region.random.getrandbits(128), version=4)) for _ in range(2))
        with self.region.as_role(caller.role_arn):
            states = self.region.plain_client("stepfunctions")
            states.start_execution(stateMachineArn=arn, name=name, input=payload)

    def require(self, caller: Caller, action: str, arn: str) -> None:
        """Raise TargetError unless the caller's role, or the resource's policy, allows an action."""
        with _named_errors():
            self._check(caller, action, arn)

    def _check(self, caller: Caller, action: str, arn: str) -> None:
        if caller.role_arn:
            self.guard.require(caller.role_arn, action, arn)
        else:
            self.guard.require_service(caller.principal, action, arn, source_arn=caller.source_arn)


@contextmanager
def _named_errors() -> Iterator[None]:
    """Turn what boto3 and moto raise into a TargetError."""
    try:
        yield
    except ClientError as error:
        raise TargetError(error.response["Error"]["Code"], error.response["Error"]["Message"]) from error
    except (ServiceException, HTTPException) as error:
        code = getattr(error, "code", None) if isinstance(error, ServiceException) else getattr(error, "error_type", "")
        raise TargetError(str(code or type(error).__name__), str(error)) from error
