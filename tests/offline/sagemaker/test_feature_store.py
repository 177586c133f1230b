"""Feature groups, their records, and what lands in the offline store."""

import io
import json
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from offline.account import Account

START = datetime(2016, 2, 1, tzinfo=UTC)
BUCKET, URI = "their-features", "s3://their-features/groups"
DEFINITIONS = [
    {"FeatureName": "customer", "FeatureType": "String"},
    {"FeatureName": "at", "FeatureType": "String"},
    {"FeatureName": "Age", "FeatureType": "Integral"},
]


@pytest.fixture
def account(tmp_path):
    with Account(start=START, directory=tmp_path) as account:
        account.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": account.region}
        )
        yield account


def role(account, service="sagemaker.amazonaws.com"):
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    may = {"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    iam = account.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    made = iam.create_role(RoleName=service.partition(".")[0], AssumeRolePolicyDocument=document)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    iam.put_role_policy(RoleName=made["Role"]["RoleName"], PolicyName="write", PolicyDocument=policy)
    return made["Role"]["Arn"]


def asked(account, **given):
    return {
        "FeatureGroupName": "customers",
        "RecordIdentifierFeatureName": "customer",
        "EventTimeFeatureName": "at",
        "FeatureDefinitions": DEFINITIONS,
        "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": URI}},
        "OnlineStoreConfig": {"EnableOnlineStore": True},
        "RoleArn": given.pop("RoleArn", None) or role(account),
    } | given


def make(account, **given):
    account.client("sagemaker").create_feature_group(**asked(account, **given))
    account.clock.advance_to(account.clock.now + timedelta(minutes=1))


def put(account, **values):
    record = [{"FeatureName": name, "ValueAsString": value} for name, value in values.items()]
    account.client("sagemaker-featurestore-runtime").put_record(FeatureGroupName="customers", Record=record)


def offline_rows(account):
    s3 = account.client("s3")
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    read = (pq.read_table(io.BytesIO(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())) for key in keys)
    return keys, [row for table in read for row in table.to_pylist()]


def test_a_group_is_made_in_a_moment_and_described_with_its_table_and_its_folder(account):
    sagemaker = account.client("sagemaker")
    sagemaker.create_feature_group(**asked(account))
    assert sagemaker.describe_feature_group(FeatureGroupName="customers")["FeatureGroupStatus"] == "Creating"
    with pytest.raises(ClientError, match="not in Created state"):
        put(account, customer="a", at="2016-02-01T00:00:00Z")
    account.clock.advance_to(START + timedelta(minutes=1))
    described = sagemaker.describe_feature_group(FeatureGroupName="customers")
    created = int(START.timestamp())
    assert described["FeatureGroupStatus"] == "Created"
    store = described["OfflineStoreConfig"]
    below = f"123456789012/sagemaker/eu-west-1/offline-store/customers-{created}/data"
    assert store["S3StorageConfig"]["ResolvedOutputS3Uri"] == f"{URI}/{below}"
    assert store["DataCatalogConfig"]["TableName"] == f"customers_{created}"
    table = account.client("glue").get_table(DatabaseName="sagemaker_featurestore", Name=f"customers_{created}")[
        "Table"
    ]
    columns = {each["Name"]: each["Type"] for each in table["StorageDescriptor"]["Columns"]}
    assert columns["age"] == "bigint"
    assert columns["write_time"] == "timestamp"


def test_many_definitions_come_in_pages(account):
    more = [{"FeatureName": f"f{n}", "FeatureType": "Fractional"} for n in range(40)]
    make(account, FeatureDefinitions=[*DEFINITIONS, *more])
    sagemaker, found, token = account.client("sagemaker"), [], {}
    while True:
        page = sagemaker.describe_feature_group(FeatureGroupName="customers", **token)
        found += page["FeatureDefinitions"]
        if not page.get("NextToken"):
            break
        token = {"NextToken": page["NextToken"]}
    assert [each["FeatureName"] for each in found[3:]] == [each["FeatureName"] for each in more]
    assert len(page["FeatureDefinitions"]) < len(found)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"EventTimeFeatureName": "seen"}, "EventTimeFeatureName seen must be in the list"),
        ({"EventTimeFeatureName": "Age"}, "must be of type String or Fractional"),
        ({"OfflineStoreConfig": {}, "OnlineStoreConfig": {}}, "At least one of"),
    ],
)
def test_what_is_no_group_is_refused(account, given, words):
    request = {name: value for name, value in asked(account, **given).items() if value != {}}
    with pytest.raises(ClientError, match=words):
        account.client("sagemaker").create_feature_group(**request)


def test_a_role_that_sagemaker_may_not_take_is_refused(account):
    with pytest.raises(ClientError, match="Could not assume role"):
        account.client("sagemaker").create_feature_group(
            **asked(account, RoleArn=role(account, "lambda.amazonaws.com"))
        )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"customer": "a"}, "at must be present"),
        ({"customer": "a", "at": "yesterday"}, "must be in the format"),
        ({"customer": "a", "at": "2016-02-01T00:00:00Z", "Age": "4.5"}, "could not be parsed as Integral"),
        ({"customer": "a", "at": "2016-02-01T00:00:00Z", "height": "2"}, "do not exist"),
    ],
)
def test_a_record_of_another_shape_is_refused(account, values, words):
    make(account)
    with pytest.raises(ClientError, match=words):
        put(account, **values)


def test_a_record_of_no_group_is_refused(account):
    with pytest.raises(ClientError, match="can't find a FeatureGroup with name customers"):
        put(account, customer="a", at="2016-02-01T00:00:00Z")


def test_a_record_is_online_at_once_and_offline_some_minutes_later_by_its_event_time(account):
    make(account)
    put(account, customer="a", at="2016-01-20T10:00:00Z", Age="41")
    put(account, customer="a", at="2016-01-10T10:00:00Z", Age="40")
    runtime = account.client("sagemaker-featurestore-runtime")
    online = runtime.get_record(FeatureGroupName="customers", RecordIdentifierValueAsString="a")["Record"]
    assert {"FeatureName": "Age", "ValueAsString": "41"} in online
    assert offline_rows(account) == ([], [])
    invoked = account.clock.now
    account.clock.advance_to(invoked + timedelta(minutes=15))
    keys, rows = offline_rows(account)
    assert {row["Age"] for row in rows} == {40, 41}
    assert any("/year=2016/month=01/day=10/hour=10/20160110T100000Z_" in key for key in keys)
    assert all(invoked <= row["write_time"].replace(tzinfo=UTC) for row in rows)


def test_a_deletion_is_a_row_offline_and_nothing_online(account):
    make(account)
    put(account, customer="a", at="2016-01-20T10:00:00Z", Age="41")
    runtime = account.client("sagemaker-featurestore-runtime")
    runtime.delete_record(
        FeatureGroupName="customers", RecordIdentifierValueAsString="a", EventTime="2016-01-21T10:00:00Z"
    )
    assert not runtime.get_record(FeatureGroupName="customers", RecordIdentifierValueAsString="a").get("Record")
    account.clock.advance_to(account.clock.now + timedelta(minutes=15))
    assert {(row["Age"], row["is_deleted"]) for row in offline_rows(account)[1]} == {(41, False), (None, True)}


def test_offline_some_records_are_written_twice(account):
    make(account)
    for number in range(40):
        put(account, customer=str(number), at="2016-01-20T10:00:00Z", Age="41")
    account.clock.advance_to(account.clock.now + timedelta(minutes=15))
    found = [row["customer"] for row in offline_rows(account)[1]]
    assert len({*found}) == 40 < len(found)
