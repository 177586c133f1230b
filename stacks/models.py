"""Per model its package group, the alarms of its endpoint and its definition in the data bucket, so that thousands of models fit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3_assets as s3_assets
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from kedge.config.model import ModelConfig
from kedge.errors import ModelConfigError
from stacks.parts.access import OBJECTS, allow, may_read, may_use_key, may_write, objects_below
from stacks.parts.endpoint_alarms import add_endpoint_alarms, alarms_of
from stacks.parts.functions import add_function, role_of
from stacks.parts.naming import stage_of, synthesizer
from stacks.parts.packages import Packages
from stacks.promotion import PackageTaker, group_policy
from stacks.storage import Storage

# CloudFormation holds 500 in a stack; some are for whoever adds to it.
RESOURCES_MAX = 480
# Ten thousand YAMLs are parsed and written in one or two minutes. CloudFormation waits a little longer, and then gives up; an event
# that is older is never acted on.
DEFINE_SECONDS, PATIENCE_SECONDS = 300, 360
# So that none is at work any more when CloudFormation has given up, and has gone back by another; Lambda knows no shorter age.
EVENT_AGE_SECONDS = PATIENCE_SECONDS - DEFINE_SECONDS
# Of the definitions of ten thousand models.
DEFINE_MIB = 1024
TYPE = "Custom::KedgeDefinitions"
# Another stack knows the function by its name: an export would stand in the way of a version that has no such function.
DEFINER = "kedge-define-models"
# Where CDK looks for the name of a bootstrap that has one of its own.
_QUALIFIER_CONTEXT = "@aws-cdk/core:bootstrapQualifier"


def add_models(
    scope: Construct,
    name: str,
    *,
    env: cdk.Environment,
    storage: Storage,
    models: Sequence[ModelConfig],
    stacks: int = 1,
) -> list[Models]:
    """Make this many stacks, and put each model into one of them.

    A model's name alone says which: one more model moves no other, whose package group stays when it leaves a stack and could
    not be made again in the next.

    Raises
    ------
    ModelConfigError
        More models fall into one stack than it can hold.
    """
    made = []
    for number in range(1, stacks + 1):
        shard = [model for model in models if shard_of(model.model, stacks) == number]
        resources = sum(resources_of(model) for model in shard)
        if resources > RESOURCES_MAX:
            problem = (
                f"{len(shard)} models with {resources} resources fall into {name}-{number}, and {RESOURCES_MAX} fit: set "
                f"model_stacks, which is {stacks}, to {2 * stacks * resources // RESOURCES_MAX + 1} in the context; for models that "
                "are deployed already read docs/operations.md first"
            )
            raise ModelConfigError(source="cdk.json", problems=[problem])
        made.append(Models(scope, f"{name}-{number}", env=env, storage=storage, models=shard))
    return made


def shard_of(model: str, stacks: int) -> int:
    """Number of the stack that holds a model, from 1 on.

    >>> shard_of("hotel-cancellations", 1)
    1
    """
    return int(hashlib.sha256(model.encode()).hexdigest(), 16) % stacks + 1


def resources_of(model: ModelConfig) -> int:
    """Package group, and alarms of the endpoint."""
    return 1 + len(alarms_of(model))


class Models(cdk.Stack):
    """The resources that each of these models needs for itself."""

    def __init__(
        self, scope: Construct, name: str, *, env: cdk.Environment, storage: Storage, models: Sequence[ModelConfig]
    ) -> None:
        super().__init__(scope, name, env=env, synthesizer=synthesizer(), description="Kedge: the watched models")
        if not models:
            # A stack needs a resource; this one is free, and the stack's earlier models are gone with their alarms.
            cdk.CfnWaitConditionHandle(self, "NoModelYet")
        for model in models:
            _package_group(self, model, storage.takers)
            # Those who own the model, else the deployment's address; a pager's topic stands last (`add_alarm`).
            mail_list = storage.mail.teams.mail_list(model)
            people = storage.mail.alarm_topic(self, mail_list) if mail_list else storage.alerts
            add_endpoint_alarms(self, model, topics=[people, storage.events])


def _package_group(scope: cdk.Stack, model: ModelConfig, takers: Sequence[PackageTaker]) -> None:
    group = sagemaker.CfnModelPackageGroup(
        scope,
        f"{model.model}-Packages",
        model_package_group_name=model.package_group,
        # Not to be reworded: a new description takes a new group, which CloudFormation refuses under the same name.
        model_package_group_description=f"Versions of {model.model}, watched by Kedge",
        model_package_group_policy=group_policy(scope, model, takers),
    )
    # The registry is the record of who approved what. A group that a failed deployment left behind would hold its name, and
    # every later deployment would fail: AlreadyExists.
    group.apply_removal_policy(cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)


def add_definer(scope: Construct, *, packages: Packages, storage: Storage) -> lambda_.Function:
    """Make the one function that may write what is deployed."""
    function = add_function(
        scope,
        "define_models",
        does="the definitions in the bucket as a deployment says them",
        packages=packages,
        key=storage.key,
        memory_mib=DEFINE_MIB,
        timeout_seconds=DEFINE_SECONDS,
        environment={"DATA_BUCKET": storage.data.bucket_name},
        fixed_name=stage_of(scope).named(DEFINER),
    )
    # It has told CloudFormation what failed, which goes back then: a second try would work against that.
    function.configure_async_invoke(retry_attempts=0, max_event_age=cdk.Duration.seconds(EVENT_AGE_SECONDS))
    role, stack = role_of(function), cdk.Stack.of(scope)
    qualifier = scope.node.try_get_context(_QUALIFIER_CONTEXT)
    bucket = f"cdk-{qualifier or cdk.DefaultStackSynthesizer.DEFAULT_QUALIFIER}-assets-{stack.account}-{stack.region}"
    assets = stack.format_arn(service="s3", region="", account="", resource=bucket, resource_name="*.json")
    allow(role, "ReadAssets", ["s3:GetObject"], [assets], wildcard="an asset is named by its content")
    # The key that `cdk bootstrap` makes leaves this to S3; a key that was given to it leaves it to IAM.
    context = stack.format_arn(service="s3", region="", account="", resource=bucket)
    allow(
        role,
        "DecryptAssets",
        ["kms:Decrypt"],
        [stack.format_arn(service="kms", resource="key", resource_name="*")],
        wildcard="whether the bootstrap has a key of its own, and which, no template knows",
        conditions={
            "StringEquals": {"kms:ViaService": f"s3.{stack.region}.{stack.url_suffix}"},
            "StringLike": {"kms:EncryptionContext:aws:s3:arn": [context, f"{context}/*"]},
        },
    )
    may_read(role, storage.data, "deployed")
    may_write(role, storage.data, "deployed")
    deployed = objects_below(storage.data, "deployed")
    allow(role, "DeleteDefinitions", ["s3:DeleteObject"], deployed, wildcard=OBJECTS)
    may_use_key(role, storage.key)
    return function


def define_models(stack: cdk.Stack, *, packages: Packages, storage: Storage) -> None:
    """Have the definitions written once everything else in the stack stands, so last of all in a deployment.

    A changed YAML changes the asset; a changed function reads the definitions anew, for its next version may keep them otherwise.
    Where the resource goes, its definitions stay: who goes back to a version without it goes on with no gap.
    """
    definer = stack.format_arn(
        service="lambda",
        resource="function",
        resource_name=stage_of(stack).named(DEFINER),
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )
    before = list(stack.node.children)
    asset = s3_assets.Asset(stack, "DefinitionsAsset", path=str(packages.definitions))
    definitions = cdk.CustomResource(
        stack,
        "Definitions",
        resource_type=TYPE,
        service_token=definer,
        removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        service_timeout=cdk.Duration.seconds(PATIENCE_SECONDS),
        properties={
            "AssetBucket": asset.s3_bucket_name,
            "AssetKey": asset.s3_object_key,
            "Bucket": storage.data.bucket_name,
            "Code": packages.code_directory.name,
        },
    )
    definitions.node.add_dependency(*before)
