"""The VPC of a job or a model: SageMaker puts network interfaces there as the execution role, once the instances start.

The real service answers the request before it has tried. A role without the EC2 permissions then fails the job or the
endpoint, often with no more than "internal error" (sagemaker-python-sdk#3026). Imitated: the limits of the request, that the
subnets and security groups exist in one VPC, and the role's permissions. No packet is routed: a container without isolation
has this machine's network.
"""

from __future__ import annotations

from typing import Any

from offline.iam.guard import Guard
from offline.region import Region
from offline.sagemaker.api import ValidationError
from offline.sagemaker.storage import DownloadError

LIMITS = {"Subnets": 16, "SecurityGroupIds": 5}
LOOKS = ("NetworkInterfaces", "Vpcs", "DhcpOptions", "Subnets", "SecurityGroups")


def check_vpc(request: dict[str, Any]) -> None:
    """Refuse a VpcConfig that the request's own limits forbid."""
    vpc = request.get("VpcConfig")
    for name, most in LIMITS.items() if vpc is not None else ():
        if not 1 <= len(vpc.get(name, [])) <= most:
            raise ValidationError(
                f"1 validation error detected: Value at 'vpcConfig.{name[0].lower()}{name[1:]}' failed to satisfy constraint: "
                f"Member must have length less than or equal to {most} and greater than or equal to 1"
            )


def join_vpc(region: Region, guard: Guard, role_arn: str, request: dict[str, Any]) -> None:
    """Make the network interfaces, or say why there are none."""
    vpc = request.get("VpcConfig")
    if vpc is None:
        return
    known = {"subnet": _subnets(region), "security-group": _groups(region)}
    wanted = {"subnet": vpc["Subnets"], "security-group": vpc["SecurityGroupIds"]}
    missing = [name for kind, names in wanted.items() for name in names if name not in known[kind]]
    if missing:
        raise DownloadError(f"the VPC has no {', '.join(missing)}")
    if len({known[kind][name] for kind, names in wanted.items() for name in names}) > 1:
        raise DownloadError("Security groups and subnets must belong to the same VPC")
    interface = region.arn("ec2", "network-interface/*")
    attached = [region.arn("ec2", f"{kind}/{name}") for kind, names in wanted.items() for name in names]
    needs = [("CreateNetworkInterface", arn) for arn in (interface, *attached)]
    needs += [(name, interface) for name in ("CreateNetworkInterfacePermission", "DeleteNetworkInterface")]
    needs += [("DeleteNetworkInterfacePermission", interface), *((f"Describe{name}", "*") for name in LOOKS)]
    if not all(guard.allows(role_arn, f"ec2:{action}", resource) for action, resource in needs):
        raise DownloadError("InternalServerError: We encountered an internal error. Please try again.")


def _subnets(region: Region) -> dict[str, str]:
    found = region.backend("ec2").subnets
    return {name: subnet.vpc_id for zone in found.values() for name, subnet in zone.items()}


def _groups(region: Region) -> dict[str, str]:
    return {name: vpc or "" for vpc, groups in region.backend("ec2").groups.items() for name in groups}
