"""What containers may reach: the VPC that they are put into, and the roles of those that have a network at all."""

from __future__ import annotations

from collections.abc import Iterable

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from kedge.config.model import ModelConfig
from kedge.config.sections import Vpc
from stacks.parts.access import allow

# https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html, "If you specify a private VPC"
_LOOKS = ("NetworkInterfaces", "Vpcs", "DhcpOptions", "Subnets", "SecurityGroups")
_CHANGES = ("CreateNetworkInterface", "DeleteNetworkInterface")
_PERMISSIONS = ("CreateNetworkInterfacePermission", "DeleteNetworkInterfacePermission")


def vpc_variable(vpc: Vpc | None) -> str:
    """What tells a function of the deployment's VPC."""
    return vpc.model_dump_json() if vpc else "null"


def may_join(role: iam.Role, vpcs: Iterable[Vpc | None]) -> None:
    """Let SageMaker put the network interfaces of its instances into these VPCs, as the role of the job or the endpoint."""
    joined = [vpc for vpc in vpcs if vpc]
    if not joined:
        return
    stack = cdk.Stack.of(role)

    def arns(kind: str, names: Iterable[str]) -> list[str]:
        return [stack.format_arn(service="ec2", resource=kind, resource_name=name) for name in sorted({*names})]

    subnets = arns("subnet", (name for vpc in joined for name in vpc.subnets))
    groups = arns("security-group", (name for vpc in joined for name in vpc.security_groups))
    interfaces = arns("network-interface", ["*"])
    made = "an interface has no name before it is made"
    allow(role, "JoinVpc", [f"ec2:{name}" for name in _CHANGES], [*interfaces, *subnets, *groups], wildcard=made)
    allow(role, "LendInterfaces", [f"ec2:{name}" for name in _PERMISSIONS], interfaces, wildcard=made)
    allow(
        role, "SeeVpc", [f"ec2:Describe{name}" for name in _LOOKS], ["*"], wildcard="EC2 knows no resource for a look"
    )


def may_make(role: iam.Role, sid: str, action: str, names: Iterable[str], *, kind: str) -> None:
    """Make jobs or models with a network too, under these names alone."""
    stack = cdk.Stack.of(role)
    arns = [
        stack.format_arn(service="sagemaker", resource=kind, resource_name=name.lower()) for name in sorted({*names})
    ]
    if arns:
        allow(role, sid, [action], arns, wildcard="jobs and models are named after their model and run")


def with_network(models: Iterable[ModelConfig], *, serving: bool) -> list[ModelConfig]:
    """The models whose YAML lets their endpoint, or else their training job, reach a network."""
    return [
        model
        for model in models
        if model.mode == "manage" and not (model.endpoint if serving else model.training).network_isolation
    ]
