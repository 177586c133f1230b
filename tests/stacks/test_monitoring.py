import json

from tests.synthesised import functions, resources


def schedules():
    return {
        path: resource["Properties"]
        for path, resource in resources("AWS::Scheduler::Schedule", "KedgeMonitoring").items()
    }


def test_each_cadence_gets_one_schedule_for_a_model_in_the_bucket_may_have_it():
    crons = sorted(
        (json.loads(s["Target"]["Input"]).get("step", "watch"), s["ScheduleExpression"]) for s in schedules().values()
    )
    assert crons == [
        ("hour", "cron(5 * * * ? *)"),
        ("judge", "cron(0 2 * * ? *)"),
        ("judge", "cron(0 2 ? * MON *)"),
        ("judge", "cron(40 * * * ? *)"),
        ("profile", "cron(20 * * * ? *)"),
        ("profile", "cron(30 0 * * ? *)"),
        ("watch", "cron(0 6 ? * MON *)"),
        ("watch", "cron(10 4 * * ? *)"),
        ("watch", "cron(10 5 * * ? *)"),
        ("watch", "cron(40 4 * * ? *)"),
        ("watch", "cron(50 0/12 * * ? *)"),
    ]


def test_each_schedule_passes_its_logical_time_and_keeps_what_it_could_not_deliver():
    for path, schedule in schedules().items():
        assert json.loads(schedule["Target"]["Input"])["time"] == "<aws.scheduler.scheduled-time>", path
        assert schedule["ScheduleExpressionTimezone"] == "UTC", path
        assert "Arn" in schedule["Target"]["DeadLetterConfig"], path
        assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}, path


def test_what_is_invoked_asynchronously_keeps_its_failures():
    kept = {
        path.split("/")[0] + "/" + config["Properties"]["FunctionName"]["Ref"]
        for path, config in resources("AWS::Lambda::EventInvokeConfig").items()
        # `define_models` tells CloudFormation what failed.
        if "OnFailure" in config["Properties"].get("DestinationConfig", {})
    }
    names = {path for path in resources("AWS::Lambda::Function") if path in kept}
    assert {path.split("/")[1].rstrip("0123456789ABCDEF") for path in names} == {
        "FanOut",
        "WatchMonitor",
        "KeepHistory",
        "WritePages",
        "SendDigest",
        "ExpireCaptures",
        "DecideRetraining",
        "Tell",
    }


def test_messages_of_the_stages_come_one_at_a_time():
    mappings = [
        mapping["Properties"]
        for path, mapping in resources("AWS::Lambda::EventSourceMapping").items()
        if "/Deliver" not in path and "/WritePages" not in path
    ]
    assert len(mappings) == 8
    assert {mapping["BatchSize"] for mapping in mappings} == {1}


def test_no_queue_takes_the_functions_that_others_of_the_account_need():
    mappings = [mapping["Properties"] for mapping in resources("AWS::Lambda::EventSourceMapping").values()]
    most = [mapping["ScalingConfig"]["MaximumConcurrency"] for mapping in mappings]
    assert sum(most) <= 500


def test_pages_are_written_in_batches_of_which_one_page_may_fail():
    (pages,) = [
        mapping["Properties"]
        for path, mapping in resources("AWS::Lambda::EventSourceMapping").items()
        if "/WritePages" in path
    ]
    assert pages["BatchSize"] == 20
    assert pages["MaximumBatchingWindowInSeconds"] == 60
    assert pages["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_each_function_alarms_on_errors_and_each_dead_letter_queue_when_it_is_not_empty():
    alarms = [alarm["Properties"] for alarm in resources("AWS::CloudWatch::Alarm").values()]
    watched = [alarm["MetricName"] for alarm in alarms]
    dead = [path for path, queue in resources("AWS::SQS::Queue").items() if "RedrivePolicy" not in queue["Properties"]]
    assert watched.count("Errors") == len(functions())
    assert watched.count("ApproximateNumberOfMessagesVisible") == len(dead)
