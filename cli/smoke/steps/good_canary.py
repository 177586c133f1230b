"""Step 8: a good package is tried as a canary and promoted."""

from __future__ import annotations

from cli.smoke.packages import REQUESTS_A_MINUTE, approve, register_like, released
from cli.smoke.proof import NotProvedError, Proof
from cli.smoke.steps.approval import serves
from cli.smoke.world import Smoke


def prove(smoke: Smoke) -> Proof:
    """Register the champion's artefact again, approve it, send requests while it bakes, and see it promoted."""
    before = smoke.serving()
    package = register_like(smoke, before.package_arn)
    approve(smoke, package)
    refused = len(smoke.refused)
    execution = released(smoke, package, expected="canary_promoted", meanwhile=lambda: smoke.ask(REQUESTS_A_MINUTE))
    if len(smoke.refused) > refused:
        raise NotProvedError(
            f"{len(smoke.refused) - refused} requests failed while the fleets changed",
            arn=execution,
            remedy="look at the endpoint's log in CloudWatch: /aws/sagemaker/Endpoints/kedge-smoke",
        )
    return serves(smoke, package, f"promoted in place of version {before.package_version} by {execution}")
