import boto3
import pytest
import time_machine

from cli.operator.deployment import Deployment
from tests.cli.adopt.other_team import NOW, THEIRS
from tests.handlers.aws_world import BUCKET, REGION, TABLE, aws_world


@pytest.fixture
def world(monkeypatch):
    with time_machine.travel(NOW, tick=False), aws_world(monkeypatch) as world:
        monkeypatch.setattr(Deployment, "bucket", BUCKET)
        monkeypatch.setattr(Deployment, "table", TABLE)
        monkeypatch.setattr(Deployment, "now", NOW)
        place = {"LocationConstraint": REGION}
        boto3.client("s3").create_bucket(Bucket=THEIRS, CreateBucketConfiguration=place)
        yield world
