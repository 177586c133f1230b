"""An approval to a proved release: the rule on the registry, the release machine, and what may touch an endpoint."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from stacks.parts.access import (
    allow,
    may_lend_key,
    may_pass,
    may_put_metrics,
    may_read,
    may_read_metrics,
    may_see_executions,
    may_tell,
    may_use_key,
    may_use_state,
    may_write,
)
from stacks.parts.alarms import alarm_on_dead_letters, alarm_on_errors, alarm_on_failed_executions
from stacks.parts.functions import add_function, consume, role_of
from stacks.parts.machines import add_machine, role_of_machine
from stacks.parts.naming import RELEASE_MACHINE, RETRAIN_MACHINE, sagemaker_arns, synthesizer
from stacks.parts.packages import Packages
from stacks.parts.queues import add_dead_letters, add_stage_queue
from stacks.parts.teller import add_teller
from stacks.retraining import Retraining
from stacks.storage import Storage

START_SECONDS = 60
FLEETS = "a thousand endpoints' names do not fit into a policy, and configs are named after their release"


class Release(cdk.Stack):
    """A package's state change -> start_release -> release machine: plan, update, watch, verify, switch."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        env: cdk.Environment,
        packages: Packages,
        storage: Storage,
        retraining: Retraining,
    ) -> None:
        super().__init__(scope, name, env=env, synthesizer=synthesizer(), description="Kedge: approval to release")
        self._storage, self._packages, self._workshop = storage, packages, retraining.workshop
        undelivered = add_dead_letters(self, "Undelivered")
        # An approval that meets a retraining at work waits here for the lease, a day at most.
        approvals = add_stage_queue(
            self,
            "Approvals",
            consumer_timeout_seconds=START_SECONDS,
            attempts=48,
            retry_after=cdk.Duration.minutes(30),
        )
        steps = [self._plan_release(), self._watch_canary(), self._verify_release(), self._switch_baseline()]
        steps.append(add_teller(self, packages=packages, storage=storage))
        machine = self._machine(steps)
        start = self._start_release(machine)

        decisions = events.Rule(self, "Decisions", event_pattern=STATE_CHANGE, description="Kedge: a person decided")
        decisions.add_target(targets.SqsQueue(approvals, dead_letter_queue=undelivered, retry_attempts=10))
        consume(start, approvals)
        topics = [storage.alerts, storage.events]
        for function in (start, *steps):
            alarm_on_errors(self, function, topics=topics)
        alarm_on_failed_executions(self, machine, topics=topics)
        for queue in (approvals, undelivered):
            alarm_on_dead_letters(self, queue, topics=topics)

    def _start_release(self, machine: stepfunctions.StateMachine) -> lambda_.Function:
        function = add_function(
            self,
            "start_release",
            does="read the approval from the registry and start its release once",
            packages=self._packages,
            timeout_seconds=START_SECONDS,
            environment={
                "DATA_BUCKET": self._storage.data.bucket_name,
                "STATE_TABLE": self._storage.state.table_name,
                "ALERT_TOPIC_ARN": self._storage.alerts.topic_arn,
                "EVENT_TOPIC_ARN": self._storage.events.topic_arn,
                "RELEASE_MACHINE_ARN": machine.state_machine_arn,
            },
        )
        role = role_of(function)
        may_write(role, self._storage.data, "audit")
        may_use_state(role, self._storage.state, "GetItem", "PutItem")
        may_tell(role, self._storage.alerts, self._storage.events)
        may_use_key(role, self._storage.key)
        allow(role, "StartRelease", ["states:StartExecution"], [machine.state_machine_arn])
        may_see_executions(role, RETRAIN_MACHINE, RELEASE_MACHINE)
        self._see(function, "ModelPackage")
        return function

    def _plan_release(self) -> lambda_.Function:
        function = add_function(
            self,
            "plan_release",
            does="the requests of one release, and the baseline to watch it by",
            packages=self._packages,
            environment={
                "DATA_BUCKET": self._storage.data.bucket_name,
                "STATE_TABLE": self._storage.state.table_name,
                "SAGEMAKER_ROLE_ARN": self._workshop.role.role_arn,
                "KMS_KEY_ID": self._storage.key.key_arn,
            },
        )
        role = role_of(function)
        # The staged baseline is put in place before the canary answers, so that its answers are counted too.
        may_read(role, self._storage.data, "retraining")
        may_write(role, self._storage.data, "baselines")
        may_use_state(role, self._storage.state, "GetItem", "PutItem")
        may_use_key(role, self._storage.key)
        self._see(function, "ModelPackage", "Endpoint", "EndpointConfig")
        return function

    def _watch_canary(self) -> lambda_.Function:
        function = add_function(
            self,
            "watch_canary",
            does="the canary's answers against the champion's over the same minutes",
            packages=self._packages,
            layer="statistics",
            memory_mib=1024,
            timeout_seconds=120,
            environment={
                "DATA_BUCKET": self._storage.data.bucket_name,
                "STATE_TABLE": self._storage.state.table_name,
            },
        )
        role = role_of(function)
        may_read(role, self._storage.data, "capture")
        may_use_state(role, self._storage.state, "GetItem", "PutItem")
        may_use_key(role, self._storage.key)
        may_put_metrics(role)
        self._see(function, "Endpoint", "EndpointConfig")
        may_read_metrics(role_of(function))
        return function

    def _verify_release(self) -> lambda_.Function:
        function = add_function(
            self,
            "verify_release",
            does="whether the endpoint really serves what was asked",
            packages=self._packages,
            environment={"STATE_TABLE": self._storage.state.table_name},
        )
        may_use_state(role_of(function), self._storage.state, "GetItem", "DeleteItem")
        may_use_key(role_of(function), self._storage.key)
        self._see(function, "Endpoint", "EndpointConfig")
        may_read_metrics(role_of(function))
        return function

    def _switch_baseline(self) -> lambda_.Function:
        function = add_function(
            self,
            "switch_baseline",
            does="the new champion and its baseline",
            packages=self._packages,
            timeout_seconds=120,
            environment={
                "DATA_BUCKET": self._storage.data.bucket_name,
                "STATE_TABLE": self._storage.state.table_name,
            },
        )
        role = role_of(function)
        may_write(role, self._storage.data, "audit")
        may_use_state(role, self._storage.state, "GetItem", "PutItem")
        may_use_key(role, self._storage.key)
        self._see(function, "ModelPackage")
        return function

    def _see(self, function: lambda_.Function, *kinds: str) -> None:
        actions, seen = [f"sagemaker:Describe{kind}" for kind in kinds], [ARN_KIND[kind] for kind in kinds]
        allow(role_of(function), "SeeFleets", actions, sagemaker_arns(self, *seen), wildcard=FLEETS)

    def _machine(self, steps: list[lambda_.Function]) -> stepfunctions.StateMachine:
        machine = add_machine(
            self,
            RELEASE_MACHINE,
            file="release.asl.json",
            functions=steps,
            substitutions={"StateTableName": self._storage.state.table_name},
            timeout=cdk.Duration.hours(12),
        )
        role = role_of_machine(machine)
        may_use_state(role, self._storage.state, "DeleteItem")
        may_use_key(role, self._storage.key)
        may_lend_key(role, self._storage.key)
        may_pass(role, self._workshop.role, service="sagemaker.amazonaws.com")
        fleets = sagemaker_arns(self, "model", "endpoint-config", "endpoint")
        allow(
            role,
            "ChangeFleets",
            [f"sagemaker:{action}" for action in FLEET_ACTIONS],
            fleets,
            wildcard=FLEETS,
        )
        packages, reads = sagemaker_arns(self, "model-package"), ["sagemaker:DescribeModelPackage"]
        allow(role, "ReadPackages", reads, packages, wildcard="a package's version is known when it is approved")
        alarms = self.format_arn(
            service="cloudwatch", resource="alarm", resource_name="*", arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
        )
        allow(role, "ArmAlarms", ["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"], [alarms], wildcard=FLEETS)
        # UpdateEndpoint looks at its rollback alarms with the caller's permission.
        allow(role, "SeeAlarms", ["cloudwatch:DescribeAlarms"], [alarms], wildcard=FLEETS)
        return machine


ARN_KIND = {"ModelPackage": "model-package", "Endpoint": "endpoint", "EndpointConfig": "endpoint-config"}
FLEET_ACTIONS = ("CreateModel", "CreateEndpointConfig", "CreateEndpoint", "UpdateEndpoint", "AddTags")
STATE_CHANGE = events.EventPattern(
    source=["aws.sagemaker"],
    detail_type=["SageMaker Model Package State Change"],
    detail={"ModelApprovalStatus": ["Approved", "Rejected"]},
)
