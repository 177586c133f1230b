"""Who may do what: every role of Kedge is made here, and every permission is one named statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from kedge.config.model import ModelConfig
from stacks.parts.naming import executions, sagemaker_arns, stage_of

NO_RESOURCE_TYPE = "the service knows no resource for this action"
ALARMS = "alarms are named after the endpoint config that they guard"
OBJECTS = "the objects below a prefix have no names at deploy time"
JOBS_OF_OTHERS = "jobs and their models have names that their owners choose with each run"
# The state table's index over what somebody must come back to.
WAITING_INDEX = "waiting"
# Where whoever acts writes it down: for people, and for business intelligence.
TIMELINE = ("audit", "history/decisions")
# Where the models are described: those that people write, and those that were deployed.
DEFINITIONS = ("models", "deployed")
# Services that do not say for which account they take a role. Lambda takes one for the function that was made with it, and
# iam:PassRole hands no role to another account's function. Amazon Q Developer's may do nothing at all.
TRUST_WITHOUT_ACCOUNT = {"lambda.amazonaws.com", "chatbot.amazonaws.com"}
# What guards a release: the release machine names its alarms so, and may touch no others.
ALARM_PREFIX = "kedge-"
# A tracking server's operations have actions of their own; an app has one action for all.
# https://docs.aws.amazon.com/sagemaker/latest/dg/mlflow-create-tracking-server-iam.html
TRACKING_ACTIONS = [
    f"sagemaker-mlflow:{operation}"
    for operation in ("SearchExperiments", "CreateExperiment", "SearchRuns", "CreateRun", "LogBatch", "UpdateRun")
]
TRACKING_APP_ACTIONS = ["sagemaker:CallMlflowAppApi"]


def service_role(scope: Construct, name: str, *, service: str, description: str, approves: bool = False) -> iam.Role:
    """A role for one service that can neither approve nor reject a model package; the one that approves still cannot reject."""
    principal: iam.IPrincipal = iam.ServicePrincipal(service)
    if service not in TRUST_WITHOUT_ACCOUNT:
        principal = iam.PrincipalWithConditions(principal, source_account(scope))
    role = iam.Role(scope, name, assumed_by=principal, description=description)
    _deny_approval(role, ["Rejected", "PendingManualApproval"] if approves else ["Approved", "Rejected"])
    return role


def source_account(scope: Construct) -> dict[str, dict[str, str]]:
    """Only on behalf of this account: the service must not be talked into it by another one.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    return {"StringEquals": {"aws:SourceAccount": cdk.Stack.of(scope).account}}


def allow(
    role: iam.Role,
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    *,
    wildcard: str | None = None,
    conditions: Mapping[str, Mapping[str, object]] | None = None,
) -> None:
    """Add one named statement; a wildcard among its resources needs its reason."""
    wild = [finding for finding in (flattened(role, resource) for resource in resources) if "*" in finding]
    if wild and wildcard is None:
        raise ValueError(f"statement {sid} holds a wildcard without its reason: {', '.join(wild)}")
    for finding in wild:
        acknowledge(role, f"AwsSolutions-IAM5[Resource::{finding}]", f"{sid}: {wildcard}")
    role.add_to_policy(
        iam.PolicyStatement(sid=sid, actions=list(actions), resources=list(resources), conditions=conditions)
    )


def acknowledge(construct: Construct, rule: str, reason: str) -> None:
    """Tell cdk-nag, or CDK's validation of the templates, why a finding on this construct stands."""
    cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=rule, reason=reason))


def may_read(role: iam.Role, bucket: s3.IBucket, *prefixes: str) -> None:
    """Read the objects below these prefixes, and tell a missing one from a forbidden one."""
    allow(role, "ReadObjects", ["s3:GetObject"], objects_below(bucket, *prefixes), wildcard=OBJECTS)
    # Without ListBucket, S3 answers 403 for an object that does not exist: "no baseline yet" would look like a denial.
    may_list(role, bucket, *prefixes)


def may_list(role: iam.Role, bucket: s3.IBucket, *prefixes: str) -> None:
    """List the keys below these prefixes."""
    starts = {"StringLike": {"s3:prefix": [f"{prefix}/*" for prefix in prefixes]}}
    allow(role, "ListPrefixes", ["s3:ListBucket"], [bucket.bucket_arn], conditions=starts)


