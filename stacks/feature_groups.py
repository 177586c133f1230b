"""The feature groups that training rows may be read from: named in the context of `cdk.json`, and only ever read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from kedge.config.model import ModelConfig
from kedge.errors import ModelConfigError
from stacks.joining import PARTITIONS
from stacks.parts.access import OBJECTS, allow

# Feature Store's own database, and what follows a group's name in those of its table and of its folder: the second of its creation.
_DATABASE, _CREATED = "sagemaker_featurestore", "??????????"
_NAME = re.compile(r"[a-zA-Z0-9]([_-]*[a-zA-Z0-9]){0,63}")
_URI = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/\s*?]+)*/?")
_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[a-zA-Z0-9-]+")
_NAMED_LATER = "table and folder are named after the second in which the group was made"


@dataclass(frozen=True)
class FeatureGroups:
    """The S3Uri of each group's offline store by the group's name, and the ARNs of the keys that encrypt them."""

    uris: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()

    @classmethod
    def of_context(cls, groups: object, keys: object, models: Iterable[ModelConfig]) -> FeatureGroups:
        """Read `feature_groups`, an object (JSON after `-c`), and `feature_group_keys`, a list (commas after `-c`).

        Raises
        ------
        ModelConfigError
            An entry is no group with its S3Uri or no key's ARN, or a model's group is not named.
        """
        uris = _object(groups)
        listed = keys.split(",") if isinstance(keys, str) else keys if isinstance(keys, list) else []
        arns = tuple(text for entry in listed if (text := str(entry).strip()))
        wrong = [name for name, uri in uris.items() if not (_NAME.fullmatch(name) and _URI.fullmatch(str(uri)))]
        if wrong or [arn for arn in arns if not _KEY.fullmatch(arn)]:
            problem = (
                f"feature_groups is {groups!r} and feature_group_keys {keys!r}: needed are names of feature groups with the S3Uri of "
                'their offline store, like {"customers": "s3://bucket/prefix"}, and a list of ARNs of KMS keys'
            )
            raise ModelConfigError(source="cdk.json", problems=[problem])
        for model in models:
            group = model.training.feature_group
            if group is not None and group not in uris:
                problem = (
                    f"training.feature_group is {group}: add it with the S3Uri of its offline store to feature_groups in the context "
                    f'of cdk.json, like {{"{group}": "s3://bucket/prefix"}}'
                )
                raise ModelConfigError(source=f"{model.model}.yaml", problems=[problem])
        return cls(uris, arns)

    def may_read(self, role: iam.Role) -> None:
        """Describe these groups, and read their offline stores and nothing else."""
        stack = cdk.Stack.of(role)
        described = [
            stack.format_arn(service="sagemaker", resource="feature-group", resource_name=name.lower())
            for name in self.uris
        ]
        allow(role, "SeeFeatureGroups", ["sagemaker:DescribeFeatureGroup"], described)
        self._may_find_tables(role)
        stores = [self._store(stack, name, uri) for name, uri in self.uris.items()]
        bucket = {store.partition("/")[0]: None for store in stores}
        arn = f"arn:{stack.partition}:s3:::"
        allow(role, "ReadFeatureGroups", ["s3:GetObject"], [f"{arn}{store}/*" for store in stores], wildcard=OBJECTS)
        below = {"StringLike": {"s3:prefix": [f"{store.partition('/')[2]}/*" for store in stores]}}
        allow(role, "ListFeatureGroups", ["s3:ListBucket"], [arn + name for name in bucket], conditions=below)
        allow(role, "FindFeatureGroups", ["s3:GetBucketLocation"], [arn + name for name in bucket])
        if self.keys:
            allow(role, "UseKeysOfFeatureGroups", ["kms:Decrypt"], self.keys)

    def _may_find_tables(self, role: iam.Role) -> None:
        stack = cdk.Stack.of(role)
        # Older tables are named like the group; Glue prefers underscores, and lower case.
        names = {
            f"{written}{mark}{_CREATED}": None
            for name in self.uris
            for written, mark in ((name.lower(), "-"), (name.lower().replace("-", "_"), "_"))
        }
        tables = [stack.format_arn(service="glue", resource="table", resource_name=f"{_DATABASE}/{n}") for n in names]
        within = [
            stack.format_arn(service="glue", resource="catalog"),
            stack.format_arn(service="glue", resource="database", resource_name=_DATABASE),
        ]
        reading = ["glue:GetDatabase", "glue:GetTable", *PARTITIONS]
        allow(role, "CatalogueOfFeatureGroups", reading, [*within, *tables], wildcard=_NAMED_LATER)

    @staticmethod
    def _store(stack: cdk.Stack, name: str, uri: str) -> str:
        below = uri.removeprefix("s3://").rstrip("/")
        return f"{below}/{stack.account}/sagemaker/{stack.region}/offline-store/{name}-{_CREATED}"


def _object(given: object) -> dict[str, Any]:
    try:
        found = json.loads(given) if isinstance(given, str) and given.strip() else given
    except json.JSONDecodeError:
        found = None if given is None else given
    if found in (None, ""):
        return {}
    if not isinstance(found, dict):
        problem = f'feature_groups is {given!r}: an object is needed, like {{"customers": "s3://bucket/prefix"}}'
        raise ModelConfigError(source="cdk.json", problems=[problem])
    return found
