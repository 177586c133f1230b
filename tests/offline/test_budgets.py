"""The deployed budget tells the deployment's people when the month's bill passes it, and AWS Budgets may do nothing else."""

import email
from datetime import UTC, date, datetime, timedelta
from email.policy import default

import pytest

from app import build_app
from offline.account import Account
from tests.synthesised import example_models

NOW = datetime(2016, 3, 10, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    place = tmp_path_factory.mktemp("budget")
    build_app(place / "cdk.out", example_models(), monthly_budget_usd=50).synth()
    with Account(start=NOW, directory=place / "account") as account:
        account.deploy(place / "cdk.out")
        yield account


def mails(account):
    found = [
        email.message_from_bytes(each.read_bytes(), policy=default) for each in sorted(account.mail_directory.glob("*"))
    ]
    return [(mail["To"], mail.get_content()) for mail in found if "AWS Budgets" in str(mail["Subject"])]


def wait(account, **time):
    account.clock.advance_to(account.clock.now + timedelta(**time))


def test_people_hear_once_when_four_fifths_are_spent_and_once_when_all_is(account):
    account.bill.active_since["kedge:stage"] = date(2016, 1, 1)
    account.bill.add(date(2016, 2, 28), "AWS Lambda", 500, kedge__stage="-")
    account.bill.add(date(2016, 3, 8), "AWS Lambda", 500, kedge__stage="dev")
    account.bill.add(date(2016, 3, 8), "AWS Lambda", 500, kedge__stage="-", region="us-east-1")
    account.bill.add(date(2016, 3, 8), "AWS Lambda", 41, kedge__stage="-")
    account.bill.add(date(2016, 3, 10), "AWS Lambda", 41, kedge__stage="-")
    wait(account, hours=9)
    ((to, text),) = mails(account)
    assert to == "on-call@example.com"
    assert "ACTUAL Amount: $41.00" in text
    wait(account, hours=20)
    assert len(mails(account)) == 1, "a day's costs are known a day after its end"
    wait(account, days=2)
    assert ["ACTUAL Amount: $82.00" in text for _, text in mails(account)] == [False, True]
    assert account.budgets.failed == []


def test_a_tag_that_is_not_activated_leaves_a_budget_blind(account):
    account.bill.active_since.clear()
    account.bill.add(date(2016, 4, 3), "AWS Lambda", 500, kedge__stage="-")
    before = len(mails(account))
    account.clock.advance_to(datetime(2016, 4, 6, tzinfo=UTC))
    assert len(mails(account)) == before


def test_a_budget_may_be_changed_by_a_deployment(account, tmp_path):
    build_app(tmp_path, example_models(), monthly_budget_usd=70).synth()
    account.deploy(tmp_path)
    (budget,) = account.client("budgets").describe_budgets(AccountId=account.account_id)["Budgets"]
    assert budget["BudgetLimit"]["Amount"] == "70"
