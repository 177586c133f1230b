"""Step 1: whether there is anything to try."""

from __future__ import annotations

from cli.deployment import MONITORING, RELEASE, RETRAINING, STORAGE, NotDeployedError
from cli.smoke.model import MODEL
from cli.smoke.proof import NotProvedError, Proof
from cli.smoke.world import Smoke

DEPLOY_MODEL = (
    "kedge smoke --prepare && make deploy   # the YAML travels in the functions' package, so it must be deployed"
)


def prove(smoke: Smoke) -> Proof:
    """Find the caller, the four stacks, and the smoke's model among the deployed ones."""
    caller = smoke.deployment.caller
    for stack in (STORAGE, MONITORING, RETRAINING, RELEASE):
        try:
            resources = list(smoke.deployment.resources(stack))
        except NotDeployedError as error:
            raise NotProvedError(str(error), arn=stack, remedy="make deploy") from error
        broken = [found for found in resources if not found["ResourceStatus"].endswith("_COMPLETE")]
        if broken:
            first = broken[0]
            raise NotProvedError(
                f"{first['LogicalResourceId']} of {stack} is {first['ResourceStatus']}",
                arn=first.get("PhysicalResourceId", stack),
                remedy="look at the stack's events, then deploy again",
            )
    sagemaker = smoke.client("sagemaker")
    groups = sagemaker.get_paginator("list_model_package_groups").paginate(NameContains=MODEL)
    group = next(
        (g for page in groups for g in page["ModelPackageGroupSummaryList"] if g["ModelPackageGroupName"] == MODEL),
        None,
    )
    if group is None:
        raise NotProvedError(f"the model {MODEL} is not deployed here", arn=MODEL, remedy=DEPLOY_MODEL)
    return Proof(
        group["ModelPackageGroupArn"],
        f"{caller.name} reaches the four stacks in {smoke.deployment.region}, and {MODEL} is deployed",
    )
