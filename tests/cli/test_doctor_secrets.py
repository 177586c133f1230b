"""kedge doctor looks at the secrets of the channels, and shows nothing of them."""

import boto3
import pytest
from moto import mock_aws

from cli.doctor.checks import secrets
from cli.doctor.findings import Verdict
from cli.models import read_model_files
from tests.handlers.deliver.services import SECRETS
from tests.synthesised import example_models, reachable_models


class Installed:
    """As much of an installation as the check looks at."""

    def __init__(self, models):
        self.models = {file.config.model: file.config for file in read_model_files(models)}

    def client(self, service):
        return boto3.client(service, "eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing")


@pytest.fixture
def installed():
    with mock_aws():
        yield Installed(reachable_models())


def put(installed, **texts):
    for channel, text in texts.items():
        installed.client("secretsmanager").create_secret(Name=f"kedge/{channel}", SecretString=text)


def test_secrets_of_the_right_form_are_ok(installed):
    put(installed, **SECRETS)
    assert {(each.subject, each.verdict) for each in secrets.check(installed)} == {
        (f"kedge/{channel}", Verdict.OK) for channel in SECRETS
    }


def test_a_missing_secret_and_one_of_the_wrong_form_are_told_with_a_remedy_and_without_the_secret(installed):
    put(installed, **{**SECRETS, "slack": "hunter2", "teams": "http://insecure.example.com/x"})
    installed.client("secretsmanager").delete_secret(SecretId="kedge/webhook", ForceDeleteWithoutRecovery=True)
    found = {each.subject: each for each in secrets.check(installed) if each.verdict is Verdict.FAILED}
    assert set(found) == {"kedge/slack", "kedge/teams", "kedge/webhook"}
    assert "create-secret --name kedge/webhook" in found["kedge/webhook"].remedy
    assert not any(text in str(found) for text in ("hunter2", "insecure", *SECRETS.values()))


def test_without_channels_no_secret_is_looked_for():
    assert list(secrets.check(Installed(example_models()))) == []
