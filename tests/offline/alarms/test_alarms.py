"""Alarms follow their metrics by CloudWatch's own rules, tell whom they should, and cost nothing while all is quiet."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from offline.alarms.rules import ALARM, INSUFFICIENT_DATA, OK, judged_state
from offline.alarms.watch import Watch
from offline.metrics.math import MetricMathError, evaluate
from tests.offline.offline_world import NotingFunction, make_queue, messages

START = datetime(2016, 1, 1, tzinfo=UTC)


def _alarm(account, name="a", **more):
    settings = {
        "Namespace": "Kedge",
        "MetricName": "m",
        "Statistic": "Sum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 0.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    } | more
    if "Metrics" in settings:
        settings = {k: v for k, v in settings.items() if k not in ("Namespace", "MetricName", "Statistic", "Period")}
    if "ExtendedStatistic" in settings:
        settings.pop("Statistic")
    account.client("cloudwatch").put_metric_alarm(AlarmName=name, **settings)


def _described(account, name="a"):
    return account.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]


def _state(account, name="a"):
    return _described(account, name)["StateValue"]


def _put(account, value, metric="m"):
    account.client("cloudwatch").put_metric_data(Namespace="Kedge", MetricData=[{"MetricName": metric, "Value": value}])


def _pass(account, **span):
    account.clock.advance_to(account.clock.now + timedelta(**span))


X, _, N = 1.0, 0.0, None  # breaching, fine, missing


@pytest.mark.parametrize(
    ("points", "states"),  # missing, ignore (from OK), breaching, notBreaching: the user guide's table, 3 of 3
    [
        ((_, N, X, N, X), (OK, OK, OK, OK)),
        ((N, N, N, N, _), (OK, OK, OK, OK)),
        ((N, N, N, N, N), (INSUFFICIENT_DATA, OK, ALARM, OK)),
        ((_, X, X, N, X), (ALARM, ALARM, ALARM, ALARM)),
        ((N, N, X, N, N), (ALARM, OK, ALARM, OK)),
    ],
)
def test_state_follows_the_guides_table_of_missing_data(points, states):
    treatments = ("missing", "ignore", "breaching", "notBreaching")
    for treatment, state in zip(treatments, states, strict=True):
        if treatment == "ignore" and points == (N, N, X, N, N):
            state = OK  # "retain current state"
        judged = judged_state(points, lambda p: p > 0, periods=3, needed=3, treatment=treatment, current=OK)
        assert judged == state, treatment


@pytest.mark.parametrize(
    ("points", "states"),  # the second table: 2 of 3; "ignore" retains OK
    [
        ((_, N, X, N, X), (ALARM, ALARM, ALARM, ALARM)),
        ((_, _, X, _, X), (ALARM, ALARM, ALARM, ALARM)),
        ((_, N, X, N, N), (OK, OK, ALARM, OK)),
        ((N, N, N, N, _), (OK, OK, ALARM, OK)),
        ((N, N, N, X, N), (ALARM, OK, ALARM, OK)),
    ],
)
def test_state_follows_the_guides_table_for_some_of_many(points, states):
    for treatment, state in zip(("missing", "ignore", "breaching", "notBreaching"), states, strict=True):
        judged = judged_state(points, lambda p: p > 0, periods=3, needed=2, treatment=treatment, current=OK)
        assert judged == state, treatment


def test_new_alarm_has_insufficient_data_and_soon_its_treatment_of_silence(account):
    for treatment in ("missing", "ignore", "notBreaching", "breaching"):
        _alarm(account, treatment, TreatMissingData=treatment)
        assert _state(account, treatment) == "INSUFFICIENT_DATA"
    _pass(account, minutes=1)
    states = {name: _state(account, name) for name in ("missing", "ignore", "notBreaching", "breaching")}
    assert states == {
        "missing": "INSUFFICIENT_DATA",
        "ignore": "INSUFFICIENT_DATA",
        "notBreaching": "OK",
        "breaching": "ALARM",
    }


def test_breach_alarms_at_its_periods_end_and_recovers_when_it_is_past(account):
    _alarm(account)
    _pass(account, minutes=61)
    _put(account, 2.0)
    _pass(account, minutes=3)
    assert _state(account) == "OK"
    _pass(account, minutes=1)
    described = _described(account)
    assert described["StateValue"] == "ALARM"
    assert described["StateUpdatedTimestamp"] == START + timedelta(minutes=65)
    assert described["StateReason"].startswith(
        "Threshold Crossed: 1 out of the last 1 datapoint [2.0 (01/01/16 01:00:00)]"
    )
    _pass(account, hours=1)
    assert _state(account) == "OK"


@pytest.mark.parametrize(
    ("statistic", "threshold", "alarmed"),
    [
        ({"Statistic": "Sum"}, 9.5, True),
        ({"Statistic": "Sum"}, 10.5, False),
        ({"Statistic": "Average"}, 2.4, True),
        ({"Statistic": "Average"}, 2.5, False),
        ({"Statistic": "Minimum"}, 0.5, True),
        ({"Statistic": "Maximum"}, 4.0, False),
        ({"Statistic": "SampleCount"}, 3.0, True),
        ({"ExtendedStatistic": "p50"}, 2.4, True),
        ({"ExtendedStatistic": "p99.9"}, 3.9, True),
    ],
)
def test_statistic_is_the_one_asked_for(account, statistic, threshold, alarmed):
    _alarm(account, Threshold=threshold, **statistic)
    _pass(account, minutes=2)
    for value in (1.0, 2.0, 3.0, 4.0):
        _put(account, value)
    _pass(account, minutes=3)
    assert (_state(account) == "ALARM") == alarmed


@pytest.mark.parametrize(
    ("comparison", "breaching"),
    [
        ("GreaterThanThreshold", {2.0}),
        ("GreaterThanOrEqualToThreshold", {1.0, 2.0}),
        ("LessThanThreshold", {0.0}),
        ("LessThanOrEqualToThreshold", {0.0, 1.0}),
    ],
)
def test_every_comparison(account, comparison, breaching):
    for value in (0.0, 1.0, 2.0):
        _alarm(account, str(value), MetricName=str(value), ComparisonOperator=comparison, Threshold=1.0)
        _put(account, value, str(value))
    _pass(account, minutes=5)
    assert {value for value in (0.0, 1.0, 2.0) if _state(account, str(value)) == "ALARM"} == breaching


def test_sum_of_small_values_adds_up_to_a_breach(account):
    _alarm(account, Threshold=2.5)
    _pass(account, minutes=2)
    for _ in range(3):
        _put(account, 1.0)
    _pass(account, minutes=3)
    assert _state(account) == "ALARM"


def test_some_of_many_datapoints(account):
    _alarm(account, Period=60, EvaluationPeriods=3, DatapointsToAlarm=2)
    _pass(account, minutes=10)
    states = []
    for value in (0, 1, 0, 1, 0, 0):
        _put(account, value)
        _pass(account, minutes=1)
        states.append(_state(account))
    assert states == ["OK", "OK", "OK", "ALARM", "OK", "OK"]


def test_heartbeat_that_stops_alarms_and_returns_with_the_beat(account):
    _alarm(
        account,
        Period=3600,
        Statistic="SampleCount",
        Threshold=1,
        ComparisonOperator="LessThanThreshold",
        TreatMissingData="breaching",
    )
    for _ in range(48):
        _put(account, 1)
        _pass(account, hours=1)
    assert _state(account) == "OK"
    _pass(account, hours=5)
    assert _state(account) == "ALARM"
    _put(account, 1)
    _pass(account, hours=1)
    assert _state(account) == "OK"


def test_silence_makes_data_insufficient(account):
    _alarm(account, TreatMissingData="missing", Statistic="Average")
    for _ in range(20):
        _put(account, 0)
        _pass(account, minutes=5)
    assert _state(account) == "OK"
    _pass(account, hours=1)
    assert _described(account)["StateReason"] == "Insufficient Data: 1 datapoint was unknown."


def test_ignored_silence_keeps_an_alarm(account):
    _alarm(account, TreatMissingData="ignore")
    _put(account, 1)
    _pass(account, days=2)
    assert _state(account) == "ALARM"


def test_late_data_is_looked_at(account):
    _alarm(account)
    _pass(account, minutes=12)
    account.client("cloudwatch").put_metric_data(
        Namespace="Kedge",
        MetricData=[{"MetricName": "m", "Value": 1, "Timestamp": account.clock.now - timedelta(minutes=5)}],
    )
    _pass(account, minutes=1)
    assert _state(account) == "ALARM"


def _expression(text, **stats):
    queries = [{"Id": "e", "Expression": text, "ReturnData": True}]
    for name, metric in stats.items():
        stat = {"Metric": {"Namespace": "Kedge", "MetricName": metric}, "Period": 300, "Stat": "Sum"}
        queries.append({"Id": name, "MetricStat": stat, "ReturnData": False})
    return queries


def test_metric_math_alarm(account):
    _alarm(account, Metrics=_expression("IF(FILL(asked, 0) > 10 AND FILL(kept, 0) == 0, 1, 0)", asked="a", kept="k"))
    _pass(account, minutes=10)
    _put(account, 20, "a")
    _put(account, 20, "k")
    _pass(account, minutes=5)
    assert _state(account) == "OK"
    _put(account, 20, "a")
    _pass(account, minutes=5)
    assert _state(account) == "ALARM"
    _pass(account, hours=1)
    assert _state(account) == "OK"


@pytest.mark.parametrize(
    ("expression", "points"),
    [
        ("a + b", {0: 11.0}),
        ("SUM([a, b])", {0: 11.0, 60: 2.0, 120: 30.0}),
        ("MAX([a, b])", {0: 10.0, 60: 2.0, 120: 30.0}),
        ("AVG(METRICS())", {0: 5.5, 60: 2.0, 120: 30.0}),
        ("FILL(a, 0) / 2", {0: 0.5, 60: 1.0, 120: 0.0}),
        ("FILL(a, REPEAT)", {0: 1.0, 60: 2.0, 120: 2.0}),
        ("MAX(a)", {0: 2.0, 60: 2.0, 120: 2.0}),
        ("IF(a > 1, a, 7)", {0: 7.0, 60: 2.0}),
        ("a / 0", {}),
        ("-a ^ 2", {0: -1.0, 60: -4.0}),
        ("CEIL(a / 4) || 0", {0: 1.0, 60: 1.0}),
    ],
)
def test_metric_math(expression, points):
    series = {"a": {0: 1.0, 60: 2.0}, "b": {0: 10.0, 120: 30.0}}
    assert evaluate(expression, series, [0, 60, 120]) == points


@pytest.mark.parametrize("expression", ["SEARCH('x', 'Sum')", "a b", "unknown + 1", "RATE(a)", "[a, a]"])
def test_metric_math_that_is_not_known_is_refused(expression):
    with pytest.raises(MetricMathError):
        evaluate(expression, {"a": {0: 1.0}}, [0])


def test_change_of_state_reaches_topic_function_bus_and_listener(account):
    url, queue = make_queue(account, "pager", open_to="sns.amazonaws.com")
    bus_url, bus = make_queue(account, "bus", open_to="events.amazonaws.com")
    function = NotingFunction(account, "f").allow(account, "lambda.alarms.cloudwatch.amazonaws.com")
    sns, events = account.client("sns"), account.client("events")
    topic = sns.create_topic(Name="pages")["TopicArn"]
    allowed = {"Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}, "Action": "sns:Publish"}
    policy = {"Version": "2012-10-17", "Statement": [allowed | {"Resource": topic}]}
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(policy))
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    events.put_rule(Name="r", EventPattern=json.dumps({"detail-type": ["CloudWatch Alarm State Change"]}))
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": bus}])
    changes = []
    account.alarms.on_change(lambda name, old, new: changes.append((name, old, new)))
    _alarm(account, "loud", AlarmActions=[topic, function.arn], OKActions=[topic], AlarmDescription="Look here.")
    _pass(account, minutes=2)
    _put(account, 5)
    _pass(account, minutes=4)
    assert account.alarms.in_alarm(["loud", "unknown"]) == ["loud"]
    _pass(account, hours=1)
    assert changes == [("loud", "INSUFFICIENT_DATA", "OK"), ("loud", "OK", "ALARM"), ("loud", "ALARM", "OK")]
    notices = [json.loads(message["Body"]) for message in messages(account, url)]
    assert [notice["Subject"] for notice in notices] == [
        'OK: "loud" in EU (Ireland)',
        'ALARM: "loud" in EU (Ireland)',
        'OK: "loud" in EU (Ireland)',
    ]
    told = json.loads(notices[1]["Message"])
    assert (told["AlarmName"], told["NewStateValue"], told["OldStateValue"]) == ("loud", "ALARM", "OK")
    assert told["AlarmDescription"] == "Look here."
    assert told["Trigger"]["MetricName"] == "m"
    assert told["Trigger"]["Statistic"] == "SUM"
    assert function.events()[0]["alarmData"]["state"]["value"] == "ALARM"
    details = [json.loads(message["Body"])["detail"] for message in messages(account, bus_url)]
    assert {(d["previousState"]["value"], d["state"]["value"]) for d in details} >= {("OK", "ALARM"), ("ALARM", "OK")}


def test_state_set_by_hand_acts_and_the_next_evaluation_puts_it_right(account):
    changes = []
    account.alarms.on_change(lambda *change: changes.append(change))
    _alarm(account)
    _pass(account, minutes=1)
    account.client("cloudwatch").set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="drill")
    assert _described(account)["StateReason"] == "drill"
    assert changes[-1] == ("a", "OK", "ALARM")
    _pass(account, minutes=1)
    assert _state(account) == "OK"


def test_deleted_alarm_stops_and_a_redefined_one_keeps_its_state(account):
    changes = []
    account.alarms.on_change(lambda *change: changes.append(change))
    _alarm(account)
    _put(account, 1)
    _pass(account, minutes=5)
    _alarm(account, Threshold=5)
    assert _state(account) == "ALARM"
    _pass(account, minutes=1)
    assert _state(account) == "OK"
    account.client("cloudwatch").delete_alarms(AlarmNames=["a"])
    before = len(changes)
    _put(account, 100)
    _pass(account, hours=1)
    assert len(changes) == before
    assert account.alarms.in_alarm(["a"]) == []


def test_queue_of_the_dead_keeps_its_alarm_until_it_is_emptied(account):
    url, _ = make_queue(account, "dead")
    _alarm(
        account,
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": "dead"}],
        Statistic="Maximum",
    )
    _pass(account, minutes=2)
    account.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    _pass(account, minutes=5)
    assert _state(account) == "ALARM"
    _pass(account, days=3)
    assert _state(account) == "ALARM"
    messages(account, url)
    _pass(account, minutes=10)
    assert _state(account) == "OK"


@pytest.mark.parametrize(
    "settings",
    [
        {"Period": 10},
        {"Statistic": "p50x"},
        {"ComparisonOperator": "GreaterThanUpperThreshold"},
        {"AlarmActions": ["arn:aws:automate:eu-west-1:ec2:stop"]},
        {"DatapointsToAlarm": 2},
        {"Metrics": _expression("SEARCH('x', 'Sum')", a="a")},
    ],
)
def test_alarms_that_are_not_imitated_are_refused(account, settings):
    with pytest.raises(ClientError):
        _alarm(account, **settings)
    assert account.client("cloudwatch").describe_alarms()["MetricAlarms"] == []


def test_metrics_are_read_back_by_period_and_percentile(account):
    cloudwatch = account.client("cloudwatch")
    for value in range(1, 101):
        account.put_metric("Kedge", "latency", value, {"Model": "hotel"}, "Milliseconds")
    _pass(account, hours=1)
    account.put_metric("Kedge", "latency", 7, {"Model": "hotel"}, "Milliseconds")
    account.put_metric("Kedge", "latency", 9, {"Model": "other"}, "Milliseconds")
    asked = {
        "Namespace": "Kedge",
        "MetricName": "latency",
        "Dimensions": [{"Name": "Model", "Value": "hotel"}],
        "StartTime": START,
        "EndTime": START + timedelta(hours=2),
        "Period": 3600,
    }
    plain = cloudwatch.get_metric_statistics(**asked, Statistics=["Sum", "Average", "SampleCount"])["Datapoints"]
    assert [(p["Timestamp"], p["Sum"], p["Average"], p["SampleCount"]) for p in plain] == [
        (START, 5050, 50.5, 100),
        (START + timedelta(hours=1), 7, 7, 1),
    ]
    extended = cloudwatch.get_metric_statistics(**asked, ExtendedStatistics=["p90"])["Datapoints"]
    assert extended[0]["ExtendedStatistics"]["p90"] == pytest.approx(90.1)
    listed = cloudwatch.list_metrics(Namespace="Kedge")["Metrics"]
    assert {metric["Dimensions"][0]["Value"] for metric in listed} == {"hotel", "other"}


def test_values_of_more_than_two_weeks_ago_are_refused(account):
    cloudwatch = account.client("cloudwatch")

    def put(days: float) -> None:
        time = account.clock.now - timedelta(days=days)
        cloudwatch.put_metric_data(Namespace="Kedge", MetricData=[{"MetricName": "m", "Value": 1, "Timestamp": time}])

    put(13.9)
    with pytest.raises(ClientError, match=r"MetricData.member.1.Timestamp .* past two weeks") as refused:
        put(14.1)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValue"


def test_statistic_sets_and_counted_values_count(account):
    cloudwatch = account.client("cloudwatch")
    sets = {"SampleCount": 4, "Sum": 10, "Minimum": 1, "Maximum": 4}
    cloudwatch.put_metric_data(
        Namespace="Kedge",
        MetricData=[
            {"MetricName": "m", "StatisticValues": sets},
            {"MetricName": "m", "Values": [5, 6], "Counts": [2, 1]},
        ],
    )
    query = {"Metric": {"Namespace": "Kedge", "MetricName": "m"}, "Period": 60}
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[
            {"Id": stat.lower(), "MetricStat": query | {"Stat": stat}, "ReturnData": True}
            for stat in ("Sum", "SampleCount", "Maximum")
        ]
        + [{"Id": "mean", "Expression": "sum / samplecount"}],
        StartTime=START,
        EndTime=START + timedelta(minutes=5),
    )["MetricDataResults"]
    assert {result["Id"]: result["Values"] for result in answer} == {
        "sum": [26],
        "samplecount": [7],
        "maximum": [6],
        "mean": [pytest.approx(26 / 7)],
    }


def test_in_two_quiet_months_an_alarm_is_evaluated_when_it_is_made_and_when_its_first_value_comes(account, monkeypatch):
    evaluated = Counter()
    read = Watch.read
    monkeypatch.setattr(Watch, "read", lambda watch, now: evaluated.update([watch.alarm.name]) or read(watch, now))
    functions = [f"f{number}" for number in range(30)]
    for name in functions:
        dimensions = [{"Name": "FunctionName", "Value": name}]
        _alarm(account, name, Namespace="AWS/Lambda", MetricName="Errors", Dimensions=dimensions)
    hours = 24 * 60

    def work(hour):
        for name in functions[:10]:
            account.put_metric("AWS/Lambda", "Errors", 0, {"FunctionName": name}, "Count")
        if hour < hours:
            account.clock.call_at(account.clock.now + timedelta(hours=1), lambda: work(hour + 1))

    work(0)
    _pass(account, days=60)
    assert evaluated == {name: 2 if name in functions[:10] else 1 for name in functions}
    assert account.alarms.in_alarm(functions) == []


def _history(account, **asked):
    pages = account.client("cloudwatch").get_paginator("describe_alarm_history").paginate(**asked)
    return [entry for page in pages for entry in page["AlarmHistoryItems"]]


def test_the_history_tells_what_rang_and_when_also_after_the_alarm_is_ok_again_and_deleted(account):
    _alarm(account, Period=60)
    _alarm(account, "other", Period=60, MetricName="other")
    _pass(account, minutes=2)
    _put(account, 1)
    _pass(account, minutes=1)
    rang_at = account.clock.now
    _pass(account, minutes=20)
    account.client("cloudwatch").delete_alarms(AlarmNames=["a"])
    entries = _history(account, AlarmName="a", HistoryItemType="StateUpdate", ScanBy="TimestampAscending")
    states = [json.loads(entry["HistoryData"])["newState"]["stateValue"] for entry in entries]
    assert states == [OK, ALARM, OK]
    assert entries[1]["HistorySummary"] == "Alarm updated from OK to ALARM"
    assert abs(entries[1]["Timestamp"] - rang_at) <= timedelta(minutes=2)
    assert "Threshold Crossed" in json.loads(entries[1]["HistoryData"])["newState"]["stateReason"]
    newest_first = _history(account, AlarmName="a")
    assert [entry["Timestamp"] for entry in newest_first] == [entry["Timestamp"] for entry in reversed(entries)]
    assert _history(account, AlarmName="a", StartDate=entries[2]["Timestamp"], MaxRecords=1) == entries[2:]
    assert {entry["AlarmName"] for entry in _history(account)} == {"a", "other"}


def test_the_history_is_kept_for_thirty_days(account):
    _alarm(account, Period=60)
    _pass(account, minutes=2)
    assert _history(account, AlarmName="a")
    _pass(account, days=31)
    assert _history(account, AlarmName="a") == []
