"""CloudFormation's record of the deployed stacks: resources, outputs, exports and events, told through moto's API.

The real service keeps a stack after a failed creation (ROLLBACK_COMPLETE: it can only be deleted), refuses to take away
or change an export that another stack imports, and deletes a stack in the reverse order of its making. All of that is
imitated, and DescribeStacks, DescribeStackEvents, DescribeStackResources, ListStackResources, ListExports, GetTemplate
and DeleteStack tell of it. How a stack is created and updated is in `offline.cloudformation.deployment`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.cloudformation import responses
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import CloudFormationBackend, Event
from moto.cloudformation.models import Stack as Shown
from moto.cloudformation.responses import CloudFormationResponse, StackResourceDTO
from moto.core.responses import ActionResult

from offline.cloudformation.resource_type import Made, Making, ResourceType
from offline.cloudformation.template_check import DeployError
from offline.region import Region

FAILURES = (ClientError, BotoCoreError, KeyError, ValueError)
KEEPING = ("Retain", "RetainExceptOnCreate")
STACK = "AWS::CloudFormation::Stack"


@dataclass(frozen=True)
class Deployed:
    """A resource that a stack has: what it is, what it was made from, and what becomes of it when it goes."""

    logical_id: str
    kind: ResourceType
    made: Made
    properties: dict[str, Any]
    making: Making
    template: Mapping[str, Any]
    status: str
    changed: datetime


@dataclass
class StackRecord:
    """A stack as CloudFormation remembers it."""

    name: str
    shown: Shown
    status: str = "REVIEW_IN_PROGRESS"
    template: Mapping[str, Any] = field(default_factory=dict)
    resources: dict[str, Deployed] = field(default_factory=dict)  # in the order of their making
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    imported: frozenset[str] = frozenset()

    @property
    def exports(self) -> dict[str, str]:
        """Return the values that other stacks may import, by name."""
        given = (output for output in self.outputs.values() if "Export" in output)
        return {output["Export"]["Name"]: str(output["Value"]) for output in given}


class Stacks:
    """The account's stacks by name."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.records: dict[str, StackRecord] = {}

    @property
    def _backend(self) -> CloudFormationBackend:
        backend: CloudFormationBackend = self.region.backend("cloudformation")
        return backend

    @property
    def exports(self) -> dict[str, str]:
        """Return every export of the region."""
        return {name: value for record in self.records.values() for name, value in record.exports.items()}

    def add(self, name: str, stack_id: str) -> StackRecord:
        """Begin the record of a stack."""
        shown = Shown(stack_id, name, json.dumps({"Resources": {}}), {}, self.region.account_id, self.region.name)
        record = self.records[name] = StackRecord(name, shown)
        self._backend.stacks[stack_id] = shown
        return record

    def delete(self, name: str) -> None:
        """Delete a stack; what it must retain stays, and belongs to no stack any more."""
        record = self.records[name]
        for export in record.exports:
            self.refuse_if_imported(record, export, "deleted")
        self.tell(record, "DELETE_IN_PROGRESS", "User Initiated")
        failed = []
        for resource in reversed(list(record.resources.values())):
            if resource.template.get("DeletionPolicy") in KEEPING:
                self.tell_of(record, resource.logical_id, "DELETE_SKIPPED", made=resource.made)
                del record.resources[resource.logical_id]
            elif self.delete_resource(record, resource):
                del record.resources[resource.logical_id]
            else:
                failed.append(resource.logical_id)
        if failed:
            self.tell(record, "DELETE_FAILED", f"The following resource(s) failed to delete: [{', '.join(failed)}].")
            raise DeployError(f"stack {name}: these resources could not be deleted: {', '.join(failed)}")
        record.outputs = {}
        self.tell(record, "DELETE_COMPLETE")
        del self.records[name]
        self._backend.deleted_stacks[record.shown.stack_id] = self._backend.stacks.pop(record.shown.stack_id)

    def delete_resource(self, record: StackRecord, resource: Deployed) -> bool:
        """Delete a resource; tell whether it is gone."""
        self.tell_of(record, resource.logical_id, "DELETE_IN_PROGRESS", made=resource.made, kind=resource.kind)
        try:
            resource.kind.delete(resource.making, resource.made, resource.properties)
        except FAILURES as error:
            self.tell_of(record, resource.logical_id, "DELETE_FAILED", str(error), resource.made, resource.kind)
            return False
        self.tell_of(record, resource.logical_id, "DELETE_COMPLETE", made=resource.made, kind=resource.kind)
        return True

    def refuse_if_imported(self, record: StackRecord, export: str, done: str) -> None:
        """Fail where another stack imports an export that is about to be deleted or updated."""
        users = [other.name for other in self.records.values() if other is not record and export in other.imported]
        if users:
            reason = f"Export {export} cannot be {done} as it is in use by {' and '.join(users)}"
            raise DeployError(f"stack {record.name}: {reason}")

    def tell(self, record: StackRecord, status: str, reason: str | None = None) -> None:
        """Put a stack into a status, with an event."""
        record.status = record.shown.status = status
        record.shown._add_stack_event(status, reason)
        self._show(record)

    def tell_of(
        self,
        record: StackRecord,
        logical_id: str,
        status: str,
        reason: str | None = None,
        made: Made | None = None,
        kind: ResourceType | None = None,
    ) -> None:
        """Add an event about a resource."""
        if kind is None:
            kind = record.resources[logical_id].kind
        physical = made.reference if made else ""
        shown = record.shown
        shown.events.append(Event(shown.stack_id, record.name, logical_id, physical, kind.name, status, reason, ""))

    def _show(self, record: StackRecord) -> None:
        shown, outputs = record.shown, {"Resources": {}, "Outputs": record.outputs}
        shown.template, shown.template_dict = json.dumps(record.template), outputs
        shown.description = record.template.get("Description")
        shown.output_map = shown._create_output_map()
        for name in [
            name for name, export in self._backend.exports.items() if export.exporting_stack_id == shown.stack_id
        ]:
            del self._backend.exports[name]
        self._backend.exports.update({export.name: export for export in shown.exports})
        listed = {logical_id: _listed(resource) for logical_id, resource in record.resources.items()}
        shown.resource_map._resource_json_map = shown.resource_map._parsed_resources = listed


