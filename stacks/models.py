"""Per model its package group and the alarms that page, sharded so that a thousand models fit."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from kedge.model_config import ModelConfig
from stacks.parts.access import METRIC_NAMESPACE
from stacks.parts.alarms import add_alarm
from stacks.parts.naming import synthesizer
from stacks.parts.watch import watch_hours
from stacks.storage import Storage

MODELS_PER_STACK = 60
JUDGEMENT_AGE_CADENCES_MAX = 2


def add_models(
    scope: Construct, name: str, *, env: cdk.Environment, storage: Storage, models: Sequence[ModelConfig]
) -> None:
    """Make one stack per sixty models."""
    for first in range(0, len(models), MODELS_PER_STACK):
        shard = models[first : first + MODELS_PER_STACK]
        Models(scope, f"{name}-{first // MODELS_PER_STACK + 1}", env=env, storage=storage, models=shard)


class Models(cdk.Stack):
    """The resources that each of these models needs for itself."""

    def __init__(
        self, scope: Construct, name: str, *, env: cdk.Environment, storage: Storage, models: Sequence[ModelConfig]
    ) -> None:
        super().__init__(scope, name, env=env, synthesizer=synthesizer(), description="Kedge: the watched models")
        for model in models:
            _package_group(self, model)
            _page(
                self,
                model,
                "JudgementAgeCadences",
                at_least=JUDGEMENT_AGE_CADENCES_MAX,
                says=f"Kedge: {model.model} was not judged for {JUDGEMENT_AGE_CADENCES_MAX} cadences",
                storage=storage,
            )
            _page(
                self,
                model,
                "InvocationsWithoutCapture",
                at_least=1,
                says=f"Kedge: {model.endpoint.name} is invoked but captures nothing; is its disk full?",
                storage=storage,
            )


def _package_group(scope: Construct, model: ModelConfig) -> None:
    group = sagemaker.CfnModelPackageGroup(
        scope,
        f"{model.model}-Packages",
        model_package_group_name=model.package_group,
        model_package_group_description=f"Versions of {model.model}, watched by Kedge",
    )
    # The registry is the record of who approved what.
    group.apply_removal_policy(cdk.RemovalPolicy.RETAIN)


def _page(scope: Construct, model: ModelConfig, gauge: str, *, at_least: float, says: str, storage: Storage) -> None:
    metric = cloudwatch.Metric(
        namespace=METRIC_NAMESPACE,
        metric_name=gauge,
        dimensions_map={"Model": model.model},
        period=cdk.Duration.hours(watch_hours([model])),
        statistic="Maximum",
    )
    topics = [storage.alerts, storage.events]
    add_alarm(scope, f"{model.model}-{gauge}", metric, at_least=at_least, says=says, topics=topics)
