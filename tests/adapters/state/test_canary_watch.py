"""The state table remembers the last look at a canary, and what people decided."""

from collections.abc import Iterator

import pytest

from kedge.release.proof import LastWatch
from lambdas.adapters.state import approvals, canary_watch
from lambdas.adapters.state.approvals import Approval
from lambdas.adapters.state.canary_watch import CanaryWatch
from tests.adapters.aws import moto_client

WATCH = CanaryWatch("r1", "2", "m-v2", 12, "2016-02-11T02:00:00Z", LastWatch("UNPROVEN", ("12 requests only",), 12))


@pytest.fixture
def dynamodb() -> Iterator[object]:
    with moto_client("dynamodb") as client:
        names = ("model", "item")
        client.create_table(
            TableName="state",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            KeySchema=[{"AttributeName": n, "KeyType": k} for n, k in zip(names, ("HASH", "RANGE"), strict=True)],
        )
        yield client


def test_the_last_look_is_remembered(dynamodb):
    canary_watch.save(dynamodb, "state", "m", WATCH)
    assert canary_watch.load(dynamodb, "state", "m") == WATCH
    assert canary_watch.load(dynamodb, "state", "other") is None


def test_only_its_own_run_forgets_a_canary(dynamodb):
    canary_watch.save(dynamodb, "state", "m", WATCH)
    canary_watch.forget(dynamodb, "state", "m", "r2")
    assert canary_watch.load(dynamodb, "state", "m") == WATCH
    canary_watch.forget(dynamodb, "state", "m", "r1")
    canary_watch.forget(dynamodb, "state", "m", "r1")
    assert canary_watch.load(dynamodb, "state", "m") is None


def test_a_package_that_nobody_decided_about_is_pending(dynamodb):
    assert approvals.load(dynamodb, "state", "m", "2") == Approval("PendingManualApproval", 0)
    approvals.save(dynamodb, "state", "m", "2", Approval("Approved", 1))
    assert approvals.load(dynamodb, "state", "m", "2") == Approval("Approved", 1)
    assert approvals.load(dynamodb, "state", "m", "3").approvals == 0
