"""CloudFormation: deploys a CDK cloud assembly, stack by stack, through the services' own APIs.

AWS makes, updates, replaces and deletes. Imitated is making: the whole assembly is checked first (an unknown type,
property, section or attribute makes nothing at all), file assets go into the bootstrap bucket, resources are made in
order of their dependencies, and outputs and exports can be read with the CloudFormation API. moto's own engine skips
types that it does not know and ignores properties; hence this one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from offline.cloud_assembly import Assembly, Stack
from offline.resources import RESOURCE_TYPES
from offline.resources.model import Made, Making
from offline.template import Scope, TemplateError, mentioned, resolve
from offline.template_check import DeployError, check_template

if TYPE_CHECKING:
    from offline.account import Account

__all__ = ["DeployError", "deploy"]

BOOTSTRAP_VERSION = "30"


def deploy(account: Account, directory: Path, parameters: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Deploy every stack of the assembly in that directory, in order; return the outputs of each."""
    assembly = Assembly.read(directory, account.account_id, account.region)
    paths = {name: kind.paths for name, kind in RESOURCE_TYPES.items()}
    for stack in assembly.stacks:
        check_template(stack.name, stack.template, paths)
    _bootstrap(account, assembly)
    return {stack.name: _StackDeployment(account, assembly, stack, parameters).run() for stack in assembly.stacks}


def _bootstrap(account: Account, assembly: Assembly) -> None:
    """Do what `cdk bootstrap` and the asset publisher do before a deployment."""
    account.client("ssm").put_parameter(
        Name="/cdk-bootstrap/hnb659fds/version", Value=BOOTSTRAP_VERSION, Type="String", Overwrite=True
    )
    s3 = account.client("s3")
    existing = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for (bucket, key), path in assembly.assets.items():
        if bucket not in existing:
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": account.region})
            existing.add(bucket)
        s3.put_object(Bucket=bucket, Key=key, Body=_asset_body(path))


def _asset_body(path: Path) -> bytes:
    # Code and layers run from where they were staged: the object only says where, for zipping 300 MB proves nothing.
    if path.is_dir() or path.suffix == ".zip":
        return json.dumps({"staged": path.name}).encode()
    return path.read_bytes()


