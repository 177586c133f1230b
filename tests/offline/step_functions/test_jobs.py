import json

import pytest
from botocore.exceptions import ClientError

from offline.step_functions.errors import error_named, sdk_error_name
from tests.offline.machine_runner import MINUTE, Jobs, Runner, invoke, task, train, training, wait
from tests.offline.offline_world import NotingFunction

EVERYTHING = "States.ALL"


@pytest.fixture
def runner(account):
    return Runner(account)


@pytest.fixture
def jobs(account):
    return Jobs(account)


def test_a_job_is_waited_for_and_described(account, runner, jobs):
    start, ending = account.clock.now, runner.run({"Train": train()}, **training())
    assert ending["output"]["TrainingJobStatus"] == "Completed"
    assert ending["output"]["CreationTime"] == int(ending["stopDate"].timestamp() * 1000)
    assert ending["stopDate"] - start == 10 * MINUTE


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_job_that_ends_badly_fails_its_state_with_the_description(runner, jobs, status):
    jobs.lasting["job"] = (5, status)
    ending = runner.run({"Train": train()}, **training())
    assert (ending["status"], ending["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(ending["cause"])["TrainingJobStatus"] == status


def test_a_job_that_outlives_its_state_is_stopped(account, runner, jobs):
    jobs.lasting["job"] = (60, "Completed")
    start = account.clock.now
    ending = runner.run({"Train": train(TimeoutSeconds=1200)}, **training())
    assert ending["error"] == "States.Timeout"
    assert jobs.stopped == [("job", start + 20 * MINUTE)]


def test_a_job_is_stopped_with_its_execution(account, runner, jobs):
    execution = runner.start(runner.make({"Train": train()}), **training())
    account.clock.advance_to(account.clock.now + MINUTE)
    runner.states.stop_execution(executionArn=execution)
    account.clock.advance_to(account.clock.now + MINUTE)
    assert [name for name, _ in jobs.stopped] == ["job"]


def test_a_job_is_stopped_with_its_machine(account, runner, jobs):
    execution = runner.start(runner.make({"Train": train()}, TimeoutSeconds=60), **training())
    account.clock.advance_to(account.clock.now + 60 * MINUTE)
    assert runner.ending(execution)["status"] == "TIMED_OUT"
    assert [name for name, _ in jobs.stopped] == ["job"]


def test_a_name_that_is_taken_is_named_as_such(runner, jobs):
    jobs.known["job"] = (runner.account.clock.now, "Completed")
    ending = runner.run({"Train": train()}, **training())
    assert ending["error"] == "SageMaker.ResourceInUseException"
    assert "Error Code: ResourceInUse" in ending["cause"]


def test_two_executions_of_a_machine_wait_for_a_job_each(account, runner, jobs):
    jobs.lasting = {"one": (10, "Completed"), "two": (20, "Failed")}
    machine = runner.make({"Train": train()})
    one = runner.start(machine, "one", **training("one"))
    two = runner.start(machine, "two", **training("two"))
    account.clock.advance_to(account.clock.now + 60 * MINUTE)
    assert runner.ending(one)["output"]["TrainingJobName"] == "one"
    assert json.loads(runner.ending(two)["cause"])["TrainingJobName"] == "two"


def test_a_call_of_sagemaker_without_a_job_is_refused_as_unknown(runner):
    with pytest.raises(ClientError, match="not recognized"):
        runner.make({"Make": task("sagemaker:createModel", {})})


def parallel(*branches, **more):
    return {
        "Type": "Parallel",
        "Branches": [{"StartAt": next(iter(states)), "States": states} for states in branches],
        "End": True,
    } | more


def test_branches_run_side_by_side_and_answer_in_their_order(account, runner):
    slow = {"Slow": wait(600, Next="One"), "One": {"Type": "Pass", "Result": 1, "End": True}}
    fast = {"Fast": wait(60, Next="Two"), "Two": {"Type": "Pass", "Result": 2, "End": True}}
    start, ending = account.clock.now, runner.run({"Both": parallel(slow, fast)})
    assert ending["output"] == [1, 2]
    assert ending["stopDate"] - start == 10 * MINUTE


def test_a_branch_that_fails_ends_the_others_and_stops_their_jobs(account, runner, jobs):
    jobs.lasting["job"] = (60, "Completed")
    fails = {"Wait": wait(60, Next="Fail"), "Fail": {"Type": "Fail", "Error": "Boom", "Cause": "it broke"}}
    start = account.clock.now
    ending = runner.run({"Both": parallel(fails, {"Train": train()})}, **training())
    assert (ending["error"], ending["cause"], ending["stopDate"]) == ("Boom", "it broke", start + MINUTE)
    assert jobs.stopped == [("job", start + MINUTE)]


def test_a_branchs_failure_can_be_caught_by_its_name(runner, jobs):
    jobs.lasting["job"] = (5, "Failed")
    catch = [{"ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.failed", "Next": "Caught"}]
    both = parallel({"Train": train()}, {"Wait": wait(3600)}, Catch=catch)
    output = runner.run({"Both": both, "Caught": {"Type": "Succeed"}}, **training())["output"]
    assert output["failed"]["Error"] == "States.TaskFailed"


def test_a_machine_that_runs_out_of_time_ends_its_branches(account, runner, jobs):
    machine = runner.make({"Both": parallel({"Train": train()}, {"Wait": wait(3600)})}, TimeoutSeconds=120)
    execution = runner.start(machine, **training())
    account.clock.advance_to(account.clock.now + 120 * MINUTE)
    assert runner.ending(execution)["status"] == "TIMED_OUT"
    assert [name for name, _ in jobs.stopped] == ["job"]


def test_the_items_of_a_map_follow_each_other(account, runner):
    function = NotingFunction(account, "seen", "return event * 2")
    each = {
        "Type": "Map",
        "ItemProcessor": {"StartAt": "See", "States": {"See": invoke(function, OutputPath="$.said")}},
        "ItemsPath": "$.items",
        "End": True,
    }
    assert runner.run({"Each": each}, items=[3, 1, 2])["output"] == [6, 2, 4]
    assert function.events() == [3, 1, 2]


def test_an_item_that_fails_fails_its_map_by_its_error(account, runner):
    function = NotingFunction(account, "broken", "raise KeyError(event)")
    processor = {"StartAt": "See", "States": {"See": invoke(function)}}
    each = {"Type": "Map", "ItemProcessor": processor, "ItemsPath": "$.items", "End": True}
    assert runner.run({"Each": each}, items=[1, 2])["error"] == "KeyError"


def test_an_exception_of_a_function_is_caught_by_its_class_name(account, runner):
    function = NotingFunction(account, "broken", "raise LookupError('no such row')")
    catch = [{"ErrorEquals": ["LookupError"], "ResultPath": "$.failed", "Next": "Caught"}]
    states = {"Try": invoke(function, Catch=catch), "Caught": {"Type": "Succeed"}}
    failed = runner.run(states)["output"]["failed"]
    assert (failed["Error"], json.loads(failed["Cause"])["errorMessage"]) == ("LookupError", "no such row")


@pytest.mark.parametrize(
    ("resource", "parameters", "error"),
    [
        ("aws-sdk:dynamodb:getItem", {"TableName": "gone", "Key": {"a": {"S": "b"}}}, "DynamoDb.ResourceNotFoundExcep"),
        ("dynamodb:getItem", {"TableName": "gone", "Key": {"a": {"S": "b"}}}, "DynamoDB.ResourceNotFoundException"),
        ("aws-sdk:sagemaker:describeEndpoint", {"EndpointName": "gone"}, "SageMaker.SageMakerException"),
        ("aws-sdk:sns:publish", {"TopicArn": "arn:aws:sns:eu-west-1:123456789012:x", "Message": "m"}, "Sns.NotFoundEx"),
    ],
)
def test_errors_of_calls_are_named_as_aws_names_them(runner, resource, parameters, error):
    assert runner.run({"Call": task(resource, parameters)})["error"].startswith(error)


def test_what_ends_an_execution_for_good_is_not_caught_by_everything(runner):
    catch = [{"ErrorEquals": [EVERYTHING], "Next": "Caught"}]
    missing = task("aws-sdk:sns:publish", {"TopicArn.$": "$.nowhere", "Message": "m"}, Catch=catch)
    ending = runner.run({"Call": missing, "Caught": {"Type": "Succeed"}})
    assert (ending["status"], ending["error"]) == ("FAILED", "States.Runtime")


def test_a_parameter_that_the_api_does_not_know_fails_the_state(runner):
    ending = runner.run({"Call": task("aws-sdk:sns:listTopics", {"Colour": "red"})})
    assert (ending["status"], ending["error"]) == ("FAILED", "States.Runtime")


def test_declared_faults_lose_their_java_name():
    fault = type("LimitExceededFault", (ClientError,), {})({"Error": {}}, "PutMetricAlarm")
    assert sdk_error_name("CloudWatch", fault) == "CloudWatch.LimitExceededException"
    assert error_named(None) is None
