"""Every call is recorded as somebody's, and what a role may not do fails as in AWS."""

import json
from datetime import UTC, datetime

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from offline.account import Account
from offline.iam.guard import UnmappedCallError
from tests.offline.offline_world import make_role

REGION = {"LocationConstraint": "eu-west-1"}
ACCOUNT = "123456789012"
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:t"


def allow(action, resource, **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action, resource, **more):
    return {**allow(action, resource, **more), "Effect": "Deny"}


def document(statements) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@pytest.fixture
def role(account):
    """Make a role that may do these statements."""

    def make(*statements, name="tester"):
        iam = account.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document([trust]))["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=document(list(statements)))
        return arn

    return make


@pytest.fixture
def bucket(account):
    account.client("s3").create_bucket(Bucket="data", CreateBucketConfiguration=REGION)
    return "arn:aws:s3:::data"


def code(failure) -> str:
    return failure.value.response["Error"]["Code"]


def test_a_call_is_recorded_with_time_role_action_and_resource(account, role, bucket):
    arn = role(allow("s3:PutObject", f"{bucket}/audit/*"))
    with account.as_role(arn):
        boto3.client("s3").put_object(Bucket="data", Key="audit/1", Body=b"")
    call = account.calls[-1]
    assert (call.time, call.role_arn, call.service, call.operation) == (account.clock.now, arn, "s3", "PutObject")
    assert (call.action, call.resources, call.allowed) == ("s3:PutObject", (f"{bucket}/audit/1",), True)


def test_a_call_outside_the_roles_resources_is_denied_and_changes_nothing(account, role, bucket):
    with account.as_role(role(allow("s3:PutObject", f"{bucket}/audit/*"))), pytest.raises(ClientError) as failure:
        boto3.client("s3").put_object(Bucket="data", Key="reports/1", Body=b"")
    assert code(failure) == "AccessDenied"
    assert not account.calls[-1].allowed
    assert "Contents" not in account.client("s3").list_objects_v2(Bucket="data")


def test_services_deny_in_their_own_words(account, role):
    with account.as_role(role(allow("s3:*", "*"))):
        for service, operation, params, expected in (
            ("dynamodb", "get_item", {"TableName": "t", "Key": {"k": {"S": "1"}}}, "AccessDeniedException"),
            (
                "sns",
                "publish",
                {"TopicArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:t", "Message": "m"},
                "AuthorizationError",
            ),
            ("sqs", "send_message", {"QueueUrl": "https://sqs/1/q", "MessageBody": "m"}, "AccessDenied"),
        ):
            with pytest.raises(ClientError) as failure:
                getattr(boto3.client(service), operation)(**params)
            assert code(failure) == expected


def test_a_call_whose_action_is_not_known_fails_loudly_for_a_role_only(account, role):
    with account.as_role(role(allow("*", "*"))), pytest.raises(UnmappedCallError, match="glue GetDatabases"):
        boto3.client("glue").get_databases()
    account.client("glue").get_databases()


def test_the_account_client_is_the_administrators_wherever_it_is_used(account, role, bucket):
    with account.as_role(role(deny("*", "*"))):
        account.client("s3").put_object(Bucket="data", Key="k", Body=b"")
        with pytest.raises(ClientError):
            boto3.client("s3").put_object(Bucket="data", Key="k", Body=b"")


def test_a_changed_policy_counts_at_once(account, role, bucket):
    arn = role(allow("s3:PutObject", f"{bucket}/*"))
    with account.as_role(arn):
        s3 = boto3.client("s3")
        s3.put_object(Bucket="data", Key="k", Body=b"")
        changed = document([deny("s3:PutObject", "*")])
        account.client("iam").put_role_policy(RoleName="tester", PolicyName="not", PolicyDocument=changed)
        with pytest.raises(ClientError):
            s3.put_object(Bucket="data", Key="k", Body=b"")


def test_listing_is_judged_by_its_prefix(account, role, bucket):
    arn = role(allow("s3:ListBucket", bucket, Condition={"StringLike": {"s3:prefix": ["capture/*"]}}))
    with account.as_role(arn):
        s3 = boto3.client("s3")
        s3.list_objects_v2(Bucket="data", Prefix="capture/m/")
        with pytest.raises(ClientError):
            s3.list_objects_v2(Bucket="data")


def test_a_missing_object_is_forbidden_to_who_may_not_list(account, role, bucket):
    blind = role(allow("s3:GetObject", f"{bucket}/*"), name="blind")
    seeing = role(allow("s3:GetObject", f"{bucket}/*"), allow("s3:ListBucket", bucket), name="seeing")
    for arn, expected in ((blind, "AccessDenied"), (seeing, "NoSuchKey")):
        with account.as_role(arn), pytest.raises(ClientError) as failure:
            boto3.client("s3").get_object(Bucket="data", Key="absent")
        assert code(failure) == expected


def test_an_encrypted_bucket_asks_for_its_key_too(account, role, bucket):
    kms, s3 = account.client("kms"), account.client("s3")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket="data", ServerSideEncryptionConfiguration={"Rules": [default]})
    s3.put_object(Bucket="data", Key="k", Body=b"")
    files = allow(["s3:GetObject", "s3:PutObject"], f"{bucket}/*")
    with account.as_role(role(files, name="keyless")):
        with pytest.raises(ClientError, match="kms:Decrypt"):
            boto3.client("s3").get_object(Bucket="data", Key="k")
        with pytest.raises(ClientError, match="kms:GenerateDataKey"):
            boto3.client("s3").put_object(Bucket="data", Key="k", Body=b"")
    with account.as_role(role(files, allow(["kms:Decrypt", "kms:GenerateDataKey"], key), name="holder")):
        boto3.client("s3").get_object(Bucket="data", Key="k")
        boto3.client("s3").put_object(Bucket="data", Key="k", Body=b"")


