"""The buckets of other teams that hold captures of adopted endpoints: named in the context of `cdk.json`, and only ever read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from kedge.config.model import ModelConfig
from kedge.errors import ModelConfigError
from stacks.parts.access import OBJECTS, allow

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[a-zA-Z0-9-]+")


@dataclass(frozen=True)
class CaptureBuckets:
    """Names of buckets, and the ARNs of the keys that encrypt what is captured there."""

    names: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    @classmethod
    def of_context(cls, buckets: object, keys: object, models: Iterable[ModelConfig]) -> CaptureBuckets:
        """Read `capture_buckets` and `capture_keys`: lists, or after `-c` texts with commas.

        Raises
        ------
        ModelConfigError
            An entry is no bucket's name or no key's ARN, or a model's captures lie in a bucket that is not named.
        """
        found = cls(*buckets_and_keys("capture", buckets, keys))
        for model in models:
            bucket = model.capture.bucket
            if bucket is not None and bucket not in found.names:
                problem = f"capture.uri lies in {bucket}: add {bucket} to capture_buckets in the context of cdk.json"
                raise ModelConfigError(source=f"{model.model}.yaml", problems=[problem])
        return found

    def may_read(self, role: iam.Role) -> None:
        """Read the captures in these buckets, and nothing else there."""
        if self.names:
            objects = [f"{arn}/*" for arn in self._arns(role)]
            allow(role, "ReadCapturesOfOthers", ["s3:GetObject"], objects, wildcard=OBJECTS)
            self.may_list(role)
        if self.keys:
            allow(role, "UseKeysOfOthers", ["kms:Decrypt"], self.keys)

    def may_list(self, role: iam.Role) -> None:
        """List these buckets' keys."""
        if self.names:
            allow(role, "ListCapturesOfOthers", ["s3:ListBucket"], self._arns(role))

    def _arns(self, role: iam.Role) -> Sequence[str]:
        return [f"arn:{cdk.Stack.of(role).partition}:s3:::{name}" for name in self.names]


def buckets_and_keys(name: str, buckets: object, keys: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read `<name>_buckets` and `<name>_keys` of the context: lists, or after `-c` texts with commas."""
    return _entries(f"{name}_buckets", buckets, _BUCKET), _entries(f"{name}_keys", keys, _KEY)


def _entries(name: str, given: object, shape: re.Pattern[str]) -> tuple[str, ...]:
    listed = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else []
    entries = tuple(dict.fromkeys(str(entry).strip() for entry in listed if str(entry).strip()))
    wrong = [entry for entry in entries if not shape.fullmatch(entry)]
    if wrong or not isinstance(given, str | list | None):
        what = "bucket names" if shape is _BUCKET else "ARNs of KMS keys"
        raise ModelConfigError(source="cdk.json", problems=[f"{name} is {given!r}: a list of {what} is needed"])
    return entries
