"""`kedge cost --actual` reads back what was spent, and says what is to be done where AWS knows nothing."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from typer.testing import CliRunner

from cli.main import app
from offline.account import Account
from tests.synthesised import assembly

NOW = datetime(2016, 3, 10, 12, tzinfo=UTC)
LAMBDA, S3, SAGEMAKER = "AWS Lambda", "Amazon Simple Storage Service", "Amazon SageMaker"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with Account(start=NOW, directory=tmp_path_factory.mktemp("account")) as account:
        account.deploy(assembly())
        yield account, account.serve(0).url


@pytest.fixture
def account(served):
    """The account before anything was billed, in which no tag counts."""
    account, _ = served
    account.bill.charges.clear()
    account.bill.active_since.clear()
    account.bill.enabled = True
    return account


def actual(served, *arguments):
    return CliRunner().invoke(app, ["cost", "--actual", *arguments, "--endpoint-url", served[1]])


def charge(account, days_ago, service, usd, **tags):
    account.bill.add(account.clock.now.date() - timedelta(days=days_ago), service, usd, **{"kedge__stage": "-", **tags})


def activate(account, since=date(2016, 1, 1)):
    account.bill.active_since |= {"kedge:stage": since, "kedge:model": since}


def test_what_was_spent_is_told_by_service_by_model_and_by_function(served, account):
    activate(account)
    for days_ago in (2, 5, 29):
        charge(account, days_ago, LAMBDA, 0.25)
        charge(account, days_ago, SAGEMAKER, 1.5, kedge__model="churn")
    charge(account, 3, SAGEMAKER, 0.5, kedge__model="fraud")
    charge(account, 3, S3, 0.125)
    charge(account, 31, S3, 1000)
    charge(account, 3, S3, 1000, kedge__stage="dev")
    charge(account, 3, SAGEMAKER, 1000, kedge__model="churn", region="us-east-1")
    (function,) = [f for f in account.client("lambda").list_functions()["Functions"] if "FanOut" in f["FunctionName"]]
    name, seconds = function["FunctionName"], 2048 / function["MemorySize"]
    dimensions = [{"Name": "FunctionName", "Value": name}]
    # What it did today is billed with today's costs, which nobody knows yet.
    for hours_ago in (1, 24):
        for metric, value in (("Duration", 1000 * seconds), ("Invocations", 2.0)):
            datum = {"MetricName": metric, "Dimensions": dimensions, "Value": value}
            account.metrics.put_datum("AWS/Lambda", {**datum, "Timestamp": NOW - timedelta(hours=hours_ago)})
    account.clock.advance_to(account.clock.now + timedelta(minutes=2))
    found = json.loads(actual(served, "--json").stdout)
    assert found["by_service"] == {LAMBDA: 0.75, SAGEMAKER: 5.0, S3: 0.125}
    assert found["by_model"] == {"churn": 4.5, "fraud": 0.5}
    assert found["usd"] == 5.875
    (worked,) = [each for each in found["functions"] if each["function"] == name]
    # So many seconds of its memory are two gigabyte-seconds.
    assert worked["gb_seconds"] == pytest.approx(2.0)
    assert worked["usd"] == pytest.approx(2 * 0.0000133334 + 2 * 0.2e-6)
    table = actual(served).stdout
    assert "5.8750" in table
    assert "churn" in table
    assert json.loads(actual(served, "churn", "--json").stdout) == {"model": "churn", "usd": 4.5}
    for asked, sentence in (
        (["chrun"], "there are costs of: churn, fraud"),
        (["--config", "x.yaml"], "remove --config"),
        (["--all", "--rows-a-day", "5", "--changes", "3"], "remove --all and --rows-a-day and --changes"),
    ):
        refused = actual(served, *asked)
        assert (refused.exit_code, sentence in refused.output.replace("\n", " ")) == (2, True)


def test_more_services_than_a_page_holds_are_all_read(served, account):
    activate(account)
    for number in range(12):
        charge(account, 3, f"service {number}", 1.0)
    assert json.loads(actual(served, "--json").stdout)["usd"] == 12


def test_costs_of_the_last_day_are_not_known_yet(served, account):
    activate(account)
    charge(account, 1, S3, 1.0)
    result = actual(served)
    assert result.exit_code == 2
    assert "has not seen the tag yet: it can be activated about a day after" in result.stderr


def test_a_tag_that_is_not_activated_is_said_with_the_command_and_counts_from_then_on(served, account):
    charge(account, 3, S3, 1.0)
    result = actual(served)
    assert result.exit_code == 2
    assert "it is not activated as a cost allocation tag" in result.stderr
    assert (
        "aws ce update-cost-allocation-tags-status --cost-allocation-tags-status TagKey=kedge:stage,Status=Active"
        in result.stderr
    )
    status = [{"TagKey": "kedge:stage", "Status": "Active"}, {"TagKey": "kedge:nothing", "Status": "Active"}]
    (error,) = account.client("ce").update_cost_allocation_tags_status(CostAllocationTagsStatus=status)["Errors"]
    assert error["TagKey"] == "kedge:nothing"
    assert "It is activated; costs come up to a day later" in actual(served).stderr


def test_a_model_whose_tag_alone_is_not_activated_is_told_how(served, account):
    account.bill.active_since["kedge:stage"] = date(2016, 1, 1)
    charge(account, 3, SAGEMAKER, 1.0, kedge__model="churn")
    activated = "TagKey=kedge:model,Status=Active"
    refused = actual(served, "churn")
    assert (refused.exit_code, activated in refused.stderr) == (2, True)
    assert activated in actual(served).stdout.replace("\n", " ")
    assert activated in json.loads(actual(served, "--json").stdout)["why_no_model"]


def test_cost_explorer_that_nobody_enabled_is_said(served, account):
    account.bill.enabled = False
    assert "Cost Explorer is not enabled: open it once" in actual(served).stderr


def test_the_stacks_carry_the_tag_that_is_asked_for():
    artifacts = json.loads((assembly() / "manifest.json").read_text())["artifacts"].values()
    stacks = [each["properties"] for each in artifacts if each["type"] == "aws:cloudformation:stack"]
    assert len(stacks) == 5
    assert [each["tags"] for each in stacks] == [{"kedge:stage": "-"}] * 5
