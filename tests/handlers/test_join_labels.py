from types import SimpleNamespace

import boto3
import pytest
from moto.moto_api import state_manager

from kedge.errors import CountTooLongError, JoinCancelledError, JoinUnfinishedError
from kedge.profile.day import DayProfile, encode_day
from kedge.retraining.state import WindowVerdict
from kedge.severity import Severity
from lambdas.adapters import athena_queries, clients
from lambdas.adapters.state import windows
from lambdas.adapters.state.windows import StoredWindow
from lambdas.handlers import join_labels
from lambdas.steps.measuring.join_window import measured_columns
from lambdas.steps.requests import JoinRequest, JudgeRequest
from tests.handlers.monitor_world import BUCKET, MODEL, TABLE, message, monitor_world

WINDOW = {"start": "2016-01-04T00:00:00Z", "end": "2016-01-05T00:00:00Z"}
BODY = {
    "model": MODEL,
    "time": "2016-02-01T02:00:00Z",
    "window": WINDOW,
    "start": WINDOW["start"],
}


AGAIN = "Kedge tries again, and after attempt 3 its message lies in the dead-letter queue dead-letters"
MESSAGE = message(BODY)["Records"][0]["messageId"]


@pytest.fixture
def world(monkeypatch):
    monkeypatch.setenv("ATHENA_DATABASE", "kedge")
    monkeypatch.setenv("ATHENA_WORKGROUP", "kedge")
    with monitor_world(monkeypatch) as world:
        result = {"OutputLocation": f"s3://{BUCKET}/athena/queries/"}
        boto3.client("athena").create_work_group(Name="kedge", Configuration={"ResultConfiguration": result})
        boto3.client("glue").create_database(DatabaseInput={"Name": "kedge"})
        yield world


@pytest.fixture
def polls():
    """Have queries move on, from waiting to running to their end, after so many looks at them."""

    def after(times):
        state_manager.set_transition("athena::execution", {"progression": "manual", "times": times})

    yield after
    state_manager.unset_transition("athena::execution")


def context(*, seconds):
    return SimpleNamespace(
        function_name="f",
        memory_limit_in_mb=512,
        aws_request_id="r1",
        invoked_function_arn="arn:aws:lambda:f",
        get_remaining_time_in_millis=lambda: seconds * 1000,
    )


def answered(world):
    """Let the window's day name one part."""
    world.promote(JoinRequest.model_validate(BODY).start, version="3")
    body = encode_day(DayProfile(parts=(f"predictions/{MODEL}/package=3/date=2016-01-04/a.parquet",)))
    world.put(f"profiles/{MODEL}/3/3/2016-01-04.npz", body)


def queries():
    athena = boto3.client("athena")
    found = athena.list_query_executions(WorkGroup="kedge")["QueryExecutionIds"]
    return [athena.get_query_execution(QueryExecutionId=each)["QueryExecution"] for each in found]


def test_a_query_that_the_function_cannot_wait_for_is_stopped_and_the_message_fails(world, polls):
    answered(world)
    polls(1000)
    with pytest.raises(JoinUnfinishedError, match="was stopped"):
        join_labels.handler(message(BODY), context(seconds=5))
    (query,) = queries()
    assert query["Status"]["State"] == "CANCELLED"
    # Drift is judged without; a later attempt may still join.
    (passed,) = world.received("performance")
    assert passed["not_measured"].endswith(f"it did not end within the function's time); {AGAIN}")


def test_a_query_is_waited_for_while_there_is_time(world, polls):
    answered(world)
    polls(2)
    body = join_labels.handler(message(BODY), context(seconds=600))
    assert world.received("performance") == [body]
    prefix = JudgeRequest.model_validate(body).joined_prefix
    assert (prefix.partition("-")[0], prefix.endswith(f"-{MESSAGE}/")) == ("athena/hotel", True)


def test_a_query_that_somebody_cancels_fails_the_message(world, polls):
    polls(1000)

    def cancelled_meanwhile():
        (query,) = queries()
        boto3.client("athena").stop_query_execution(QueryExecutionId=query["QueryExecutionId"])
        return 600.0

    with pytest.raises(JoinCancelledError, match="raise SCANNED_BYTES_MAX"):
        athena_queries.run("SELECT 1", database="kedge", workgroup="kedge", remaining_seconds=cancelled_meanwhile)


def test_tables_are_described_once_and_stay(world):
    answered(world)
    for _ in range(2):
        join_labels.handler(message(BODY), context(seconds=600))
    tables = clients.glue().get_tables(DatabaseName="kedge")["TableList"]
    assert [table["Name"].rpartition("_")[0] for table in tables] == [
        "hotel_cancellations_answers",
        "hotel_cancellations_labels",
    ]
    assert [column["Name"] for column in tables[0]["StorageDescriptor"]["Columns"]] == [
        "kedge_row_id",
        "kedge_time",
        *(name.lower() for name in measured_columns(world.config)),
        "row_id",
        "time",
    ]


def test_a_message_of_before_the_update_is_joined(world):
    answered(world)
    body = join_labels.handler(message(BODY | {"columns": ["prediction"]}), context(seconds=600))
    assert world.received("performance") == [body]
    assert "columns" not in body


def test_without_a_deployed_package_there_is_nothing_to_join(world):
    assert join_labels.handler(message(BODY), context(seconds=600)) == {}
    assert world.received("performance") == []
    assert queries() == []


def received(times):
    event = message(BODY)
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = str(times)
    return event


def judge(world):
    """Let the window be judged for drift, as it is once its message went on."""
    request = JudgeRequest.model_validate({name: BODY[name] for name in ("model", "time", "window")})
    verdict = WindowVerdict(request.window.start, request.window.end, Severity.OK, None)
    windows.save_window(world.dynamodb, TABLE, MODEL, StoredWindow(verdict, "3", "", 0, 0))


def test_after_an_attempt_that_was_killed_drift_is_judged_before_anything_else(world):
    answered(world)
    join_labels.handler(received(2), context(seconds=600))
    first, second = world.received("performance")
    assert first["not_measured"] == f"an earlier attempt to join its labels did not end; {AGAIN}"
    assert "joined_prefix" in second
    assert "not_measured" not in second


def test_the_reason_of_an_attempt_stays_until_another_one_has_its_own(world, polls):
    answered(world)
    judge(world)
    join_labels.handler(received(2), context(seconds=600))
    (joined,) = world.received("performance")
    assert "joined_prefix" in joined
    polls(1000)
    event = received(3)
    event["Records"][0]["messageId"] = "another"
    with pytest.raises(JoinUnfinishedError):
        join_labels.handler(event, context(seconds=5))
    (passed,) = world.received("performance")
    assert passed["not_measured"].endswith(
        "); that was the last of 3 attempts: its message lies in the dead-letter queue dead-letters"
    )


def test_what_another_attempt_would_not_help_is_told_and_not_tried_again(world, monkeypatch):
    answered(world)
    monkeypatch.setattr(athena_queries, "SQL_BYTES_MAX", 10)
    assert join_labels.handler(message(BODY), context(seconds=600)) == {}
    (passed,) = world.received("performance")
    assert passed["not_measured"].endswith("); its message lies in the dead-letter queue dead-letters")
    assert "Athena takes 10" in passed["not_measured"]
    assert world.received("dead-letters") == [BODY]
    with pytest.raises(CountTooLongError):
        join_labels.handler(BODY, context(seconds=600))
