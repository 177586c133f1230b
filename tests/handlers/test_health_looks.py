"""The daily look at what slowly goes wrong: it tells once, and again only at growing distances."""

from datetime import timedelta
from itertools import pairwise

import pytest

from kedge.config.gate import ApprovalPolicy
from kedge.instants import to_text
from kedge.retraining.state import RetrainingStart
from lambdas.adapters.state import approvals, champions, windows
from lambdas.adapters.state.approvals import Approval
from lambdas.adapters.state.champions import Champion
from lambdas.handlers import settle
from tests.handlers.aws_world import BUCKET, MODEL, TABLE
from tests.handlers.settle_world import NOON, hourly, settle_world

MORNING = NOON.replace(hour=3, minute=0, second=0)
KINDS = ("approval_waits", "approval_expired", "labels_silent", "baseline_stale", "retrainings_failing")


@pytest.fixture
def world(monkeypatch):
    with settle_world(monkeypatch) as world:
        yield world


def serve(world, *, days=10):
    """A package serves that was trained this many days ago."""
    since, arn = MORNING - timedelta(days=days), world.register()
    champions.save(world.dynamodb, TABLE, MODEL, Champion(arn, arn.rpartition("/")[2], "1", since, since, "c", "m"))


def look(world, *, days=0):
    """The morning's settlement some days later; what was told so far."""
    hourly(time=to_text(MORNING + timedelta(days=days)))
    return [entry["kind"] for entry in world.timeline() if entry["kind"] in KINDS]


def test_people_are_reminded_of_a_package_that_waits_at_growing_distances_and_at_last_once_for_good(world):
    serve(world)
    world.register(status="PendingManualApproval")
    told = [len(look(world, days=days)) for days in range(100)]
    after = [days for days in range(100) if told[days] > (told[days - 1] if days else 0)]
    # moto stamps a package with the machine's clock, so a day counts from the next morning on.
    assert [late - early for early, late in pairwise(after)] == [3, 7, 14, 28, 36]
    assert look(world, days=101) == ["approval_waits"] * 5 + ["approval_expired"]
    assert any("has waited 5 days for a decision" in str(mail) for mail in world.mails())


def test_a_package_older_than_what_serves_is_no_business_of_anybody(world):
    world.register(status="PendingManualApproval")
    serve(world)
    assert look(world, days=30) == []


@pytest.mark.parametrize(
    ("people", "approvals_given", "told"),
    [(("ann",), 0, 1), ((), 0, 1), (("ann", "ben"), 1, 0), ((), 1, 0)],
    ids=["one of two", "SageMaker names nobody", "both", "released before the YAML wanted two"],
)
def test_a_second_approval_that_stays_away_is_reminded_of_like_the_first(
    world, monkeypatch, people, approvals_given, told
):
    wanting = world.config.model_copy(update={"approval": ApprovalPolicy(approvers=2)})
    monkeypatch.setattr(settle, "find_model", lambda *_: wanting)
    serve(world)
    arn = world.register(status="Approved")
    heard = Approval("Approved", approvals_given, MORNING, people, "good")
    approvals.save(world.dynamodb, TABLE, MODEL, arn.rpartition("/")[2], heard)
    days = [2, 3, 5] if told else [2]
    for day in (1, *days):
        hourly(time=to_text(MORNING + timedelta(days=day)))
    entries = [entry for entry in world.timeline() if entry["kind"] == "second_approval_awaited"]
    assert [entry["detail"]["waiting_days"] for entry in entries] == ([2, 5] if told else [])
    mails = [mail for mail in world.mails() if "has waited 5 days for a second approval" in str(mail)]
    assert len(mails) == told
    hourly(time=to_text(MORNING + timedelta(days=90)))
    expired = [entry for entry in world.timeline() if entry["kind"] == "approval_expired"]
    assert len(expired) == told


def test_labels_that_stay_away_for_twice_their_longest_pause_are_told_once(world):
    serve(world)
    for days in (9, 8, 7, 5, 4):
        hour = MORNING - timedelta(days=days)
        world.s3.put_object(Bucket=BUCKET, Key=f"labels/{MODEL}/{hour:%Y/%m/%d/%H}/labels.jsonl", Body=b"{}")
    assert look(world) == []  # four days are no longer than twice the pause of two
    assert look(world, days=1) == look(world, days=2) == ["labels_silent"]


def test_an_old_baseline_is_told_once_for_its_package(world):
    serve(world, days=365)
    assert look(world) == []
    assert look(world, days=1) == look(world, days=2) == ["baseline_stale"]


def test_three_failed_retrainings_in_a_row_are_told(world, monkeypatch):
    from lambdas.steps.health import looks

    serve(world)
    statuses = {"r-1": "SUCCEEDED", "r-2": "FAILED", "r-3": "TIMED_OUT"}
    monkeypatch.setattr(looks.executions, "status", lambda _client, arn: statuses[arn.rpartition(":")[2]])
    for number, run in enumerate(statuses):
        start = RetrainingStart(MORNING - timedelta(days=9 - number), "drift", "e")
        windows.save_start(world.dynamodb, TABLE, MODEL, run, start)
    assert look(world) == []
    statuses["r-4"] = "ABORTED"
    windows.save_start(world.dynamodb, TABLE, MODEL, "r-4", RetrainingStart(MORNING - timedelta(days=1), "drift", "e"))
    assert look(world, days=1) == look(world, days=2) == ["retrainings_failing"]
