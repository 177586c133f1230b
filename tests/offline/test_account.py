"""The account starts empty, is the same every time, and leaves the process as it found it."""

import os
import threading
import time
from datetime import UTC, datetime

import boto3
import botocore.auth
from moto.core.botocore_stubber import BotocoreStubber

from offline.account import Account
from offline.roles import ADMINISTRATOR, current_role

START = datetime(2016, 1, 1, tzinfo=UTC)


def queue_and_message(directory) -> tuple[str, str]:
    with Account(start=START, directory=directory, seed=7):
        sqs = boto3.client("sqs")
        assert "QueueUrls" not in sqs.list_queues()
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        return url, sqs.send_message(QueueUrl=url, MessageBody="m")["MessageId"]


def test_two_accounts_of_one_seed_share_nothing_and_do_the_same(tmp_path):
    assert queue_and_message(tmp_path / "a") == queue_and_message(tmp_path / "b")


def test_leaving_gives_time_environment_and_libraries_back(tmp_path):
    environment, shortcut, sign = dict(os.environ), BotocoreStubber.process_request, botocore.auth.SigV4Auth.signature
    with Account(start=START, directory=tmp_path):
        assert time.time() == START.timestamp()
        assert BotocoreStubber.process_request is not shortcut
    assert time.time() > START.timestamp() + 1e8
    assert dict(os.environ) == environment
    assert BotocoreStubber.process_request is shortcut
    assert botocore.auth.SigV4Auth.signature is sign


def test_what_a_shell_says_about_aws_leads_nobody_out_of_the_account(tmp_path, monkeypatch):
    shell = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9",
        "AWS_PROFILE": "mine",
    }
    for name, value in shell.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    assert queue_and_message(tmp_path)[0].endswith("/q")
    assert dict(os.environ) == before


def test_a_thread_acts_as_whoever_started_it(account):
    seen = []
    with account.as_role("arn:aws:iam::123456789012:role/worker"):
        thread = threading.Thread(target=lambda: seen.append(current_role()))
        thread.start()
    thread.join()
    assert seen == ["arn:aws:iam::123456789012:role/worker"]
    assert current_role() == ADMINISTRATOR


def test_calls_reach_their_service_region_and_account_without_a_real_signature(account):
    boto3.client("sqs", region_name="us-west-2").create_queue(QueueName="far")
    assert "QueueUrls" not in account.client("sqs").list_queues()
    assert boto3.client("sts").get_caller_identity()["Account"] == account.account_id


def test_what_the_services_stamp_is_the_accounts_time(account):
    s3 = account.client("s3")
    s3.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="data", Key="k", Body=b"")
    first = s3.head_object(Bucket="data", Key="k")["LastModified"]
    account.clock.advance_to(START.replace(hour=5))
    s3.put_object(Bucket="data", Key="k", Body=b"")
    assert (first, s3.head_object(Bucket="data", Key="k")["LastModified"]) == (START, START.replace(hour=5))
