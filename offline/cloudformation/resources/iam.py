"""AWS::IAM::Role, AWS::IAM::Policy and AWS::IAM::ManagedPolicy."""

from __future__ import annotations

from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType, only, refuse, tags, text


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
    _give(making, name, properties)
    return Made(name, {"Arn": made["Arn"], "RoleId": made["RoleId"]})


def update_role(making: Making, made: Made, old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Change a role's trust and policies; its name and path stay."""
    iam, name = making.client("iam"), made.reference
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=text(new["AssumeRolePolicyDocument"]))
    iam.update_role(RoleName=name, **only(new, "Description", "MaxSessionDuration"))
    refuse(making, old, new, "PermissionsBoundary")
    inline = {policy["PolicyName"] for policy in new.get("Policies", [])}
    for policy in old.get("Policies", []):
        if policy["PolicyName"] not in inline:
            iam.delete_role_policy(RoleName=name, PolicyName=policy["PolicyName"])
    _give(making, name, new)
    for arn in set(old.get("ManagedPolicyArns", [])) - set(new.get("ManagedPolicyArns", [])):
        iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    return made


def delete_role(making: Making, made: Made, properties: dict[str, Any]) -> None:
    """Delete a role, its policies first."""
    iam, name = making.client("iam"), made.reference
    for policy in properties.get("Policies", []):
        iam.delete_role_policy(RoleName=name, PolicyName=policy["PolicyName"])
    for arn in properties.get("ManagedPolicyArns", []):
        iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    iam.delete_role(RoleName=name)


def _give(making: Making, name: str, properties: dict[str, Any]) -> None:
    iam = making.client("iam")
    for policy in properties.get("Policies", []):
        iam.put_role_policy(
            RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=text(policy["PolicyDocument"])
        )
    for arn in properties.get("ManagedPolicyArns", []):
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)


def policy(making: Making, properties: dict[str, Any]) -> Made:
    """Put an inline policy into the roles named."""
    for name in properties["Roles"]:
        making.client("iam").put_role_policy(
            RoleName=name, PolicyName=properties["PolicyName"], PolicyDocument=text(properties["PolicyDocument"])
        )
    return Made(making.name(64), {"Id": properties["PolicyName"]})


def update_policy(making: Making, made: Made, old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Put an inline policy anew, and take it from the roles that are named no more."""
    kept = set(new["Roles"]) if new["PolicyName"] == old["PolicyName"] else set()
    _take_policy(making, old, set(old["Roles"]) - kept)
    policy(making, new)
    return Made(made.reference, {"Id": new["PolicyName"]})


def delete_policy(making: Making, _made: Made, properties: dict[str, Any]) -> None:
    """Take an inline policy from its roles."""
    _take_policy(making, properties, set(properties["Roles"]))


def _take_policy(making: Making, properties: dict[str, Any], names: set[str]) -> None:
    for name in sorted(names):
        making.client("iam").delete_role_policy(RoleName=name, PolicyName=properties["PolicyName"])


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


def update_managed_policy(making: Making, made: Made, old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Make a new version of a policy the valid one."""
    iam, arn = making.client("iam"), made.reference
    for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:  # a policy has five versions at most
            iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=text(new["PolicyDocument"]), SetAsDefault=True)
    before, after = set(old.get("Roles", [])), set(new.get("Roles", []))
    for name in sorted(before - after):
        iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    for name in sorted(after - before):
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    return made


def delete_managed_policy(making: Making, made: Made, properties: dict[str, Any]) -> None:
    """Delete a policy with all its versions."""
    iam, arn = making.client("iam"), made.reference
    for name in properties.get("Roles", []):
        iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    iam.delete_policy(PolicyArn=arn)


TYPES = (
    ResourceType(
        "AWS::IAM::Role",
        "RoleName AssumeRolePolicyDocument.* Policies.PolicyName Policies.PolicyDocument.* ManagedPolicyArns Path"
        " Description MaxSessionDuration PermissionsBoundary Tags.*",
        role,
        delete_role,
        update=update_role,
        replaced_by="Path",
        named_by="RoleName",
    ),
    ResourceType("AWS::IAM::Policy", "PolicyName PolicyDocument.* Roles", policy, delete_policy, update=update_policy),
    ResourceType(
        "AWS::IAM::ManagedPolicy",
        "ManagedPolicyName PolicyDocument.* Roles Path Description",
        managed_policy,
        delete_managed_policy,
        update=update_managed_policy,
        replaced_by="Path Description",
        named_by="ManagedPolicyName",
    ),
)
