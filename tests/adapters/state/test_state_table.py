"""What the state table remembers: champions, windows, starts, what was told, who holds the lease."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from kedge.errors import LeaseHeldError
from kedge.estimation.track_record import Comparison, TrackRecord
from kedge.retraining.state import OutsideRequest, RetrainingStart, WindowVerdict
from kedge.severity import Severity
from lambdas.adapters.state import champions, leases, served, track_records, windows, wishes
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.state.windows import StoredWindow
from tests.adapters.state_table import TABLE, state_table

NOW = datetime(2016, 1, 4, 2, tzinfo=UTC)
MINE, THEIRS = (f"arn:aws:states:eu-west-1:123456789012:execution:kedge-retrain:{run}" for run in ("mine", "theirs"))


class Executions:
    """Step Functions as far as a lease asks it."""

    def __init__(self, **statuses):
        self.statuses = statuses

    def describe_execution(self, *, executionArn):  # noqa: N803  # AWS's own name
        run = executionArn.rpartition(":")[2]
        if run not in self.statuses:
            raise ClientError({"Error": {"Code": "ExecutionDoesNotExist"}}, "DescribeExecution")
        return {"status": self.statuses[run]}


@pytest.fixture
def dynamodb():
    with state_table() as client:
        yield client


def take(dynamodb, holder, *, now=NOW, **statuses):
    leases.take(dynamodb, Executions(**statuses), TABLE, "m", leases.Lease(holder, now, "retraining"))


def holder_of(dynamodb):
    item = dynamodb.get_item(TableName=TABLE, Key={"model": {"S": "m"}, "item": {"S": "lease"}}).get("Item")
    return item and item["holder"]["S"]


@pytest.mark.parametrize("champion", [
    Champion("arn:2", "2", "2", NOW, NOW - timedelta(days=3), "m-v2-aaaa", "m-v2-aaaa", "arn:1"),
    Champion("arn:1", "1", "1", NOW, None, "m-v1-aaaa", "m-v1-aaaa"),
])  # fmt: skip
def test_a_champion_comes_back_as_it_was(dynamodb, champion):
    champions.save(dynamodb, TABLE, "m", champion)
    assert champions.load(dynamodb, TABLE, "m") == champion
    assert champions.load(dynamodb, TABLE, "other") is None
    assert champions.load_many(dynamodb, TABLE, ["m", "other"]) == {"m": champion}


def test_a_lease_excludes_others_and_not_its_holder(dynamodb):
    take(dynamodb, MINE)
    take(dynamodb, MINE, mine="RUNNING")
    with pytest.raises(LeaseHeldError):
        take(dynamodb, THEIRS, mine="RUNNING")
    assert holder_of(dynamodb) == MINE


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"])
def test_a_lease_does_not_outlive_its_holder(dynamodb, status):
    take(dynamodb, MINE)
    take(dynamodb, THEIRS, mine=status)
    assert holder_of(dynamodb) == THEIRS


def test_a_holder_that_is_just_starting_is_waited_for_but_not_for_ever(dynamodb):
    take(dynamodb, MINE)
    with pytest.raises(LeaseHeldError):
        take(dynamodb, THEIRS, now=NOW + timedelta(minutes=1))
    take(dynamodb, THEIRS, now=NOW + timedelta(hours=1))
    assert holder_of(dynamodb) == THEIRS


def test_only_its_holder_gives_a_lease_back(dynamodb):
    take(dynamodb, MINE)
    leases.release(dynamodb, TABLE, model="m", holder=THEIRS)
    assert holder_of(dynamodb) == MINE
    leases.release(dynamodb, TABLE, model="m", holder=MINE)
    leases.release(dynamodb, TABLE, model="m", holder=MINE)
    assert holder_of(dynamodb) is None


def test_a_windows_other_verdicts_come_back(dynamodb):
    start = NOW - timedelta(days=28)
    verdict = WindowVerdict(start, NOW, Severity.OK, Severity.OK, Severity.WARNING, Severity.CRITICAL)
    judged = StoredWindow(verdict, "1", "d", 2, 40)
    windows.save_window(dynamodb, TABLE, "m", judged)
    assert windows.load_window(dynamodb, TABLE, "m", NOW) == judged


@pytest.mark.parametrize("performance", [None, Severity.CRITICAL])
def test_windows_come_back_in_the_order_of_their_ends(dynamodb, performance):
    ends = [NOW - timedelta(days=7 * week) for week in (0, 2, 1)]
    judged = [
        StoredWindow(WindowVerdict(end - timedelta(days=28), end, Severity.OK, performance), "1", "d", 2, 40)
        for end in ends
    ]
    for window in judged:
        windows.save_window(dynamodb, TABLE, "m", window)
    since = NOW - timedelta(days=7)
    assert windows.load_windows(dynamodb, TABLE, "m", since=since) == [judged[2], judged[0]]
    assert windows.load_window(dynamodb, TABLE, "m", NOW) == judged[0]
    assert windows.load_window(dynamodb, TABLE, "m", NOW + timedelta(days=7)) is None


def test_a_window_keeps_the_rows_of_its_new_hours(dynamodb):
    verdict = WindowVerdict(NOW - timedelta(days=28), NOW, Severity.OK, None)
    judged = StoredWindow(verdict, "1", "d", 1, 0, (3, 0, 12))
    windows.save_window(dynamodb, TABLE, "m", judged)
    assert windows.load_window(dynamodb, TABLE, "m", NOW) == judged


def test_a_window_judged_again_replaces_itself(dynamodb):
    verdict = WindowVerdict(NOW - timedelta(days=28), NOW, Severity.OK, None)
    for revision in (1, 2):
        windows.save_window(dynamodb, TABLE, "m", StoredWindow(verdict, "1", "d", revision, 0))
    assert [w.revision for w in windows.load_windows(dynamodb, TABLE, "m", since=NOW - timedelta(days=1))] == [2]


def test_starts_come_back_by_run_and_in_order(dynamodb):
    starts = {
        "b": RetrainingStart(NOW - timedelta(days=30), "drift", "e1"),
        "a": RetrainingStart(NOW, "performance", "e2"),
    }
    for run, start in reversed(starts.items()):
        windows.save_start(dynamodb, TABLE, "m", run, start)
    assert list(windows.load_starts(dynamodb, TABLE, "m").items()) == list(starts.items())


def test_what_was_told_is_remembered_and_expires(dynamodb):
    assert not windows.is_told(dynamodb, TABLE, "m", "x")
    windows.remember_told(dynamodb, TABLE, "m", "x", now=NOW)
    assert windows.is_told(dynamodb, TABLE, "m", "x")
    assert not windows.is_told(dynamodb, TABLE, "other", "x")
    (item,) = dynamodb.scan(TableName=TABLE)["Items"]
    assert int(item["expires_at"]["N"]) > NOW.timestamp()


def test_a_pause_and_a_horizon_are_absent_until_set(dynamodb):
    assert windows.pause_reason(dynamodb, TABLE, "m") is None
    assert windows.load_horizon(dynamodb, TABLE, "m") is None
    windows.save_horizon(dynamodb, TABLE, "m", 9.25)
    assert windows.load_horizon(dynamodb, TABLE, "m") == 9.25


def test_packages_that_served_lately_are_remembered_for_a_week(dynamodb):
    served.save(dynamodb, TABLE, "m", "2", since=NOW - timedelta(days=8))
    served.save(dynamodb, TABLE, "m", "3", since=NOW - timedelta(days=2))
    assert served.load(dynamodb, TABLE, "m", now=NOW) == ["3"]


def test_an_estimators_record_is_kept_by_model(dynamodb):
    assert track_records.load(dynamodb, TABLE, "m") == TrackRecord()
    record = TrackRecord((Comparison(NOW - timedelta(days=7), NOW, "auc", 0.8, 0.01, 0.79),))
    track_records.save(dynamodb, TABLE, "m", record)
    assert track_records.load(dynamodb, TABLE, "m") == record
    assert track_records.load(dynamodb, TABLE, "other") == TrackRecord()


def test_a_window_keeps_the_share_of_right_answers(dynamodb):
    verdict = WindowVerdict(NOW - timedelta(days=7), NOW, Severity.OK, None, None, None, None, 0.8125)
    windows.save_window(dynamodb, TABLE, "m", StoredWindow(verdict, "1", "d", 1, 0))
    (found,) = windows.load_windows(dynamodb, TABLE, "m", since=NOW)
    assert found.verdict == verdict


def test_a_start_keeps_its_new_rows_and_gets_its_cost_once_it_is_known(dynamodb):
    start = RetrainingStart(NOW, "drift", "e", new_rows=700)
    windows.save_start(dynamodb, TABLE, "m", "run-1", start)
    assert windows.load_starts(dynamodb, TABLE, "m") == {"run-1": start}
    assert windows.save_cost(dynamodb, TABLE, "m", "run-1", 1.25)
    assert not windows.save_cost(dynamodb, TABLE, "m", "run-2", 9.0)
    assert windows.load_starts(dynamodb, TABLE, "m") == {"run-1": replace(start, cost_usd=1.25)}


def test_an_older_wish_that_comes_late_changes_nothing(dynamodb):
    newer, older = (OutsideRequest(NOW - timedelta(hours=age), "pricing", f"{age} hours") for age in (0, 1))
    for wish in (newer, older):
        wishes.save_request(dynamodb, TABLE, "m", wish)
    assert wishes.load_request(dynamodb, TABLE, "m") == newer
    assert wishes.load_request(dynamodb, TABLE, "other") is None
