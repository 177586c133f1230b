"""boto3 with an endpoint URL reaches the account that lives in this process."""

import http.client
import json
import urllib.error
import urllib.request
from datetime import timedelta

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.offline.assemblies import resource, write_assembly
from tests.offline.offline_world import messages
from tests.offline.sagemaker_world import BROKEN, World


@pytest.fixture
def server(account):
    return account.serve(0)


def _client(server, service):
    return boto3.client(service, endpoint_url=server.url, region_name="eu-west-1")


def _own(server, place, order=None):
    body = json.dumps(order).encode() if order else None
    with urllib.request.urlopen(f"{server.url}/_kedge/{place}", body) as answer:  # noqa: S310 - our own server
        return json.loads(answer.read())


def test_what_is_made_over_http_is_in_the_account_and_the_other_way_round(account, server):
    _client(server, "s3").create_bucket(
        Bucket="over-http", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    _client(server, "s3").put_object(Bucket="over-http", Key="a/b", Body=b"text")
    assert account.client("s3").get_object(Bucket="over-http", Key="a/b")["Body"].read() == b"text"
    account.client("sqs").create_queue(QueueName="inside")
    assert _client(server, "sqs").list_queues()["QueueUrls"][0].endswith("/inside")


def test_sagemaker_answers_over_http_as_it_does_inside(account, server):
    outside = _client(server, "sagemaker")
    arn = outside.create_model_package_group(ModelPackageGroupName="hotel")["ModelPackageGroupArn"]
    group = outside.describe_model_package_group(ModelPackageGroupName="hotel")
    assert group["ModelPackageGroupArn"] == arn
    assert group["CreationTime"] == account.clock.now
    assert account.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"]


def test_errors_keep_their_code(server):
    with pytest.raises(ClientError) as caught:
        _client(server, "sagemaker").describe_endpoint(EndpointName="nowhere")
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(ClientError, match="NoSuchBucket"):
        _client(server, "s3").list_objects_v2(Bucket="nowhere")


def test_a_request_that_an_endpoint_cannot_answer_is_an_error(account, server):
    world = World(account)
    outside = _client(server, "sagemaker-runtime")

    def refused(**more):
        with pytest.raises(ClientError) as caught:
            outside.invoke_endpoint(EndpointName="bookings", Body=b"1", ContentType="text/csv", **more)
        answer = caught.value.response
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]

    assert refused() == (400, "ValidationError", "Endpoint bookings of account 123456789012 not found.")
    world.make_model("model-1", script=BROKEN)
    world.make_config("config-1", "model-1")
    world.make_endpoint()
    status, code, message = refused()
    assert (status, code) == (424, "ModelError")
    assert message.startswith('Received server error (500) from primary with message "no such feature: meal"')
    assert refused(TargetVariant="other")[:2] == (400, "ValidationError")


def test_clock_is_told_and_moved(account, server):
    def clock(order=None):
        return _own(server, "clock", order)["now"]

    assert clock() == "2016-01-01T00:00:00Z"
    assert clock({"advance_seconds": 90}) == "2016-01-01T00:01:30Z"
    assert clock({"advance_to": "2016-01-02T00:00:00Z"}) == "2016-01-02T00:00:00Z"
    assert account.clock.now == account.clock.now.replace(day=2, hour=0)
    with pytest.raises(urllib.error.HTTPError):
        clock({"advance_to": "2015-01-01T00:00:00Z"})


def test_an_assembly_is_deployed_over_http_and_what_is_there_stays(account, tmp_path):
    server = account.serve(0, {"models": "/models"})

    def deploy(name, **queues):
        resources = {key: resource("AWS::SQS::Queue", QueueName=value) for key, value in queues.items()}
        order = {"assembly": str(write_assembly(tmp_path / name, {"Stack": {"Resources": resources}}))}
        return _own(server, "account", order)

    told = {"models": "/models", "directory": str(account.directory)}
    assert _own(server, "account") == told
    assert deploy("one", First="first") == {"changed": ["Stack"], **told}
    url = account.client("sqs").get_queue_url(QueueName="first")["QueueUrl"]
    account.client("sqs").send_message(QueueUrl=url, MessageBody="kept")
    assert deploy("two", First="first", Second="second")["changed"] == ["Stack"]
    assert deploy("three", First="first", Second="second")["changed"] == []
    assert [each["Body"] for each in messages(account, url)] == ["kept"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        deploy("four", First="first", Second="no such name!")
    assert "Second" in json.loads(refused.value.read())["message"]
    assert account.stacks.records["Stack"].status == "UPDATE_ROLLBACK_COMPLETE"
    with pytest.raises(urllib.error.HTTPError) as refused:
        _own(server, "account", {"assembly": str(tmp_path / "absent")})
    assert "absent" in json.loads(refused.value.read())["message"]


def test_things_fall_due_when_the_clock_is_moved_over_http(account, server):
    fired = []
    account.clock.call_at(account.clock.now + timedelta(hours=1), lambda: fired.append(account.clock.now))
    body = json.dumps({"advance_seconds": 7200}).encode()
    urllib.request.urlopen(f"{server.url}/_kedge/clock", body).read()  # noqa: S310 - our own server
    assert len(fired) == 1


def test_what_offline_adds_to_sagemaker_is_there_too(account, server):
    with pytest.raises(ClientError) as caught:
        _client(server, "sagemaker").update_endpoint(EndpointName="hotel", EndpointConfigName="next")
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(ClientError) as caught:
        _client(server, "sagemaker").stop_training_job(TrainingJobName="none")
    assert "not found" in caught.value.response["Error"]["Message"]
    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20160101/eu-west-1/sagemaker/aws4_request, Signature=x"}
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("POST", "/endpoints/hotel/invocations", b"1,2", headers | {"Content-Type": "text/csv"})
    assert json.loads(connection.getresponse().read())["Message"].startswith("Endpoint hotel of account")


def test_account_can_be_left_while_the_server_runs(account, server):
    server.keep_pace(speed=3600)
    server.close()
    server.close()
    server.wait()
