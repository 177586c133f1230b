"""Step 6: a person approves, and the first endpoint comes into service."""

from __future__ import annotations

from cli.smoke.packages import approve, pending_packages, released
from cli.smoke.proof import NotProvedError, Proof
from cli.smoke.world import Smoke


def prove(smoke: Smoke) -> Proof:
    """Approve the package with your own credentials, and wait until its endpoint serves and the champion item names it."""
    pending = pending_packages(smoke)
    if not pending:
        raise NotProvedError(
            "no package waits for approval",
            arn=smoke.config.package_group,
            remedy="run `kedge smoke --from first-champion` first",
        )
    approve(smoke, pending[0])
    execution = released(smoke, pending[0], expected="baseline_switched")
    return serves(smoke, pending[0], f"it was approved and released by {execution}")


def serves(smoke: Smoke, package: str, how: str) -> Proof:
    """Proof that the endpoint is in service with this package, and that Kedge knows it."""
    champion, endpoint = smoke.serving(), smoke.endpoint()
    if champion.package_arn != package:
        raise NotProvedError(
            f"the champion item names {champion.package_arn}, not {package}",
            arn=package,
            remedy="`kedge history kedge-smoke` tells what happened",
        )
    found = ("absent", "") if endpoint is None else (endpoint["EndpointStatus"], endpoint["EndpointConfigName"])
    if endpoint is None or found != ("InService", champion.endpoint_config):
        raise NotProvedError(
            f"the endpoint is {found[0]} with {found[1] or 'no config'}; InService with {champion.endpoint_config} is right",
            arn=package,
            remedy="look at the endpoint in the SageMaker console, and at its log in CloudWatch",
        )
    return Proof(endpoint["EndpointArn"], f"version {champion.package_version} is in service; {how}")
