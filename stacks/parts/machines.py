"""The one way we make a state machine: the ASL file as it stands, its outside names supplied, logged and traced."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from stacks.parts.access import NO_RESOURCE_TYPE, acknowledge, allow, service_role
from stacks.parts.log_groups import add_log_group
from stacks.parts.naming import stage_of

DEFINITIONS = Path(__file__).resolve().parents[2] / "state_machines"


def add_machine(
    scope: Construct,
    name: str,
    *,
    file: str,
    functions: list[lambda_.Function],
    substitutions: Mapping[str, str],
    key: kms.IKey,
) -> stepfunctions.StateMachine:
    """Make the machine of an ASL file, with a role that may invoke its functions, log and trace."""
    title, name = name.title().replace("-", ""), stage_of(scope).named(name)
    role = service_role(scope, f"{title}Role", service="states.amazonaws.com", description=f"Kedge: runs {file}")
    allow(role, "Invoke", ["lambda:InvokeFunction"], [function.function_arn for function in functions])
    acknowledge(
        role, "AwsSolutions-IAM5[Resource::*]", f"CDK's statements for X-Ray and log delivery: {NO_RESOURCE_TYPE}"
    )
    names = {f"{function.node.id}FunctionArn": function.function_arn for function in functions}
    return stepfunctions.StateMachine(
        scope,
        title,
        state_machine_name=name,
        definition_body=stepfunctions.DefinitionBody.from_string((DEFINITIONS / file).read_text()),
        definition_substitutions={**names, **substitutions},
        role=role,
        tracing_enabled=True,
        logs=stepfunctions.LogOptions(
            # Step Functions writes a resource policy per log group unless its name begins with this prefix.
            # https://docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html
            destination=add_log_group(scope, f"{title}Logs", key=key, log_group_name=f"/aws/vendedlogs/states/{name}"),
            level=stepfunctions.LogLevel.ALL,
            # A champion that a person made may have secrets in its environment; the execution itself shows its data.
            include_execution_data=False,
        ),
    )


def role_of_machine(machine: stepfunctions.StateMachine) -> iam.Role:
    """The role that `add_machine` made."""
    return cast(iam.Role, machine.role)