def may_write(role: iam.Role, bucket: s3.IBucket, *prefixes: str) -> None:
    """Write objects below these prefixes."""
    allow(role, "WriteObjects", ["s3:PutObject"], objects_below(bucket, *prefixes), wildcard=OBJECTS)


def may_use_key(role: iam.Role, key: kms.IKey) -> None:
    """Read and write what Kedge's key encrypts: the bucket, the state table and the topics."""
    allow(role, "UseKey", ["kms:Decrypt", "kms:GenerateDataKey"], [key.key_arn])


def may_see_alarms(role: iam.Role) -> None:
    """Look at the alarms of a release: UpdateEndpoint does so as its caller, and SageMaker later as the execution role."""
    # By name, which needs no more than these alarms; a listing needs `alarm:*`, composite alarms would need `*`.
    # https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html
    allow(role, "SeeAlarms", ["cloudwatch:DescribeAlarms"], [release_alarms(role)], wildcard=ALARMS)


def release_alarms(scope: Construct) -> str:
    """The ARNs of the alarms that guard releases."""
    return every_alarm(scope, prefix=stage_of(scope).named(ALARM_PREFIX))


def every_alarm(scope: Construct, *, prefix: str = "") -> str:
    """The ARNs of this account's alarms whose names begin so."""
    return cdk.Stack.of(scope).format_arn(
        service="cloudwatch",
        resource="alarm",
        resource_name=f"{prefix}*",
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )


def may_lend_key(role: iam.Role, key: kms.IKey) -> None:
    """Let SageMaker use Kedge's key for the volumes of what this role makes."""
    lent = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    allow(role, "LendKey", ["kms:CreateGrant"], [key.key_arn], conditions=lent)
    allow(role, "DescribeKey", ["kms:DescribeKey"], [key.key_arn])


def may_use_state(role: iam.Role, table: dynamodb.Table, *actions: str) -> None:
    """Call these DynamoDB actions on the state table."""
    allow(role, "UseState", [f"dynamodb:{action}" for action in actions], [table.table_arn])


def may_see_what_waits(role: iam.Role, table: dynamodb.Table) -> None:
    """Query the state table's index over what somebody must come back to."""
    arn = f"{cdk.Stack.of(table).export_value(table.table_arn)}/index/{WAITING_INDEX}"
    allow(role, "SeeWhatWaits", ["dynamodb:Query"], [arn])


def may_tell(role: iam.Role, *topics: sns.Topic) -> None:
    """Publish to these topics."""
    allow(role, "Tell", ["sns:Publish"], [topic.topic_arn for topic in topics])


def may_send(role: iam.Role, *queues: sqs.IQueue) -> None:
    """Send messages to these queues."""
    allow(role, "Send", ["sqs:SendMessage"], [queue.queue_arn for queue in queues])


def may_put_metrics(role: iam.Role) -> None:
    """Put metrics into Kedge's namespace and into no other."""
    ours = {"StringEquals": {"cloudwatch:namespace": stage_of(role).namespace}}
    allow(role, "PutMetrics", ["cloudwatch:PutMetricData"], ["*"], wildcard=NO_RESOURCE_TYPE, conditions=ours)


def may_read_metrics(role: iam.Role, action: str = "GetMetricStatistics") -> None:
    """Read what CloudWatch counted."""
    allow(role, "ReadMetrics", [f"cloudwatch:{action}"], ["*"], wildcard=NO_RESOURCE_TYPE)


def may_look_at_transform_jobs(role: iam.Role) -> None:
    """List and describe transform jobs: other teams' jobs have names of their own, and only SageMaker says which wrote what."""
    allow(role, "ListTransformJobs", ["sagemaker:ListTransformJobs"], ["*"], wildcard=NO_RESOURCE_TYPE)
    jobs = sagemaker_arns(cdk.Stack.of(role), "transform-job")
    allow(role, "DescribeTransformJobs", ["sagemaker:DescribeTransformJob"], jobs, wildcard=JOBS_OF_OTHERS)


