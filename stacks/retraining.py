"""A verdict to a registered challenger: the decision, the retrain machine, and what SageMaker trains with."""

from __future__ import annotations

import json

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from kedge.config.sections import Vpc
from kedge.config.training import run_prefix, tuning_pattern
from stacks.feature_groups import FeatureGroups
from stacks.joining import athena_environment, may_query
from stacks.monitoring import DECIDE_SECONDS, Monitoring
from stacks.package_buckets import PackageBuckets
from stacks.parts.access import (
    DEFINITIONS,
    ISOLATED,
    NO_RESOURCE_TYPE,
    OBJECTS,
    TIMELINE,
    allow,
    may_lend_key,
    may_pass,
    may_put_metrics,
    may_read,
    may_see_executions,
    may_see_what_waits,
    may_tag_what_it_makes,
    may_tell,
    may_use_key,
    may_use_state,
    may_write,
    objects_below,
)
from stacks.parts.alarms import alarm_on_errors, alarm_on_failed_executions
from stacks.parts.functions import add_function, bury_failures, consume, role_of
from stacks.parts.machines import add_machine, role_of_machine
from stacks.parts.naming import (
    EXECUTIONS,
    RELEASE_MACHINE,
    RETRAIN_MACHINE,
    own_arns,
    pipeline_arns,
    sagemaker_arns,
    staging_arns,
    synthesizer,
)
from stacks.parts.network import may_make, vpc_variable, with_network
from stacks.parts.packages import Packages
from stacks.parts.teller import add_teller
from stacks.parts.workshop import IMAGES, Workshop, images
from stacks.storage import Storage

JOBS = ("Training", "Transform")
AWAITED, TUNING = (*JOBS, "HyperParameterTuning"), "hyper-parameter-tuning-job"
NAMED_AT_RUN_TIME = "jobs, models and packages are named after their run"
# A release's models and endpoints have no such tag: what serves is not the retrain machine's to delete.
MADE_BY_A_RUN = {"StringLike": {"aws:ResourceTag/kedge:run": "*"}}


