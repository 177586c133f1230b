"""Each row gets the features that the feature group knew at its time: Athena joins them over a real offline store."""

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from kedge.config.reading import parse_model_config
from kedge.errors import FeatureGroupError
from kedge.retraining.labelled_history import RowsOfSchema
from lambdas.adapters import clients
from lambdas.steps.point_in_time import Athena, point_in_time
from offline.account import Account

START = datetime(2016, 1, 1, tzinfo=UTC)
DATA, FEATURES_IN, GROUP = "data", "their-features", "customers"
ATHENA = Athena("kedge", "kedge", lambda: 600.0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
YAML = """
model: payers
endpoint: {{name: payers}}
context: [customer]
features:
  - {{name: amount, kind: numeric}}
  - {{name: Balance, kind: numeric}}
training: {{feature_group: customers, request_features: [amount]{more}}}
"""


class World:
    """An account with a feature group of one number, and rows to learn from."""

    def __init__(self, account, *, seconds=False, identifier="Integral"):
        self.account, self.seconds, self.attempts = account, seconds, 0
        place = {"LocationConstraint": account.region}
        for bucket in (DATA, FEATURES_IN):
            account.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
        result = {"ResultConfiguration": {"OutputLocation": f"s3://{DATA}/athena/queries/"}}
        account.client("athena").create_work_group(Name=ATHENA.workgroup, Configuration=result)
        account.client("glue").create_database(DatabaseInput={"Name": ATHENA.database})
        self.make_group("Fractional" if seconds else "String", identifier)
        self.store = account.client("sagemaker-featurestore-runtime")

    def make_group(self, time, identifier):
        trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        iam = self.account.client("iam")
        made = iam.create_role(RoleName="Store", AssumeRolePolicyDocument=policy(trust))
        may = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}
        iam.put_role_policy(RoleName="Store", PolicyName="Write", PolicyDocument=policy(may))
        types = {"customer": identifier, "at": time, "Balance": "Fractional"}
        self.account.client("sagemaker").create_feature_group(
            FeatureGroupName=GROUP,
            RecordIdentifierFeatureName="customer",
            EventTimeFeatureName="at",
            FeatureDefinitions=[{"FeatureName": name, "FeatureType": kind} for name, kind in types.items()],
            OfflineStoreConfig={"S3StorageConfig": {"S3Uri": f"s3://{FEATURES_IN}"}},
            RoleArn=made["Role"]["Arn"],
        )
        self.account.clock.advance_to(self.account.clock.now + timedelta(minutes=1))

    def time(self, at):
        return str(at.timestamp()) if self.seconds else f"{at:%Y-%m-%dT%H:%M:%SZ}"

    def put(self, known, balance, *, at=None, customer="7"):
        """Tell the group of a balance at one moment, that holds from another."""
        self.account.clock.advance_to(known)
        facts = {"customer": customer, "at": self.time(at or known), "Balance": str(balance)}
        record = [{"FeatureName": name, "ValueAsString": value} for name, value in facts.items()]
        self.store.put_record(FeatureGroupName=GROUP, Record=record)

    def delete(self, known, customer="7"):
        self.account.clock.advance_to(known)
        self.store.delete_record(
            FeatureGroupName=GROUP, RecordIdentifierValueAsString=customer, EventTime=self.time(known)
        )

    def balances(self, *times, customers=None, trust=False, labels=None, names=("customer",)):
        """What rows of these times get, and what is told of them."""
        self.account.clock.advance_to(self.account.clock.now + DAY)
        count = len(times)
        columns = {
            "kedge_row_id": [f"r{n}" for n in range(count)],
            "kedge_time": pa.array(times, pa.timestamp("us", "UTC")),
            "amount": [1.0] * count,
            "Balance": [-1.0] * count,
            "label": labels or ["1"] * count,
        } | ({"customer": customers or ["7"] * count} if names else {})
        config = parse_model_config(YAML.format(more=", trust_event_time: true" if trust else ""), source="m.yaml")
        self.attempts += 1
        (rows,), notes = point_in_time(
            [RowsOfSchema(pa.table(columns))],
            config,
            bucket=DATA,
            run=f"run-{self.attempts}",
            athena=ATHENA,
        )
        return rows.rows.column("Balance").to_pylist(), notes


