"""How stacks are synthesised, and the names that two stacks must agree on without exporting them."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from constructs import Construct

from kedge.config.model import ModelConfig
from kedge.config.stage import Stage

# Where the tree of constructs keeps the stage of what stands below.
STAGE = "kedge:stage"
RETRAIN_MACHINE = "kedge-retrain"
RELEASE_MACHINE = "kedge-release"
# This many names of up to 63 characters fit into a role's 10,240 characters of policies beside its other statements.
NAMED_ENDPOINTS = 40
EXECUTIONS = "executions are named by SageMaker"
RUNS = "jobs, scoring models and endpoints on trial are named after their run"


def synthesizer() -> cdk.DefaultStackSynthesizer:
    """Assets go to the bootstrap bucket; the templates need no SSM parameter to say which bootstrap that was."""
    return cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False)


def put_stage(scope: Construct, stage: Stage) -> None:
    """Say, before anything stands below, which stage it is; without one nothing is said."""
    if stage.name:
        scope.node.set_context(STAGE, stage.name)


def stage_of(scope: Construct) -> Stage:
    """The stage that a construct belongs to."""
    return Stage(scope.node.try_get_context(STAGE) or "")


def executions(stack: cdk.Stack, machine: str) -> str:
    """The ARNs of all executions of one of this stage's machines."""
    return stack.format_arn(
        service="states",
        resource="execution",
        resource_name=f"{stage_of(stack).named(machine)}:*",
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )


def sagemaker_arns(stack: cdk.Stack, *kinds: str) -> list[str]:
    """The ARNs of every SageMaker resource of these kinds, in this account and region."""
    return [stack.format_arn(service="sagemaker", resource=kind, resource_name="*") for kind in kinds]


def staging_arns(stack: cdk.Stack, kind: str) -> list[str]:
    """The ARNs of the endpoints on which challengers are tried, or of their configs: they are named after their run."""
    begin = stage_of(stack).named("")
    return [stack.format_arn(service="sagemaker", resource=kind, resource_name=f"{begin}*-staging-*")]


def own_arns(stack: cdk.Stack, *kinds: str) -> list[str]:
    """The ARNs of the SageMaker resources of these kinds whose names this Kedge gives: with a stage, no other's."""
    begin = stage_of(stack).named("")
    return [stack.format_arn(service="sagemaker", resource=kind, resource_name=f"{begin}*") for kind in kinds]


def machine_arn(stack: cdk.Stack, machine: str) -> str:
    """The ARN of one of this stage's machines."""
    return stack.format_arn(
        service="states",
        resource="stateMachine",
        resource_name=stage_of(stack).named(machine),
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )


def pipeline_arns(stack: cdk.Stack, models: Sequence[ModelConfig], *, executions: bool = False) -> list[str]:
    """The ARNs of the pipelines that models are trained by, or of all their executions."""
    names = sorted({model.training.pipeline for model in models if model.training.pipeline and model.mode == "manage"})
    tail = "/execution/*" if executions else ""
    # SageMaker writes names in lower case into its ARNs.
    return [
        stack.format_arn(service="sagemaker", resource="pipeline", resource_name=f"{name.lower()}{tail}")
        for name in names
    ]


def endpoint_arns(stack: cdk.Stack, models: Sequence[ModelConfig]) -> list[str]:
    """The ARNs of the models' endpoints, as long as their names fit into a policy; of every endpoint where they do not."""
    names = sorted({model.endpoint.name for model in models if model.has_endpoint})
    if not 0 < len(names) <= NAMED_ENDPOINTS:
        return sagemaker_arns(stack, "endpoint")
    # SageMaker writes names in lower case into its ARNs.
    return [stack.format_arn(service="sagemaker", resource="endpoint", resource_name=name.lower()) for name in names]
