"""What GitHub Actions needs in an account: who may come in by OpenID Connect, as what, and nothing else.

Deploy it once into each account, with `cdk deploy --app "python github_roles.py OWNER/REPOSITORY STAGE"`; into the account of the
first stage with `diff` as a third word. The roles may do one thing: become the roles that `cdk bootstrap` made there.
"""

from __future__ import annotations

import sys

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

ISSUER, AUDIENCE = "token.actions.githubusercontent.com", "sts.amazonaws.com"


class GitHubRoles(cdk.Stack):
    """GitHub as an identity provider, a role that deploys a stage, and perhaps one that looks at every stage."""

    def __init__(self, scope: Construct, name: str, *, repository: str, stage: str, diff: bool) -> None:
        super().__init__(scope, name)
        # OidcProviderNative is a resource of CloudFormation's own; OpenIdConnectProvider would add a function.
        self._github = iam.OidcProviderNative(self, "GitHub", url=f"https://{ISSUER}", client_ids=[AUDIENCE])
        deployed = [f"arn:aws:iam::{self.account}:role/cdk-*-role-{self.account}-*"]
        self._role("Deploy", f"repo:{repository}:environment:{stage}", deployed)
        if diff:
            # A pull request reads the templates of every stage, and changes none.
            self._role("Diff", f"repo:{repository}:pull_request", ["arn:aws:iam::*:role/cdk-*-lookup-role-*"])

    def _role(self, name: str, subject: str, becomes: list[str]) -> None:
        conditions = {"StringEquals": {f"{ISSUER}:aud": AUDIENCE, f"{ISSUER}:sub": subject}}
        principal = iam.OpenIdConnectPrincipal(self._github).with_conditions(conditions)
        role = iam.Role(self, name, assumed_by=principal, max_session_duration=cdk.Duration.hours(1))
        role.add_to_policy(iam.PolicyStatement(sid="BecomeCdk", actions=["sts:AssumeRole"], resources=becomes))
        cdk.CfnOutput(self, f"{name}RoleArn", value=role.role_arn)


def main(repository: str, stage: str, *more: str) -> cdk.App:
    """Describe the stack."""
    app = cdk.App()
    GitHubRoles(app, "KedgeGitHub", repository=repository, stage=stage, diff="diff" in more)
    return app


if __name__ == "__main__":
    main(*sys.argv[1:]).synth()
