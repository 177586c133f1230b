"""The hotels' model in the deployed system, seen from outside: its clients, its operators and its inbox."""

from __future__ import annotations

import email
import email.policy
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from demo.bookings import Booking, to_bookings
from demo.first_champion import function_name, release_first_champion
from kedge.config.model import ModelConfig
from kedge.profile.encoding import decode_profiles
from offline.account import Account
from offline.calls import Call

MINUTE, HOUR, DAY, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)


@dataclass(frozen=True)
class Mail:
    """A mail as the person on call reads it."""

    subject: str
    body: str


class Hotel:
    """The account in which the hotels' model is watched."""

    def __init__(self, account: Account, config: ModelConfig, frame: Any) -> None:
        self.account, self.config, self.frame = account, config, frame
        self.model, self.endpoint = config.model, config.endpoint.name
        self.s3, self.registry = account.client("s3"), account.client("sagemaker")
        self.runtime, self.dynamodb = account.client("sagemaker-runtime"), account.client("dynamodb")
        self.bucket = next(b["Name"] for b in self.s3.list_buckets()["Buckets"] if "-data" in b["Name"])
        self.table = next(name for name in self.dynamodb.list_tables()["TableNames"] if "State" in name)
        self._random, self._sent = np.random.default_rng(0), 0

    @property
    def now(self) -> datetime:
        return self.account.clock.now

    # The clients --------------------------------------------------------------------------------------------------

    def release_first_champion(self, *, since: datetime, until: datetime) -> str:
        return release_first_champion(self.account, self.config, self.frame, self.bucket, since=since, until=until)

    def bookings(self, since: datetime, until: datetime) -> list[Booking]:
        chosen = self.frame[(self.frame["time"] >= since) & (self.frame["time"] < until)]
        return to_bookings(chosen, self.config.feature_names)

    def ask(self, payload: str, inference_id: str) -> float | None:
        """The endpoint's answer; None where the model failed."""
        try:
            answer = self.runtime.invoke_endpoint(
                EndpointName=self.endpoint,
                ContentType="text/csv",
                Accept="text/csv",
                InferenceId=inference_id,
                Body=payload,
            )
        except self.runtime.exceptions.ModelError:
            return None
        return float(answer["Body"].read())

    def send_for(self, how_long: timedelta, bookings: list[Booking], *, every: timedelta, each: int) -> int:
        """Send so many bookings, drawn at random, again and again; return how many the model failed."""
        failed, until = 0, self.now + how_long
        while self.now < until:
            self.account.clock.advance_to(min(self.now + every, until))
            for booking in (bookings[index] for index in self._random.integers(len(bookings), size=each)):
                self._sent += 1
                failed += self.ask(booking.payload, f"{booking.id}-{self._sent}") is None
        return failed

    def wait(self, how_long: timedelta) -> None:
        self.account.clock.advance_to(self.now + how_long)

    # The people ---------------------------------------------------------------------------------------------------

    def approve(self, package_arn: str) -> None:
        self.registry.update_model_package(ModelPackageArn=package_arn, ModelApprovalStatus="Approved")

    def mails(self) -> list[Mail]:
        """The inbox, oldest first."""
        found = []
        for path in sorted(self.account.mail_directory.glob("*.eml")):
            mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            found.append(Mail(mail["Subject"].strip(), mail.get_content()))
        return found

    def mails_saying(self, *words: str) -> list[Mail]:
        return [m for m in self.mails() if all(word in f"{m.subject}\n{m.body}" for word in words)]

    # What there is ------------------------------------------------------------------------------------------------

    def timeline(self, *kinds: str) -> list[dict[str, Any]]:
        """The audit's entries of these kinds, in time."""
        entries = [json.loads(body) for body in self.objects(f"audit/{self.model}/").values()]
        return sorted((e for e in entries if e["kind"] in kinds), key=lambda entry: str(entry["time"]))

    def objects(self, prefix: str) -> dict[str, bytes]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {key: self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def item(self, name: str) -> dict[str, Any] | None:
        """An item of the state table."""
        key = {"model": {"S": self.model}, "item": {"S": name}}
        found = self.dynamodb.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
        return {field: next(iter(value.values())) for field, value in found.items()} if found else None

    def day(self, day: datetime, package_version: str = "1") -> dict[str, Any]:
        """What is kept of a day: rows by hour, with the header that vouches for them."""
        key = f"profiles/{self.model}/{package_version}/{package_version}/{day:%Y-%m-%d}.npz"
        header, profiles, _ = decode_profiles("day", self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())
        return header | {"rows_by_hour": {int(hour): profile.rows for hour, profile in profiles.items()}}

    def executions(self, machine: str) -> list[dict[str, Any]]:
        client = self.account.client("stepfunctions")
        arn = next(m["stateMachineArn"] for m in client.list_state_machines()["stateMachines"] if m["name"] == machine)
        found: list[dict[str, Any]] = client.list_executions(stateMachineArn=arn)["executions"]
        return found

    def function(self, handler: str) -> dict[str, Any]:
        name = function_name(self.account, handler)
        described: dict[str, Any] = self.account.client("lambda").get_function_configuration(FunctionName=name)
        return described

    def queue_url(self, consumer: str) -> str:
        """The queue that feeds a function."""
        mappings = self.account.client("lambda").list_event_source_mappings(
            FunctionName=self.function(consumer)["FunctionName"]
        )["EventSourceMappings"]
        name = mappings[0]["EventSourceArn"].split(":")[-1]
        return str(self.account.client("sqs").get_queue_url(QueueName=name)["QueueUrl"])

    def alarms(self, prefix: str = "Kedge") -> dict[str, str]:
        """State of each alarm, by name."""
        pages = self.account.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix)
        return {alarm["AlarmName"]: alarm["StateValue"] for page in pages for alarm in page["MetricAlarms"]}

    def metric(self, namespace: str, name: str, statistic: str, **dimensions: str) -> list[float]:
        """A metric's values over the last two days, by five minutes."""
        answer = self.account.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Statistics=[statistic],
            Period=300,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=self.now - 2 * DAY,
            EndTime=self.now,
        )
        return [point[statistic] for point in sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])]

    def calls_of(self, action: str) -> list[Call]:
        return [call for call in self.account.calls if call.action == action]

    @contextmanager
    def forbidden(self, role_arn: str, *actions: str) -> Iterator[None]:
        """Take permissions away from a role for a while, as a careless change of policy does."""
        statement = {"Effect": "Deny", "Action": list(actions), "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        policy = {"RoleName": role_arn.rpartition("/")[2], "PolicyName": "Forbidden"}
        self.account.client("iam").put_role_policy(**policy, PolicyDocument=document)
        yield
        self.account.client("iam").delete_role_policy(**policy)

    # Packages -----------------------------------------------------------------------------------------------------

    def register(self, like: str, inference_tail: str) -> str:
        """Register a package like another one, with lines behind its inference script; return its ARN."""
        described = self.registry.describe_model_package(ModelPackageName=like)
        container = described["InferenceSpecification"]["Containers"][0]
        bucket, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
        artefact = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        self._sent += 1
        changed, body = (
            f"artefacts/{self.model}/made-by-hand-{self._sent}/model.tar.gz",
            with_tail(artefact, inference_tail),
        )
        wrote = self.s3.put_object(Bucket=self.bucket, Key=changed, Body=body, ChecksumAlgorithm="SHA256")
        pinned = {"kedge:artefact_sha256": wrote["ChecksumSHA256"]}
        specification = described["InferenceSpecification"]
        specification["Containers"] = [
            {
                "Image": container["Image"],
                "Environment": container["Environment"],
                "ModelDataUrl": f"s3://{self.bucket}/{changed}",
            }
        ]
        answer = self.registry.create_model_package(
            ModelPackageGroupName=self.config.package_group,
            ModelApprovalStatus="PendingManualApproval",
            InferenceSpecification=specification,
            CustomerMetadataProperties=described["CustomerMetadataProperties"] | pinned,
        )
        return str(answer["ModelPackageArn"])


def with_tail(artefact: bytes, tail: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(artefact)) as before, tarfile.open(fileobj=out, mode="w:gz") as after:
        for entry in before.getmembers():
            file = before.extractfile(entry)
            if file is None:
                after.addfile(entry)
                continue
            content = file.read()
            if entry.name.removeprefix("./") == "code/inference.py":
                content += tail.encode()
            entry.size = len(content)
            after.addfile(entry, io.BytesIO(content))
    return out.getvalue()
