"""Cost Explorer: what the account was billed, by service and tag, as late and as forgetful as AWS is.

The real service shows a day's costs up to 24 hours after its end, and tags only where they were activated as cost allocation
tags: a tag can be activated a day after something has carried it, and costs from before its activation do not have it. Until
somebody has opened Cost Explorer once, there are no data at all. Imitated: GetCostAndUsage with a filter and up to two groups,
in pages, ListCostAllocationTags (on one page) and UpdateCostAllocationTagsStatus, and their refusals of a wrong time. Not
imitated: prices; what was billed is written here by hand (`account.bill`). AWS takes $0.01 for each of these requests.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from moto.ce.responses import CostExplorerResponse
from moto.core.exceptions import JsonRESTError

from offline.region import Region

LATE = timedelta(hours=24)
GROUPS_MAX, GROUPS_A_PAGE = 2, 5


class DataUnavailableError(JsonRESTError):
    """Nobody has enabled Cost Explorer in this account."""

    def __init__(self) -> None:
        super().__init__("DataUnavailableException", "Data is not available. Please try to adjust the time period.")


class InvalidRequestError(JsonRESTError):
    """A request that the service does not take."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message)


@dataclass(frozen=True)
class Charge:
    """What a service took in a region for something with these tags on a day."""

    day: date
    service: str
    usd: float
    region: str
    tags: Mapping[str, str] = field(default_factory=dict)


