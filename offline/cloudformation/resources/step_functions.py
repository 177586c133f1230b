"""AWS::StepFunctions::StateMachine: made through the API, so that it lands in moto's executing backend."""

from __future__ import annotations

import json
import re
from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType, flag, tags
from offline.cloudformation.template import TemplateError

SUBSTITUTION = re.compile(r"\$\{([A-Za-z0-9]+)\}")


def state_machine(making: Making, properties: dict[str, Any]) -> Made:
    """Make a state machine from its definition, with every `${Name}` substituted."""
    making.guard.require_trust(properties["RoleArn"], "states.amazonaws.com")
    name = properties.get("StateMachineName") or making.name(80)
    request: dict[str, Any] = {"type": properties.get("StateMachineType", "STANDARD")}
    if logging := properties.get("LoggingConfiguration"):
        request["loggingConfiguration"] = _logging(logging)
    if tracing := properties.get("TracingConfiguration"):
        request["tracingConfiguration"] = {"enabled": flag(tracing["Enabled"])}
    arn = making.client("stepfunctions").create_state_machine(
        name=name,
        definition=_definition(making, properties),
        roleArn=properties["RoleArn"],
        tags=[{"key": tag["Key"], "value": tag["Value"]} for tag in tags(properties)],
        **request,
    )["stateMachineArn"]
    return Made(arn, {"Arn": arn, "Name": name})


def update_state_machine(making: Making, made: Made, old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Give a state machine its new definition; executions that run keep the old one."""
    making.guard.require_trust(new["RoleArn"], "states.amazonaws.com")
    request: dict[str, Any] = {}
    logging = new.get("LoggingConfiguration")
    if logging is not None or "LoggingConfiguration" in old:
        request["loggingConfiguration"] = _logging(logging or {})
    if tracing := new.get("TracingConfiguration"):
        request["tracingConfiguration"] = {"enabled": flag(tracing["Enabled"])}
    making.client("stepfunctions").update_state_machine(
        stateMachineArn=made.reference, definition=_definition(making, new), roleArn=new["RoleArn"], **request
    )
    return made


def delete_state_machine(making: Making, made: Made, _properties: dict[str, Any]) -> None:
    """Delete a state machine."""
    making.client("stepfunctions").delete_state_machine(stateMachineArn=made.reference)


def _logging(given: dict[str, Any]) -> dict[str, Any]:
    destinations = [
        {"cloudWatchLogsLogGroup": {"logGroupArn": item["CloudWatchLogsLogGroup"]["LogGroupArn"]}}
        for item in given.get("Destinations", [])
    ]
    return {
        "level": given.get("Level", "OFF"),
        "includeExecutionData": flag(given.get("IncludeExecutionData", False)),
        "destinations": destinations,
    }


def _definition(making: Making, properties: dict[str, Any]) -> str:
    if location := properties.get("DefinitionS3Location"):
        body = making.client("s3").get_object(Bucket=location["Bucket"], Key=location["Key"])["Body"].read()
        text = body.decode()
    elif "Definition" in properties:
        text = json.dumps(properties["Definition"])
    else:
        text = properties["DefinitionString"]
    supplied = properties.get("DefinitionSubstitutions", {})

    def substitute(match: re.Match[str]) -> str:
        if match[1] not in supplied:
            raise TemplateError(f"the definition asks for ${{{match[1]}}}, which DefinitionSubstitutions do not supply")
        return str(supplied[match[1]])

    return SUBSTITUTION.sub(substitute, text)


TYPES = (
    ResourceType(
        "AWS::StepFunctions::StateMachine",
        "StateMachineName StateMachineType RoleArn DefinitionString DefinitionS3Location.Bucket"
        " DefinitionS3Location.Key Definition.* DefinitionSubstitutions.* LoggingConfiguration.Level"
        " LoggingConfiguration.IncludeExecutionData"
        " LoggingConfiguration.Destinations.CloudWatchLogsLogGroup.LogGroupArn TracingConfiguration.Enabled Tags.*",
        state_machine,
        delete_state_machine,
        update=update_state_machine,
        replaced_by="StateMachineType",
        named_by="StateMachineName",
    ),
)
