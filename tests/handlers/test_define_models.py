"""What a deployment says is brought into the bucket, and CloudFormation hears of it whatever comes of it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from botocore.exceptions import ClientError
from pydantic import ValidationError

from kedge.errors import AssetAbsentError, BucketTakenError
from lambdas.adapters import clients, custom_resources
from lambdas.adapters.models import names
from lambdas.handlers.define_models import handler
from tests.handlers.aws_world import BUCKET, CONTEXT, MODEL, REGION, aws_world

ASSETS, STACK = "cdk-assets", "arn:aws:cloudformation:eu-west-1:123456789012:stack/KedgeModels-1/1"
YAML = "{model: %s, endpoint: {name: e}, features: [{name: x, kind: numeric}]}"


class Listener(HTTPServer):
    """CloudFormation's end: what it was told, by what kind of request; `refusals` are answered before one is taken."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.heard, self.refusals = [], 0


class Answer(BaseHTTPRequestHandler):
    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        refused, self.server.refusals = self.server.refusals > 0, self.server.refusals - 1
        if not refused:
            self.server.heard.append((self.path, self.headers["Content-Type"], json.loads(body), len(body)))
        self.send_response(503 if refused else 200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def listener():
    with Listener() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        world.s3.create_bucket(Bucket=ASSETS, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield world


@pytest.fixture
def ask(world, listener):
    def ask(request, texts=None, *, key="asset.json", logical_id="Definitions", stack=STACK):
        if texts is not None:
            world.s3.put_object(Bucket=ASSETS, Key=key, Body=json.dumps(texts).encode())
        event = {
            "RequestType": request,
            "ResponseURL": f"http://127.0.0.1:{listener.server_port}/place?signed=yes",
            "StackId": stack,
            "RequestId": "request-1",
            "LogicalResourceId": logical_id,
            "ResourceType": "Custom::KedgeDefinitions",
            "ResourceProperties": {"ServiceToken": "arn", "AssetBucket": ASSETS, "AssetKey": key, "Code": "1"},
        }
        return handler(event, CONTEXT)

    return ask


def test_the_definitions_are_written_and_cloudformation_hears_so(world, ask, listener):
    assert ask("Create", {"a": YAML % "a", "b": YAML % "b"}) == {"written": 2, "deleted": 1, "refused": 0}
    assert names(BUCKET) == {"a", "b"}
    ((path, kind, said, _),) = listener.heard
    assert (path, kind) == ("/place?signed=yes", "")
    assert said == {
        "Status": "SUCCESS",
        "Reason": "",
        "PhysicalResourceId": "definitions-of-deployed-models",
        "StackId": STACK,
        "RequestId": "request-1",
        "LogicalResourceId": "Definitions",
    }


def test_an_update_writes_the_difference_and_a_rollback_is_an_update_to_what_was(world, ask):
    before, after = {"a": YAML % "a", "b": YAML % "b"}, {"a": (YAML % "a").replace("name: e", "name: f")}
    ask("Create", before, key="1.json")
    assert ask("Update", after, key="2.json") == {"written": 1, "deleted": 1, "refused": 0}
    assert ask("Update", key="1.json") == {"written": 2, "deleted": 0, "refused": 0}
    assert world.read("deployed/a.yaml").decode() == before["a"]


@pytest.mark.parametrize(
    "arn", [STACK.replace("eu-west-1", "eu-west-3"), STACK.replace("123456789012", "210987654321")]
)
def test_a_stack_of_this_name_of_another_region_or_account_may_not_delete_the_models(ask, listener, arn):
    ask("Create", {"a": YAML % "a"})
    with pytest.raises(BucketTakenError, match=r"the stack KedgeModels-1 \(eu-west-1, 123456789012\)"):
        ask("Create", {"b": YAML % "b"}, stack=arn)
    assert (names(BUCKET), listener.heard[-1][2]["Status"]) == ({"a"}, "FAILED")


@pytest.mark.parametrize(
    ("texts", "key", "error", "said"),
    [
        (None, "\N{ANCHOR}" * 300, AssetAbsentError, "AssetAbsentError: s3://cdk-assets/"),
        (
            None,
            "gone.json",
            AssetAbsentError,
            "AssetAbsentError: s3://cdk-assets/gone.json cannot be read (NoSuchKey): deploy again",
        ),
        ([1], "asset.json", Exception, "Error: "),
    ],
)
def test_what_fails_is_told_in_words_that_fit_and_is_an_error_of_the_function(
    world, ask, listener, texts, key, error, said
):
    with pytest.raises(error):
        ask("Update", texts, key=key)
    ((_, _, answer, size),) = listener.heard
    assert (answer["Status"], said in answer["Reason"], size <= 4096) == ("FAILED", True, True)
    assert names(BUCKET) == {MODEL}


def test_also_a_denied_write_is_told(world, ask, listener, monkeypatch):
    world.s3.put_object(Bucket=ASSETS, Key="asset.json", Body=json.dumps({"a": YAML % "a"}).encode())

    def refuse(**_):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")

    monkeypatch.setattr(clients.s3(), "put_object", refuse)
    with pytest.raises(ClientError):
        ask("Create")
    assert listener.heard[0][2]["Status"] == "FAILED"


def test_a_deletion_deletes_nothing_whatever_its_properties(ask, listener):
    """Of a resource that was renamed or moved CloudFormation deletes one, and of one that was not made to its end too."""
    ask("Create", {"a": YAML % "a"})
    assert ask("Delete", key="gone.json") == {"written": 0, "deleted": 0, "refused": 0}
    assert names(BUCKET) == {"a"}
    assert [said["Status"] for _, _, said, _ in listener.heard] == ["SUCCESS", "SUCCESS"]


def test_properties_of_another_version_are_answered_too(ask, listener):
    with pytest.raises(ValidationError):
        ask("Update", key=["a list"])
    assert "AssetKey" in listener.heard[0][2]["Reason"]


def test_an_answer_that_is_not_taken_is_put_again_and_after_the_third_time_it_is_an_error(ask, listener):
    listener.refusals = custom_resources.ATTEMPTS - 1
    ask("Create", {})
    assert [said["Status"] for _, _, said, _ in listener.heard] == ["SUCCESS"]
    listener.refusals = custom_resources.ATTEMPTS
    with pytest.raises(OSError, match="503"):
        ask("Create", {})


def test_the_address_is_a_secret_that_no_message_shows():
    assert "signed" not in repr(
        custom_resources.ResourceRequest(
            RequestType="Create", ResponseURL="https://x/?signed", StackId="s", RequestId="r", LogicalResourceId="l"
        )
    )
