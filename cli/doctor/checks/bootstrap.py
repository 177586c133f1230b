"""Whether the region was bootstrapped for CDK, and recently enough for the templates."""

from __future__ import annotations

from collections.abc import Iterator

from botocore.exceptions import ClientError

from cli.doctor.checks.installation import Installation
from cli.doctor.findings import Finding, failed, ok
from cli.doctor.refused import absent

PARAMETER = "/cdk-bootstrap/hnb659fds/version"
# What the manifest of our cloud assembly asks for: `requiresBootstrapStackVersion`.
VERSION_MIN = 6


def check(installation: Installation) -> Iterator[Finding]:
    """Read the version that `cdk bootstrap` left, and see that its bucket is still there."""
    account, region = installation.deployment.caller.account, installation.region
    try:
        answer = installation.client("ssm").get_parameter(Name=PARAMETER)["Parameter"]["Value"]
    except ClientError as error:
        if not absent(error):
            raise
        answer = None
    yield version(answer, account=account, region=region)
    if answer is not None:
        yield _bucket(installation, account)


def version(found: str | None, *, account: str, region: str) -> Finding:
    """Whether this version can deploy our templates."""
    remedy = f"npx --yes aws-cdk bootstrap aws://{account}/{region}"
    if found is None:
        return failed(PARAMETER, f"account {account} is not bootstrapped for CDK in {region}", remedy)
    if int(found) < VERSION_MIN:
        return failed(PARAMETER, f"CDK's bootstrap is of version {found}, and {VERSION_MIN} is the oldest", remedy)
    return ok(PARAMETER, f"CDK's bootstrap is of version {found}")


def _bucket(installation: Installation, account: str) -> Finding:
    name = f"cdk-hnb659fds-assets-{account}-{installation.region}"
    try:
        installation.client("s3").head_bucket(Bucket=name)
    except ClientError as error:
        # HeadBucket has no body, hence no code but the number.
        if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise
        return failed(
            name,
            "the bucket of CDK's bootstrap is gone, and nothing can be deployed without it",
            f"delete the stack CDKToolkit, then: npx --yes aws-cdk bootstrap aws://{account}/{installation.region}",
        )
    return ok(name, "the bucket of CDK's bootstrap is there")
