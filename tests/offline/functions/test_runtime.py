"""Handlers run from their asset, in their environment, as their role, and fail as Lambda fails."""

import io
import json
import os
import sys
import zipfile
from datetime import timedelta

import boto3
import pytest

import kedge
from offline.functions.runtime import FunctionError
from offline.roles import ADMINISTRATOR, current_role
from tests.offline.assemblies import function, resource, role, write_assembly, write_code

APP = """
import os, sys

CALLS = []

def environment(event, context):
    CALLS.append(event)
    return {"environment": dict(os.environ), "calls": len(CALLS), "name": context.function_name}

def modules(event, context):
    import kedge
    return kedge.WHERE

def repository(event, context):
    import demo

def broken(event, context):
    raise ValueError("no such window")

def unserialisable(event, context):
    return object()

def chatty(event, context):
    print("one"); print("two")

def logs(event, context):
    import logging, sys
    logger = logging.getLogger("one name for all functions")
    if not logger.handlers:
        logger.addHandler(logging.StreamHandler(sys.stdout))
    logger.warning(context.function_name)

def large(event, context):
    return "x" * 7_000_000

def remaining(event, context):
    return context.get_remaining_time_in_millis()

def threads(event, context):
    import concurrent.futures
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda key: denied(key), ["a", "b"]))

def patient(event, context):
    import time
    time.sleep(3_000)
    return "slept"

def denied(key):
    import boto3, botocore.exceptions
    try:
        boto3.client("s3").put_object(Bucket="anywhere", Key=key, Body=b"")
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
"""


