"""What a person looks at: a page for each model and one for all, renewed by a queue, and the dashboards with their widget."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from stacks.parts.access import DEFINITIONS, OBJECTS, allow, may_read, may_use_key, may_write, objects_below
from stacks.parts.functions import add_function, consume_together, role_of
from stacks.parts.packages import Packages
from stacks.parts.queues import add_stage_queue
from stacks.storage import Storage

PAGE_SECONDS, WIDGET_SECONDS = 300, 30
# Many models are judged at one time: the page of all is renewed once a batch. A page takes a few seconds.
BATCH, BATCH_WAIT = 20, cdk.Duration.minutes(1)


class Pages(Construct):
    """judged windows and events -> pages -> write_pages; a dashboard's viewer -> draw_widget."""

    def __init__(self, scope: Construct, name: str, *, packages: Packages, storage: Storage) -> None:
        super().__init__(scope, name)
        self._packages, self._storage = packages, storage
        # Who judged or decided writes it into the history just after telling of it: the page comes later than that.
        delay = cdk.Duration.seconds(30)
        self.queue = add_stage_queue(scope, "Pages", consumer_timeout_seconds=PAGE_SECONDS, delay=delay)
        self.write_pages = self._write_pages(scope)
        self.draw_widget = self._draw_widget(scope)
        consume_together(self.write_pages, self.queue, batch=BATCH, wait=BATCH_WAIT)
        # What was decided and released is told there, whoever did it. A judged window asks for its page by itself, and what has
        # no kind is an alarm of CloudWatch's.
        news = sns.SubscriptionFilter.string_filter(denylist=["window_judged"])
        storage.events.add_subscription(
            subscriptions.SqsSubscription(self.queue, raw_message_delivery=True, filter_policy={"kind": news})
        )

    def _write_pages(self, scope: Construct) -> lambda_.Function:
        function = self._function(scope, "write_pages", "the page of a model, and of all models", PAGE_SECONDS)
        may_use_key(role_of(function), self._storage.key)
        role, pages = role_of(function), ("*/index.html", "*/summary.json", "index.html")
        below = [arn.removesuffix("*") for arn in objects_below(self._storage.data, "reports")]
        may_write(role, self._storage.data, "history/shown")
        allow(role, "WritePages", ["s3:PutObject"], [f"{below[0]}{page}" for page in pages], wildcard=OBJECTS)
        return function

    def _draw_widget(self, scope: Construct) -> lambda_.Function:
        function = self._function(scope, "draw_widget", "a model's history as a widget of a dashboard", WIDGET_SECONDS)
        # It answers people who look, and writes nothing.
        allow(role_of(function), "ReadWithKey", ["kms:Decrypt"], [self._storage.key.key_arn])
        return function

    def _function(self, scope: Construct, name: str, does: str, seconds: int) -> lambda_.Function:
        function = add_function(
            scope,
            name,
            does=does,
            packages=self._packages,
            key=self._storage.key,
            memory_mib=1024,
            timeout_seconds=seconds,
            environment={"DATA_BUCKET": self._storage.data.bucket_name},
        )
        role = role_of(function)
        may_read(role, self._storage.data, *DEFINITIONS, "history", "reports")
        return function