def _listed(resource: Deployed) -> SimpleNamespace:
    return SimpleNamespace(
        logical_resource_id=resource.logical_id,
        physical_resource_id=resource.made.reference,
        cf_resource_type=resource.kind.name,
        status=resource.status,
        changed=resource.changed,
        is_created=lambda: True,
    )


class _Resource(StackResourceDTO):
    """A resource with its own status and time, where moto shows the stack's."""

    def __init__(self, stack: Shown, resource: Any) -> None:
        super().__init__(stack, resource)
        self.resource_status, self.timestamp = resource.status, resource.changed
        self.last_updated_timestamp = resource.changed


def install(region: Region, stacks: Stacks) -> None:
    """Have CloudFormation's operations tell of the account's stacks."""
    delete = CloudFormationBackend.delete_stack

    def list_stack_resources(response: CloudFormationResponse) -> ActionResult:
        stack, resources = response.cloudformation_backend.list_stack_resources(response._get_param("StackName"))
        return ActionResult({"StackResourceSummaries": [_Resource(stack, resource) for resource in resources]})

    def delete_stack(backend: CloudFormationBackend, name_or_id: str) -> None:
        known = [record for record in stacks.records.values() if name_or_id in (record.name, record.shown.stack_id)]
        if not known:
            delete(backend, name_or_id)
            return
        try:
            stacks.delete(known[0].name)
        except DeployError as error:
            # The real call comes back before anything is deleted, and the stack's status tells the rest.
            if known[0].status != "DELETE_FAILED":
                raise ValidationError(known[0].name, str(error)) from error

    region.patch(responses, "StackResourceDTO", _Resource)
    region.patch(CloudFormationResponse, "list_stack_resources", list_stack_resources)
    region.patch(CloudFormationBackend, "delete_stack", delete_stack)