class _StackDeployment:
    """One stack on its way into the account."""

    def __init__(self, account: Account, assembly: Assembly, stack: Stack, parameters: Mapping[str, str]) -> None:
        self.account, self.assembly, self.stack = account, assembly, stack
        self.template = stack.template
        self.made: dict[str, Made] = {}
        self.afterwards: list[Callable[[], object]] = []
        self.scope = Scope(
            pseudo=self._pseudo(),
            mappings=self.template.get("Mappings", {}),
            conditions=self.template.get("Conditions", {}),
            exports=account.exports,
        )
        self.scope.parameters = self._parameters({**stack.parameters, **parameters})

    def run(self) -> dict[str, str]:
        """Make everything and publish the outputs."""
        self._check_rules()
        for logical_id in self._order():
            self._make(logical_id, self.template["Resources"][logical_id])
        for action in self.afterwards:
            action()
        return self._publish()

    def _pseudo(self) -> dict[str, Any]:
        account, region = self.account.account_id, self.account.region
        return {
            "AWS::AccountId": account,
            "AWS::Region": region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": self.stack.name,
            "AWS::StackId": f"arn:aws:cloudformation:{region}:{account}:stack/{self.stack.name}/offline",
            "AWS::NotificationARNs": [],
        }

    def _parameters(self, given: Mapping[str, str]) -> dict[str, Any]:
        values = {}
        for name, declared in self.template.get("Parameters", {}).items():
            if name not in given and "Default" not in declared:
                raise DeployError(f"stack {self.stack.name}: the parameter {name} has no value")
            value = given.get(name, declared.get("Default"))
            if declared["Type"].startswith("AWS::SSM::Parameter::Value"):
                value = self.account.client("ssm").get_parameter(Name=value)["Parameter"]["Value"]
            elif declared["Type"] in ("CommaDelimitedList", "List<String>"):
                value = [item.strip() for item in str(value).split(",")]
            values[name] = value
        return values

    def _check_rules(self) -> None:
        for name, rule in self.template.get("Rules", {}).items():
            for assertion in rule["Assertions"]:
                if not resolve(assertion["Assert"], self.scope):
                    reason = assertion.get("AssertDescription", "")
                    raise DeployError(f"stack {self.stack.name}: the rule {name} does not hold: {reason}")

    def _wanted(self) -> dict[str, Any]:
        return {
            logical_id: resource
            for logical_id, resource in self.template.get("Resources", {}).items()
            if "Condition" not in resource or self.scope.condition(resource["Condition"])
        }

    def _order(self) -> list[str]:
        """Return the logical ids so that each follows what it depends on, else in the template's order."""
        wanted = self._wanted()
        needs = {logical_id: _needs(resource) & wanted.keys() for logical_id, resource in wanted.items()}
        order: list[str] = []
        visiting: set[str] = set()

        def visit(logical_id: str) -> None:
            if logical_id in visiting:
                raise DeployError(f"stack {self.stack.name}: {logical_id} depends on itself")
            if logical_id not in order:
                visiting.add(logical_id)
                for need in sorted(needs[logical_id], key=list(wanted).index):
                    visit(need)
                visiting.remove(logical_id)
                order.append(logical_id)

        for logical_id in wanted:
            visit(logical_id)
        return order

    def _make(self, logical_id: str, resource: Mapping[str, Any]) -> None:
        kind = RESOURCE_TYPES[resource["Type"]]
        making = Making(self.account, self.stack.name, logical_id, self.assembly.assets, self.afterwards.append)
        try:
            properties = resolve(resource.get("Properties", {}), self.scope)
            made = kind.create(making, properties)
        except (TemplateError, ClientError, BotoCoreError, KeyError, ValueError) as error:
            where = f"stack {self.stack.name}: {logical_id} ({kind.name})"
            raise DeployError(f"{where}: {type(error).__name__}: {error}") from error
        self.made[logical_id] = made
        self.scope.references[logical_id] = made.reference
        self.scope.attributes[logical_id] = dict(made.attributes)

    def _publish(self) -> dict[str, str]:
        outputs: dict[str, dict[str, Any]] = {}
        for name, output in self.template.get("Outputs", {}).items():
            if "Condition" not in output or self.scope.condition(output["Condition"]):
                outputs[name] = resolve({key: output[key] for key in output if key != "Condition"}, self.scope)
        for output in outputs.values():
            if "Export" in output:
                self._export(output["Export"]["Name"], str(output["Value"]))
        _publish_stack(self.account, self.stack, self.made, outputs)
        return {name: str(output["Value"]) for name, output in outputs.items()}

    def _export(self, name: str, value: str) -> None:
        if name in self.account.exports:
            raise DeployError(f"stack {self.stack.name}: the export {name} exists already")
        self.account.exports[name] = value


def _publish_stack(account: Account, stack: Stack, made: Mapping[str, Made], outputs: dict[str, Any]) -> None:
    """Let moto's CloudFormation API tell of a stack that this engine has made: outputs, exports, resources."""
    template = json.dumps({"Resources": {}, "Outputs": outputs})
    account.client("cloudformation").create_stack(StackName=stack.name, TemplateBody=template)
    shown = account.backend("cloudformation").get_stack(stack.name)
    shown.template = json.dumps(stack.template)
    for logical_id, resource in made.items():
        shown.resource_map._resource_json_map[logical_id] = shown.resource_map._parsed_resources[logical_id] = (
            SimpleNamespace(
                logical_resource_id=logical_id,
                physical_resource_id=resource.reference,
                cf_resource_type=stack.template["Resources"][logical_id]["Type"],
                status="CREATE_COMPLETE",
                is_created=lambda: True,
            )
        )


def _needs(resource: Mapping[str, Any]) -> set[str]:
    explicit = resource.get("DependsOn", [])
    needs = {explicit} if isinstance(explicit, str) else set(explicit)
    return needs | set(mentioned(resource.get("Properties", {})))
