"""What an account has already, and Kedge uses instead of its own: subnets, a permissions boundary, a bucket, a key."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from kedge.config.sections import Vpc
from kedge.errors import ModelConfigError
from stacks.parts.access import NO_RESOURCE_TYPE, allow

# Lambda's limits. https://docs.aws.amazon.com/lambda/latest/api/API_VpcConfig.html
SUBNETS_MAX, SECURITY_GROUPS_MAX = 16, 5
_SUBNET, _SECURITY_GROUP = re.compile(r"subnet-[0-9a-f]{8,17}"), re.compile(r"sg-[0-9a-f]{8,17}")
_POLICY_NAME = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
_POLICY_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:policy/[\w+=,.@/-]{1,512}", re.ASCII)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[a-zA-Z0-9-]+")
# CDK gives every role below a construct with this the boundary.
_BOUNDARY_CONTEXT = "@aws-cdk/core:permissionsBoundary"


def place_in(vpc: Vpc, function: lambda_.Function, role: iam.Role) -> None:
    """Have a function run in a VPC; Lambda makes its network interfaces as the function's role."""
    resource = function.node.default_child
    if not isinstance(resource, lambda_.CfnFunction):
        raise TypeError(f"{function.node.path} has no function of CloudFormation's")
    resource.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
        subnet_ids=list(vpc.subnets), security_group_ids=list(vpc.security_groups)
    )
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
    allow(
        role,
        "JoinVpc",
        [
            f"ec2:{action}"
            for action in (
                *("CreateNetworkInterface", "DescribeNetworkInterfaces", "DescribeSubnets"),
                *("DeleteNetworkInterface", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses"),
            )
        ],
        ["*"],
        wildcard=f"Lambda tries these without a resource before it makes the interfaces; {NO_RESOURCE_TYPE} of listing",
    )


@dataclass(frozen=True)
class Surroundings:
    """What is there already; None where Kedge makes its own, or needs none."""

    vpc: Vpc | None = None
    permissions_boundary: str | None = None
    bucket: str | None = None
    key: str | None = None

    @classmethod
    def of_context(cls, facts: Mapping[str, object]) -> Surroundings:
        """Read `vpc`, `permissions_boundary`, `bucket` and `key` of the context of `cdk.json`.

        Raises
        ------
        ModelConfigError
            One of them is not what it must be, or there is a bucket without the key that encrypts it.
        """
        boundary = _text(
            facts, "permissions_boundary", "the name or the ARN of a managed policy", _POLICY_NAME, _POLICY_ARN
        )
        bucket = _text(facts, "bucket", "the name of a bucket", _BUCKET)
        key = _text(facts, "key", "the ARN of a KMS key (an alias does not do)", _KEY)
        if bucket and not key:
            _refuse(
                "bucket is there without key: name the KMS key that encrypts the bucket, because the roles must be allowed to use it"
            )
        return cls(read_vpc("vpc", facts.get("vpc")), boundary, bucket, key)

    def bound(self, scope: Construct) -> None:
        """Give each role that will stand below this construct the boundary."""
        if self.permissions_boundary:
            kind = "arn" if self.permissions_boundary.startswith("arn:") else "name"
            scope.node.set_context(_BOUNDARY_CONTEXT, {kind: self.permissions_boundary})


NOTHING = Surroundings()


def read_vpc(name: str, given: object) -> Vpc | None:
    """Read a VPC of the context of `cdk.json`, an object (JSON after `-c`); a `ModelConfigError` says what is wrong with it."""
    example = '{"subnets": ["subnet-0a1b2c3d"], "security_groups": ["sg-0a1b2c3d"]}'
    if given in (None, ""):
        return None
    found = _parsed(given)
    if not isinstance(found, dict) or set(found) != {"subnets", "security_groups"}:
        _refuse(f"{name} is {given!r}: an object with subnets and security_groups is needed, like {example}")
    return Vpc(
        subnets=_ids(f"{name}.subnets", found["subnets"], _SUBNET, SUBNETS_MAX),
        security_groups=_ids(f"{name}.security_groups", found["security_groups"], _SECURITY_GROUP, SECURITY_GROUPS_MAX),
    )


def _parsed(given: object) -> Any:
    try:
        return json.loads(given) if isinstance(given, str) else given
    except json.JSONDecodeError:
        return given


def _ids(name: str, given: object, shape: re.Pattern[str], most: int) -> tuple[str, ...]:
    listed: Sequence[object] = given if isinstance(given, list) else ()
    if not 0 < len(listed) <= most or not all(isinstance(each, str) and shape.fullmatch(each) for each in listed):
        _refuse(f"{name} is {given!r}: a list of 1 to {most} IDs is needed")
    return tuple(map(str, listed))


def _text(facts: Mapping[str, object], name: str, what: str, *shapes: re.Pattern[str]) -> str | None:
    given = facts.get(name)
    if given in (None, ""):
        return None
    if not isinstance(given, str) or not any(shape.fullmatch(given) for shape in shapes):
        _refuse(f"{name} is {given!r}: {what} is needed")
    return given


def _refuse(problem: str) -> NoReturn:
    raise ModelConfigError(source="cdk.json", problems=[problem])
