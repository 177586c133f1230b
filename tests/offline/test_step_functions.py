import json
from datetime import timedelta

import boto3
import pytest
from botocore.exceptions import ClientError
from offline_world import NotingFunction, make_queue, make_role

from offline.step_functions_errors import error_named, sdk_error_name

MINUTE = timedelta(minutes=1)
EVERYTHING = "States.ALL"


class Runner:
    """Makes machines of definitions, and runs them."""

    def __init__(self, account, *may):
        self.account, self.states = account, account.client("stepfunctions")
        self.role = make_role(account, "machine", list(may or ["*"]), service="states")
        self.made = 0

    def make(self, states, **program):
        self.made += 1
        definition = {"StartAt": next(iter(states)), "States": states} | program
        return self.states.create_state_machine(
            name=f"machine-{self.made}", definition=json.dumps(definition), roleArn=self.role
        )["stateMachineArn"]

    def start(self, machine, name="run", **given):
        return self.states.start_execution(stateMachineArn=machine, name=name, input=json.dumps(given))["executionArn"]

    def run(self, states, hours=24, **given):
        execution = self.start(self.make(states), **given)
        self.account.clock.advance_to(self.account.clock.now + timedelta(hours=hours))
        return self.ending(execution)

    def ending(self, execution):
        found = self.states.describe_execution(executionArn=execution)
        return found | {"output": json.loads(found["output"])} if "output" in found else found

    def history(self, execution):
        return self.states.get_execution_history(executionArn=execution)["events"]


@pytest.fixture
def runner(account):
    return Runner(account)


@pytest.fixture
def jobs(account):
    return Jobs(account)


class Jobs:
    """A SageMaker that knows training jobs only, which end when they are told."""

    def __init__(self, account):
        self.account, self.lasting, self.known, self.stopped = account, {}, {}, []
        boto3._get_default_session().events.register("before-call.sagemaker", self.answer)

    def answer(self, model, params, **_):
        name = json.loads(params["body"])["TrainingJobName"]
        answer = {"Create": self.create, "Describe": self.describe, "Stop": self.stop}[model.name[:-11]](name)
        status = 400 if "Error" in answer else 200
        http = type("Http", (), {"status_code": status, "headers": {}})
        return http, answer | {"ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "r"}}

    def create(self, name):
        if name in self.known:
            return {"Error": {"Code": "ResourceInUse", "Message": f"{name} exists"}}
        minutes, ending = self.lasting.get(name, (10, "Completed"))
        self.known[name] = (self.account.clock.now + minutes * MINUTE, ending)
        return {"TrainingJobArn": name}

    def describe(self, name):
        ends, ending = self.known[name]
        status = ending if self.account.clock.now >= ends else "InProgress"
        return {"TrainingJobName": name, "TrainingJobStatus": status, "CreationTime": self.account.clock.now}

    def stop(self, name):
        self.stopped.append((name, self.account.clock.now))
        return {}


def train(**more):
    parameters = {
        "TrainingJobName.$": "$.job",
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "RoleArn.$": "$.role",
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/output"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync",
        "Parameters": parameters,
        "End": True,
    } | more


def training(name="job"):
    return {"job": name, "role": "arn:aws:iam::123456789012:role/workshop"}


def wait(seconds, **more):
    return {"Type": "Wait", "Seconds": seconds} | (more or {"End": True})


def invoke(function, **more):
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function.arn, "Payload.$": "$"},
        "ResultSelector": {"said.$": "$.Payload"},
        "End": True,
    } | more


def task(resource, parameters, **more):
    return {
        "Type": "Task",
        "Resource": f"arn:aws:states:::{resource}",
        "Parameters": parameters,
        "End": True,
    } | more


# Time -----------------------------------------------------------------------------------------------------------


def test_an_execution_does_nothing_until_the_clock_is_moved(account, runner):
    execution = runner.start(runner.make({"Now": {"Type": "Succeed"}}))
    assert runner.ending(execution)["status"] == "RUNNING"
    account.clock.advance_to(account.clock.now)
    assert runner.ending(execution)["status"] == "SUCCEEDED"


