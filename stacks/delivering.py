"""Messages to pagers, chats and webhooks: per channel that some model uses a queue, and one function that delivers."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from kedge.config.model import ModelConfig
from kedge.config.owners import CHANNELS, Channel
from stacks.chat_rooms import ROOM, ChatRooms
from stacks.parts.access import DEFINITIONS, allow, may_read, may_send, may_use_key, may_use_state, may_write
from stacks.parts.alarms import alarm_on_dead_letters, alarm_on_errors
from stacks.parts.functions import add_function, role_of
from stacks.parts.naming import stage_of
from stacks.parts.packages import Packages
from stacks.parts.queues import add_stage_queue
from stacks.storage import Storage

DELIVER_SECONDS, BATCH, AT_ONCE = 60, 2, 2
# With the waits in between about four hours; a service that asks for longer ones gets them: 20 times 11 hours are 9 days.
ATTEMPTS, KEEP_DAYS = 20, 14


def channels_used(models: Sequence[ModelConfig]) -> list[Channel]:
    """The channels beside mail that some route of a model leads to."""
    used = {channel for model in models for route in model.alerts.routes or () for channel in route.to}
    return [channel for channel in CHANNELS if channel in used and channel != "email"]


class Delivering(Construct):
    """events -> (per channel a queue) -> deliver."""

    def __init__(self, scope: Construct, name: str, *, packages: Packages, storage: Storage) -> None:
        super().__init__(scope, name)
        used, self._storage = channels_used(packages.models), storage
        if not used:
            return
        self.queues = {channel: self._queue(scope, channel) for channel in used}
        self.rooms = ChatRooms(self, "Rooms", models=packages.models, storage=storage)
        self.deliver = self._deliver(scope, packages)
        for queue in self.queues.values():
            # Two of a channel at once: one slow address does not hold up the others of its kind.
            source = event_sources.SqsEventSource(
                queue, batch_size=BATCH, max_concurrency=AT_ONCE, report_batch_item_failures=True
            )
            self.deliver.add_event_source(source)
        topics = [storage.alerts, storage.events]
        alarm_on_errors(scope, self.deliver, topics=topics)
        for queue in self.queues.values():
            alarm_on_dead_letters(scope, queue, topics=topics)

    def _queue(self, scope: Construct, channel: Channel) -> sqs.Queue:
        queue = add_stage_queue(
            scope, f"To{channel.title()}", consumer_timeout_seconds=DELIVER_SECONDS, attempts=ATTEMPTS
        )
        found = queue.node.default_child
        if isinstance(found, sqs.CfnQueue):
            # SQS drops a message that is older, and no dead-letter queue gets it: all tries must fit in.
            found.message_retention_period = cdk.Duration.days(KEEP_DAYS).to_seconds()
        wanted = {"channels": sns.SubscriptionFilter.string_filter(allowlist=[channel])}
        self._storage.events.add_subscription(
            subscriptions.SqsSubscription(queue, raw_message_delivery=True, filter_policy=wanted)
        )
        return queue

    def _deliver(self, scope: Construct, packages: Packages) -> lambda_.Function:
        stack, storage = cdk.Stack.of(scope), self._storage
        dead = {channel: queue.dead_letter_queue for channel, queue in self.queues.items()}
        places = {
            channel: {"queue": queue.queue_url, "dead_letters": found.queue.queue_url}
            for channel, queue in self.queues.items()
            if (found := dead[channel]) is not None
        }
        function = add_function(
            scope,
            "deliver",
            does="messages to pagers, chats and webhooks",
            packages=packages,
            key=storage.key,
            timeout_seconds=DELIVER_SECONDS,
            environment={
                "DATA_BUCKET": storage.data.bucket_name,
                "STATE_TABLE": storage.state.table_name,
                "CHANNEL_QUEUES": stack.to_json_string(places),
                "ROOMS_BEGIN": stack.format_arn(service="sns", resource=stage_of(scope).named(ROOM)),
            },
        )
        role = role_of(function)
        # Whose model a message is about.
        may_read(role, storage.data, *DEFINITIONS)
        may_use_state(role, storage.state, "GetItem", "PutItem")
        may_send(
            role, *(each.queue for each in dead.values() if each is not None and isinstance(each.queue, sqs.Queue))
        )
        secrets = stack.format_arn(
            service="secretsmanager",
            resource="secret",
            resource_name=stage_of(scope).named("kedge/*"),
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        reason = "the YAML files name the secrets, and Secrets Manager ends each ARN with six letters of its own"
        allow(role, "ReadSecrets", ["secretsmanager:GetSecretValue"], [secrets], wildcard=reason)
        rooms = stack.format_arn(service="sns", resource=stage_of(scope).named(f"{ROOM}*"))
        reason = "the YAML files name the rooms, and no topic but a room's begins so"
        allow(role, "TellRooms", ["sns:Publish"], [rooms], wildcard=reason)
        may_write(role, storage.data, "history/deliveries")
        # The state table's key; secrets may be encrypted with it too.
        may_use_key(role, storage.key)
        return function
