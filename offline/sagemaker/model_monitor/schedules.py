"""Model Monitor's schedules and job definitions: kept and described, never run.

The real service starts a processing job at each tick. Imitated: names refused as SageMaker does, a schedule that names a job
definition which does not exist, the two shapes of a schedule (a definition inside it, or the name and type of one), the
endpoint's name in the answer only where the schedule has one, and the different errors for what is absent. Not imitated: the
jobs themselves, and definitions for bias and explainability.
"""

from __future__ import annotations

from typing import Any

from moto.sagemaker.exceptions import ResourceNotFound

from offline.region import Region
from offline.sagemaker.api import Described, ResourceInUseException, ValidationError, add_operations, arn, check_name

KINDS = {"DataQuality": "data-quality-job-definition", "ModelQuality": "model-quality-job-definition"}


def install(region: Region) -> None:
    """Answer SageMaker's operations on monitoring schedules and their job definitions."""
    monitoring = Monitoring(region)
    add_operations(
        region,
        CreateMonitoringSchedule=monitoring.create_schedule,
        DescribeMonitoringSchedule=monitoring.describe_schedule,
        CreateDataQualityJobDefinition=lambda request: monitoring.create_definition("DataQuality", request),
        DescribeDataQualityJobDefinition=lambda request: monitoring.describe_definition("DataQuality", request),
        CreateModelQualityJobDefinition=lambda request: monitoring.create_definition("ModelQuality", request),
        DescribeModelQualityJobDefinition=lambda request: monitoring.describe_definition("ModelQuality", request),
    )


class Monitoring:
    """The account's schedules and job definitions."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self._schedules: dict[str, Described] = {}
        self._definitions: dict[tuple[str, str], Described] = {}

    def create_definition(self, kind: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer CreateDataQualityJobDefinition and CreateModelQualityJobDefinition."""
        name = request["JobDefinitionName"]
        check_name(name, "jobDefinitionName")
        if (kind, name) in self._definitions:
            raise ResourceInUseException(f"Job Definition already exists: {name}")
        made = Described(arn(self.region, KINDS[kind], name), {**request, "CreationTime": self.region.clock.now})
        made.document["JobDefinitionArn"] = made.arn
        self._definitions[kind, name] = made
        return {"JobDefinitionArn": made.arn}

    def describe_definition(self, kind: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer DescribeDataQualityJobDefinition and DescribeModelQualityJobDefinition."""
        found = self._definitions.get((kind, request["JobDefinitionName"]))
        if found is None:
            raise ResourceNotFound(message=f"Could not find Job Definition with name {request['JobDefinitionName']}")
        return found.response_object

    def create_schedule(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer CreateMonitoringSchedule."""
        name, config = request["MonitoringScheduleName"], request["MonitoringScheduleConfig"]
        check_name(name, "monitoringScheduleName")
        if name in self._schedules:
            raise ResourceInUseException(f"Monitoring Schedule already exists: {name}")
        definition, inside = config.get("MonitoringJobDefinitionName"), config.get("MonitoringJobDefinition")
        if (definition is None) == (inside is None):
            raise ValidationError(
                "Exactly one of MonitoringJobDefinition and MonitoringJobDefinitionName must be specified."
            )
        kind = config.get("MonitoringType", "DataQuality")
        if definition is not None:
            inputs = self.describe_definition(kind, {"JobDefinitionName": definition}).get(f"{kind}JobInput", {})
        else:
            inputs = inside["MonitoringInputs"][0]
        now = self.region.clock.now
        made = Described(
            arn(self.region, "monitoring-schedule", name),
            {
                **request,
                "MonitoringScheduleStatus": "Scheduled",
                "MonitoringType": kind,
                "EndpointName": (inputs.get("EndpointInput") or {}).get("EndpointName"),
                "CreationTime": now,
                "LastModifiedTime": now,
            },
        )
        made.document["MonitoringScheduleArn"] = made.arn
        self._schedules[name] = made
        return {"MonitoringScheduleArn": made.arn}

    def describe_schedule(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer DescribeMonitoringSchedule."""
        found = self._schedules.get(request["MonitoringScheduleName"])
        if found is None:
            raise ResourceNotFound(message=f"Monitoring Schedule {request['MonitoringScheduleName']} not found.")
        return found.response_object
