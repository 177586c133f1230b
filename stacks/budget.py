"""A monthly budget over all that carries the deployment's tag; it tells on the topic *Alerts*, which is open to AWS Budgets then."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from kedge.errors import ModelConfigError
from stacks.parts.naming import stage_of

SERVICE = "budgets.amazonaws.com"
# Of the budget, in percent: what was spent, and what the month will have cost at its end.
ACTUAL_PERCENT, FORECAST_PERCENT = (80, 100), 100


def budget_of_context(given: object) -> float | None:
    """Read `monthly_budget_usd`; None where there is none.

    Raises
    ------
    ModelConfigError
        It is no amount.
    """
    if given is None:
        return None
    try:
        usd = float(str(given))
    except ValueError:
        usd = 0.0
    if not 0 < usd < 1e9:
        problem = (
            f"monthly_budget_usd is {given!r}, in the context or after -c: it must be US dollars a month, such as 50"
        )
        raise ModelConfigError(source="cdk.json", problems=[problem])
    return usd


def add_budget(scope: Construct, usd: float, *, topic: sns.Topic, key: kms.IKey) -> None:
    """Tell at 80 and 100 percent of what was spent, and where the month is forecast to cost more."""
    stack, stage = cdk.Stack.of(scope), stage_of(scope)
    # https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html
    conditions = {
        "StringEquals": {"aws:SourceAccount": stack.account},
        "ArnLike": {"aws:SourceArn": stack.format_arn(service="budgets", region="", resource="*")},
    }
    principal = iam.ServicePrincipal(SERVICE)
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            sid="BudgetsPublish",
            actions=["sns:Publish"],
            principals=[principal],
            resources=[topic.topic_arn],
            conditions=conditions,
        )
    )
    # The policy of a key that was there already is its owners' (docs/stages.md says what it must let in).
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="BudgetsPublishEncrypted",
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            principals=[principal],
            resources=["*"],
            conditions=conditions,
        )
    )
    subscriber = budgets.CfnBudget.SubscriberProperty(subscription_type="SNS", address=topic.topic_arn)
    told = [("ACTUAL", percent) for percent in ACTUAL_PERCENT] + [("FORECASTED", FORECAST_PERCENT)]
    tag, value = stage.tag
    # A change of what is told makes CloudFormation replace the budget, whose name is taken then: AlreadyExists. Change the name too.
    budget = budgets.CfnBudget(
        scope,
        "Budget",
        budget=budgets.CfnBudget.BudgetDataProperty(
            # A budget's name is one for all regions of an account.
            budget_name=stage.named(f"Kedge-{stack.region}"),
            budget_type="COST",
            time_unit="MONTHLY",
            budget_limit=budgets.CfnBudget.SpendProperty(amount=usd, unit="USD"),
            # Kedges without a stage, each in a region of its own, carry the same tag.
            cost_filters={"TagKeyValue": [f"user:{tag}${value}"], "Region": [stack.region]},
        ),
        notifications_with_subscribers=[
            budgets.CfnBudget.NotificationWithSubscribersProperty(
                notification=budgets.CfnBudget.NotificationProperty(
                    notification_type=kind,
                    comparison_operator="GREATER_THAN",
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                ),
                subscribers=[subscriber],
            )
            for kind, percent in told
        ],
    )
    # The topic's policy stands before anything is told.
    budget.node.add_dependency(topic)