def policy(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def account(tmp_path):
    clients._client.cache_clear()
    with Account(start=START, directory=tmp_path) as account:
        yield account
    clients._client.cache_clear()


@pytest.fixture
def world(account):
    return World(account)


def test_a_row_gets_the_newest_value_of_its_time_and_never_a_later_one(world):
    for day in range(1, 4):
        world.put(START + day * DAY, 100.0 * day)
    times = [START + day * DAY + 12 * HOUR for day in (1, 2, 3)]
    assert world.balances(*times) == ([100.0, 200.0, 300.0], [])


def test_a_value_of_the_very_moment_is_known_only_once_it_is_written(world):
    world.put(START + DAY, 100.0)
    world.put(START + 2 * DAY, 200.0)
    assert world.balances(START + 2 * DAY)[0] == [100.0]
    assert world.balances(START + 2 * DAY, trust=True)[0] == [200.0]


def test_a_correction_of_the_past_counts_only_for_rows_after_it_was_written(world):
    world.put(START + DAY, 100.0)
    world.put(START + 3 * DAY, 999.0, at=START + DAY + HOUR)
    times = (START + 2 * DAY, START + 4 * DAY)
    assert world.balances(*times)[0] == [100.0, 999.0]
    assert world.balances(*times, trust=True)[0] == [999.0, 999.0]


def test_of_one_event_time_the_value_put_last_counts(world):
    world.put(START + DAY, 100.0)
    world.put(START + DAY + HOUR, 150.0, at=START + DAY)
    assert world.balances(START + 2 * DAY)[0] == [150.0]


def test_a_deleted_record_is_no_record_until_there_is_a_newer_one(world):
    world.put(START + DAY, 100.0)
    world.delete(START + 2 * DAY)
    world.put(START + 4 * DAY, 400.0)
    times = [START + day * DAY + 12 * HOUR for day in (1, 2, 4)]
    balances, notes = world.balances(*times)
    assert balances == [100.0, None, 400.0]
    assert notes == [
        "the feature group customers had no record for 1 of 3 labelled rows at their time: its features are missing in them"
    ]


def test_records_that_are_written_twice_double_no_row(world):
    for hour in range(40):
        world.put(START + DAY + hour * HOUR, float(hour))
    assert world.balances(*[START + 5 * DAY] * 3)[0] == [39.0] * 3


def test_each_row_gets_its_own_records_values_and_rows_without_identifier_or_label_get_none(world):
    world.put(START + DAY, 100.0)
    world.put(START + DAY, 800.0, customer="8")
    balances, notes = world.balances(
        *[START + 2 * DAY] * 5, customers=["8", "7", None, "9", "7"], labels=["1", "0", "1", "0", None]
    )
    assert balances == [800.0, 100.0, None, None, None]
    assert "2 of 4 labelled rows" in notes[0]


def test_rows_that_were_counted_before_the_identifier_was_kept_have_no_record(world):
    world.put(START + DAY, 100.0)
    assert world.balances(START + 2 * DAY, names=())[0] == [None]


def test_event_times_may_be_seconds_and_identifiers_text(account):
    world = World(account, seconds=True, identifier="String")
    world.put(START + DAY, 100.0, customer="it's")
    world.put(START + 3 * DAY, 300.0, customer="it's")
    assert world.balances(START + 2 * DAY, customers=["it's"])[0] == [100.0]


def test_a_group_that_is_not_there_is_said(world):
    world.account.client("sagemaker").delete_feature_group(FeatureGroupName=GROUP)
    with pytest.raises(FeatureGroupError, match="customers does not exist: make it, or correct"):
        world.balances(START + DAY)


def test_a_store_that_may_not_be_read_is_said_with_the_remedy(world, account):
    world.put(START + DAY, 100.0)
    iam = account.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    made = iam.create_role(RoleName="Snapshot", AssumeRolePolicyDocument=policy(trust))
    may = {"Effect": "Allow", "Action": ["athena:*", "glue:*", "sagemaker:*", "s3:*"], "Resource": "*"}
    no = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{FEATURES_IN}/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [may, no]})
    iam.put_role_policy(RoleName="Snapshot", PolicyName="May", PolicyDocument=document)
    with (
        account.as_role(made["Role"]["Arn"]),
        pytest.raises(FeatureGroupError, match="name it with s3://their-features in feature_groups"),
    ):
        world.balances(START + 2 * DAY)
