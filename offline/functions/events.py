"""Asynchronous invocation: an event waits for its function, is tried three times, and is not lost silently.

Lambda queues the event, tries again a minute and then two minutes after a failure, and in the end hands it to the
function's dead-letter queue and its record to the failure destination, both as the function's role. Imitated: all of
that, with the limits on attempts and age; destinations are queues and topics.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from moto.awslambda.models import LambdaFunction
from moto.moto_api._internal import mock_random

from offline import roles
from offline.functions.errors import FunctionError, check_size
from offline.functions.runtime import Functions
from offline.region import Region

ASYNCHRONOUS_BYTES_MAX = 262_144
RETRY_MINUTES = (1, 2)  # before the second and the third attempt
EVENT_AGE_SECONDS_MAX = 21_600
_logger = logging.getLogger(__name__)


class FunctionEvents:
    """The events on their way to functions."""

    def __init__(self, region: Region, functions: Functions) -> None:
        self.region, self.functions = region, functions

    def invoke_later(self, name_or_arn: str, event: Any) -> None:
        """Queue an event for a function, as EventBridge, SNS and `InvocationType=Event` do."""
        function, payload = self.functions.find(name_or_arn), json.dumps(event).encode()
        check_size(len(payload), ASYNCHRONOUS_BYTES_MAX, function.function_name)
        self.region.clock.call_at(
            self.region.clock.now, lambda: self._attempt(function, payload, 1, time.time()), f"invoke {name_or_arn}"
        )

    def invoke_now(self, name_or_arn: str, event: Any) -> None:
        """Make the first attempt at once, for a caller whose time does not pass; those after a failure come in their time."""
        function, payload = self.functions.find(name_or_arn), json.dumps(event).encode()
        check_size(len(payload), ASYNCHRONOUS_BYTES_MAX, function.function_name)
        self._attempt(function, payload, 1, time.time())

    def _attempt(self, function: LambdaFunction, payload: bytes, attempt: int, queued: float) -> None:
        settings = function.event_invoke_config[-1].config if function.event_invoke_config else {}
        destinations = settings.get("DestinationConfig", {})
        try:
            answer = self.functions.run(function, payload)
        except FunctionError as error:
            retries = int(settings.get("MaximumRetryAttempts", len(RETRY_MINUTES)))
            oldest = int(settings.get("MaximumEventAgeInSeconds", EVENT_AGE_SECONDS_MAX))
            wait = timedelta(minutes=RETRY_MINUTES[min(attempt, len(RETRY_MINUTES)) - 1])
            when = self.region.clock.now + wait
            if attempt <= retries and when.timestamp() - queued <= oldest:
                again = f"retry {function.function_name}"
                self.region.clock.call_at(when, lambda: self._attempt(function, payload, attempt + 1, queued), again)
                return
            # AWS tells nobody but the function's log; whoever tries something here looks at the process's first.
            _logger.warning("%s failed, and is not tried again: %s", function.function_name, error)
            condition = "RetriesExhausted" if attempt > retries else "EventAgeExceeded"
            self._bury(function, payload, error)
            record = _record(function, payload, condition, attempt, error.payload, "Unhandled")
            self._send(function, destinations.get("OnFailure", {}).get("Destination"), record)
        else:
            record = _record(function, payload, "Success", attempt, json.loads(answer), None)
            self._send(function, destinations.get("OnSuccess", {}).get("Destination"), record)

    def _bury(self, function: LambdaFunction, payload: bytes, error: FunctionError) -> None:
        queue = self.functions.declared(function.function_name).get("DeadLetterConfig", {}).get("TargetArn")
        facts = {"RequestID": str(mock_random.uuid4()), "ErrorCode": "200", "ErrorMessage": error.message[:1024]}
        self._send(function, queue, payload.decode(), facts)

    def _send(self, function: LambdaFunction, arn: str | None, body: str, facts: Mapping[str, str] = {}) -> None:
        """Put a message into a queue or topic, as the function's role."""
        if not arn:
            return
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in facts.items() if value}
        service, name = arn.split(":")[2], arn.split(":")[-1]
        with roles.acting_as(function.role):
            if service == "sqs":
                client = self.region.plain_client("sqs")
                url = self.region.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
                client.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
            elif service == "sns":
                client = self.region.plain_client("sns")
                client.publish(TopicArn=arn, Message=body, MessageAttributes=attributes)
            else:
                raise ValueError(f"{arn} cannot take a function's failed event offline")


def _record(
    function: LambdaFunction, payload: bytes, condition: str, attempts: int, answer: Any, error: str | None
) -> str:
    """Return what Lambda tells a destination of an asynchronous invocation."""
    response = {"statusCode": 200, "executedVersion": "$LATEST"} | ({"functionError": error} if error else {})
    return json.dumps(
        {
            "version": "1.0",
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "requestContext": {
                "requestId": str(mock_random.uuid4()),
                "functionArn": f"{function.function_arn}:$LATEST",
                "condition": condition,
                "approximateInvokeCount": attempts,
            },
            "requestPayload": json.loads(payload),
            "responseContext": response,
            "responsePayload": answer,
        }
    )
