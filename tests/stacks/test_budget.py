"""A monthly budget: on the deployment's tag, told on the topic of messages, which lets AWS Budgets in then and only then."""

import json

import pytest

from app import build_app
from kedge.errors import ModelConfigError
from stacks.budget import budget_of_context
from tests.synthesised import assembly, example_models


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    directory = tmp_path_factory.mktemp("budget")
    build_app(directory, example_models(), nag=True, monthly_budget_usd="50").synth()
    return json.loads((directory / "KedgeStorage.template.json").read_text())["Resources"]


def of_kind(resources, kind):
    return [each["Properties"] for each in resources.values() if each["Type"] == kind]


def test_the_budget_counts_what_carries_the_tag_and_tells_before_and_after_it_is_spent(storage):
    (budget,) = of_kind(storage, "AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 50, "Unit": "USD"}
    assert budget["Budget"]["CostFilters"] == {"TagKeyValue": ["user:kedge:stage$-"], "Region": ["eu-west-1"]}
    told = [
        (each["Notification"]["NotificationType"], each["Notification"]["Threshold"])
        for each in budget["NotificationsWithSubscribers"]
    ]
    assert told == [("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)]


def test_topic_and_key_let_aws_budgets_of_this_account_in(storage):
    for kind, name in (("AWS::SNS::TopicPolicy", "PolicyDocument"), ("AWS::KMS::Key", "KeyPolicy")):
        statements = [s for policy in of_kind(storage, kind) for s in policy[name]["Statement"]]
        (ours,) = [s for s in statements if s.get("Principal") == {"Service": "budgets.amazonaws.com"}]
        assert ours["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}


def test_without_an_amount_there_is_no_budget_and_nothing_is_open_to_it():
    assert "udgets" not in (assembly() / "KedgeStorage.template.json").read_text()


@pytest.mark.parametrize("given", ["", "fifty", "-1", "0", "nan", "inf"])
def test_what_is_no_amount_is_a_sentence(given):
    with pytest.raises(ModelConfigError, match=r"monthly_budget_usd is .*must be US dollars a month"):
        budget_of_context(given)
