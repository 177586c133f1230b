"""A custom resource is a function's: asked as CloudFormation asks, heard by its one answer, and given up where none comes."""

import json
from datetime import timedelta

import pytest

from offline.cloudformation.deployment import DeployError
from tests.offline.assemblies import function, resource, role, write_assembly, write_code

# It notes each event in a bucket, and answers as its properties say.
CODE = """
import json, boto3
from urllib.request import Request, urlopen

def handler(event, context):
    wanted = event["ResourceProperties"]
    boto3.client("s3").put_object(Bucket="what-was-asked", Key=event["RequestId"], Body=json.dumps(event).encode())
    if wanted.get("Silent") == event["RequestType"]:
        raise RuntimeError("nobody hears this")
    failed = wanted.get("Fails") == event["RequestType"]
    said = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    said |= {"Status": "FAILED" if failed else "SUCCESS", "PhysicalResourceId": wanted["Id"], "Data": {"Size": "3"}}
    said |= {"Reason": "as was wished"} if failed else {}
    said |= json.loads(wanted.get("Strange", "{}"))
    kind = wanted.get("ContentType", "")
    request = Request(event["ResponseURL"], json.dumps(said).encode(), {"Content-Type": kind}, method="PUT")
    urlopen(request).close()
    if failed:
        raise RuntimeError("as was wished")
"""
SILENT = "CloudFormation did not receive a response from your Custom Resource"