def may_see_executions(role: iam.Role, *machines: str) -> None:
    """Ask whether an execution of these machines still runs: one of them may hold a model's lease."""
    arns = [executions(cdk.Stack.of(role), machine) for machine in machines]
    reason = "executions are named after their run"
    allow(role, "SeeWhoHoldsTheLease", ["states:DescribeExecution"], arns, wildcard=reason)


def may_pass(role: iam.Role, *passed: iam.IRole, service: str) -> None:
    """Hand these roles to one service."""
    to = {"StringEquals": {"iam:PassedToService": service}}
    allow(role, "PassRole", ["iam:PassRole"], [each.role_arn for each in passed], conditions=to)


# A container without a network has no credentials either: what it runs cannot act as its role.
# https://docs.aws.amazon.com/sagemaker/latest/dg/mkt-algo-model-internet-free.html
ISOLATED = {"Bool": {"sagemaker:NetworkIsolation": "true"}}


def may_tag_what_it_makes(role: iam.Role, operations: Sequence[str], made: Sequence[str], *, wildcard: str) -> None:
    """Tag what these operations make, with the call that makes it; tags of anything else stay as they are."""
    only = {"StringEquals": {"sagemaker:TaggingAction": list(operations)}}
    allow(role, "TagWhatIsMade", ["sagemaker:AddTags"], made, wildcard=wildcard, conditions=only)


def may_track(role: iam.Role, models: Sequence[ModelConfig]) -> None:
    """Let the role write runs into each MLflow that a managed model names, and into no other."""
    arns = sorted({model.training.mlflow_arn for model in models if model.mode == "manage"} - {None}, key=str)
    servers = [str(arn) for arn in arns if ":mlflow-tracking-server/" in str(arn)]
    apps = [str(arn) for arn in arns if ":mlflow-app/" in str(arn)]
    for sid, actions, places in (
        ("TellTrackingServers", TRACKING_ACTIONS, servers),
        ("TellApps", TRACKING_APP_ACTIONS, apps),
    ):
        if places:
            allow(role, sid, actions, places)


def objects_below(bucket: s3.IBucket, *prefixes: str) -> list[str]:
    """The ARNs of the objects below these prefixes."""
    # The bucket's own stack exports its ARN: said here, because cdk-nag names its findings after the export.
    # A bucket that was there already is no resource of that stack.
    ours = isinstance(bucket, s3.Bucket)
    arn = cdk.Stack.of(bucket).export_value(bucket.bucket_arn) if ours else bucket.bucket_arn
    return [f"{arn}/{prefix}/*" for prefix in prefixes]


def flattened(scope: Construct, resource: str) -> str:
    """Write an ARN as cdk-nag names it in its findings: references in angle brackets, imports by their name."""
    return _flat(cdk.Stack.of(scope).resolve(resource))


def _flat(node: Any) -> str:
    if isinstance(node, str):
        return node
    ((function, argument),) = node.items()
    if function == "Fn::Join":
        return str(argument[0]).join(_flat(item) for item in argument[1])
    if function == "Fn::GetAtt":
        return f"<{argument[0]}.{argument[1]}>"
    return _flat(argument) if function == "Fn::ImportValue" else f"<{_flat(argument)}>"


def _deny_approval(role: iam.Role, statuses: list[str]) -> None:
    # Segregation of duties: a person approves; Kedge only with one role, for the models whose YAML says so.
    # A metadata stamp carries no status and must pass; a package must be born pending, and one without a status would be born approved.
    key, resources, effect = "sagemaker:ModelApprovalStatus", ["*"], iam.Effect.DENY
    role.add_to_policy(
        iam.PolicyStatement(
            sid="NeverApprove",
            effect=effect,
            actions=["sagemaker:UpdateModelPackage"],
            resources=resources,
            conditions={"StringEquals": {key: statuses}},
        )
    )
    role.add_to_policy(
        iam.PolicyStatement(
            sid="OnlyPending",
            effect=effect,
            actions=["sagemaker:CreateModelPackage"],
            resources=resources,
            conditions={"StringNotEqualsIfExists": {key: "PendingManualApproval"}},
        )
    )