def test_a_wait_parks_on_the_clock(account, runner):
    start, execution = account.clock.now, runner.start(runner.make({"Wait": wait(3600)}))
    account.clock.advance_to(start + 59 * MINUTE)
    assert runner.ending(execution)["status"] == "RUNNING"
    account.clock.advance_to(start + 3 * 60 * MINUTE)
    ending = runner.ending(execution)
    assert (ending["status"], ending["stopDate"]) == ("SUCCEEDED", start + 60 * MINUTE)


def test_the_context_object_tells_the_time_as_aws_does(runner):
    output = runner.run(
        {
            "Wait": wait(90, Next="Tell"),
            "Tell": {
                "Type": "Pass",
                "Parameters": {"started.$": "$$.Execution.StartTime", "entered.$": "$$.State.EnteredTime"},
                "End": True,
            },
        }
    )["output"]
    assert output == {"started": "2016-01-01T00:00:00.000Z", "entered": "2016-01-01T00:01:30.000Z"}


def test_retries_wait_on_the_clock_and_longer_each_time(account, runner):
    function = NotingFunction(account, "broken", "raise KeyError(event)")
    retry = [{"ErrorEquals": ["KeyError"], "IntervalSeconds": 60, "MaxAttempts": 3, "BackoffRate": 2}]
    start, execution = account.clock.now, runner.start(runner.make({"Try": invoke(function, Retry=retry)}))
    for minute, attempts in ((0, 1), (1, 2), (2.9, 2), (3, 3), (7, 4), (60, 4)):
        account.clock.advance_to(start + minute * MINUTE)
        assert len(function.events()) == attempts
    assert runner.ending(execution)["error"] == "KeyError"


def test_a_machine_that_runs_out_of_time_has_timed_out(account, runner):
    start, machine = account.clock.now, runner.make({"Wait": wait(3600)}, TimeoutSeconds=600)
    execution = runner.start(machine)
    account.clock.advance_to(start + 60 * MINUTE)
    assert runner.ending(execution)["status"] == "TIMED_OUT"
    assert runner.history(execution)[-1]["type"] == "ExecutionTimedOut"


def test_a_stopped_execution_ends_at_once(account, runner):
    start, execution = account.clock.now, runner.start(runner.make({"Wait": wait(3600)}))
    account.clock.advance_to(start + MINUTE)
    runner.states.stop_execution(executionArn=execution)
    account.clock.advance_to(start + 2 * MINUTE)
    ending = runner.ending(execution)
    assert (ending["status"], ending["stopDate"]) == ("ABORTED", start + MINUTE)


def test_an_execution_can_be_stopped_before_it_began(account, runner):
    execution = runner.start(runner.make({"Wait": wait(3600)}))
    runner.states.stop_execution(executionArn=execution)
    account.clock.advance_to(account.clock.now + MINUTE)
    assert runner.ending(execution)["status"] == "ABORTED"


# Jobs -----------------------------------------------------------------------------------------------------------


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


# Branches -------------------------------------------------------------------------------------------------------


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


# Errors ---------------------------------------------------------------------------------------------------------


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


# Limits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x" * 81, "with space", "with/slash", "with:colon"])
def test_a_name_out_of_the_rules_is_refused(runner, name):
    machine = runner.make({"Now": {"Type": "Succeed"}})
    with pytest.raises(ClientError) as raised:
        runner.start(machine, name)
    assert raised.value.response["Error"]["Code"] in ("InvalidName", "ValidationException")


def test_an_input_that_is_too_long_is_refused(runner):
    machine = runner.make({"Now": {"Type": "Succeed"}})
    runner.start(machine, "fits", text="x" * 262_000)
    with pytest.raises(ClientError, match="262144"):
        runner.start(machine, "long", text="x" * 262_144)


def test_an_execution_without_a_name_is_given_one(account, runner):
    machine = runner.make({"Now": {"Type": "Succeed"}})
    arns = {runner.states.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(2)}
    assert len(arns) == 2


