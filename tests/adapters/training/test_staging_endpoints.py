"""An endpoint on trial: what the machine is asked for, and which failures are the model's."""

import io

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from kedge.config.staging import Staging
from kedge.staging.requests import ReplayRequest
from lambdas.adapters.training.staging_endpoints import StagingClient, staging_request
from lambdas.adapters.training.training_jobs import TrainingWorkshop
from tests.builders import make_config

SHOP = TrainingWorkshop("image", "s3://b/source", "role", "role", "key", (("kedge:run", "r"),))


class Runtime:
    """Answers with what it is given, or raises it."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def invoke_endpoint(self, **request):
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def refused(code, **more):
    return ClientError({"Error": {"Code": code, "Message": "the row 1,2,3"}, **more}, "InvokeEndpoint")


ROW = ReplayRequest(b"1,2", "text/csv")


def send(answer, request=ROW):
    runtime = Runtime(answer)
    return StagingClient(runtime, "r-staging-0", "application/json").send(request), runtime.asked


def test_a_model_without_the_section_is_not_tried():
    assert staging_request(make_config(), SHOP, run="r", instances=2) == {}


def test_a_trial_has_one_instance_of_the_releases_type_and_the_runs_tags():
    config = make_config("staging: {p95_milliseconds: 20}")
    found = staging_request(config, SHOP, run="r", instances=3)
    assert (found["name"], found["instances"], found["kms_key_id"]) == ("r-staging-0", 3, "key")
    assert (found["variant"]["InstanceType"], found["variant"]["InitialInstanceCount"]) == ("ml.m5.large", 1)
    assert found["tags"] == [{"Key": "kedge:run", "Value": "r"}]
    assert Staging.model_validate(found["policy"]) == config.staging


def test_a_request_is_sent_with_its_type_and_its_attributes():
    answer = {"Body": io.BytesIO(b"0.5"), "ContentType": "text/csv"}
    found, (asked,) = send(answer, ReplayRequest(b"1,2", "text/csv", "tenant=7"))
    assert (found.body, found.content_type, found.failure) == (b"0.5", "text/csv", "")
    assert (asked["Body"], asked["ContentType"], asked["Accept"]) == (b"1,2", "text/csv", "application/json")
    assert asked["CustomAttributes"] == "tenant=7"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (refused("ModelError", OriginalStatusCode=500), "HTTP 500"),
        (refused("ServiceUnavailable"), "ServiceUnavailable"),
        (ReadTimeoutError(endpoint_url="u"), "ReadTimeoutError"),
    ],
)
def test_what_the_model_fails_is_counted_without_any_value_of_the_request(error, said):
    found, _ = send(error)
    assert found.failure == said


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "ValidationError"])
def test_what_sagemaker_itself_refuses_says_nothing_of_the_model(code):
    with pytest.raises(ClientError, match=code):
        send(refused(code))


def test_each_request_is_sent_once_or_a_failure_would_be_hidden(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    client = StagingClient.of("e", accept="text/csv", connections=8)
    config = client.runtime.meta.config
    assert (config.retries["total_max_attempts"], config.max_pool_connections) == (1, 8)