class Retraining(cdk.Stack):
    """decisions -> decide_retraining -> retrain machine: snapshot, train, score, compare, register."""

    def __init__(  # noqa: PLR0913  # facts of the deployment, each by itself
        self,
        scope: Construct,
        name: str,
        *,
        env: cdk.Environment,
        packages: Packages,
        storage: Storage,
        monitoring: Monitoring,
        feature_groups: FeatureGroups,
        at_once: int | None = None,
        source_commit: str = "",
        vpc: Vpc | None = None,
        package_buckets: PackageBuckets | None = None,
    ) -> None:
        super().__init__(scope, name, env=env, synthesizer=synthesizer(), description="Kedge: verdict to challenger")
        self._at_once, self._feature_groups, self._source_commit = at_once, feature_groups, source_commit
        self._storage, self._packages = storage, packages
        self._package_buckets = package_buckets or PackageBuckets()
        self.workshop = Workshop(self, "Workshop", storage=storage, models=packages.models, vpc=vpc)
        steps = [self._snapshot_data(), self._pin_artefact(), self._compare_models(), self._build_baseline()]
        steps += [self._replay_staging(), self._judge_staging(), self._approve_package(), self._take_trained()]
        steps.append(add_teller(self, packages=packages, storage=storage))
        machine = self._machine(steps)
        decide = self._decide_retraining(machine)

        self.settlements = monitoring.settlements
        consume(decide, monitoring.decisions)
        bury_failures(decide, monitoring.undelivered)
        topics = [storage.alerts, storage.events]
        for function in (decide, *steps):
            alarm_on_errors(self, function, topics=topics)
        alarm_on_failed_executions(self, machine, topics=topics)

    def _decide_retraining(self, machine: stepfunctions.StateMachine) -> lambda_.Function:
        function = add_function(
            self,
            "decide_retraining",
            does="start a retraining, or hold it with its reason",
            packages=self._packages,
            key=self._storage.key,
            timeout_seconds=DECIDE_SECONDS,
            environment={
                "DATA_BUCKET": self._storage.data.bucket_name,
                "STATE_TABLE": self._storage.state.table_name,
                "ALERT_TOPIC_ARN": self._storage.alerts.topic_arn,
                "EVENT_TOPIC_ARN": self._storage.events.topic_arn,
                "RETRAIN_MACHINE_ARN": machine.state_machine_arn,
                # 0: no limit.
                "RETRAININGS_AT_ONCE": str(self._at_once or 0),
            },
        )
        role = role_of(function)
        may_read(role, self._storage.data, *DEFINITIONS)
        may_write(role, self._storage.data, *TIMELINE)
        may_use_state(role, self._storage.state, "BatchGetItem", "GetItem", "PutItem", "DeleteItem", "Query")
        # Who else waits for a place.
        may_see_what_waits(role, self._storage.state)
        may_tell(role, self._storage.alerts, self._storage.events)
        may_use_key(role, self._storage.key)
        allow(role, "StartRetraining", ["states:StartExecution"], [machine.state_machine_arn])
        may_see_executions(role, RETRAIN_MACHINE, RELEASE_MACHINE)
        return function

    def _snapshot_data(self) -> lambda_.Function:
        groups = self._feature_groups
        function = add_function(
            self,
            "snapshot_data",
            does="labelled rows split by time into training and holdout",
            packages=self._packages,
            key=self._storage.key,
            layers=("tables",),
            memory_mib=4096,
            timeout_seconds=900,
            environment={
                "DATA_BUCKET": self._storage.data.bucket_name,
                "STATE_TABLE": self._storage.state.table_name,
                "TRAINING_ROLE_ARN": self.workshop.training_role.role_arn,
                "SCORING_ROLE_ARN": self.workshop.scoring_role.role_arn,
                "OWN_ROLES": self.to_json_string(self.workshop.own_job_roles),
                "VPC": vpc_variable(self.workshop.vpc),
                "TRAINING_IMAGES": json.dumps(self.workshop.images),
                "TRAINING_SOURCES": json.dumps(
                    {name: source.s3_object_url for name, source in self.workshop.sources.items()}
                ),
                "KMS_KEY_ID": self._storage.key.key_arn,
                **athena_environment(self),
            },
        )
        role = role_of(function)
        may_read(
            role,
            self._storage.data,
            "deployed",
            "initial",
            "labels",
            "labelled",
            "predictions",
            "profiles",
            "baselines",
            "artefacts",
            "athena",
        )
        may_write(role, self._storage.data, "labelled", "retraining", "athena")
        may_query(role, self._storage)
        if groups.uris:
            groups.may_read(role)
        may_use_state(role, self._storage.state, "GetItem")
        may_use_key(role, self._storage.key)
        may_put_metrics(role)
        # Whether the run that paid for a training failed after it.
        may_see_executions(role, RETRAIN_MACHINE)
        allow(
            role,
            "SeeChampion",
            [f"sagemaker:Describe{kind}" for kind in ("Endpoint", "EndpointConfig", "Model", "ModelPackage")],
            sagemaker_arns(self, "endpoint", "endpoint-config", "model", "model-package"),
            wildcard="a thousand endpoints' names do not fit into a policy",
        )
        return function

    def _pin_artefact(self) -> lambda_.Function:
        function = add_function(
            self,
            "pin_artefact",
            does="a trained model copied to where no job can write",
            packages=self._packages,
            key=self._storage.key,
            timeout_seconds=900,
            environment={"DATA_BUCKET": self._storage.data.bucket_name},
        )
        role = role_of(function)
        may_read(role, self._storage.data, "trained", "artefacts")
        may_write(role, self._storage.data, "artefacts")
        artefacts = objects_below(self._storage.data, "artefacts")
        self._package_buckets.may_copy_from(role)
        allow(role, "GiveUpCopies", ["s3:AbortMultipartUpload"], artefacts, wildcard=OBJECTS)
        may_use_key(role, self._storage.key)
        return function

    def _compare_models(self) -> lambda_.Function:
        function = add_function(
            self,
            "compare_models",
            does="challenger against champion on the same rows",
            packages=self._packages,
            key=self._storage.key,
            memory_mib=4096,
            timeout_seconds=600,
            environment={"DATA_BUCKET": self._storage.data.bucket_name},
        )
        role = role_of(function)
        # Captures, days and their labels: for the groups of sensitive columns, which are kept nowhere else.
        # The champion's answers on its endpoint, and the importances of the training job.
        may_read(
            role,
            self._storage.data,
            "deployed",
            "retraining",
            "scored",
            "profiles",
            "capture",
            "labelled",
            "baselines",
            "predictions",
            "trained",
        )
        self._storage.captures.may_read(role)
        may_write(role, self._storage.data, "retraining", *TIMELINE)
        may_use_key(role, self._storage.key)
        # The mail of a refusal says what was paid.
        self._may_count_the_cost(role)
        rules = sorted({name for model in self._packages.models if (name := model.gate.rule_function)})
        if rules:
            # A model's own rule is a function of its team's, known by its name alone.
            arns = [
                self.format_arn(
                    service="lambda",
                    resource="function",
                    resource_name=name,
                    arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                )
                for name in rules
            ]
            allow(role, "AskOwnRules", ["lambda:InvokeFunction"], arns)
        return function

    def _build_baseline(self) -> lambda_.Function:
        function = add_function(
            self,
            "build_baseline",
            does="a challenger's baseline and its registration",
            packages=self._packages,
            key=self._storage.key,
            layers=("statistics",),
            memory_mib=2048,
            timeout_seconds=600,
            environment={
                "DATA_BUCKET": self._storage.data.bucket_name,
                "TRAINING_IMAGES": json.dumps(self.workshop.images),
                "SOURCE_COMMIT": self._source_commit,
            },
        )
        role = role_of(function)
        may_read(role, self._storage.data, "deployed", "retraining", "trained", "scored")
        may_write(role, self._storage.data, "retraining")
        may_use_key(role, self._storage.key)
        # The package carries its jobs and their cost.
        self._may_count_the_cost(role)
        return function

    def _may_count_the_cost(self, role: iam.Role) -> None:
        """See what the jobs of a run were paid for."""
        allow(role, "ListJobs", [f"sagemaker:List{job}Jobs" for job in JOBS], ["*"], wildcard=NO_RESOURCE_TYPE)
        described = sagemaker_arns(self, "training-job", "transform-job")
        looks = [f"sagemaker:Describe{job}Job" for job in JOBS]
        allow(role, "SeeJobs", looks, described, wildcard=NAMED_AT_RUN_TIME)

    def _replay_staging(self) -> lambda_.Function:
        function = add_function(
            self,
            "replay_staging",
            does="captured requests sent to a challenger on trial",
            packages=self._packages,
            key=self._storage.key,
            memory_mib=2048,
            timeout_seconds=900,
            environment={"DATA_BUCKET": self._storage.data.bucket_name},
        )
        role = role_of(function)
        # The holdout and the transform job's answers to it; the busiest hour, and what was captured in it.
        may_read(role, self._storage.data, "deployed", "retraining", "scored", "profiles", "capture", "baselines")
        self._storage.captures.may_read(role)
        may_write(role, self._storage.data, "retraining")
        may_use_key(role, self._storage.key)
        # Never an endpoint that serves people: Kedge sends requests to what it has made for a trial.
        asks = ["sagemaker:DescribeEndpoint", "sagemaker:InvokeEndpoint"]
        allow(role, "AskOnTrial", asks, staging_arns(self, "endpoint"), wildcard=NAMED_AT_RUN_TIME)
        return function

    def _judge_staging(self) -> lambda_.Function:
        function = add_function(
            self,
            "judge_staging",
            does="a challenger's trial, in the gate's table",
            packages=self._packages,
            key=self._storage.key,
            memory_mib=1024,
            timeout_seconds=300,
            environment={"DATA_BUCKET": self._storage.data.bucket_name},
        )
        role = role_of(function)
        may_read(role, self._storage.data, "deployed", "retraining")
        may_write(role, self._storage.data, "retraining", *TIMELINE)
        may_use_key(role, self._storage.key)
        self._may_count_the_cost(role)
        return function

    def _approve_package(self) -> lambda_.Function:
        function = add_function(
            self,
            "approve_package",
            does="an automatic approval, where a model's YAML says so",
            packages=self._packages,
            key=self._storage.key,
            environment={"DATA_BUCKET": self._storage.data.bucket_name},
            approves=True,
        )
        role = role_of(function)
        may_read(role, self._storage.data, "deployed", "retraining")
        may_use_key(role, self._storage.key)
        packages = sagemaker_arns(self, "model-package")
        allow(role, "SeePackage", ["sagemaker:DescribeModelPackage"], packages, wildcard=NAMED_AT_RUN_TIME)
        groups = sorted(m.package_group for m in self._packages.models if m.approval.mode == "automatic")
        if groups:
            # SageMaker writes names in lower case into its ARNs.
            names = [f"{group.lower()}/*" for group in groups]
            arns = [
                self.format_arn(service="sagemaker", resource="model-package", resource_name=name) for name in names
            ]
            only = {"StringEquals": {"sagemaker:ModelApprovalStatus": "Approved"}}
            allow(
                role,
                "Approve",
                ["sagemaker:UpdateModelPackage"],
                arns,
                wildcard="a version is numbered when it is registered",
                conditions=only,
            )
        return function

    def _take_trained(self) -> lambda_.Function:
        function = add_function(
            self,
            "take_trained",
            does="what a model's pipeline has trained, taken on into the gate",
            packages=self._packages,
            key=self._storage.key,
            environment={
                "DATA_BUCKET": self._storage.data.bucket_name,
                "STATE_TABLE": self._storage.state.table_name,
            },
        )
        role = role_of(function)
        may_read(role, self._storage.data, "deployed")
        may_use_state(role, self._storage.state, "PutItem")
        may_use_key(role, self._storage.key)
        described = sagemaker_arns(self, "model-package", "training-job")
        looks = ["sagemaker:DescribeModelPackage", "sagemaker:DescribeTrainingJob"]
        allow(role, "SeeWhatWasMade", looks, described, wildcard="a pipeline names what it makes")
        sees = ["sagemaker:DescribeHyperParameterTuningJob"]
        allow(role, "SeeTheBest", sees, own_arns(self, TUNING), wildcard=NAMED_AT_RUN_TIME)
        if pipelines := pipeline_arns(self, self._packages.models, executions=True):
            looks = ["sagemaker:DescribePipelineExecution", "sagemaker:ListPipelineExecutionSteps"]
            allow(role, "SeeExecutions", looks, pipelines, wildcard=EXECUTIONS)
        return function

    def _machine(self, steps: list[lambda_.Function]) -> stepfunctions.StateMachine:
        machine = add_machine(
            self,
            RETRAIN_MACHINE,
            file="retrain.asl.json",
            functions=steps,
            substitutions={"StateTableName": self._storage.state.table_name},
            key=self._storage.key,
        )
        role = role_of_machine(machine)
        may_use_state(role, self._storage.state, "DeleteItem")
        may_use_key(role, self._storage.key)
        may_lend_key(role, self._storage.key)
        may_pass(role, *self.workshop.job_roles, service="sagemaker.amazonaws.com")
        self._may_run_jobs(role)
        self._may_stage(role)
        if pipelines := pipeline_arns(self, self._packages.models):
            allow(role, "StartPipelines", ["sagemaker:StartPipelineExecution"], pipelines)
            follows = ["sagemaker:DescribePipelineExecution", "sagemaker:StopPipelineExecution"]
            begun = pipeline_arns(self, self._packages.models, executions=True)
            allow(role, "FollowPipelines", follows, begun, wildcard=EXECUTIONS)
        self._may_register(role)
        _follow_jobs(self, machine)
        return machine

    def _may_run_jobs(self, role: iam.Role) -> None:
        train, score, model = own_arns(self, "training-job", "transform-job", "model")
        (tune,) = own_arns(self, TUNING)
        made: list[tuple[str, list[str], list[str], dict[str, dict[str, str]] | None]] = [
            ("Train", ["sagemaker:CreateTrainingJob"], [train], ISOLATED),
            ("Tune", ["sagemaker:CreateHyperParameterTuningJob"], [tune], ISOLATED),
            ("Score", ["sagemaker:CreateTransformJob"], [score], None),
            ("Follow", [f"sagemaker:Describe{job}Job" for job in AWAITED], [train, tune, score], None),
            ("StopItsJobs", [f"sagemaker:Stop{job}Job" for job in AWAITED], [train, tune, score], MADE_BY_A_RUN),
            ("MakeScoringModels", ["sagemaker:CreateModel"], [model], ISOLATED),
            ("DeleteScoringModels", ["sagemaker:DeleteModel"], [model], MADE_BY_A_RUN),
        ]
        for sid, actions, resources, conditions in made:
            allow(role, sid, actions, resources, wildcard=NAMED_AT_RUN_TIME, conditions=conditions)
        models = self._packages.models
        trained, scored = (
            [f"{run_prefix(model.resource_name)}-*" for model in with_network(models, serving=serving)]
            for serving in (False, True)
        )
        may_make(role, "TrainWithNetwork", "sagemaker:CreateTrainingJob", trained, kind="training-job")
        tuned = [
            tuning_pattern(model.resource_name)
            for model in with_network(models, serving=False)
            if model.training.tuning
        ]
        may_make(role, "TuneWithNetwork", "sagemaker:CreateHyperParameterTuningJob", tuned, kind=TUNING)
        may_make(role, "MakeScoringModelsWithNetwork", "sagemaker:CreateModel", scored, kind="model")

    def _may_stage(self, role: iam.Role) -> None:
        """Make and delete endpoints for trials: by their names, which no endpoint that serves has, and what is deleted by its tag too."""
        configs, endpoints = staging_arns(self, "endpoint-config"), staging_arns(self, "endpoint")
        makes = ["sagemaker:CreateEndpointConfig", "sagemaker:CreateEndpoint"]
        allow(role, "MakeEndpointsForTrials", makes, [*configs, *endpoints], wildcard=NAMED_AT_RUN_TIME)
        allow(
            role,
            "DeleteEndpointsOfTrials",
            ["sagemaker:DeleteEndpointConfig", "sagemaker:DeleteEndpoint"],
            [*configs, *endpoints],
            wildcard=NAMED_AT_RUN_TIME,
            conditions=MADE_BY_A_RUN,
        )

    def _may_register(self, role: iam.Role) -> None:
        packages = own_arns(self, "model-package", "model-package-group")
        allow(role, "Register", ["sagemaker:CreateModelPackage"], packages, wildcard=NAMED_AT_RUN_TIME)
        # CreateModelPackage looks at artefact, evidence and image as its caller, as AmazonSageMakerModelRegistryFullAccess allows.
        allow(
            role,
            "ReadRegistered",
            ["s3:GetObject"],
            objects_below(self._storage.data, "artefacts", "retraining/*/baseline"),
            wildcard=OBJECTS,
        )
        allow(role, "SeeImages", ["ecr:BatchGetImage", "ecr:DescribeImages"], [images(self)], wildcard=IMAGES)


def _follow_jobs(stack: Retraining, machine: stepfunctions.StateMachine) -> None:
    # What `.sync` does on our behalf: tag the jobs, and listen to their ends through rules of its own.
    # https://docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html
    role = role_of_machine(machine)
    tagged = own_arns(stack, "training-job", TUNING, "transform-job", "model")
    makes = [*(f"Create{job}Job" for job in AWAITED), "CreateModel", "CreateEndpointConfig", "CreateEndpoint"]
    trials = [*staging_arns(stack, "endpoint-config"), *staging_arns(stack, "endpoint")]
    may_tag_what_it_makes(role, makes, [*tagged, *trials], wildcard=NAMED_AT_RUN_TIME)
    allow(role, "ReadTags", ["sagemaker:ListTags"], tagged, wildcard=NAMED_AT_RUN_TIME)
    rules = [f"StepFunctionsGetEventsForSageMaker{job}JobsRule" for job in (*JOBS, "Tuning")]
    allow(
        role,
        "HearOfJobs",
        ["events:PutTargets", "events:PutRule", "events:DescribeRule"],
        [stack.format_arn(service="events", resource="rule", resource_name=rule) for rule in rules],
    )
