"""The templates that `app.py` synthesises deploy into the account, whole, and their functions run."""

from datetime import UTC, datetime

import pytest

from offline.account import Account
from tests.synthesised import assembly


@pytest.fixture
def deployed(tmp_path):
    templates = assembly()  # before the account's clock starts
    with Account(start=datetime(2015, 10, 1, tzinfo=UTC), directory=tmp_path) as account:
        account.deploy(templates)
        yield account


def test_every_stack_deploys(deployed):
    stacks = deployed.client("cloudformation").describe_stacks()["Stacks"]
    names = {stack["StackName"] for stack in stacks}
    assert {"KedgeStorage", "KedgeMonitoring", "KedgeRetraining", "KedgeRelease", "KedgeModels-1"} <= names
    assert {stack["StackStatus"] for stack in stacks} == {"CREATE_COMPLETE"}


def test_every_handler_can_be_imported_from_its_asset_alone(deployed):
    functions = deployed.client("lambda").list_functions()["Functions"]
    assert len(functions) >= 15
    for function in functions:
        found = deployed.functions.find(function["FunctionName"])
        assert callable(deployed.functions.load(found)), function["Handler"]


def test_a_day_without_models_passes_without_a_failed_call(deployed):
    deployed.clock.advance_to(datetime(2015, 10, 2, 3, tzinfo=UTC))
    assert [call for call in deployed.calls if not call.allowed] == []
    invoked = [call for call in deployed.calls if call.action == "dynamodb:Scan" or call.service == "sqs"]
    assert invoked, "the schedules fired and asked which models are deployed"
