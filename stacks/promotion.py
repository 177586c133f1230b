"""Packages that one Kedge has approved and the next takes: whose they are, and who may read them there.

AWS's way to another account's package is a policy of its group, and policies of the bucket and the key below it:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-deploy-xaccount.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from kedge.config.model import ModelConfig
from kedge.config.stage import Stage
from kedge.errors import ModelConfigError

# How the name of the role that takes packages begins, in each stage; the region follows.
TAKER_ROLE = "kedge-take-package-"
# What belongs to a package: its artefact, the staged baseline, and what an approver and an auditor read. Never a row.
ARTEFACTS = "artefacts/*"
EVIDENCE = tuple(
    f"retraining/*/{name}"
    for name in ("baseline/*", "gate.json", "gate.html", "lineage.json", "manifest.json", "approval_request.json")
)
_PLACE = re.compile(r"(\d{12})(?:/([a-z][a-z0-9]{0,11}))?")


@dataclass(frozen=True)
class PackageSource:
    """The Kedge whose approved packages are taken: its account, and its stage."""

    account: str
    stage: Stage

    @classmethod
    def of_context(cls, given: object) -> PackageSource | None:
        """Read `package_source` of the context of `cdk.json`: ACCOUNT or ACCOUNT/STAGE; None where it is not there.

        Raises
        ------
        ModelConfigError
        """
        return cls(*_place("package_source", given)) if given not in (None, "") else None


@dataclass(frozen=True)
class PackageTaker:
    """A Kedge that may take approved packages from here: its account, and its stage."""

    account: str
    stage: Stage

    @classmethod
    def of_context(cls, given: object) -> tuple[PackageTaker, ...]:
        """Read `package_takers` of the context of `cdk.json`: a list, or after `-c` a text with commas.

        Raises
        ------
        ModelConfigError
        """
        listed = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else []
        if given not in (None, "") and not listed:
            _place("package_takers", given)
        return tuple(cls(*_place("package_takers", entry)) for entry in listed if str(entry).strip())

    @property
    def principal(self) -> iam.PrincipalBase:
        """The one role there that may take packages.

        A policy that named a role which is not there yet would be refused, so the account is named, and the role is a condition.
        """
        role = f"arn:{cdk.Aws.PARTITION}:iam::{self.account}:role/{self.stage.named(TAKER_ROLE)}*"
        return iam.AccountPrincipal(self.account).with_conditions({"ArnLike": {"aws:PrincipalArn": role}})


def let_takers_read(bucket: s3.IBucket, key: kms.IKey, takers: Sequence[PackageTaker]) -> None:
    """Let them read what belongs to packages, and find it; no rows, and nothing may be written."""
    for number, taker in enumerate(takers, 1):
        _read_objects(bucket, taker, number)
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid=f"PackageTaker{number}",
                actions=["kms:Decrypt"],
                principals=[taker.principal],
                resources=["*"],
                conditions={"StringLike": {"kms:ViaService": f"s3.*.{cdk.Aws.URL_SUFFIX}"}},
            )
        )


def _read_objects(bucket: s3.IBucket, taker: PackageTaker, number: int) -> None:
    bucket.add_to_resource_policy(
        iam.PolicyStatement(
            sid=f"PackageTaker{number}",
            actions=["s3:GetObject"],
            principals=[taker.principal],
            resources=[bucket.arn_for_objects(place) for place in (ARTEFACTS, *EVIDENCE)],
        )
    )
    # Without ListBucket a file that a package does not have would look like a denial.
    bucket.add_to_resource_policy(
        iam.PolicyStatement(
            sid=f"PackageTaker{number}Finds",
            actions=["s3:ListBucket"],
            principals=[taker.principal],
            resources=[bucket.bucket_arn],
            conditions={"StringLike": {"s3:prefix": ["artefacts/*", "retraining/*"]}},
        )
    )


def group_policy(stack: cdk.Stack, model: ModelConfig, takers: Sequence[PackageTaker]) -> dict[str, Any] | None:
    """The policy of a model's package group: they may look at its versions; None without takers."""
    if not takers:
        return None
    # SageMaker writes names in lower case into its ARNs.
    name = model.package_group.lower()
    resources = [
        stack.format_arn(service="sagemaker", resource="model-package-group", resource_name=name),
        stack.format_arn(service="sagemaker", resource="model-package", resource_name=f"{name}/*"),
    ]
    reads = ["sagemaker:DescribeModelPackageGroup", "sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages"]
    statements = [
        iam.PolicyStatement(
            sid=f"PackageTaker{number}", actions=reads, principals=[taker.principal], resources=resources
        )
        for number, taker in enumerate(takers, 1)
    ]
    document: dict[str, Any] = iam.PolicyDocument(statements=statements).to_json()
    return document


def _place(name: str, given: object) -> tuple[str, Stage]:
    found = _PLACE.fullmatch(str(given).strip())
    if found is None:
        problem = f"{name} is {given!r}: an account, or account/stage, is needed, like 111111111111/staging"
        raise ModelConfigError(source="cdk.json", problems=[problem])
    return found[1], Stage(found[2] or "")
