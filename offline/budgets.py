"""AWS Budgets: looks at the bill a few times a day, and tells once a month of each limit that it passes.

The real service compares up to three times a day what Cost Explorer knows, so as late and by the same activated tags. It publishes
to a topic as a service: topic and key must let it in, and where they do not, nobody hears anything. Imitated: budgets of a month's
costs that are filtered by tags and regions, with limits in percent of what was spent, told as AWS's mail. Not imitated: forecasts, mails to
addresses of the budget itself, and actions. Below stands how CloudFormation makes one.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from offline.cloudformation.resource_type import Made, Making, ResourceType
from offline.cost_explorer import Bill, Charge
from offline.delivery.targets import Caller, TargetError, Targets
from offline.region import Region

EVERY = timedelta(hours=8)


class Budgets:
    """The account's budgets, as moto keeps them, and what they have told."""

    def __init__(self, region: Region, bill: Bill, targets: Targets) -> None:
        self.region, self.bill, self.targets = region, bill, targets
        self.told: set[tuple[str, date, float]] = set()
        self.failed: list[str] = []  # what no topic took

    def look(self) -> None:
        """Compare every budget with what is known of this month, and look again later."""
        today = self.region.clock.now.date()
        for budget in self._budgets():
            for notification in budget.notifications:
                self._compare(budget.budget, notification, today.replace(day=1))
        self.region.clock.call_at(self.region.clock.now + EVERY, self.look, "budgets")

    def _budgets(self) -> list[Any]:
        from moto.budgets.models import budgets_backends

        backend = budgets_backends[self.region.account_id]["aws"]
        return list(backend.budgets[self.region.account_id].values())

    def _compare(self, budget: dict[str, Any], notification: Any, month: date) -> None:
        limit, details = float(budget["BudgetLimit"]["Amount"]), notification.details
        spent = sum(charge.usd for charge in self.bill.known if charge.day >= month and self._is_in(budget, charge))
        told = (budget["BudgetName"], month, float(details["Threshold"]))
        passed = details["NotificationType"] == "ACTUAL" and spent > limit * float(details["Threshold"]) / 100
        if not passed or told in self.told:
            return
        self.told.add(told)
        arn = f"arn:aws:budgets::{self.region.account_id}:budget/{budget['BudgetName']}"
        words = (
            f"AWS Budgets: {budget['BudgetName']} has exceeded your alert threshold\n\nBudget Name: {budget['BudgetName']}\n"
            f"Budgeted Amount: ${limit:.2f}\nAlert Threshold: > {details['Threshold']}%\nACTUAL Amount: ${spent:.2f}\n"
        )
        for subscriber in notification.subscribers:
            try:
                subject = {"Subject": words.splitlines()[0]}
                self.targets.deliver(subscriber["Address"], words, Caller("budgets.amazonaws.com", arn), subject)
            except TargetError as error:
                self.failed.append(str(error))

    def _is_in(self, budget: dict[str, Any], charge: Charge) -> bool:
        filters, tags = budget.get("CostFilters", {}), self.bill.tags_of(charge).items()
        carried = [f"user:{name}${value}" for name, value in tags]
        has_tag = "TagKeyValue" not in filters or any(each in filters["TagKeyValue"] for each in carried)
        return has_tag and charge.region in filters.get("Region", [charge.region])


def budget(making: Making, properties: dict[str, Any]) -> Made:
    """Make a budget; the API has amounts as texts."""
    wanted = dict(properties["Budget"])
    wanted["BudgetLimit"] = {**wanted["BudgetLimit"], "Amount": str(wanted["BudgetLimit"]["Amount"])}
    making.client("budgets").create_budget(
        AccountId=making.region.account_id,
        Budget=wanted,
        NotificationsWithSubscribers=properties.get("NotificationsWithSubscribers", []),
    )
    return Made(wanted["BudgetName"])


def update_budget(making: Making, made: Made, old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Change a budget: moto cannot, so it is made anew under its name."""
    delete_budget(making, made, old)
    return budget(making, new)


def delete_budget(making: Making, made: Made, _properties: dict[str, Any]) -> None:
    """Delete a budget with its notifications."""
    making.client("budgets").delete_budget(AccountId=making.region.account_id, BudgetName=made.reference)


TYPES = (
    ResourceType(
        "AWS::Budgets::Budget",
        "Budget.BudgetName Budget.BudgetType Budget.TimeUnit Budget.BudgetLimit.Amount Budget.BudgetLimit.Unit"
        " Budget.CostFilters.TagKeyValue Budget.CostFilters.Region NotificationsWithSubscribers.Notification.NotificationType"
        " NotificationsWithSubscribers.Notification.ComparisonOperator NotificationsWithSubscribers.Notification.Threshold"
        " NotificationsWithSubscribers.Notification.ThresholdType NotificationsWithSubscribers.Subscribers.SubscriptionType"
        " NotificationsWithSubscribers.Subscribers.Address",
        budget,
        delete_budget,
        update=update_budget,
        replaced_by="Budget.BudgetName NotificationsWithSubscribers",
        named_by="Budget.BudgetName",
    ),
)
