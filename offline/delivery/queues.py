"""SQS and Lambda's event source mappings: batches reach functions, failures come back, the dead go aside.

The real Lambda service polls a queue, invokes the function with up to a batch of messages, and deletes what succeeded;
what failed becomes visible again after the queue's visibility timeout, and moves to the dead-letter queue after
maxReceiveCount receipts. Imitated: batch size, batching window, ReportBatchItemFailures, visibility timeout, redrive,
delay; a message is polled a second after it can be seen, and one batch in twenty comes twice. Also the gauges that
AWS/SQS publishes. Not imitated: filter criteria (refused), maximum concurrency (one batch runs at a time). A long poll
answers at once with what is there: time does not pass while a caller waits.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import moto.sqs.models as sqs_models
from moto.awslambda.exceptions import InvalidParameterValueException
from moto.awslambda.models import LambdaBackend
from moto.sqs.models import Queue, SQSBackend

from offline.delivery.queue_records import record_of
from offline.delivery.targets import Caller, TargetError, Targets
from offline.functions.errors import FunctionError
from offline.functions.runtime import Functions
from offline.metrics.cloudwatch import Metrics
from offline.region import Region

POLL_SECONDS = 1.0
DUPLICATE_FRACTION = 0.05
REPEAT_SECONDS = (1.0, 60.0)
PARTIAL_FAILURES = "ReportBatchItemFailures"
PRINCIPAL = "lambda.amazonaws.com"


def install(region: Region, polling: Polling) -> None:
    """Have moto's queues reach functions on the account's clock, and tell their depth."""
    _patch_queues(region, polling)
    _patch_mappings(region, polling)


def _patch_queues(region: Region, polling: Polling) -> None:
    receive = SQSBackend.receive_message

    def add_message(queue: Any, message: Any) -> None:
        if queue.fifo_queue and _deduplicated(queue, message):
            return
        queue._messages.append(message)
        polling.message_added(queue, message)

    def receive_message(backend: Any, queue_name: str, count: int, _wait: int, *args: Any, **kwargs: Any) -> Any:
        polling.expire(backend.get_queue(queue_name))
        messages = receive(backend, queue_name, count, 0, *args, **kwargs)
        polling.depth_changed(backend.get_queue(queue_name))
        return messages

    def followed_by_depth(method: str) -> None:
        original = getattr(SQSBackend, method)

        def call(backend: Any, queue_name: str, *args: Any, **kwargs: Any) -> Any:
            answer = original(backend, queue_name, *args, **kwargs)
            polling.depth_changed(backend.get_queue(queue_name))
            return answer

        region.patch(SQSBackend, method, call)

    # moto spells every attribute of a queue anew for each message.
    region.patch(sqs_models, "camelcase_to_underscores", cache(sqs_models.camelcase_to_underscores))
    region.patch(Queue, "add_message", add_message)
    region.patch(SQSBackend, "receive_message", receive_message)
    for method in ("delete_message", "purge_queue", "change_message_visibility"):
        followed_by_depth(method)


def _patch_mappings(region: Region, polling: Polling) -> None:
    create, update = LambdaBackend.create_event_source_mapping, LambdaBackend.update_event_source_mapping

    def create_event_source_mapping(backend: Any, spec: dict[str, Any]) -> Any:
        if spec.get("FilterCriteria"):
            raise InvalidParameterValueException("FilterCriteria are not imitated")
        mapping = create(backend, spec)
        polling.mapping_changed(mapping)
        return mapping

    def update_event_source_mapping(backend: Any, uuid: str, spec: dict[str, Any]) -> Any:
        mapping = update(backend, uuid, spec)
        if mapping is not None:
            polling.mapping_changed(mapping)
        return mapping

    region.patch(LambdaBackend, "create_event_source_mapping", create_event_source_mapping)
    region.patch(LambdaBackend, "update_event_source_mapping", update_event_source_mapping)


class Polling:
    """Lambda's pollers: one for each queue that has a mapping, awake only when there is something to see."""

    def __init__(self, region: Region, targets: Targets, functions: Functions, metrics: Metrics) -> None:
        self.region, self.targets, self.functions, self.metrics = region, targets, functions, metrics
        self._planned: dict[str, tuple[datetime, Any]] = {}
        self._depths: dict[str, int] = {}

    def message_added(self, queue: Any, message: Any) -> None:
        """Note a message that came in, perhaps to be seen later."""
        self.metrics.put("AWS/SQS", "NumberOfMessagesSent", 1, {"QueueName": queue.name}, "Count")
        seen = datetime.fromtimestamp(message.delayed_until / 1000, UTC) if message.delayed_until else None
        if seen is not None and seen > self.region.clock.now:
            self.region.clock.call_at(seen, lambda: self.depth_changed(queue), f"delay in {queue.name}")
        self.depth_changed(queue)
        mapping = self._mapping(queue)
        if mapping is not None:
            self._plan(queue, self._first_look(queue, mapping, seen or self.region.clock.now))
        else:
            self.region.clock.call_at(_end_of(message, queue), lambda: self.expire(queue), f"retention in {queue.name}")

    def expire(self, queue: Any) -> None:
        """Forget the messages that were kept as long as the queue keeps any."""
        now = self.region.clock.now
        if any(_end_of(message, queue) <= now for message in queue._messages):
            queue._messages = [message for message in queue._messages if _end_of(message, queue) > now]
            self.depth_changed(queue)

    def mapping_changed(self, mapping: Any) -> None:
        """Look at a queue whose mapping was made or changed."""
        queue = self._queue(mapping.event_source_arn)
        if mapping.enabled and queue is not None and queue._messages:
            self._plan(queue, self.region.clock.now + timedelta(seconds=POLL_SECONDS))

    def depth_changed(self, queue: Any) -> None:
        """Publish a queue's gauge if it shows something new."""
        depth = len(queue.messages)
        if depth == self._depths.get(queue.name):
            return
        self._depths[queue.name] = depth
        self.metrics.hold("AWS/SQS", "ApproximateNumberOfMessagesVisible", depth, {"QueueName": queue.name}, "Count")

    def _first_look(self, queue: Any, mapping: Any, seen: datetime) -> datetime:
        full = len(queue.messages) >= mapping.batch_size
        window = 0 if full else int(mapping.max_batch_window or 0)
        return seen + timedelta(seconds=max(POLL_SECONDS, window))

    def _plan(self, queue: Any, when: datetime) -> None:
        planned = self._planned.get(queue.queue_arn)
        if planned is not None:
            if planned[0] <= when:
                return
            self.region.clock.cancel(planned[1])
        timer = self.region.clock.call_at(when, lambda: self._poll(queue.queue_arn), f"poll {queue.name}")
        self._planned[queue.queue_arn] = (when, timer)

    def _poll(self, queue_arn: str) -> None:
        self._planned.pop(queue_arn, None)
        queue = self._queue(queue_arn)
        mapping = self._mapping(queue) if queue is not None else None
        if queue is None or mapping is None:
            return
        messages = self._receive(queue, mapping)
        if messages:
            self._hand_over(queue, mapping, messages)
        self._plan_next(queue)

    def _receive(self, queue: Any, mapping: Any) -> list[Any]:
        backend = self.region.backend("sqs")
        self._require(mapping, "sqs:ReceiveMessage", queue)
        return list(backend.receive_message(queue.name, mapping.batch_size, 0, queue.visibility_timeout, ["All"]))

    def _hand_over(self, queue: Any, mapping: Any, messages: list[Any]) -> None:
        event = {"Records": [record_of(queue, message) for message in messages]}
        if self.region.random.random() < DUPLICATE_FRACTION:
            later = self.region.clock.now + timedelta(seconds=round(self.region.random.uniform(*REPEAT_SECONDS), 3))
            self.region.clock.call_at(later, lambda: self._failed(mapping, event), f"{queue.name}, again")
        failed = self._failed(mapping, event)
        self._require(mapping, "sqs:DeleteMessage", queue)
        for message in messages:
            if message.id not in failed:
                self.region.backend("sqs").delete_message(queue.name, message.receipt_handle)

    def _failed(self, mapping: Any, event: dict[str, Any]) -> set[str]:
        """Invoke the function with a batch; return the ids of the messages that it did not manage."""
        everything = {record["messageId"] for record in event["Records"]}
        try:
            answer = self.functions.invoke(mapping.function_arn, event)
        except FunctionError:
            return everything
        if PARTIAL_FAILURES not in (mapping.function_response_types or []) or not answer:
            return set()
        named = {str(item.get("itemIdentifier")) for item in answer.get("batchItemFailures") or []}
        return named if named <= everything else everything

    def _plan_next(self, queue: Any) -> None:
        times = [max(m.visible_at, m.delayed_until) / 1000 for m in queue._messages]
        if times and self._mapping(queue) is not None:
            earliest = max(datetime.fromtimestamp(min(times), UTC), self.region.clock.now)
            self._plan(queue, earliest + timedelta(seconds=POLL_SECONDS))

    def _queue(self, arn: str) -> Any:
        return self.region.backend("sqs").queues.get(arn.split(":")[-1])

    def _mapping(self, queue: Any) -> Any:
        """Return the queue's mapping if it is enabled and was not deleted."""
        known = self.region.backend("lambda")._event_source_mappings
        for mapping in queue.lambda_event_source_mappings.values():
            if mapping.enabled and mapping.uuid in known:
                return mapping
        return None

    def _require(self, mapping: Any, action: str, queue: Any) -> None:
        """Check that the function's role may do what Lambda does for it."""
        role = self.region.backend("lambda").get_function(mapping.function_arn).role
        try:
            self.targets.require(Caller(PRINCIPAL, mapping.arn, role), action, queue.queue_arn)
        except TargetError as error:
            raise PermissionError(f"the mapping of {queue.name} to {mapping.function_arn}: {error}") from error


def _end_of(message: Any, queue: Any) -> datetime:
    """Return when a message is forgotten."""
    return datetime.fromtimestamp(message.sent_timestamp / 1000 + int(queue.message_retention_period), UTC)


def _deduplicated(queue: Any, message: Any) -> bool:
    """Tell whether a FIFO queue has seen a message in the last five minutes."""
    return message.deduplication_id is not None and any(
        other.deduplication_id == message.deduplication_id
        and message.sent_timestamp - other.sent_timestamp < timedelta(minutes=5).total_seconds() * 1000
        for other in queue._messages
    )