@pytest.fixture
def deploy(account, tmp_path):
    """Deploy a custom resource with these properties, and whatever else; each call is an assembly of its own."""
    account.client("s3").create_bucket(
        Bucket="what-was-asked", CreateBucketConfiguration={"LocationConstraint": account.region}
    )
    code = write_code(tmp_path / "code", asked=CODE)
    write = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::what-was-asked/*"}
    fixed = {"Role": role("lambda", write), "Function": function("Role", "asked.handler")}
    token, count = {"Fn::GetAtt": ["Function", "Arn"]}, iter(range(100))

    def deploy(more=None, **properties):
        made = {"Custom": resource("Custom::Thing", **{"ServiceToken": token, **properties})} if properties else {}
        template = {
            "Resources": {**fixed, **made, **(more or {})},
            "Outputs": {"Size": {"Value": {"Fn::GetAtt": ["Custom", "Size"]}}} if properties else {},
        }
        directory = write_assembly(tmp_path / f"cdk.out-{next(count)}", {"Stack": template}, files={"code.zip": code})
        return account.deploy(directory)["Stack"]

    return deploy


def noted(account):
    written = [call for call in account.calls if call.operation == "PutObject" and call.resources]
    return [call for call in written if ":::what-was-asked/" in call.resources[0]]


@pytest.fixture
def asked(account):
    """Every event that the function was asked with, in order."""

    def asked():
        s3 = account.client("s3")
        listed = s3.list_objects_v2(Bucket="what-was-asked").get("Contents", [])
        bodies = [json.loads(s3.get_object(Bucket="what-was-asked", Key=each["Key"])["Body"].read()) for each in listed]
        order = [call.resources[0].rpartition("/")[2] for call in noted(account)]
        return sorted(bodies, key=lambda event: order.index(event["RequestId"]))

    return asked


def kinds(events):
    return [(event["RequestType"], event.get("PhysicalResourceId")) for event in events]


def status(account):
    return account.client("cloudformation").describe_stacks(StackName="Stack")["Stacks"][0]["StackStatus"]


def test_it_is_made_changed_and_deleted_by_its_function_with_every_scalar_as_text(account, deploy, asked):
    assert deploy(Id="one", Count=3, On=True, Deep={"List": [1, False]}) == {"Size": "3"}
    deploy(Id="one", Count=4)
    deploy(Id="one", Count=4)
    deploy()
    made, changed, deleted = asked()
    assert kinds((made, changed, deleted)) == [("Create", None), ("Update", "one"), ("Delete", "one")]
    properties = made["ResourceProperties"]
    assert properties | {"ServiceToken": ""} == {
        "ServiceToken": "", "Id": "one", "Count": "3", "On": "true", "Deep": {"List": ["1", "false"]},
    }  # fmt: skip
    assert (made["ResourceType"], made["LogicalResourceId"]) == ("Custom::Thing", "Custom")
    assert changed["OldResourceProperties"] == properties
    assert changed["ResourceProperties"]["Count"] == deleted["ResourceProperties"]["Count"] == "4"
    assert len({event["RequestId"] for event in asked()}) == 3


def test_another_physical_id_is_a_replacement_whose_old_one_is_deleted_last(deploy, asked):
    deploy(Id="one")
    deploy(Id="two")
    assert kinds(asked()) == [("Create", None), ("Update", "one"), ("Delete", "one")]


def test_what_fails_to_be_made_is_told_in_its_own_words_and_deleted(account, deploy, asked):
    with pytest.raises(DeployError, match=r"Received response status \[FAILED\] from custom resource.*as was wished"):
        deploy(Id="one", Fails="Create")
    assert kinds(asked()) == [("Create", None), ("Delete", "one")]
    assert status(account) == "ROLLBACK_COMPLETE"


def test_a_failed_update_goes_back_and_so_does_one_that_was_done_when_something_after_it_fails(account, deploy, asked):
    deploy(Id="one", Count=1)
    with pytest.raises(DeployError, match="as was wished"):
        deploy(Id="one", Count=2, Fails="Update")
    refused = resource("AWS::CloudWatch::Alarm", ComparisonOperator="Sideways", EvaluationPeriods=1)
    with pytest.raises(DeployError, match="ZLast"):
        deploy({"ZLast": {**refused, "DependsOn": "Custom"}}, Id="two", Count=3)
    counts = [(event["RequestType"], event["ResourceProperties"]["Count"]) for event in asked()]
    assert counts == [
        ("Create", "1"),
        ("Update", "2"),
        ("Update", "1"),
        ("Update", "3"),
        ("Update", "1"),
        ("Delete", "3"),
    ]
    assert kinds(asked())[-3:] == [("Update", "one"), ("Update", "two"), ("Delete", "two")]
    assert status(account) == "UPDATE_ROLLBACK_COMPLETE"


def test_where_no_answer_comes_the_stack_gives_up_and_lambda_tries_the_function_again(account, deploy, asked):
    deploy(Id="one")
    with pytest.raises(DeployError, match=SILENT):
        deploy(Id="one", Silent="Update")
    assert [kind for kind, _ in kinds(asked())] == ["Create", "Update", "Update"]
    account.clock.advance_to(account.clock.now + timedelta(minutes=10))
    # Long after anybody waits: two more attempts.
    assert len(noted(account)) == 5


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"ContentType": "application/json"}, SILENT),
        ({"Strange": json.dumps({"PhysicalResourceId": ""})}, "Invalid PhysicalResourceId"),
        ({"Strange": json.dumps({"Status": "FAILURE"})}, "'FAILURE' is not a valid ResponseStatus"),
        ({"Strange": json.dumps({"Status": "FAILED"})}, "Reason is required"),
        ({"Strange": json.dumps({"RequestId": "another"})}, "RequestId is not that of the request"),
        ({"Strange": json.dumps({"Data": "x" * 5000})}, "Response object is too long"),
    ],
)
def test_an_answer_that_cloudformation_would_not_understand_is_none(deploy, more, said):
    with pytest.raises(DeployError, match=said):
        deploy(Id="one", **more)


def test_the_function_of_a_resource_cannot_be_exchanged(account, deploy, asked):
    deploy(Id="one")
    with pytest.raises(DeployError, match="ServiceToken of Custom cannot be changed"):
        deploy(Id="one", ServiceToken="arn:aws:lambda:eu-west-1:123456789012:function:other")