def test_a_key_policy_that_does_not_trust_iam_keeps_its_key_to_itself(account, role):
    statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "kms:*", "Resource": "*"}
    policy = document([statement])
    key = account.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]
    assert not account.iam.allows(role(allow("kms:*", "*")), "kms:Decrypt", key)


def test_a_bucket_policy_can_deny_what_a_role_allows(account, role, bucket):
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    statements = [
        {**deny("s3:*", [bucket, f"{bucket}/*"], Condition=insecure), "Principal": {"AWS": "*"}},
        {**deny("s3:PutObject", f"{bucket}/baselines/*"), "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}},
    ]
    account.client("s3").put_bucket_policy(Bucket="data", Policy=document(statements))
    arn = role(allow("s3:*", "*"))
    assert account.iam.allows(arn, "s3:PutObject", f"{bucket}/audit/1")
    assert not account.iam.allows(arn, "s3:PutObject", f"{bucket}/baselines/1")


def training_job(role_arn):
    return {
        "TrainingJobName": "j",
        "RoleArn": role_arn,
        "AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://data/o"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }


def test_handing_a_role_to_a_service_needs_pass_role_to_that_service(account, role):
    worker = role(name="worker")
    create = allow("sagemaker:CreateTrainingJob", "*")
    elsewhere = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    wrong = role(create, allow("iam:PassRole", worker, Condition=elsewhere), name="wrong")
    with account.as_role(wrong), pytest.raises(ClientError, match="iam:PassRole"):
        boto3.client("sagemaker").create_training_job(**training_job(worker))


def test_approving_is_told_apart_from_stamping_metadata(account, role):
    key = {"StringEquals": {"sagemaker:ModelApprovalStatus": ["Approved", "Rejected"]}}
    arn = role(allow("sagemaker:*", "*"), deny("sagemaker:UpdateModelPackage", "*", Condition=key))
    package = f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:model-package/g/1"
    with account.as_role(arn), pytest.raises(ClientError, match="explicit deny"):
        boto3.client("sagemaker").update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    assert account.iam.allows(arn, "sagemaker:UpdateModelPackage", package)


def test_rollback_alarms_are_read_with_the_callers_permission(account, role):
    arn = role(allow("sagemaker:UpdateEndpoint", "*"))
    rollback = {"Alarms": [{"AlarmName": "canary-errors"}]}
    traffic = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 60}
    policy = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": traffic}, "AutoRollbackConfiguration": rollback}
    with account.as_role(arn), pytest.raises(ClientError, match="cloudwatch:DescribeAlarms"):
        boto3.client("sagemaker").update_endpoint(EndpointName="e", EndpointConfigName="c", DeploymentConfig=policy)


