"""Messages reach functions in batches, come back when the function fails, and end in the dead-letter queue."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tests.offline.offline_world import NotingFunction, make_queue, messages

START = datetime(2016, 1, 1, tzinfo=UTC)


def _map(account, function, queue_arn, **settings):
    return account.client("lambda").create_event_source_mapping(
        EventSourceArn=queue_arn, FunctionName=function.arn, **settings
    )["UUID"]


def _send(account, url, *bodies, **more):
    for body in bodies:
        account.client("sqs").send_message(QueueUrl=url, MessageBody=body, **more)


def _pass(account, **span):
    account.clock.advance_to(account.clock.now + timedelta(**span))


def _bodies(function):
    return [[record["body"] for record in event["Records"]] for event in function.events()]


def test_message_reaches_the_function_a_second_later_as_lambda_writes_it(account):
    url, arn = make_queue(account, "work")
    function = NotingFunction(account, "f")
    _map(account, function, arn, BatchSize=1)
    _send(account, url, '{"a": 1}', MessageAttributes={"kind": {"DataType": "String", "StringValue": "x"}})
    assert function.events() == []
    _pass(account, seconds=1)
    record = function.events()[0]["Records"][0]
    assert record["body"] == '{"a": 1}'
    assert record["eventSourceARN"] == arn
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["attributes"]["SentTimestamp"] == str(int(START.timestamp() * 1000))
    assert record["messageAttributes"]["kind"]["stringValue"] == "x"
    _pass(account, hours=1)
    assert messages(account, url) == []


def test_batches_are_no_larger_than_asked(account):
    url, arn = make_queue(account, "work")
    function = NotingFunction(account, "f")
    _map(account, function, arn, BatchSize=3)
    _send(account, url, *"abcdefg")
    _pass(account, seconds=10)
    firsts = {tuple(batch): None for batch in _bodies(function)}
    assert sorted(len(batch) for batch in firsts) == [1, 3, 3]
    assert sorted("".join(body for batch in firsts for body in batch)) == list("abcdefg")


def test_batching_window_gathers_messages(account):
    url, arn = make_queue(account, "work")
    function = NotingFunction(account, "f")
    _map(account, function, arn, BatchSize=10, MaximumBatchingWindowInSeconds=60)
    _send(account, url, "a")
    _pass(account, seconds=30)
    _send(account, url, "b")
    assert function.events() == []
    _pass(account, seconds=31)
    assert sorted(_bodies(function)[0]) == ["a", "b"]


def test_failure_comes_back_after_the_visibility_timeout_and_ends_among_the_dead(account):
    dead_url, dead = make_queue(account, "dead")
    redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 3})
    url, arn = make_queue(account, "work", VisibilityTimeout="360", RedrivePolicy=redrive)
    function = NotingFunction(account, "f", 'raise ValueError("no")')
    _map(account, function, arn, BatchSize=1)
    _send(account, url, "poison")
    _pass(account, minutes=5)
    assert {event["Records"][0]["attributes"]["ApproximateReceiveCount"] for event in function.events()} == {"1"}
    _pass(account, minutes=60)
    counts = [event["Records"][0]["attributes"]["ApproximateReceiveCount"] for event in function.events()]
    assert sorted(set(counts)) == ["1", "2", "3"]
    assert [message["Body"] for message in messages(account, dead_url)] == ["poison"]
    assert messages(account, url) == []


def test_only_the_messages_that_a_function_names_come_back(account):
    url, arn = make_queue(account, "work", VisibilityTimeout="60")
    then = (
        'return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in event["Records"] '
        'if r["body"] == "b" and r["attributes"]["ApproximateReceiveCount"] == "1"]}'
    )
    function = NotingFunction(account, "f", then)
    _map(account, function, arn, BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"])
    _send(account, url, "a", "b")
    _pass(account, minutes=10)
    assert {tuple(sorted(batch)) for batch in _bodies(function)} == {("a", "b"), ("b",)}
    assert messages(account, url) == []


def test_delayed_message_waits(account):
    url, arn = make_queue(account, "work")
    function = NotingFunction(account, "f")
    _map(account, function, arn)
    _send(account, url, "later", DelaySeconds=600)
    _pass(account, minutes=9)
    assert function.events() == []
    _pass(account, minutes=2)
    assert _bodies(function)[0] == ["later"]


def test_messages_that_waited_for_a_mapping_are_delivered(account):
    url, arn = make_queue(account, "work")
    function = NotingFunction(account, "f")
    _send(account, url, "early")
    uuid = _map(account, function, arn, Enabled=False)
    _pass(account, hours=1)
    assert function.events() == []
    account.client("lambda").update_event_source_mapping(UUID=uuid, Enabled=True)
    _pass(account, seconds=2)
    assert _bodies(function)[0] == ["early"]


def test_about_one_batch_in_twenty_comes_twice(account):
    url, arn = make_queue(account, "work")
    function = NotingFunction(account, "f")
    _map(account, function, arn, BatchSize=1)
    _send(account, url, *[str(number) for number in range(120)])
    _pass(account, minutes=5)
    bodies = [batch[0] for batch in _bodies(function)]
    assert set(bodies) == {str(number) for number in range(120)}
    assert 1 <= len(bodies) - 120 <= 20


def test_function_whose_role_may_not_read_the_queue_fails_loudly(account):
    url, arn = make_queue(account, "work")
    function = NotingFunction(account, "f")
    _map(account, function, arn)
    account.client("iam").delete_role_policy(RoleName="f-role", PolicyName="may")
    _send(account, url, "a")
    with pytest.raises(PermissionError, match="sqs:ReceiveMessage"):
        _pass(account, seconds=2)


def test_depth_is_told_when_it_changes_and_stands_until_the_next_change(account):
    url, _ = make_queue(account, "work")
    _send(account, url, "a", "b")
    _pass(account, hours=2)
    messages(account, url)
    _pass(account, hours=2)
    answer = account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": "work"}],
        StartTime=START,
        EndTime=START + timedelta(hours=4),
        Period=3600,
        Statistics=["Maximum"],
    )
    points = {point["Timestamp"].hour: point["Maximum"] for point in answer["Datapoints"]}
    assert points[0] == points[1] == 2
    assert points[3] == 0


def test_long_poll_of_an_empty_queue_answers_at_once(account):
    url, _ = make_queue(account, "work")
    assert "Messages" not in account.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20)


def test_filter_criteria_are_refused(account):
    _, arn = make_queue(account, "work")
    function = NotingFunction(account, "f")
    with pytest.raises(ClientError, match="not imitated"):
        _map(account, function, arn, FilterCriteria={"Filters": [{"Pattern": "{}"}]})
