"""Step 1: whether there is anything to try."""

from __future__ import annotations

from cli.doctor import Verdict, examine
from cli.smoke.model import MODEL
from cli.smoke.proof import NotProvedError, Proof
from cli.smoke.world import Smoke

# What the doctor must not find wrong before anything is made. What else it looks at, the later steps try out.
CHECKS = ("credentials", "bootstrap", "stacks", "quotas")
WITHOUT_WHICH = ("credentials", "stacks")
DEPLOY_MODEL = "kedge smoke --prepare && make deploy   # the YAML travels in the functions' package"


def prove(smoke: Smoke) -> Proof:
    """Have the doctor look at credentials, bootstrap, stacks and quotas, and find the smoke's model among the deployed ones."""
    for finding in examine(smoke.deployment, smoke.models, only=CHECKS):
        blind = finding.verdict is Verdict.UNKNOWN and finding.check in WITHOUT_WHICH
        if finding.verdict is Verdict.FAILED or blind:
            raise NotProvedError(finding.reason, arn=finding.subject, remedy=finding.remedy)
    groups = (
        smoke.client("sagemaker")
        .get_paginator("list_model_package_groups")
        .paginate(NameContains=smoke.config.package_group)
    )
    arns = [
        group["ModelPackageGroupArn"]
        for page in groups
        for group in page["ModelPackageGroupSummaryList"]
        if group["ModelPackageGroupName"] == smoke.config.package_group
    ]
    if not arns:
        raise NotProvedError(f"the model {MODEL} is not deployed here", arn=MODEL, remedy=DEPLOY_MODEL)
    caller, region = smoke.deployment.caller.name, smoke.deployment.region
    return Proof(
        arns[0], f"{caller} reaches Kedge in {region}, the doctor finds nothing missing, and {MODEL} is deployed"
    )
