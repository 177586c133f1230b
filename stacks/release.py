"""An approval to a proved release: the rule on the registry, the release machine, and what may touch an endpoint."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from stacks.monitoring import SETTLE_SECONDS
from stacks.parts.access import (
    ALARMS,
    DEFINITIONS,
    ISOLATED,
    NO_RESOURCE_TYPE,
    OBJECTS,
    TIMELINE,
    allow,
    every_alarm,
    may_lend_key,
    may_list,
    may_pass,
    may_put_metrics,
    may_read,
    may_read_metrics,
    may_see_alarms,
    may_see_executions,
    may_send,
    may_tag_what_it_makes,
    may_tell,
    may_track,
    may_use_key,
    may_use_state,
    may_write,
    objects_below,
    release_alarms,
)
from stacks.parts.alarms import alarm_on_dead_letters, alarm_on_errors, alarm_on_failed_executions
from stacks.parts.functions import add_function, consume, role_of
from stacks.parts.machines import add_machine, role_of_machine
from stacks.parts.naming import (
    EXECUTIONS,
    RELEASE_MACHINE,
    RETRAIN_MACHINE,
    RUNS,
    endpoint_arns,
    machine_arn,
    own_arns,
    pipeline_arns,
    sagemaker_arns,
    stage_of,
    staging_arns,
    synthesizer,
)
from stacks.parts.network import may_make, vpc_variable, with_network
from stacks.parts.packages import Packages
from stacks.parts.queues import add_dead_letters, add_stage_queue
from stacks.parts.teller import add_teller, tell_alarms
from stacks.promotion import PackageSource
from stacks.retraining import MADE_BY_A_RUN, Retraining
from stacks.storage import Storage
from stacks.taking import add_taker

START_SECONDS = 60
WATCH_SECONDS = 600
FLEETS = "a thousand endpoints' names do not fit into a policy, and configs are named after their release"


class Release(cdk.Stack):
    """A package's state change -> start_release -> release machine: plan, update, watch, verify, switch."""

    def __init__(  # noqa: PLR0913  # facts of the deployment, each by itself
        self,
        scope: Construct,
        name: str,
        *,
        env: cdk.Environment,
        packages: Packages,
        storage: Storage,
        retraining: Retraining,
        source: PackageSource | None = None,
    ) -> None:
        super().__init__(scope, name, env=env, synthesizer=synthesizer(), description="Kedge: approval to release")
        self._storage, self._packages, self._workshop = storage, packages, retraining.workshop
        self._models = packages.models
        undelivered = add_dead_letters(self, "Undelivered")
        approvals = self._approvals = add_stage_queue(
            self,
            "Approvals",
            consumer_timeout_seconds=START_SECONDS,
            # Hours, not minutes: a person's decision outlives an outage of any service.
            attempts=100,
        )
        self._settlements = retraining.settlements
        settle = self._settle()
        steps = [self._plan_release(), self._watch_canary(), self._watch_experiment(), settle]
        teller = add_teller(self, packages=packages, storage=storage)
        steps.append(teller)
        tell_alarms(self, teller, packages.models, undelivered)
        takers = [add_taker(self, packages=packages, storage=storage, source=source)] if source is not None else []
        machine = self._machine(steps)
        start = self._start_release(machine)

        decisions = events.Rule(
            self, "Decisions", event_pattern=_state_change(self), description="Kedge: a person decided"
        )
        decisions.add_target(targets.SqsQueue(approvals, dead_letter_queue=undelivered, retry_attempts=10))
        consume(start, approvals)
        consume(settle, self._settlements)
        topics = [storage.alerts, storage.events]
        for function in (start, *steps, *takers):
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
            key=self._storage.key,
            memory_mib=1024,
            timeout_seconds=START_SECONDS,
            environment={
                "DATA_BUCKET": self._storage.data.bucket_name,
                "STATE_TABLE": self._storage.state.table_name,
                "ALERT_TOPIC_ARN": self._storage.alerts.topic_arn,
                "EVENT_TOPIC_ARN": self._storage.events.topic_arn,
                "RELEASE_MACHINE_ARN": machine.state_machine_arn,
                "RETRAIN_MACHINE_ARN": machine_arn(self, RETRAIN_MACHINE),
            },
        )
        role = role_of(function)
        # Whose model it is, and by which channels its team is told.
        may_read(role, self._storage.data, *DEFINITIONS)
        may_write(role, self._storage.data, *TIMELINE)
        may_use_state(role, self._storage.state, "GetItem", "PutItem", "DeleteItem")
        may_tell(role, self._storage.alerts, self._storage.events)
        may_use_key(role, self._storage.key)
        allow(role, "StartRelease", ["states:StartExecution"], [machine.state_machine_arn])
        # A package that Kedge did not make passes the gate first.
        allow(role, "StartGate", ["states:StartExecution"], [machine_arn(self, RETRAIN_MACHINE)])
        may_see_executions(role, RETRAIN_MACHINE, RELEASE_MACHINE)
        self._see(function, "ModelPackage", "Endpoint", "EndpointConfig")
        return function

    def _plan_release(self) -> lambda_.Function:
        own = {model: role.role_arn for model, role in self._workshop.own_serving_roles.items()}
        function = add_function(
            self,
            "plan_release",
            does="the requests of one release, and the baseline to watch it by",
            packages=self._packages,
            key=self._storage.key,
            environment={
                "DATA_BUCKET": self._storage.data.bucket_name,
                "STATE_TABLE": self._storage.state.table_name,
                "SERVING_ROLE_ARN": self._workshop.serving_role.role_arn,
                "OWN_ROLES": self.to_json_string(own),
                "VPC": vpc_variable(self._workshop.vpc),
                "KMS_KEY_ID": self._storage.key.key_arn,
            },
        )
        role = role_of(function)
        # The staged baseline is put in place before the canary answers, so that its answers are counted too.
        may_read(role, self._storage.data, "deployed", "retraining", "artefacts")
        may_write(role, self._storage.data, "baselines")
        may_use_state(role, self._storage.state, "GetItem", "PutItem")
        may_use_key(role, self._storage.key)
        # The fast way back takes the lease where it is free, and sends a canary back by its gauge.
        may_see_executions(role, RETRAIN_MACHINE, RELEASE_MACHINE)
        may_put_metrics(role)
        self._see(function, "ModelPackage", "Endpoint", "EndpointConfig")
        groups = sagemaker_arns(self, "model-package-group")
        allow(role, "ListPackages", ["sagemaker:ListModelPackages"], groups, wildcard=FLEETS)
        self._may_show_stages(function)
        return function

    def _watch_canary(self) -> lambda_.Function:
        function = add_function(
            self,
            "watch_canary",
            does="the canary's answers against the champion's over the same minutes",
            packages=self._packages,
            key=self._storage.key,
            layers=("statistics",),
            memory_mib=1024,
            timeout_seconds=120,
            environment={
                "DATA_BUCKET": self._storage.data.bucket_name,
                "STATE_TABLE": self._storage.state.table_name,
            },
        )
        role = role_of(function)
        may_read(role, self._storage.data, "deployed", "capture", "baselines")
        # An adopted champion's answers, beside the first canary that Kedge releases.
        self._storage.captures.may_read(role)
        may_use_state(role, self._storage.state, "GetItem", "PutItem")
        may_use_key(role, self._storage.key)
        may_put_metrics(role)
        self._see(function, "Endpoint", "EndpointConfig", "ModelPackage")
        may_read_metrics(role_of(function))
        return function

    def _watch_experiment(self) -> lambda_.Function:
        function = add_function(
            self,
            "watch_experiment",
            does="what a version that is tried for days answers beside the champion's answers",
            packages=self._packages,
            key=self._storage.key,
            layers=("statistics",),
            memory_mib=2048,
            timeout_seconds=WATCH_SECONDS,
            environment={
                "DATA_BUCKET": self._storage.data.bucket_name,
                "STATE_TABLE": self._storage.state.table_name,
            },
        )
        role = role_of(function)
        # Both models' answers, the schemas that they are read by, the labels that are in, and the pairs of the hours before.
        may_read(role, self._storage.data, "deployed", "capture", "baselines", "labelled", "experiments")
        may_write(role, self._storage.data, "experiments")
        may_use_state(role, self._storage.state, "GetItem", "PutItem")
        may_use_key(role, self._storage.key)
        may_read_metrics(role)
        self._see(function, "Endpoint", "EndpointConfig", "ModelPackage")
        return function

    def _settle(self) -> lambda_.Function:
        function = add_function(
            self,
            "settle",
            does="endpoint, champion item, alarms and messages brought in line",
            packages=self._packages,
            key=self._storage.key,
            memory_mib=1024,
            timeout_seconds=SETTLE_SECONDS,
            environment={
                "DATA_BUCKET": self._storage.data.bucket_name,
                "STATE_TABLE": self._storage.state.table_name,
                "ALERT_TOPIC_ARN": self._storage.alerts.topic_arn,
                "EVENT_TOPIC_ARN": self._storage.events.topic_arn,
                "APPROVALS_QUEUE_URL": self._approvals.queue_url,
                "RETRAIN_MACHINE_ARN": machine_arn(self, RETRAIN_MACHINE),
            },
        )
        role = role_of(function)
        # A version that somebody else put into service needs its baseline where the monitor looks. Of labels only their names.
        read = (*DEFINITIONS, "retraining", "artefacts")
        allow(role, "ReadObjects", ["s3:GetObject"], objects_below(self._storage.data, *read), wildcard=OBJECTS)
        may_list(role, self._storage.data, *read, "labels")
        may_write(role, self._storage.data, *TIMELINE, "baselines")
        may_use_state(role, self._storage.state, "GetItem", "PutItem", "DeleteItem", "Query")
        may_tell(role, self._storage.alerts, self._storage.events)
        may_send(role, self._approvals)
        may_use_key(role, self._storage.key)
        may_see_executions(role, RETRAIN_MACHINE, RELEASE_MACHINE)
        may_read_metrics(role)
        may_put_metrics(role)
        self._see(function, "ModelPackage", "Endpoint", "EndpointConfig", "Model")
        # Packages that wait for a decision, if no person was asked.
        groups = sagemaker_arns(self, "model-package-group")
        allow(role, "ListPackages", ["sagemaker:ListModelPackages"], groups, wildcard=FLEETS)
        # It lists what an earlier release has left: a listing is allowed on all alarms or on none.
        allow(role, "ListAlarms", ["cloudwatch:DescribeAlarms"], [every_alarm(self)], wildcard=ALARMS)
        # Who changed or deleted an endpoint.
        allow(role, "AskWho", ["cloudtrail:LookupEvents"], ["*"], wildcard=NO_RESOURCE_TYPE)
        # A first endpoint that serves loses the tag by which the machine may delete it.
        allow(role, "MarkServed", ["sagemaker:DeleteTags"], endpoint_arns(self, self._models), wildcard=FLEETS)
        self._may_sweep(role)
        self._may_show_stages(function)
        may_track(role, self._models)
        allow(role, "Disarm", ["cloudwatch:DeleteAlarms"], [release_alarms(self)], wildcard=ALARMS)
        allow(role, "SeeWhichRang", ["cloudwatch:DescribeAlarmHistory"], [release_alarms(self)], wildcard=ALARMS)
        return function

    def _may_show_stages(self, function: lambda_.Function) -> None:
        role = role_of(function)
        # By this name its own changes of a package are known again: they are nobody's decision.
        function.add_environment("ROLE_NAME", role.role_name)
        shown: dict[str, object] = {"sagemaker:ModelLifeCycle:stage": SHOWN_STAGES}
        only = {"StringEquals": shown, "Null": UNDECIDED}
        packages = own_arns(self, "model-package")
        allow(role, "ShowStages", ["sagemaker:UpdateModelPackage"], packages, wildcard=FLEETS, conditions=only)

    def _may_sweep(self, role: iam.Role) -> None:
        lists = [f"sagemaker:List{kind}" for kind in LISTED]
        allow(role, "ListLeftovers", lists, ["*"], wildcard=NO_RESOURCE_TYPE)
        jobs = own_arns(self, "training-job", "transform-job")
        stops = ["sagemaker:StopTrainingJob", "sagemaker:StopTransformJob"]
        allow(role, "StopLeftovers", stops, jobs, wildcard=RUNS)
        tunings = own_arns(self, "hyper-parameter-tuning-job")
        allow(role, "StopTunings", ["sagemaker:StopHyperParameterTuningJob"], tunings, wildcard=RUNS)
        looks = ["sagemaker:DescribeTrainingJob", "sagemaker:DescribeTransformJob"]
        allow(role, "SeeWhatJobsCost", looks, jobs, wildcard=RUNS)
        if pipelines := pipeline_arns(self, self._models):
            allow(role, "ListExecutionsOfPipelines", ["sagemaker:ListPipelineExecutions"], pipelines)
            begun = pipeline_arns(self, self._models, executions=True)
            allow(role, "StopPipelines", ["sagemaker:StopPipelineExecution"], begun, wildcard=EXECUTIONS)
        allow(role, "DeleteLeftovers", ["sagemaker:DeleteModel"], own_arns(self, "model"), wildcard=RUNS)
        trials = [*staging_arns(self, "endpoint-config"), *staging_arns(self, "endpoint")]
        deletes = ["sagemaker:DeleteEndpointConfig", "sagemaker:DeleteEndpoint"]
        allow(role, "DeleteEndpointsOfTrials", deletes, trials, wildcard=RUNS, conditions=MADE_BY_A_RUN)

    def _see(self, function: lambda_.Function, *kinds: str) -> None:
        actions, seen = [f"sagemaker:Describe{kind}" for kind in kinds], [ARN_KIND[kind] for kind in kinds]
        allow(role_of(function), "SeeFleets", actions, sagemaker_arns(self, *seen), wildcard=FLEETS)

    def _machine(self, steps: list[lambda_.Function]) -> stepfunctions.StateMachine:
        machine = add_machine(
            self,
            RELEASE_MACHINE,
            file="release.asl.json",
            functions=steps,
            substitutions={
                "StateTableName": self._storage.state.table_name,
                "MetricNamespace": stage_of(self).namespace,
            },
            key=self._storage.key,
        )
        role = role_of_machine(machine)
        may_use_state(role, self._storage.state, "DeleteItem")
        may_use_key(role, self._storage.key)
        may_lend_key(role, self._storage.key)
        may_pass(role, *self._workshop.serving_roles, service="sagemaker.amazonaws.com")
        models, configs = own_arns(self, "model", "endpoint-config")
        endpoints = endpoint_arns(self, self._models)
        allow(role, "MakeModels", ["sagemaker:CreateModel"], [models], wildcard=FLEETS, conditions=ISOLATED)
        served = [f"{model.resource_name}-v*" for model in with_network(self._models, serving=True)]
        may_make(role, "MakeModelsWithNetwork", "sagemaker:CreateModel", served, kind="model")
        allow(role, "MakeConfigs", ["sagemaker:CreateEndpointConfig"], [configs], wildcard=FLEETS)
        changes = ["sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint"]
        allow(role, "ChangeEndpoints", changes, [configs, *endpoints], wildcard=FLEETS)
        allow(role, "LookAtEndpoints", ["sagemaker:DescribeEndpoint"], endpoints, wildcard=FLEETS)
        # A first endpoint that found no instances: SageMaker takes nothing but its deletion.
        delete = ["sagemaker:DeleteEndpoint"]
        allow(role, "DeleteFailedEndpoint", delete, endpoints, wildcard=FLEETS, conditions=NEVER_SERVED)
        makes = ("CreateModel", "CreateEndpointConfig", "CreateEndpoint")
        may_tag_what_it_makes(role, makes, [models, configs, *endpoints], wildcard=FLEETS)
        packages, reads = sagemaker_arns(self, "model-package"), ["sagemaker:DescribeModelPackage"]
        allow(role, "ReadPackages", reads, packages, wildcard="a package's version is known when it is approved")
        allow(role, "ArmAlarms", ["cloudwatch:PutMetricAlarm"], [release_alarms(self)], wildcard=ALARMS)
        may_put_metrics(role)
        may_see_alarms(role)
        return machine