class Bill:
    """The account's charges, and since when which tags count."""

    def __init__(self, region: Region) -> None:
        self.region, self.charges, self.enabled = region, list[Charge](), True
        self.active_since: dict[str, date] = {}

    def add(self, day: date, service: str, usd: float, *, region: str | None = None, **tags: str) -> None:
        """Write a charge, of this region unless it says another; of a tag's name, two underscores stand for a colon."""
        named = {name.replace("__", ":"): value for name, value in tags.items()}
        self.charges.append(Charge(day, service, usd, region or self.region.name, named))

    @property
    def known(self) -> list[Charge]:
        """What is shown by now."""
        return [
            each
            for each in self.charges
            if _midnight(each.day + timedelta(days=1)) + LATE <= _naive(self.region.clock.now)
        ]

    def tags_of(self, charge: Charge) -> dict[str, str]:
        """The tags of a charge that had been activated when it arose."""
        since = self.active_since
        return {name: value for name, value in charge.tags.items() if name in since and charge.day >= since[name]}

    def list_tags(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer ListCostAllocationTags: what some known charge has carried."""
        seen = sorted({name for charge in self.known for name in charge.tags})
        found = [
            {"TagKey": name, "Type": "UserDefined", "Status": "Active" if name in self.active_since else "Inactive"}
            for name in seen
            if name in request.get("TagKeys", seen)
        ]
        return {"CostAllocationTags": found}

    def set_status(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer UpdateCostAllocationTagsStatus; a tag that was never seen is an error of its own entry."""
        known, errors = {name for charge in self.known for name in charge.tags}, []
        for wanted in request["CostAllocationTagsStatus"]:
            name = wanted["TagKey"]
            if name not in known:
                errors.append({"TagKey": name, "Code": "TagKeysNotFoundException", "Message": "Tag keys not found"})
            elif wanted["Status"] == "Active":
                # AWS takes up to a day.
                self.active_since.setdefault(name, self.region.clock.now.date() + timedelta(days=1))
            else:
                self.active_since.pop(name, None)
        return {"Errors": errors}

    def cost_and_usage(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer GetCostAndUsage."""
        if not self.enabled:
            raise DataUnavailableError
        start, end = (date.fromisoformat(request["TimePeriod"][name]) for name in ("Start", "End"))
        today, groups = self.region.clock.now.date(), request.get("GroupBy", [])
        if start >= end:
            raise InvalidRequestError("Start date (and hour) should be before end date (and hour)")
        if end > today + timedelta(days=1):
            raise InvalidRequestError("end date past the beginning of next month")
        if len(groups) > GROUPS_MAX:
            raise InvalidRequestError("Only up to two group definitions are supported")
        if request.get("Metrics") != ["UnblendedCost"] or request["Granularity"] not in ("DAILY", "MONTHLY"):
            raise NotImplementedError(f"Cost Explorer as it is imitated here does not answer {request}")
        chosen = [each for each in self.known if start <= each.day < end and self._matches(each, request.get("Filter"))]
        first, page = int(request.get("NextPageToken") or 0), list[dict[str, Any]]()
        periods = _periods(start, end, daily=request["Granularity"] == "DAILY")
        every = [(period, group) for period in periods for group in self._groups(period, chosen, groups)]
        for period in periods:
            some = [group for of, group in every[first : first + GROUPS_A_PAGE] if of == period]
            page.append(_result(period, some, groups))
        more = {"NextPageToken": str(first + GROUPS_A_PAGE)} if first + GROUPS_A_PAGE < len(every) else {}
        return {"ResultsByTime": page, "GroupDefinitions": groups, "DimensionValueAttributes": [], **more}

    def _groups(
        self, period: tuple[date, date], charges: Iterable[Charge], groups: list[Mapping[str, str]]
    ) -> list[tuple[tuple[str, ...], float]]:
        sums: dict[tuple[str, ...], float] = defaultdict(float)
        for charge in charges:
            if period[0] <= charge.day < period[1]:
                sums[tuple(self._key(charge, group) for group in groups)] += charge.usd
        return sorted(sums.items())

    def _key(self, charge: Charge, group: Mapping[str, str]) -> str:
        if group["Type"] == "TAG":
            return f"{group['Key']}${self.tags_of(charge).get(group['Key'], '')}"
        if (group["Type"], group["Key"]) == ("DIMENSION", "SERVICE"):
            return charge.service
        raise NotImplementedError(f"groups of {group} are not imitated")

    def _matches(self, charge: Charge, wanted: Mapping[str, Any] | None) -> bool:
        if wanted is None:
            return True
        if "And" in wanted:
            return all(self._matches(charge, each) for each in wanted["And"])
        if wanted.get("Dimensions", {}).get("Key") == "REGION":
            return charge.region in wanted["Dimensions"]["Values"]
        if set(wanted) != {"Tags"}:
            raise NotImplementedError(f"the filter {wanted} is not imitated")
        return self.tags_of(charge).get(wanted["Tags"]["Key"]) in wanted["Tags"]["Values"]


def install(region: Region, bill: Bill) -> None:
    """Let the account answer for its bill."""

    def answering(answer: Any) -> Any:
        return lambda response: json.dumps(answer(json.loads(response.body)))

    region.patch(CostExplorerResponse, "get_cost_and_usage", answering(bill.cost_and_usage))
    region.patch(CostExplorerResponse, "list_cost_allocation_tags", answering(bill.list_tags), create=True)
    region.patch(CostExplorerResponse, "update_cost_allocation_tags_status", answering(bill.set_status), create=True)


def _periods(start: date, end: date, *, daily: bool) -> list[tuple[date, date]]:
    found = []
    while start < end:
        after = start + timedelta(days=1) if daily else (start.replace(day=1) + timedelta(days=32)).replace(day=1)
        found.append((start, min(after, end)))
        start = after
    return found


def _result(period: tuple[date, date], groups: list[tuple[tuple[str, ...], float]], by: list[Any]) -> dict[str, Any]:
    """Amounts are texts, with more digits than a cent has."""
    amounts = [{"UnblendedCost": {"Amount": f"{usd:.10f}", "Unit": "USD"}} for _, usd in groups]
    found: dict[str, Any] = {"TimePeriod": {"Start": f"{period[0]}", "End": f"{period[1]}"}, "Estimated": True}
    if not by:
        total = sum(usd for _, usd in groups)
        return {**found, "Groups": [], "Total": {"UnblendedCost": {"Amount": f"{total:.10f}", "Unit": "USD"}}}
    listed = [{"Keys": list(keys), "Metrics": amount} for (keys, _), amount in zip(groups, amounts, strict=True)]
    return {**found, "Groups": listed, "Total": {}}


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # compared with the clock without its zone


def _naive(time: datetime) -> datetime:
    return time.replace(tzinfo=None)
