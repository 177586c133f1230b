"""How stacks are synthesised, and the names that two stacks must agree on without exporting them."""

from __future__ import annotations

import aws_cdk as cdk

RETRAIN_MACHINE = "kedge-retrain"
RELEASE_MACHINE = "kedge-release"


def synthesizer() -> cdk.DefaultStackSynthesizer:
    """Assets go to the bootstrap bucket; the templates need no SSM parameter to say which bootstrap that was."""
    return cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False)


def executions(stack: cdk.Stack, machine: str) -> str:
    """The ARNs of all executions of a machine."""
    return stack.format_arn(
        service="states",
        resource="execution",
        resource_name=f"{machine}:*",
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )


def sagemaker_arns(stack: cdk.Stack, *kinds: str) -> list[str]:
    """The ARNs of every SageMaker resource of these kinds, in this account and region."""
    return [stack.format_arn(service="sagemaker", resource=kind, resource_name="*") for kind in kinds]