@pytest.fixture
def deployed(account, tmp_path):
    """Deploy functions of the asset above, by handler name, and return a way to call them."""

    def deploy(*handlers: str, **more):
        resources = {"Role": role("lambda", {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"})}
        for handler in handlers:
            resources[handler.title()] = function("Role", f"app.{handler}", {"COLOUR": handler}, FunctionName=handler)
        resources |= more
        code = write_code(tmp_path / "code", app=APP)
        account.deploy(write_assembly(tmp_path / "out", {"Stack": {"Resources": resources}}, files={"code.zip": code}))
        return account

    return deploy


def test_a_handler_sees_its_own_environment_and_nothing_of_this_process(deployed, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_HOST", "1")
    seen = deployed("environment").invoke_function("environment", {})["environment"]
    assert seen["COLOUR"] == "environment"
    assert seen["AWS_REGION"] == "eu-west-1"
    assert "SECRET_OF_THE_HOST" not in seen


def test_the_environment_of_this_process_is_as_before_after_a_failure(deployed, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_HOST", "1")
    account = deployed("broken")
    before = dict(os.environ)
    with pytest.raises(FunctionError):
        account.invoke_function("broken", {})
    assert dict(os.environ) == before


def test_a_function_stays_warm_and_shares_nothing_with_another(deployed):
    account = deployed("environment")
    account.client("lambda").create_function(
        FunctionName="other",
        Runtime="python3.14",
        Handler="app.environment",
        Role=account.functions.find("environment").role,
        Code={"ZipFile": _zip(app=APP)},
    )
    assert account.invoke_function("environment", {})["calls"] == 1
    assert account.invoke_function("environment", {})["calls"] == 2
    assert account.invoke_function("other", {})["calls"] == 1


def test_modules_come_from_the_asset_and_leave_no_trace(deployed):
    before = sys.modules.get("app")
    assert deployed("modules").invoke_function("modules", {}) == "asset"
    assert sys.modules["kedge"] is kedge
    assert sys.modules.get("app") is before


def test_what_the_asset_does_not_hold_cannot_be_imported_from_the_repository(deployed):
    with pytest.raises(FunctionError) as failure:
        deployed("repository").invoke_function("repository", {})
    assert failure.value.error_type == "ModuleNotFoundError"


def test_an_error_tells_its_type_and_message_as_lambda_does(deployed):
    with pytest.raises(FunctionError) as failure:
        deployed("broken").invoke_function("broken", {})
    assert failure.value.payload["errorType"] == "ValueError"
    assert failure.value.payload["errorMessage"] == "no such window"


def test_boto3_invoke_answers_as_the_real_service(deployed):
    client = deployed("modules", "broken").client("lambda")
    answer = client.invoke(FunctionName="modules", Payload=b"{}")
    assert (answer["StatusCode"], json.loads(answer["Payload"].read())) == (200, "asset")
    failed = client.invoke(FunctionName="broken", Payload=b"{}")
    assert failed["FunctionError"] == "Unhandled"
    assert json.loads(failed["Payload"].read())["errorType"] == "ValueError"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="absent", Payload=b"{}")


def test_an_answer_that_is_no_json_or_too_large_is_an_error(deployed):
    account = deployed("unserialisable", "large")
    with pytest.raises(FunctionError, match="TypeError"):
        account.invoke_function("unserialisable", {})
    with pytest.raises(FunctionError, match=r"Function\.ResponseSizeTooLarge"):
        account.invoke_function("large", {})


def test_what_a_handler_prints_lands_in_its_log_group(deployed):
    account = deployed("chatty")
    account.invoke_function("chatty", {})
    events = account.client("logs").filter_log_events(logGroupName="/aws/lambda/chatty")["events"]
    assert [event["message"] for event in events] == ["one", "two"]


def logged(account, name):
    events = account.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    return [event["message"] for event in events]


def test_what_a_handler_raises_lands_in_its_log_group_as_one_event(deployed):
    account = deployed("broken", "large", Absent=function("Role", "absent.handler", {}, FunctionName="absent"))
    for name in ("broken", "large", "absent"):
        with pytest.raises(FunctionError):
            account.invoke_function(name, {})
    (raised,) = logged(account, "broken")
    first, second, place, line = raised.splitlines()[:4]
    assert (first, second) == ("[ERROR] ValueError: no such window", "Traceback (most recent call last):")
    assert place.endswith(", in broken")
    assert line.strip() == 'raise ValueError("no such window")'
    assert logged(account, "absent")[0].startswith(
        "[ERROR] Runtime.ImportModuleError: Unable to import module 'absent'"
    )
    assert logged(account, "large")[0].startswith("[ERROR] Function.ResponseSizeTooLarge: ")


def test_a_message_that_fails_in_a_function_leaves_its_reason_in_the_log_group(deployed):
    account = deployed("broken")
    account.invoke_function_later("broken", {})
    account.clock.advance_to(account.clock.now + timedelta(minutes=4))
    assert [line.splitlines()[0] for line in logged(account, "broken")] == ["[ERROR] ValueError: no such window"] * 3


def test_the_stack_trace_holds_the_functions_own_frames(deployed):
    with pytest.raises(FunctionError) as failure:
        deployed("broken").invoke_function("broken", {})
    (frame,) = failure.value.payload["stackTrace"]
    assert "in broken" in frame


def test_loggers_of_one_name_in_two_functions_write_each_into_its_own_log_group(deployed):
    other = function("Role", "app.logs", {}, FunctionName="other")
    account = deployed("logs", Other=other)
    for name in ("logs", "other", "logs"):
        account.invoke_function(name, {})
    for name, times in (("logs", 2), ("other", 1)):
        events = account.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        assert [event["message"] for event in events] == [name] * times


def test_a_handler_that_cannot_be_imported_fails_as_the_runtime_says_it(deployed):
    account = deployed("modules", Absent=function("Role", "absent.handler", {}, FunctionName="absent"))
    with pytest.raises(FunctionError) as failure:
        account.invoke_function("absent", {})
    assert failure.value.error_type == "Runtime.ImportModuleError"
    assert failure.value.message == "Unable to import module 'absent': No module named 'absent'"


def test_a_handler_and_the_threads_it_starts_act_as_its_role(deployed):
    account = deployed("threads")
    boto3.client("s3").create_bucket(Bucket="anywhere", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert account.invoke_function("threads", {}) == ["AccessDenied", "AccessDenied"]
    assert current_role() == ADMINISTRATOR
    denied = [call for call in account.calls if call.action == "s3:PutObject" and not call.allowed]
    assert {call.resources for call in denied} == {("arn:aws:s3:::anywhere/a",), ("arn:aws:s3:::anywhere/b",)}


def test_a_handler_can_ask_how_much_time_is_left(deployed):
    assert 0 < deployed("remaining").invoke_function("remaining", {}) <= 3000


def test_an_asynchronous_event_is_tried_three_times_and_then_told_to_its_destination(deployed):
    queue = {"Fn::GetAtt": ["Lost", "Arn"]}
    account = deployed(
        "broken",
        Lost=resource("AWS::SQS::Queue", QueueName="lost"),
        Config=resource(
            "AWS::Lambda::EventInvokeConfig",
            FunctionName={"Ref": "Broken"},
            Qualifier="$LATEST",
            MaximumRetryAttempts=2,
            DestinationConfig={"OnFailure": {"Destination": queue}},
        ),
    )
    account.invoke_function_later("broken", {"n": 1})
    account.clock.advance_to(account.clock.now + timedelta(seconds=179))
    assert _messages(account, "lost") == []
    account.clock.advance_to(account.clock.now + timedelta(seconds=1))
    (record,) = _messages(account, "lost")
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestPayload"] == {"n": 1}
    assert record["responsePayload"]["errorType"] == "ValueError"


def test_an_asynchronous_event_without_a_destination_goes_to_the_dead_letter_queue(deployed):
    lost = resource("AWS::SQS::Queue", QueueName="lost")
    account = deployed(
        Lost=lost,
        Broken=function(
            "Role",
            "app.broken",
            FunctionName="broken",
            DeadLetterConfig={"TargetArn": {"Fn::GetAtt": ["Lost", "Arn"]}},
        ),
    )
    account.client("lambda").invoke(FunctionName="broken", InvocationType="Event", Payload=b'{"n": 1}')
    account.clock.advance_to(account.clock.now + timedelta(minutes=3))
    assert _messages(account, "lost") == [{"n": 1}]


def test_errors_and_invocations_are_counted(deployed):
    account = deployed("broken")
    with pytest.raises(FunctionError):
        account.invoke_function("broken", {})
    statistics = account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Dimensions=[{"Name": "FunctionName", "Value": "broken"}],
        StartTime=account.clock.now - timedelta(minutes=5),
        EndTime=account.clock.now + timedelta(minutes=5),
        Period=300,
        Statistics=["Sum"],
    )
    assert sum(point["Sum"] for point in statistics["Datapoints"]) == 1


def _messages(account, queue):
    url = account.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
    answer = account.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


def _zip(**modules: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, source in modules.items():
            archive.writestr(f"{name}.py", source)
    return content.getvalue()


def test_a_function_that_pauses_goes_on_after_milliseconds(deployed):
    assert deployed("patient").functions.invoke("patient", {}) == "slept"
