"""Whose credentials these are, and whether account and region are the intended ones."""

from __future__ import annotations

from collections.abc import Iterator

from botocore.exceptions import BotoCoreError, ClientError

from cli.doctor.checks.installation import Installation
from cli.doctor.findings import Finding, ok, unknown, warning
from cli.refusals import SIGN_IN, remedy_of, why_unanswered


def check(installation: Installation) -> Iterator[Finding]:
    """Ask STS who calls, then compare the region with cdk.json's."""
    try:
        answer = installation.client("sts").get_caller_identity()
    except (ClientError, BotoCoreError) as error:
        yield unknown("credentials", why_unanswered(error), remedy_of(error) or SIGN_IN)
        return
    yield ok(answer["Arn"], f"valid, in account {answer['Account']}")
    yield region(installation.region, installation.wanted_region)


def region(looked_at: str, wanted: str | None) -> Finding:
    """Whether `make deploy` goes where we look."""
    if wanted in (None, looked_at):
        return ok(looked_at, "the region that cdk.json names")
    return warning(
        looked_at,
        f"cdk.json names the region {wanted}, and this looks at {looked_at}",
        f"kedge doctor --region {wanted}, or set region in the context of cdk.json to {looked_at}",
    )
