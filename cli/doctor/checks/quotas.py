"""Whether the account's quotas leave room for what the models' YAML files need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cli.doctor.checks.installation import Installation
from cli.doctor.findings import Finding, failed, ok, unknown, warning
from kedge.config.model import ModelConfig

# Each of the six queues is polled by up to five invocations at once, and a schedule and a machine add to them. A new
# account has a quota of 10.
CONCURRENCY_WANTED = 40


@dataclass(frozen=True)
class Need:
    """How many a quota must allow for Kedge to work at all, and to work at its best."""

    service: str
    quota: str
    least: int
    best: int
    why: str


@dataclass(frozen=True)
class Quota:
    """A quota as it stands."""

    code: str
    value: float


def check(installation: Installation) -> Iterator[Finding]:
    """Compare each need with Service Quotas. CloudWatch has no quota on the number of alarms."""
    needs = needed(list(installation.models.values()))
    for service in dict.fromkeys(need.service for need in needs):
        quotas = _quotas(installation, service)
        for need in needs:
            if need.service == service:
                yield verdict(need, quotas.get(need.quota), region=installation.region)


def needed(models: Iterable[ModelConfig]) -> list[Need]:
    """What these models need: fleets with a second one during a release, a training job, two batch transforms.

    A model that is only watched needs none of it: its owners serve and train it.
    """
    managed = [model for model in models if model.mode == "manage"]
    serving, released, training = Counter[str](), dict[str, int](), dict[str, int]()
    for model in managed:
        kind, count = model.endpoint.instance_type, model.endpoint.instance_count
        tried = model.release.tried_instances(champion=count)
        serving[kind] += count
        # A trial of `staging` is over before the release begins; a version that is tried for days answers beside the champion's second fleet.
        released[kind] = max(released.get(kind, 0), count + tried)
        if model.training.pipeline is not None:
            continue
        job = f"{model.training.instance_type} for {'spot ' if model.training.spot else ''}training job usage"
        training[job] = max(training.get(job, 0), model.training.instance_count)
    needs = [Need("lambda", "Concurrent executions", 1, CONCURRENCY_WANTED, "six queues and the schedules")]
    for kind, count in sorted(serving.items()):
        wanted = count + released[kind]
        why = f"{count} serve, and a release needs its fleet twice"
        needs.append(Need("sagemaker", f"{kind} for endpoint usage", wanted, wanted, why))
    for job, count in sorted(training.items()):
        needs.append(Need("sagemaker", job, count, count, f"a retraining trains on {count}"))
    for kind in sorted({model.training.instance_type for model in managed}):
        why = "challenger and champion are scored at the same time"
        needs.append(Need("sagemaker", f"{kind} for transform job usage", 1, 2, why))
    return needs


def verdict(need: Need, quota: Quota | None, *, region: str) -> Finding:
    """Whether the quota covers the need."""
    console = f"https://{region}.console.aws.amazon.com/servicequotas/home/services/{need.service}/quotas"
    if quota is None:
        return unknown(need.quota, f"Service Quotas lists no such quota of {need.service}", f"look for it at {console}")
    value = int(quota.value)
    remedy = (
        f"aws service-quotas request-service-quota-increase --region {region} --service-code {need.service} "
        f"--quota-code {quota.code} --desired-value {need.best}"
    )
    if value < need.least:
        return failed(need.quota, f"the quota is {value}; {need.least} are needed: {need.why}", remedy)
    if value < need.best:
        return warning(need.quota, f"the quota is {value}; {need.best} are better: {need.why}", remedy)
    return ok(need.quota, f"the quota is {value}; {need.best} are needed")


def _quotas(installation: Installation, service: str) -> Mapping[str, Quota]:
    client = installation.client("service-quotas")
    found: dict[str, Quota] = {}
    # The account's own values win over AWS's defaults; a quota that was never changed may have only a default.
    for operation in ("list_aws_default_service_quotas", "list_service_quotas"):
        for page in client.get_paginator(operation).paginate(ServiceCode=service):
            found |= {quota["QuotaName"]: Quota(quota["QuotaCode"], quota["Value"]) for quota in page["Quotas"]}
    return found
