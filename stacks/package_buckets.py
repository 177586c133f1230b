"""The buckets where teams and their pipelines keep the artefacts of packages that they register: only ever read, to copy from."""

from __future__ import annotations

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from stacks.parts.access import OBJECTS, allow
from stacks.parts.capture_buckets import buckets_and_keys


@dataclass(frozen=True)
class PackageBuckets:
    """Names of buckets, and the ARNs of the keys that encrypt the artefacts there."""

    names: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    @classmethod
    def of_context(cls, buckets: object, keys: object) -> PackageBuckets:
        """Read `package_buckets` and `package_keys`; raises ModelConfigError where an entry is no bucket's name or no key's ARN."""
        return cls(*buckets_and_keys("package", buckets, keys))

    def may_copy_from(self, role: iam.Role) -> None:
        """Read the objects in these buckets, with the tags that S3 copies along."""
        if self.names:
            arns = [f"arn:{cdk.Stack.of(role).partition}:s3:::{name}" for name in self.names]
            reads = ["s3:GetObject", "s3:GetObjectTagging"]
            allow(role, "ReadPackagesOfOthers", reads, [f"{arn}/*" for arn in arns], wildcard=OBJECTS)
        if self.keys:
            allow(role, "UseKeysOfPackages", ["kms:Decrypt"], self.keys)
