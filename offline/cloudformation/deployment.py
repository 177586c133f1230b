"""CloudFormation: deploys a CDK cloud assembly, stack by stack, through the services' own APIs.

The whole assembly is checked first (an unknown type, property, section or attribute makes nothing at all), then file assets
go into the bootstrap bucket, then `offline.cloudformation.stack_deployment` brings each stack to what its template says. Like
`cdk deploy`, the stacks before a failing one stay. moto's own engine skips types that it does not know and ignores
properties; hence this one. Nothing takes any time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from offline.cloudformation.cloud_assembly import Assembly
from offline.cloudformation.resources.every_type import resource_type
from offline.cloudformation.stack_deployment import Site, StackDeployment
from offline.cloudformation.template_check import DeployError, check_template
from offline.region import Region

__all__ = ["DeployError", "Site", "deploy"]

BOOTSTRAP_VERSION = "30"


def deploy(site: Site, directory: Path, parameters: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Deploy every stack of the assembly in that directory, in order; return the outputs of each."""
    assembly = Assembly.read(directory, site.region.account_id, site.region.name)
    for stack in assembly.stacks:
        names = {str(each.get("Type")) for each in stack.template.get("Resources", {}).values()}
        paths = {name: kind.paths for name in names if (kind := resource_type(name)) is not None}
        check_template(stack.name, stack.template, paths)
    _bootstrap(site.region, assembly)
    return {stack.name: StackDeployment(site, assembly, stack, parameters).run() for stack in assembly.stacks}


def _bootstrap(region: Region, assembly: Assembly) -> None:
    """Do what `cdk bootstrap` and the asset publisher do before a deployment."""
    region.client("ssm").put_parameter(
        Name="/cdk-bootstrap/hnb659fds/version", Value=BOOTSTRAP_VERSION, Type="String", Overwrite=True
    )
    s3 = region.client("s3")
    existing = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for (bucket, key), path in assembly.assets.items():
        if bucket not in existing:
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region.name})
            existing.add(bucket)
        s3.put_object(Bucket=bucket, Key=key, Body=_asset_body(path))


def _asset_body(path: Path) -> bytes:
    # Code and layers run from where they were staged: the object only says where, for zipping 300 MB proves nothing.
    if path.is_dir() or path.suffix == ".zip":
        return json.dumps({"staged": path.name}).encode()
    return path.read_bytes()
