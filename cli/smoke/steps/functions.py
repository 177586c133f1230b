"""Step 2: whether each deployed function can be imported."""

from __future__ import annotations

from cli.operator.deployment import MONITORING, RELEASE, RETRAINING
from cli.smoke.proof import NotProvedError, Proof
from cli.smoke.world import Smoke
from lambdas.steps.requests import IMPORTED

OURS = "lambdas.handlers."


def prove(smoke: Smoke) -> Proof:
    """Invoke each function with an empty event, which it answers once its package and every layer are imported."""
    client, answered = smoke.client("lambda"), ""
    names = [
        found["PhysicalResourceId"]
        for stack in (MONITORING, RETRAINING, RELEASE)
        for found in smoke.deployment.resources(stack)
        if found["ResourceType"] == "AWS::Lambda::Function"
    ]
    count = 0
    for name in names:
        found = client.get_function_configuration(FunctionName=name)
        if not found["Handler"].startswith(OURS):
            continue  # CDK's own
        answer = smoke.invoke(name, {})
        if answer != IMPORTED:
            raise NotProvedError(
                f"it answers an empty event with {answer!r}, not {IMPORTED!r}",
                arn=found["FunctionArn"],
                remedy="an older Kedge is deployed than this command belongs to: `make deploy`",
            )
        count, answered = count + 1, found["FunctionArn"]
    return Proof(answered, f"{count} functions import all they need and answer; the last was {answered.split(':')[-1]}")
