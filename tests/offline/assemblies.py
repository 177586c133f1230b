"""Small cloud assemblies, written as CDK would: a manifest, templates, assets."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BUCKET = "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"
DEPLOYED_BUCKET = "cdk-hnb659fds-assets-123456789012-eu-west-1"


def write_assembly(
    directory: Path,
    stacks: Mapping[str, Mapping[str, Any]],
    *,
    needs: Mapping[str, list[str]] | None = None,
    files: Mapping[str, Path] | None = None,
) -> Path:
    """Write an assembly of these templates; `files` are assets by object key."""
    directory.mkdir(parents=True, exist_ok=True)
    assets = {
        key: {
            "source": {"path": str(path), "packaging": "zip" if path.is_dir() else "file"},
            "destinations": {"here": {"bucketName": BUCKET, "objectKey": key}},
        }
        for key, path in (files or {}).items()
    }
    (directory / "all.assets.json").write_text(json.dumps({"files": assets}))
    artifacts: dict[str, Any] = {"assets": {"type": "cdk:asset-manifest", "properties": {"file": "all.assets.json"}}}
    for name, template in stacks.items():
        (directory / f"{name}.template.json").write_text(json.dumps(template))
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "dependencies": (needs or {}).get(name, []),
            "properties": {"templateFile": f"{name}.template.json"},
        }
    (directory / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return directory


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    """Return a template's resource."""
    return {"Type": kind, "Properties": properties}


def role(service: str, *statements: Mapping[str, Any]) -> dict[str, Any]:
    """Return a role that a service may take, with an inline policy."""
    trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = {"PolicyName": "may", "PolicyDocument": {"Version": "2012-10-17", "Statement": list(statements)}}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    return resource("AWS::IAM::Role", AssumeRolePolicyDocument=document, Policies=[policy] if statements else [])


def function(role_id: str, handler: str, variables: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return a function whose code is the asset `code.zip`."""
    return resource(
        "AWS::Lambda::Function",
        Runtime="python3.14",
        Handler=handler,
        Role={"Fn::GetAtt": [role_id, "Arn"]},
        Code={"S3Bucket": {"Fn::Sub": BUCKET}, "S3Key": "code.zip"},
        Environment={"Variables": dict(variables or {})},
        **more,
    )


def write_code(directory: Path, **modules: str) -> Path:
    """Write a function's asset: a package `kedge` and modules at its side."""
    (directory / "kedge").mkdir(parents=True)
    (directory / "kedge" / "__init__.py").write_text("WHERE = 'asset'\n")
    for name, source in modules.items():
        (directory / f"{name}.py").write_text(source)
    return directory
