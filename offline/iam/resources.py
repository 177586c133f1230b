"""The policies that resources carry themselves: buckets, queues, topics, functions, keys, and groups of model packages."""

from __future__ import annotations

import json
from functools import lru_cache

from offline.iam.policies import Statement, read_policy
from offline.region import Region


def resource_policy(region: Region, arn: str) -> tuple[Statement, ...] | None:
    """Return the statements of the policy that the resource (or its bucket) carries, or None if it has none."""
    if not arn.startswith("arn:"):
        return None
    readers = {"s3": _bucket, "sqs": _queue, "sns": _topic, "lambda": _function, "kms": _key, "sagemaker": _group}
    reader = readers.get(arn.split(":")[2])
    document = reader(region, arn) if reader else None
    return _read(document) if document else None


@lru_cache(maxsize=4096)
def _read(document: str) -> tuple[Statement, ...]:
    return read_policy(document)


def _bucket(region: Region, arn: str) -> str | None:
    bucket = region.backend("s3").buckets.get(arn.split(":")[5].split("/", 1)[0])
    return bucket.policy.decode() if bucket is not None and bucket.policy else None


def _queue(region: Region, arn: str) -> str | None:
    queue = region.backend("sqs").queues.get(arn.split(":")[5])
    return queue.policy if queue is not None and queue.policy else None


def _topic(region: Region, arn: str) -> str | None:
    topic = region.backend("sns").topics.get(arn)
    return topic.policy if topic is not None else None


def _function(region: Region, arn: str) -> str | None:
    function = region.backend("lambda").get_function(arn.split(":")[6])
    statements = [{**statement, "Resource": function.function_arn} for statement in function.policy.statements]
    return json.dumps({"Statement": statements}) if statements else None


def _key(region: Region, arn: str) -> str | None:
    key = region.backend("kms").keys.get(arn.rsplit("/", 1)[-1])
    return key.policy if key is not None else None


def _group(region: Region, arn: str) -> str | None:
    kind, _, name = arn.split(":", 5)[5].partition("/")
    if kind not in ("model-package", "model-package-group"):
        return None
    groups = region.backend("sagemaker").model_package_groups
    # SageMaker writes names in lower case into its ARNs.
    found = next((group for known, group in groups.items() if known.lower() == name.partition("/")[0].lower()), None)
    return getattr(found, "resource_policy", None)
