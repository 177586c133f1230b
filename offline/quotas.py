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

USES = ("endpoint usage", "training job usage", "transform job usage")
FAMILIES = {"m5": ("large", "xlarge", "2xlarge", "4xlarge"), "c5": ("large", "xlarge", "2xlarge"), "m5d": ("large",)}
INSTANCES = 20.0
CONCURRENCY = 1000.0
QUOTAS_PER_PAGE = 10


def install(account: Any) -> None:
    """Give the account `quotas`, (service, name) to value, and have Service Quotas list them."""
    account.quotas = {("lambda", "Concurrent executions"): CONCURRENCY}
    for family, sizes in FAMILIES.items():
        for size in sizes:
            account.quotas |= {("sagemaker", f"ml.{family}.{size} for {use}"): INSTANCES for use in USES}
    defaults = dict(account.quotas)

    def listing(quotas: dict[tuple[str, str], float]) -> Any:
        return lambda response: _listed(quotas, json.loads(response.body), account.region, account.account_id)

    account.patch(ServiceQuotasResponse, "list_aws_default_service_quotas", listing(defaults))
    # moto looks for an operation's method on the class: this one is not there yet.
    ServiceQuotasResponse.list_service_quotas = listing(account.quotas)  # type: ignore[attr-defined]
    account.on_close(lambda: delattr(ServiceQuotasResponse, "list_service_quotas"))


def _listed(quotas: dict[tuple[str, str], float], request: dict[str, Any], region: str, account_id: str) -> str:
    service = request["ServiceCode"]
    found = [
        _document(service, name, value, region, account_id) for (of, name), value in quotas.items() if of == service
    ]
    if not found:
        raise NoSuchResource
    start = int(request.get("NextToken") or 0)
    end = start + min(int(request.get("MaxResults") or QUOTAS_PER_PAGE), QUOTAS_PER_PAGE)
    more = {"NextToken": str(end)} if end < len(found) else {}
    return json.dumps({"Quotas": found[start:end], **more})


def _document(service: str, name: str, value: float, region: str, account_id: str) -> dict[str, Any]:
    code = f"L-{hashlib.sha256(f'{service}/{name}'.encode()).hexdigest()[:8].upper()}"
    return {
        "ServiceCode": service,
        "QuotaArn": f"arn:aws:servicequotas:{region}:{account_id}:{service}/{code}",
        "QuotaCode": code,
        "QuotaName": name,
        "Value": value,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }
