"""What the tests of the offline account share: functions that note what they get, and queues read to the end."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
NOTING = """
import json, os

def handler(event, context):
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(json.dumps(event) + "\\n")
    {then}
"""


class NotingFunction:
    """A deployed function that writes down each event before it does what it is told."""

    def __init__(self, account: Any, name: str, then: str = "return None") -> None:
        self.notes = Path(account.directory) / f"{name}.jsonl"
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("index.py", NOTING.format(then=then))
        role = make_role(account, f"{name}-role", ["sqs:*"])
        self.arn = account.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role,
            Handler="index.handler",
            Code={"ZipFile": code.getvalue()},
            Environment={"Variables": {"NOTES": str(self.notes)}},
        )["FunctionArn"]

    def allow(self, account: Any, principal: str) -> "NotingFunction":
        """Let a service invoke the function."""
        account.client("lambda").add_permission(
            FunctionName=self.arn,
            StatementId=principal.split(".")[0],
            Action="lambda:InvokeFunction",
            Principal=principal,
        )
        return self

    def events(self) -> list[Any]:
        """Return what the function got, in order."""
        return [json.loads(line) for line in self.notes.read_text().splitlines()] if self.notes.exists() else []


def make_role(account: Any, name: str, actions: list[str], service: str = "lambda") -> str:
    """Make a role that a service may take and that may do the actions on everything; return its ARN."""
    trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam = account.client("iam")
    arn = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=json.dumps(policy))
    return arn


def make_queue(account: Any, name: str, *, open_to: str | None = None, **attributes: str) -> tuple[str, str]:
    """Make a queue, open to a service if one is named; return its URL and ARN."""
    sqs = account.client("sqs")
    arn = f"arn:aws:sqs:{account.region}:{account.account_id}:{name}"
    if open_to:
        allowed = {"Effect": "Allow", "Principal": {"Service": open_to}, "Action": "sqs:SendMessage", "Resource": arn}
        attributes["Policy"] = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"], arn


def messages(account: Any, url: str) -> list[dict[str, Any]]:
    """Take everything visible from a queue."""
    taken: list[dict[str, Any]] = []
    while (
        batch := account.client("sqs")
        .receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"])
        .get("Messages")
    ):
        taken += batch
        for message in batch:
            account.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return taken
