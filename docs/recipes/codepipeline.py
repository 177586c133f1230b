"""Kedge by CodePipeline: each merge into main deploys dev, staging and production in turn, and a person lets it into production.

Deploy it once, into an account for tools, with `cdk deploy --app "python codepipeline.py OWNER/REPOSITORY CONNECTION_ARN"`. CodePipeline
knows no pull requests: a second project shows `cdk diff` for each of them by a webhook of the same connection.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

CDK = ".venv/bin/npx --yes aws-cdk@2.1148.1"
STAGES = ("dev", "staging", "production")
# Whose deployment a person lets begin.
BY_A_PERSON = ("production",)
BRANCH = "main"


class KedgePipeline(cdk.Stack):
    """source -> check -> (each stage: perhaps a person -> deploy); pull request -> diff."""

    def __init__(self, scope: Construct, name: str, *, repository: str, connection: str) -> None:
        super().__init__(scope, name)
        self._key = kms.Key(self, "Key", enable_key_rotation=True)
        owner, _, repo = repository.partition("/")
        source = codepipeline.Artifact("source")
        fetch = actions.CodeStarConnectionsSourceAction(
            action_name="Source", owner=owner, repo=repo, branch=BRANCH, connection_arn=connection, output=source
        )
        pipeline = codepipeline.Pipeline(
            self,
            "Pipeline",
            pipeline_type=codepipeline.PipelineType.V2,
            # A later merge takes the place of one that waits for a person.
            execution_mode=codepipeline.ExecutionMode.SUPERSEDED,
            artifact_bucket=self._artifacts(),
        )
        pipeline.add_stage(stage_name="source", actions=[fetch])
        check = self._project("Check", ["make test lint synth"])
        pipeline.add_stage(stage_name="check", actions=[self._run("Check", check, source)])
        for stage in STAGES:
            pipeline.add_stage(stage_name=stage, actions=self._deploy(stage, source))
        self._diff(owner, repo, connection)

    def _artifacts(self) -> s3.Bucket:
        return s3.Bucket(
            self,
            "Artifacts",
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self._key,
            enforce_ssl=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(30))],
        )

    def _deploy(self, stage: str, source: codepipeline.Artifact) -> Sequence[codepipeline.IAction]:
        commit = '-c source_commit="$CODEBUILD_RESOLVED_SOURCE_VERSION"'
        command = f"{CDK} deploy --require-approval never {commit} '{stage}/*'"
        project = self._project(f"Deploy{stage.title()}", ["make install layers", command], becomes="cdk-*-role-*")
        deploy = self._run("Deploy", project, source, order=2)
        if stage not in BY_A_PERSON:
            return [deploy]
        words = f"Deploy this commit to {stage}?"
        return [actions.ManualApprovalAction(action_name="Approve", additional_information=words, run_order=1), deploy]

    def _diff(self, owner: str, repo: str, connection: str) -> None:
        # The connection is the project's source too; the webhook is that of its app.
        pull_requests = codebuild.FilterGroup.in_event_of(
            codebuild.EventAction.PULL_REQUEST_CREATED, codebuild.EventAction.PULL_REQUEST_UPDATED
        ).and_base_branch_is(BRANCH)
        source = codebuild.Source.git_hub(owner=owner, repo=repo, webhook=True, webhook_filters=[pull_requests])
        commands = ["make install layers", f"{CDK} diff --method template '**'"]
        project = self._project("Diff", commands, becomes="cdk-*-lookup-role-*", source=source)
        resource = project.node.default_child
        if isinstance(resource, codebuild.CfnProject):
            resource.add_property_override("Source.Auth", {"Type": "CODECONNECTIONS", "Resource": connection})
        use = ["codeconnections:UseConnection", "codeconnections:GetConnection", "codeconnections:GetConnectionToken"]
        project.add_to_role_policy(iam.PolicyStatement(sid="UseConnection", actions=use, resources=[connection]))

    def _project(
        self, name: str, commands: list[str], *, becomes: str | None = None, source: codebuild.ISource | None = None
    ) -> codebuild.Project:
        spec = {
            "version": "0.2",
            "phases": {"install": {"runtime-versions": {"python": "3.13"}}, "build": {"commands": commands}},
        }
        environment = codebuild.BuildEnvironment(build_image=codebuild.LinuxBuildImage.AMAZON_LINUX_2023_5)
        shared = {"environment": environment, "encryption_key": self._key, "timeout": cdk.Duration.hours(2)}
        build_spec = codebuild.BuildSpec.from_object(spec)
        project = (
            codebuild.Project(self, name, source=source, build_spec=build_spec, **shared)
            if source is not None
            else codebuild.PipelineProject(self, name, build_spec=build_spec, **shared)
        )
        if becomes is not None:
            # The accounts' own bootstrap roles say who may become them: `cdk bootstrap --trust ACCOUNT_OF_TOOLS`.
            roles = [f"arn:aws:iam::*:role/{becomes}"]
            project.add_to_role_policy(
                iam.PolicyStatement(sid="BecomeCdk", actions=["sts:AssumeRole"], resources=roles)
            )
        return project

    @staticmethod
    def _run(
        name: str, project: codebuild.IProject, source: codepipeline.Artifact, order: int = 1
    ) -> actions.CodeBuildAction:
        return actions.CodeBuildAction(action_name=name, project=project, input=source, run_order=order)


def main(repository: str, connection: str) -> cdk.App:
    """Describe the stack."""
    app = cdk.App()
    KedgePipeline(app, "KedgePipeline", repository=repository, connection=connection)
    return app


if __name__ == "__main__":
    main(*sys.argv[1:]).synth()
