"""CloudTrail offline: calls on endpoints, a quarter of an hour late, with who made them."""

import json
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from offline import roles
from offline.account import Account
from tests.offline.offline_world import make_role
from tests.offline.sagemaker_world import START, World


@pytest.fixture
def world(tmp_path):
    with Account(start=START, directory=tmp_path) as account:
        world = World(account)
        world.make_model("model-1")
        world.make_config("config-1", "model-1")
        world.sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="config-1")
        yield world


def lookup(account, **asked):
    pages = account.client("cloudtrail").get_paginator("lookup_events").paginate(**asked)
    return [(event["EventName"], json.loads(event["CloudTrailEvent"])) for page in pages for event in page["Events"]]


def by_name(name):
    return {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": name}]}


def test_a_call_on_an_endpoint_is_found_a_quarter_of_an_hour_later_with_who_made_it(world):
    account = world.account
    assert lookup(account) == []
    account.clock.advance_to(START + timedelta(minutes=16))
    ((name, record),) = lookup(account)
    asked = record["requestParameters"]
    assert (name, asked["endpointName"]) == ("CreateEndpoint", "e")
    assert asked["endpointConfigName"] == world.sagemaker.describe_endpoint(EndpointName="e")["EndpointConfigName"]
    assert record["userIdentity"]["arn"] == roles.ADMINISTRATOR
    assert lookup(account, **by_name("DeleteEndpoint")) == []
    assert lookup(account, EndTime=START - timedelta(minutes=1)) == []


def test_a_denied_call_is_recorded_with_its_error_and_asking_needs_a_permission(world):
    account = world.account
    role = make_role(account, "nobody", ["s3:*"])
    with roles.acting_as(role):
        for service, call, asked in (
            ("sagemaker", "delete_endpoint", {"EndpointName": "e"}),
            ("cloudtrail", "lookup_events", {}),
        ):
            with pytest.raises(ClientError, match="not authorized"):
                getattr(account.plain_client(service), call)(**asked)
    account.clock.advance_to(START + timedelta(minutes=16))
    ((_, record),) = lookup(account, **by_name("DeleteEndpoint"))
    assert (record["userIdentity"]["arn"], record["errorCode"]) == (role, "AccessDenied")
