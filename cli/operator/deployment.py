"""Kedge as it is deployed in an AWS account: found through CloudFormation, and called with the user's own rights."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from cli.refusals import BadInputError
from kedge.errors import RefusedError
from lambdas import stage

STORAGE, MONITORING, RETRAINING, RELEASE = "KedgeStorage", "KedgeMonitoring", "KedgeRetraining", "KedgeRelease"
# Longer than any function may take.
FUNCTION_SECONDS = 910
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
# `kedge account serve` checks no signature; its region is app.py's default.
OFFLINE = {"region_name": "eu-west-1", "aws_access_key_id": "offline", "aws_secret_access_key": "offline"}


class NotDeployedError(RefusedError):
    """The account and region that the command reaches hold no Kedge, or not all of it."""

    def __init__(self, *, what: str, region: str) -> None:
        super().__init__(
            f"{what} is not in this account's {region}, where {stage.current().words} was looked for; deploy with `make deploy`, or "
            "name the right --region, --stage or --endpoint-url, or another AWS_PROFILE"
        )


@dataclass(frozen=True)
class Caller:
    """The user, and the account's time."""

    name: str
    time: datetime
    account: str


class Deployment:
    """The clients, and the physical names of the stacks' resources."""

    def __init__(self, *, region: str | None, endpoint_url: str | None, profile: str | None = None) -> None:
        url = endpoint_url or os.environ.get("AWS_ENDPOINT_URL")
        self._options: dict[str, Any] = {"endpoint_url": url} if url else {}
        self._session = boto3.Session(region_name=region or os.environ.get("AWS_REGION"), profile_name=profile)
        if url and urlsplit(url).hostname in LOCAL_HOSTS and self._session.get_credentials() is None:
            self._session = boto3.Session(
                **{**OFFLINE, "region_name": self._session.region_name or OFFLINE["region_name"]}
            )

    def client(self, service: str) -> Any:
        """A boto3 client of a service."""
        return self._session.client(service, **self._options)

    def call(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """Call a function, and wait for its answer; what it refuses is a sentence."""
        # The answer comes when the function ends: botocore would give up after a minute, and call it again.
        config = Config(read_timeout=FUNCTION_SECONDS, retries={"total_max_attempts": 1})
        client = self._session.client("lambda", config=config, **self._options)
        called = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        answer: dict[str, Any] = json.loads(called["Payload"].read())
        if "FunctionError" in called:
            raise BadInputError(str(answer.get("errorMessage", answer)))
        return answer

    @cached_property
    def caller(self) -> Caller:
        """The user. The time is the service's own, not this machine's: the offline account has its own years."""
        return self._identify()

    @property
    def now(self) -> datetime:
        """The account's time at this moment, for commands that run for hours."""
        return self._identify().time

    def _identify(self) -> Caller:
        answer = self.client("sts").get_caller_identity()
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        time = parsedate_to_datetime(date).astimezone(UTC) if date else datetime.now(UTC)
        return Caller(str(answer["Arn"]), time, str(answer["Account"]))

    @cached_property
    def bucket(self) -> str:
        """The data bucket."""
        try:
            return self.find(STORAGE, "AWS::S3::Bucket", "Data")
        except NotDeployedError:
            # One that was there already is no resource of the stack (stacks/storage.py).
            if (named := self._output(STORAGE, "DataBucket")) is None:
                raise
            return named

    @cached_property
    def table(self) -> str:
        """The state table."""
        return self.find(STORAGE, "AWS::DynamoDB::Table", "State")

    @cached_property
    def decide_function(self) -> str:
        """The function that starts retrainings."""
        return self.find(RETRAINING, "AWS::Lambda::Function", "DecideRetraining")

    @cached_property
    def retrain_machine(self) -> str:
        """The ARN of the machine that retrains."""
        return self.find(RETRAINING, "AWS::StepFunctions::StateMachine", "KedgeRetrain")

    @cached_property
    def profile_function(self) -> str:
        """The function that counts what was captured."""
        return self.find(MONITORING, "AWS::Lambda::Function", "ProfileLogs")

    @cached_property
    def measure_function(self) -> str:
        """The function that measures a window's quality."""
        return self.find(MONITORING, "AWS::Lambda::Function", "MeasurePerformance")

    @cached_property
    def join_function(self) -> str:
        """The function that has Athena join a large window's labels."""
        return self.find(MONITORING, "AWS::Lambda::Function", "JoiningJoinLabels")

    @cached_property
    def drift_function(self) -> str:
        """The function that judges a window."""
        return self.find(MONITORING, "AWS::Lambda::Function", "DetectDrift")

    @cached_property
    def settle_function(self) -> str:
        """The function that brings a model in order."""
        return self.find(RELEASE, "AWS::Lambda::Function", "Settle")

    @cached_property
    def alert_topic(self) -> str:
        """The ARN of the topic for people."""
        return self.find(STORAGE, "AWS::SNS::Topic", "Alerts")

    @cached_property
    def tell_function(self) -> str:
        """The function that tells people and programs."""
        return self.find(RELEASE, "AWS::Lambda::Function", "Tell")

    @cached_property
    def take_function(self) -> str:
        """The function that takes packages from another Kedge."""
        return self.find(RELEASE, "AWS::Lambda::Function", "TakePackage")

    @cached_property
    def release_machine(self) -> str:
        """The ARN of the machine that releases packages."""
        return self.find(RELEASE, "AWS::StepFunctions::StateMachine", "KedgeRelease")

    def find(self, stack: str, kind: str, name: str) -> str:
        """The physical name of a resource of one of the stage's stacks."""
        stack = stage.current().named(stack)
        # CDK appends eight hexadecimal digits to the name that the stack gave.
        shape = re.compile(f"{name}[0-9A-F]{{8}}")
        for found in self.resources(stack):
            if found["ResourceType"] == kind and shape.fullmatch(found["LogicalResourceId"]):
                return str(found["PhysicalResourceId"])
        raise NotDeployedError(what=f"{name} of stack {stack}", region=self.region)

    def _output(self, stack: str, name: str) -> str | None:
        client = self.client("cloudformation")
        try:
            (described,) = client.describe_stacks(StackName=stage.current().named(stack))["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise
        outputs = {each["OutputKey"]: str(each["OutputValue"]) for each in described.get("Outputs", ())}
        return outputs.get(name)

    def resources(self, stack: str) -> Iterator[dict[str, Any]]:
        """A stack's resources, as CloudFormation lists them."""
        try:
            for page in self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack):
                yield from page["StackResourceSummaries"]
        except ClientError as error:
            # CloudFormation's code for a stack that does not exist; nothing else can be wrong with our request.
            if error.response["Error"]["Code"] == "ValidationError":
                raise NotDeployedError(what=f"stack {stack}", region=self.region) from error
            raise

    @property
    def region(self) -> str:
        """The region of the clients."""
        return str(self._session.region_name)
