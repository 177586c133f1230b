"""AWS::IAM::Role, AWS::IAM::Policy and AWS::IAM::ManagedPolicy."""

from __future__ import annotations

from typing import Any

from offline.resources.model import Made, Making, only, resource_type, tags, text


def role(making: Making, properties: dict[str, Any]) -> Made:
    """Make a role with its trust, its inline and its managed policies."""
    iam = making.client("iam")
    name = properties.get("RoleName") or making.name(64)
    request = only(properties, "Path", "Description", "MaxSessionDuration", "PermissionsBoundary")
    made = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=text(properties["AssumeRolePolicyDocument"]),
        Tags=tags(properties),
        **request,
    )["Role"]
    for policy in properties.get("Policies", []):
        iam.put_role_policy(
            RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=text(policy["PolicyDocument"])
        )
    for arn in properties.get("ManagedPolicyArns", []):
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    return Made(name, {"Arn": made["Arn"], "RoleId": made["RoleId"]})


def policy(making: Making, properties: dict[str, Any]) -> Made:
    """Put an inline policy into the roles named."""
    for name in properties["Roles"]:
        making.client("iam").put_role_policy(
            RoleName=name, PolicyName=properties["PolicyName"], PolicyDocument=text(properties["PolicyDocument"])
        )
    return Made(making.name(64), {"Id": properties["PolicyName"]})


def managed_policy(making: Making, properties: dict[str, Any]) -> Made:
    """Make a customer-managed policy and attach it to the roles named."""
    iam = making.client("iam")
    arn = iam.create_policy(
        PolicyName=properties.get("ManagedPolicyName") or making.name(128),
        PolicyDocument=text(properties["PolicyDocument"]),
        **only(properties, "Path", "Description"),
    )["Policy"]["Arn"]
    for name in properties.get("Roles", []):
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    return Made(arn, {"PolicyArn": arn})


TYPES = (
    resource_type(
        "AWS::IAM::Role",
        "RoleName AssumeRolePolicyDocument.* Policies.PolicyName Policies.PolicyDocument.* ManagedPolicyArns Path"
        " Description MaxSessionDuration PermissionsBoundary Tags.*",
        role,
    ),
    resource_type("AWS::IAM::Policy", "PolicyName PolicyDocument.* Roles", policy),
    resource_type(
        "AWS::IAM::ManagedPolicy", "ManagedPolicyName PolicyDocument.* Roles Path Description", managed_policy
    ),
)
