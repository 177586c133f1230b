"""Service Quotas: what the account may have of each thing, by the names that AWS gives its quotas.

The real service knows thousands, and takes requests to raise them. Imitated: listing those that Kedge depends on, for
every instance type, with the values of an account that has been in use for a while. `account.quotas` is there to be
changed. Not imitated: requests, and refusing what goes beyond a quota.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from moto.servicequotas.exceptions import NoSuchResource
from moto.servicequotas.responses import ServiceQuotasResponse

from offline.region import Region

USES = ("endpoint usage", "training job usage", "spot training job usage", "transform job usage")
FAMILIES = {"m5": ("large", "xlarge", "2xlarge", "4xlarge"), "c5": ("large", "xlarge", "2xlarge"), "m5d": ("large",)}
INSTANCES = 20.0
CONCURRENCY = 1000.0
QUOTAS_PER_PAGE = 10
Quotas = dict[tuple[str, str], float]  # by service and name


def defaults() -> Quotas:
    """Return every quota as AWS gives it."""
    instances = [f"ml.{family}.{size}" for family, sizes in FAMILIES.items() for size in sizes]
    return {("lambda", "Concurrent executions"): CONCURRENCY} | {
        ("sagemaker", f"{instance} for {use}"): INSTANCES for instance in instances for use in USES
    }


def install(region: Region, applied: Quotas) -> None:
    """Have Service Quotas list the account's quotas, and AWS's own."""

    def listing(quotas: Quotas) -> Any:
        return lambda response: _listed(quotas, json.loads(response.body), region)

    region.patch(ServiceQuotasResponse, "list_aws_default_service_quotas", listing(defaults()))
    region.patch(ServiceQuotasResponse, "list_service_quotas", listing(applied), create=True)


def _listed(quotas: Quotas, request: dict[str, Any], region: Region) -> str:
    service = request["ServiceCode"]
    found = [_document(region, service, name, value) for (of, name), value in quotas.items() if of == service]
    if not found:
        raise NoSuchResource
    start = int(request.get("NextToken") or 0)
    end = start + min(int(request.get("MaxResults") or QUOTAS_PER_PAGE), QUOTAS_PER_PAGE)
    more = {"NextToken": str(end)} if end < len(found) else {}
    return json.dumps({"Quotas": found[start:end], **more})


def _document(region: Region, service: str, name: str, value: float) -> dict[str, Any]:
    code = f"L-{hashlib.sha256(f'{service}/{name}'.encode()).hexdigest()[:8].upper()}"
    return {
        "ServiceCode": service,
        "QuotaArn": region.arn("servicequotas", f"{service}/{code}"),
        "QuotaCode": code,
        "QuotaName": name,
        "Value": value,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }
