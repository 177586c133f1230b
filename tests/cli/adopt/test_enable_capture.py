"""`kedge adopt --enable-capture` copies the config, adds capture and nothing else, waits, and says how to go back."""

from types import SimpleNamespace

import boto3
import pytest
from moto.core.responses import ActionResult
from moto.sagemaker.responses import SageMakerResponse

from cli.adopt.capture_switch import plan_switch, switch_on
from cli.refusals import BadInputError
from tests.cli.adopt.other_team import BOTH, ENDPOINT, URI, adopt, deploy
from tests.handlers.aws_world import ACCOUNT, moto_backend

CAPTURED = "payments-config-captured"


@pytest.fixture
def updates(monkeypatch):
    """An UpdateEndpoint that is done at once; moto has none."""

    def update(response):
        endpoint = moto_backend("sagemaker").endpoints[response.params["EndpointName"]]
        config = moto_backend("sagemaker").endpoint_configs[response.params["EndpointConfigName"]]
        endpoint.endpoint_config_name = config.endpoint_config_name
        endpoint.data_capture_config = config.data_capture_config
        return ActionResult({"EndpointArn": endpoint.arn})

    monkeypatch.setattr(SageMakerResponse, "update_endpoint", update, raising=False)


def config_of(world, name):
    answer = world.sagemaker.describe_endpoint_config(EndpointConfigName=name)
    return {key: value for key, value in answer.items() if key not in ("ResponseMetadata", "CreationTime")}


def test_without_apply_it_is_shown_and_nothing_is_changed(world, tmp_path):
    deploy(world, capture=False)
    shown, _ = adopt(tmp_path, "--enable-capture")
    assert shown.exit_code == 0, shown.output
    assert f"{CAPTURED}: a copy of payments-config" in shown.output
    assert "Nothing was changed" in shown.output
    assert len(world.sagemaker.list_endpoint_configs()["EndpointConfigs"]) == 1


def test_the_copy_differs_in_its_capture_alone_and_keeps_tags_key_and_running_instances(world, tmp_path, updates):
    deploy(world, capture=False, KmsKeyId="theirs", Tags=[{"Key": "team", "Value": "payments"}])
    endpoint = moto_backend("sagemaker").endpoints[ENDPOINT]
    endpoint.production_variants[0]["CurrentInstanceCount"] = 3
    done, _ = adopt(tmp_path, "--enable-capture", "--apply")
    assert done.exit_code == 0, done.output
    before, after = config_of(world, "payments-config"), config_of(world, CAPTURED)
    capture = after.pop("DataCaptureConfig")
    assert (capture["CaptureOptions"], capture["InitialSamplingPercentage"]) == (BOTH, 100)
    assert capture["DestinationS3Uri"] == f"s3://sagemaker-eu-west-1-{ACCOUNT}/data-capture"
    assert after["ProductionVariants"].pop()["InitialInstanceCount"] == 3
    before["ProductionVariants"].pop()
    before.pop("DataCaptureConfig", None)
    tags = world.sagemaker.list_tags(ResourceArn=after["EndpointConfigArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "payments"}]
    for config in (before, after):
        for key in ("EndpointConfigName", "EndpointConfigArn"):
            config.pop(key)
    assert after == before
    assert world.sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"] == CAPTURED
    back = f"aws sagemaker update-endpoint --endpoint-name {ENDPOINT} --endpoint-config-name payments-config"
    assert back in done.output


def test_half_a_capture_is_made_whole_where_it_lies(world):
    deploy(world, modes=[{"CaptureMode": "Input"}])
    assert plan_switch(world.sagemaker, ENDPOINT, account=ACCOUNT).destination == URI


@pytest.mark.parametrize("modes", [BOTH, [{"CaptureMode": "InputAndOutput"}]])
def test_an_endpoint_that_captures_is_left_alone(world, tmp_path, modes):
    deploy(world, modes=modes)
    refused, _ = adopt(tmp_path, "--enable-capture", "--apply")
    assert refused.exit_code == 2
    assert "captures already" in refused.stderr


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([("Updating", CAPTURED), ("InService", "payments-config")], "SageMaker went back to it"),
        ([("InService", CAPTURED)], "but does not capture"),
        ([("Updating", CAPTURED)], "still updating after an hour"),
    ],
    ids=["rolled back", "serves without capture", "never ends"],
)
def test_what_went_wrong_is_said_with_the_way_on(world, answers, said):
    deploy(world, capture=False)
    switch = plan_switch(boto3.client("sagemaker"), ENDPOINT, account=ACCOUNT)
    left = list(answers)

    def describe_endpoint(**_):
        status, config = left.pop(0) if len(left) > 1 else left[0]
        return {"EndpointStatus": status, "EndpointConfigName": config}

    fake = SimpleNamespace(
        create_endpoint_config=lambda **_: None,
        update_endpoint=lambda **_: None,
        describe_endpoint=describe_endpoint,
    )
    pauses = []
    with pytest.raises(BadInputError, match=said):
        switch_on(fake, switch, pause=pauses.append)
