"""Per model its package group and the alarms of its endpoint, sharded so that thousands of models fit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from kedge.config.model import ModelConfig
from kedge.errors import ModelConfigError
from stacks.parts.endpoint_alarms import add_endpoint_alarms, alarms_of
from stacks.parts.naming import synthesizer
from stacks.promotion import PackageTaker, group_policy
from stacks.storage import Storage

# CloudFormation holds 500 in a stack; some are for whoever adds to it.
RESOURCES_MAX = 480


def add_models(
    scope: Construct,
    name: str,
    *,
    env: cdk.Environment,
    storage: Storage,
    models: Sequence[ModelConfig],
    stacks: int = 1,
) -> None:
    """Make this many stacks, and put each model into one of them.

    A model's name alone says which: one more model moves no other, whose package group stays when it leaves a stack and could
    not be made again in the next.

    Raises
    ------
    ModelConfigError
        More models fall into one stack than it can hold.
    """
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
        Models(scope, f"{name}-{number}", env=env, storage=storage, models=shard)


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