def test_an_input_that_is_no_json_is_refused(runner):
    machine = runner.make({"Now": {"Type": "Succeed"}})
    with pytest.raises(ClientError, match="InvalidExecutionInput"):
        runner.states.start_execution(stateMachineArn=machine, input="{")


def test_a_state_that_answers_too_much_ends_the_execution_uncaught(account, runner):
    function = NotingFunction(account, "talkative", "return 'x' * 262144")
    catch = [{"ErrorEquals": [EVERYTHING], "Next": "Caught"}]
    ending = runner.run({"Try": invoke(function, Catch=catch), "Caught": {"Type": "Succeed"}})
    assert (ending["status"], ending["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_the_same_start_twice_is_one_execution_while_it_runs(account, runner):
    machine = runner.make({"Wait": wait(60)})
    assert runner.start(machine, a=1) == runner.start(machine, a=1)
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        runner.start(machine, a=2)


def test_a_name_is_taken_for_ninety_days_after_the_end(account, runner):
    machine = runner.make({"Now": {"Type": "Fail", "Error": "Boom"}})
    runner.start(machine)
    account.clock.advance_to(account.clock.now + timedelta(days=90))
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        runner.start(machine)
    account.clock.advance_to(account.clock.now + timedelta(days=1))
    runner.start(machine)


# Who calls, and who hears ---------------------------------------------------------------------------------------


def send(account):
    url, _ = make_queue(account, "queue")
    return {"Call": task("aws-sdk:sqs:sendMessage", {"QueueUrl": url, "MessageBody": "hello"})}


def test_a_machine_calls_as_its_role(account, runner):
    runner.run(send(account))
    assert {call.role_arn for call in account.calls if call.action == "sqs:SendMessage"} == {runner.role}


def test_a_machine_may_do_only_what_its_role_may(account):
    ending = Runner(account, "sqs:ReceiveMessage").run(send(account))
    assert (ending["status"], ending["error"]) == ("FAILED", "Sqs.SqsException")
    assert [call.allowed for call in account.calls if call.action == "sqs:SendMessage"] == [False]


@pytest.fixture
def told(account):
    account.told = told = []
    publish = account.publish_event

    def noted(source, detail_type, detail, resources):
        told.append({"source": source, "type": detail_type, "detail": detail, "resources": resources})
        publish(source, detail_type, detail, resources)

    account.publish_event = noted
    return told


def test_every_status_is_told_as_an_event(account, runner, told):
    ending = runner.run({"Fail": {"Type": "Fail", "Error": "Boom", "Cause": "it broke"}}, a=1)
    started, ended = told
    assert (started["source"], started["type"]) == ("aws.states", "Step Functions Execution Status Change")
    assert started["resources"] == [ending["executionArn"]]
    assert (started["detail"]["status"], started["detail"]["stopDate"]) == ("RUNNING", None)
    assert (ended["detail"]["status"], ended["detail"]["error"], ended["detail"]["cause"]) == (
        "FAILED",
        "Boom",
        "it broke",
    )
    assert json.loads(ended["detail"]["input"]) == {"a": 1}


def test_an_event_leaves_out_what_is_too_long_for_it(account, runner, told):
    runner.run({"Now": {"Type": "Succeed"}}, text="x" * 255_000)
    for event in told:
        assert (event["detail"]["input"], event["detail"]["inputDetails"]) == (None, {"included": False})


@pytest.mark.parametrize(
    ("states", "metric"),
    [
        ({"Now": {"Type": "Succeed"}}, "ExecutionsSucceeded"),
        ({"Now": {"Type": "Fail", "Error": "Boom"}}, "ExecutionsFailed"),
    ],
)
def test_every_ending_is_counted(account, runner, states, metric):
    runner.run(states)
    (machine,) = runner.states.list_state_machines()["stateMachines"]
    found = account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/States",
        MetricName=metric,
        Dimensions=[{"Name": "StateMachineArn", "Value": machine["stateMachineArn"]}],
        StartTime=account.clock.now - timedelta(days=2),
        EndTime=account.clock.now,
        Period=172800,
        Statistics=["Sum"],
    )
    assert [point["Sum"] for point in found["Datapoints"]] == [1]
