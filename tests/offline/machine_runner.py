"""What the tests of Step Functions share: a runner of small machines, and a SageMaker that knows training jobs only."""

import json
from datetime import timedelta

import boto3

from tests.offline.offline_world import make_role

MINUTE = timedelta(minutes=1)


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