# What retrainings may leave behind.
LISTED = ("Models", "HyperParameterTuningJobs", "TrainingJobs", "TransformJobs", "Endpoints", "EndpointConfigs")
# No role may tag an endpoint that exists: tags are set when it is made, and `settle` removes this one.
NEVER_SERVED = {"StringEquals": {"aws:ResourceTag/kedge:not-served": "true"}}
SHOWN_STAGES = ["Staging", "Production", "Retired"]
# A call that says nothing of the approval.
UNDECIDED: dict[str, object] = {"sagemaker:ModelApprovalStatus": "true"}
ARN_KIND = {
    "Model": "model",
    "ModelPackage": "model-package",
    "Endpoint": "endpoint",
    "EndpointConfig": "endpoint-config",
}


def _state_change(scope: Construct) -> events.EventPattern:
    stage = stage_of(scope)
    # Another stage's packages are none of ours. Without a stage start_release looks whether a package is of one of its groups.
    ours = {"ModelPackageGroupName": events.Match.prefix(stage.named(""))} if stage.name else {}
    return events.EventPattern(
        source=["aws.sagemaker"],
        detail_type=["SageMaker Model Package State Change"],
        # Pending too: an approval may be taken back. Of a package that is new, start_release knows nothing else, and does nothing.
        detail={"ModelApprovalStatus": ["Approved", "Rejected", "PendingManualApproval"], **ours},
    )