def package(artefact="s3://data/m.tar.gz", image=f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/xgboost:3"):
    container = {"Image": image, "ModelDataUrl": artefact}
    return {"ModelPackageGroupName": "Hotel", "InferenceSpecification": {"Containers": [container]}}


PACKAGE_NEEDS = {
    "the group": allow("sagemaker:CreateModelPackage", f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:model-package-group/*"),
    "the package": allow("sagemaker:CreateModelPackage", f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:model-package/*"),
    "the artefact": allow("s3:GetObject", "arn:aws:s3:::data/*"),
    "the image": allow(["ecr:BatchGetImage", "ecr:DescribeImages"], "arn:aws:ecr:eu-west-1:*:repository/xgboost"),
}


@pytest.mark.parametrize("missing", PACKAGE_NEEDS)
def test_a_package_is_registered_only_by_who_may_see_all_of_it(account, role, missing):
    statements = [statement for name, statement in PACKAGE_NEEDS.items() if name != missing]
    with account.as_role(role(*statements)), pytest.raises(ClientError, match="is not authorized to perform"):
        boto3.client("sagemaker").create_model_package(**package())


def test_a_package_of_another_accounts_image_needs_that_accounts_repository(account, role):
    abroad = package(image="685385470294.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0")
    with account.as_role(role(*PACKAGE_NEEDS.values())), pytest.raises(ClientError, match="685385470294:repository"):
        boto3.client("sagemaker").create_model_package(**abroad)


@pytest.mark.parametrize("missing", ["kms:CreateGrant", "kms:DescribeKey"])
def test_an_encrypted_volume_needs_a_grant_of_the_callers(account, role, missing):
    key, worker = account.client("kms").create_key()["KeyMetadata"]["Arn"], role(name="worker")
    job = training_job(worker)
    job["ResourceConfig"] |= {"VolumeKmsKeyId": key}
    lends = [allow(action, key) for action in ("kms:CreateGrant", "kms:DescribeKey") if action != missing]
    arn = role(allow("sagemaker:CreateTrainingJob", "*"), allow("iam:PassRole", worker), *lends)
    with account.as_role(arn), pytest.raises(ClientError, match=missing):
        boto3.client("sagemaker").create_training_job(**job)


def test_a_conditional_write_needs_to_read_what_it_compares(account, role, bucket):
    with account.as_role(role(allow("s3:PutObject", f"{bucket}/*"))), pytest.raises(ClientError, match="s3:GetObject"):
        boto3.client("s3").put_object(Bucket="data", Key="k", Body=b"", IfMatch='"etag"')


def test_a_role_may_be_bound_to_delete_only_what_it_has_compared(account, role, bucket):
    etag = account.client("s3").put_object(Bucket="data", Key="k", Body=b"x")["ETag"]
    only = allow("s3:DeleteObject", f"{bucket}/*", Condition={"Null": {"s3:if-match": "false"}})
    s3, one = boto3.client("s3"), {"Key": "k", "ETag": etag}
    with account.as_role(role(only, name="blind")), pytest.raises(ClientError, match="s3:GetObject"):
        s3.delete_objects(Bucket="data", Delete={"Objects": [one]})
    with account.as_role(role(only, allow("s3:GetObject", f"{bucket}/*"))):
        with pytest.raises(ClientError, match="s3:DeleteObject"):
            s3.delete_objects(Bucket="data", Delete={"Objects": [{"Key": "k"}]})
        with pytest.raises(ClientError, match="s3:DeleteObject"):
            s3.delete_object(Bucket="data", Key="k")
        assert "Errors" not in s3.delete_objects(Bucket="data", Delete={"Objects": [one]})


def trusting(account, service, **condition):
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole", "Condition": condition}
    iam = account.client("iam")
    return iam.create_role(RoleName="trusting", AssumeRolePolicyDocument=document([trust]))["Role"]["Arn"]


@pytest.mark.parametrize(("service", "trusted", "may"), [
    ("sagemaker", ACCOUNT, True), ("states", ACCOUNT, True), ("scheduler", ACCOUNT, True),
    ("sagemaker", "999999999999", False), ("lambda", ACCOUNT, False),
])  # fmt: skip
def test_services_but_lambda_say_for_which_account_they_take_a_role(account, service, trusted, may):
    principal = f"{service}.amazonaws.com"
    arn = trusting(account, principal, StringEquals={"aws:SourceAccount": trusted})
    if may:
        account.iam.require_trust(arn, principal)
    else:
        with pytest.raises(ClientError, match="cannot be assumed"):
            account.iam.require_trust(arn, principal)


def test_a_service_may_only_what_the_resources_policy_lets_it(account):
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    queue, rule = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:q", f"arn:aws:events:eu-west-1:{ACCOUNT}:rule/approvals"
    with pytest.raises(ClientError):
        account.iam.require_service("events.amazonaws.com", "sqs:SendMessage", queue, source_arn=rule)
    statement = {
        **allow("sqs:SendMessage", queue, Condition={"ArnEquals": {"aws:SourceArn": rule}}),
        "Principal": {"Service": "events.amazonaws.com"},
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document([statement])})
    account.iam.require_service("events.amazonaws.com", "sqs:SendMessage", queue, source_arn=rule)
    with pytest.raises(ClientError):
        account.iam.require_service("events.amazonaws.com", "sqs:SendMessage", queue, source_arn=f"{rule}-other")


def bound(account, role_arn, *statements):
    """Put a permissions boundary on a role."""
    iam = account.client("iam")
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=document(list(statements)))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=role_arn.rpartition("/")[2], PermissionsBoundary=boundary)


def test_a_boundary_takes_away_what_it_does_not_allow_and_gives_nothing(account, role):
    arn = role(allow("sns:Publish", TOPIC), allow("sqs:SendMessage", "*"))
    bound(account, arn, allow(["sns:Publish", "s3:GetObject"], "*"))
    assert account.iam.allows(arn, "sns:Publish", TOPIC)
    assert not account.iam.allows(arn, "sqs:SendMessage", "*")
    assert not account.iam.allows(arn, "s3:GetObject", "arn:aws:s3:::bucket/key")


def test_the_simulator_judges_a_roles_policies_with_the_given_context_and_tells_of_its_boundary(account, role):
    condition = {"StringEquals": {"cloudwatch:namespace": "Kedge"}}
    arn = role(allow("cloudwatch:PutMetricData", "*", Condition=condition), deny("sns:Publish", "*"))

    def simulate(action, **context):
        entries = [
            {"ContextKeyName": k, "ContextKeyType": "string", "ContextKeyValues": [v]} for k, v in context.items()
        ]
        answer = account.client("iam").simulate_principal_policy(
            PolicySourceArn=arn, ActionNames=[action], ContextEntries=entries
        )
        (result,) = answer["EvaluationResults"]
        return result["EvalDecision"], result.get("PermissionsBoundaryDecisionDetail")

    assert simulate("sns:Publish") == ("explicitDeny", None)
    assert simulate("cloudwatch:PutMetricData") == ("implicitDeny", None)
    assert simulate("cloudwatch:PutMetricData", **{"cloudwatch:namespace": "Kedge"}) == ("allowed", None)
    bound(account, arn, allow("s3:*", "*"))
    outside = {"AllowedByPermissionsBoundary": False}
    assert simulate("cloudwatch:PutMetricData", **{"cloudwatch:namespace": "Kedge"}) == ("implicitDeny", outside)


def test_a_client_made_before_the_account_is_checked_in_it_and_free_after_it(tmp_path):
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "eu-west-1"}
    sts, original = boto3.session.Session(**keys).client("sts"), BaseClient._emit_api_params
    with Account(start=datetime(2016, 1, 1, tzinfo=UTC), directory=tmp_path) as account:
        role = make_role(account, "nobody", ["s3:*"])
        with account.as_role(role), pytest.raises(ClientError, match="not authorized to perform: sts:AssumeRole"):
            sts.assume_role(RoleArn=role, RoleSessionName="me")
        assert [call.allowed for call in account.calls if call.action == "sts:AssumeRole"] == [False]
    assert BaseClient._emit_api_params is original
