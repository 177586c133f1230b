"""One stack on its way into the account, or to its next state.

AWS makes, updates, replaces and deletes, and rolls back. So does this. Resources are made in order of their dependencies.
An update touches a resource only where its properties, all references resolved, differ from those it was made with: in
place, or by a new one where the template reference says Replacement. What was replaced or removed is deleted last of all.
Where a resource fails, those before it are put back. A stack that a failed creation left behind is deleted and created again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from offline.cloudformation.cloud_assembly import Assembly, Stack
from offline.cloudformation.resource_type import HalfMadeError, Made, Making, ResourceType, Update
from offline.cloudformation.resources.every_type import resource_type
from offline.cloudformation.stacks import FAILURES, KEEPING, Deployed, StackRecord, Stacks
from offline.cloudformation.template import Scope, TemplateError, mentioned, resolve
from offline.cloudformation.template_check import DeployError
from offline.functions.runtime import Functions
from offline.iam.guard import Guard
from offline.region import Region


@dataclass(frozen=True)
class Site:
    """What a deployment works on beside the services' own APIs."""

    region: Region
    guard: Guard
    functions: Functions
    stacks: Stacks


class StackDeployment:
    """One stack on its way into the account, or to its next state."""

    def __init__(self, site: Site, assembly: Assembly, stack: Stack, parameters: Mapping[str, str]) -> None:
        self.site, self.region, self.assembly, self.stack = site, site.region, assembly, stack
        self.template = stack.template
        self.stacks = site.stacks
        self.resources: dict[str, Deployed] = {}
        self.afterwards: list[Callable[[], object]] = []
        self.undo: list[Callable[[], bool]] = []
        self.replaced: list[Deployed] = []
        self.scope = Scope(
            pseudo=self._pseudo(),
            mappings=self.template.get("Mappings", {}),
            conditions=self.template.get("Conditions", {}),
            exports=self.stacks.exports,
        )
        self.scope.parameters = self._parameters({**stack.parameters, **parameters})
        self.began = False
        self._check_rules()
        self.order = self._order()
        self.record = self._record()
        self.before = dict(self.record.resources)
        self.verb = "UPDATE" if self.record.status != "REVIEW_IN_PROGRESS" else "CREATE"

    def run(self) -> dict[str, str]:
        """Bring the stack to what its template says, or back to where it was."""
        if self.verb == "CREATE":
            self._begin()
        try:
            for logical_id in self.order:
                self._bring(logical_id, self.template["Resources"][logical_id])
            for action in self.afterwards:
                action()
            outputs = self._outputs()
        except (DeployError, TemplateError, *FAILURES) as error:
            failure = error if isinstance(error, DeployError) else self._failure(self.stack.name, error)
            self._roll_back(str(failure))
            raise failure from error
        return self._finish(outputs)

    def _record(self) -> StackRecord:
        record = self.stacks.records.get(self.stack.name)
        if record is not None and record.status == "ROLLBACK_COMPLETE":
            self.stacks.delete(record.name)
            record = None
        if record is None:
            return self.stacks.add(self.stack.name, self.scope.pseudo["AWS::StackId"])
        if not record.status.endswith("_COMPLETE"):
            raise DeployError(f"stack {record.name} is in {record.status} state and can not be updated: delete it")
        return record

    def _begin(self) -> None:
        if not self.began:
            self.began = True
            self.stacks.tell(self.record, f"{self.verb}_IN_PROGRESS", "User Initiated")

    def _pseudo(self) -> dict[str, Any]:
        account, region = self.region.account_id, self.region.name
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
                value = self.region.client("ssm").get_parameter(Name=value)["Parameter"]["Value"]
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

    def _bring(self, logical_id: str, resource: Mapping[str, Any]) -> None:
        kind, old = resource_type(resource["Type"]), self.before.get(logical_id)
        assert kind is not None  # noqa: S101  # the template was checked
        try:
            properties = resolve(resource.get("Properties", {}), self.scope)
            if old is None:
                now = self._create(logical_id, kind, properties, resource)
            elif old.kind is not kind:
                raise ValueError(f"Update of resource type is not permitted: it is a {old.kind.name}")
            elif properties == old.properties:
                now = replace(old, template=resource)
            elif kind.update is None or kind.replaces(old.properties, properties):
                now = self._replace(old, properties, resource)
            else:
                now = self._update(old, kind.update, properties, resource)
        except (TemplateError, *FAILURES) as error:
            self._begin()
            self.stacks.tell_of(self.record, logical_id, f"{self._verb_of(old)}_FAILED", str(error), kind=kind)
            raise self._failure(f"{logical_id} ({kind.name})", error) from error
        self.resources[logical_id] = now
        self.scope.references[logical_id] = now.made.reference
        self.scope.attributes[logical_id] = dict(now.made.attributes)

    @staticmethod
    def _verb_of(old: Deployed | None) -> str:
        return "CREATE" if old is None else "UPDATE"

    def _failure(self, where: str, error: Exception) -> DeployError:
        place = where if where == self.stack.name else f"{self.stack.name}: {where}"
        return DeployError(f"stack {place}: {type(error).__name__}: {error}")

    def _create(
        self,
        logical_id: str,
        kind: ResourceType,
        properties: dict[str, Any],
        resource: Mapping[str, Any],
        generation: int = 0,
    ) -> Deployed:
        self._begin()
        making = self._making(logical_id, kind, generation)
        name = kind.given_name(properties)
        if name and kind.exists and kind.exists(making, name):
            raise ValueError(f"AlreadyExists: {name} already exists")
        self.stacks.tell_of(self.record, logical_id, "CREATE_IN_PROGRESS", kind=kind)
        try:
            made = kind.create(making, properties)
        except HalfMadeError as error:
            status, at = "CREATE_FAILED", self.region.clock.now
            half = Deployed(logical_id, kind, Made(error.reference), properties, making, resource, status, at)
            self.undo.append(lambda: self._take_back(half))
            raise
        now = self._deployed(kind, made, properties, making, resource, "CREATE_COMPLETE")
        self.undo.append(lambda: self._take_back(now))
        return now

    def _update(
        self, old: Deployed, update: Update, properties: dict[str, Any], resource: Mapping[str, Any]
    ) -> Deployed:
        self._begin()
        making = self._making(old.logical_id, old.kind, old.making.generation)
        if properties.get("Tags") != old.properties.get("Tags"):
            raise ValueError("a change of Tags is not imitated")
        self.stacks.tell_of(self.record, old.logical_id, "UPDATE_IN_PROGRESS", made=old.made, kind=old.kind)
        made = old.made
        self.undo.append(lambda: self._put_back(old, made, update, properties))
        made = update(making, old.made, old.properties, properties)
        if old.kind.renames and made.reference != old.made.reference:
            self.replaced.append(old)
        return self._deployed(old.kind, made, properties, making, resource, "UPDATE_COMPLETE")

    def _replace(self, old: Deployed, properties: dict[str, Any], resource: Mapping[str, Any]) -> Deployed:
        name = old.kind.given_name(properties)
        if name and name == old.kind.given_name(old.properties):
            raise ValueError(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {name} and update the stack again."
            )
        now = self._create(old.logical_id, old.kind, properties, resource, old.making.generation + 1)
        self.replaced.append(old)
        return now

    def _making(self, logical_id: str, kind: ResourceType, generation: int) -> Making:
        assets, afterwards = self.assembly.assets, self.afterwards.append
        site = self.site
        return Making(
            site.region,
            site.guard,
            site.functions,
            self.stack.name,
            logical_id,
            assets,
            afterwards,
            kind.name,
            generation,
        )

    def _deployed(
        self,
        kind: ResourceType,
        made: Made,
        properties: dict[str, Any],
        making: Making,
        resource: Mapping[str, Any],
        status: str,
    ) -> Deployed:
        logical_id = making.logical_id
        self.stacks.tell_of(self.record, logical_id, status, made=made, kind=kind)
        return Deployed(logical_id, kind, made, properties, making, resource, status, self.region.clock.now)

    def _roll_back(self, reason: str) -> None:
        self._begin()
        rolling = "UPDATE_ROLLBACK" if self.verb == "UPDATE" else "ROLLBACK"
        self.stacks.tell(self.record, f"{rolling}_IN_PROGRESS", reason)
        undone = [action() for action in reversed(self.undo)]
        self.record.resources = self.before
        self.stacks.tell(self.record, f"{rolling}_{'COMPLETE' if all(undone) else 'FAILED'}")

    def _take_back(self, new: Deployed) -> bool:
        if new.template.get("DeletionPolicy") == "Retain":
            self.stacks.tell_of(self.record, new.logical_id, "DELETE_SKIPPED", made=new.made, kind=new.kind)
            return True
        return self.stacks.delete_resource(self.record, new)

    def _put_back(self, old: Deployed, made: Made, update: Update, properties: dict[str, Any]) -> bool:
        try:
            back = update(old.making, made, properties, old.properties)
            if old.kind.renames and back.reference != made.reference:
                old.kind.delete(old.making, made, properties)
        except FAILURES as error:
            self.stacks.tell_of(self.record, old.logical_id, "UPDATE_FAILED", str(error), old.made, old.kind)
            return False
        self.stacks.tell_of(self.record, old.logical_id, "UPDATE_COMPLETE", made=old.made, kind=old.kind)
        return True

    def _outputs(self) -> dict[str, dict[str, Any]]:
        outputs: dict[str, dict[str, Any]] = {}
        for name, output in self.template.get("Outputs", {}).items():
            if "Condition" not in output or self.scope.condition(output["Condition"]):
                outputs[name] = resolve({key: output[key] for key in output if key != "Condition"}, self.scope)
        exports = {output["Export"]["Name"]: str(output["Value"]) for output in outputs.values() if "Export" in output}
        for name, value in self.record.exports.items():
            if name not in exports:
                self.stacks.refuse_if_imported(self.record, name, "deleted")
            elif exports[name] != value:
                self.stacks.refuse_if_imported(self.record, name, "updated")
        for name in exports:
            if name in self.stacks.exports and name not in self.record.exports:
                raise DeployError(f"stack {self.stack.name}: the export {name} exists already")
        return outputs

    def _finish(self, outputs: dict[str, dict[str, Any]]) -> dict[str, str]:
        gone = {**self.before, **{old.logical_id: old for old in self.replaced}}
        gone = {key: old for key, old in gone.items() if key not in self.resources or old in self.replaced}
        record = self.record
        if gone or outputs != record.outputs:
            self._begin()
        record.resources, record.outputs, record.template = self.resources, outputs, self.template
        record.imported = frozenset(self.scope.imported)
        if gone:
            self.stacks.tell(record, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        for old in reversed(gone.values()):
            policy = "UpdateReplacePolicy" if old in self.replaced else "DeletionPolicy"
            if old.template.get(policy) in KEEPING:
                self.stacks.tell_of(record, old.logical_id, "DELETE_SKIPPED", made=old.made, kind=old.kind)
            else:
                self.stacks.delete_resource(record, old)  # where it fails it stays, and the update stands
        if self.began:
            self.stacks.tell(record, f"{self.verb}_COMPLETE")
        return {name: str(output["Value"]) for name, output in outputs.items()}


def _needs(resource: Mapping[str, Any]) -> set[str]:
    explicit = resource.get("DependsOn", [])
    needs = {explicit} if isinstance(explicit, str) else set(explicit)
    return needs | set(mentioned(resource.get("Properties", {})))
