"""A model that learns from a feature group: each row has the values that were known at its time, and none from after it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from app import build_app
from demo.first_champion import function_name, release_trained
from kedge.config.reading import parse_model_config
from offline.account import Account
from tests.end_to_end.hotel import DAY, HOUR, Hotel

pytestmark = pytest.mark.slow

START = datetime(2016, 1, 4, tzinfo=UTC)
MODEL, GROUP, FEATURES_IN = "late-payers", "customer-facts", "their-features"
URI = f"s3://{FEATURES_IN}/store"
CUSTOMERS, FIRST_DAYS, SERVED_DAYS = 30, 8, 4
# What no row may ever hold: a correction of the past that came later, and what a request said of its own.
CORRECTED, SENT = 888_888.0, 777_777.0
CORRECTED_DAY, DELETED_DAY, DELETED = 1, 4, 29
YAML = f"""
model: {MODEL}
endpoint: {{name: {MODEL}}}
context: [customer]
features:
  - {{name: amount, kind: numeric}}
  - {{name: balance, kind: numeric}}
  - {{name: visits, kind: numeric}}
  - {{name: plan, kind: categorical}}
training: {{feature_group: {GROUP}, request_features: [amount], minimum_rows: 100, permuted_rows: 0}}
gate: {{minimum_holdout_rows: 30}}
labels: {{label_horizon_days: 1}}
canary: {{traffic_fraction: 0.5, bake_minutes: 60, termination_wait_minutes: 60, minimum_requests: 1}}
"""


def balance(customer: int, day: int) -> float:
    """What the group says of a customer from six o'clock of a day on: another number for each of both."""
    return 1000.0 * day + customer


def label(customer: int, day: int) -> str:
    """Whoever has the plan p1 pays late, with few exceptions."""
    return str((customer % 2) ^ int((customer * 7 + day) % 10 == 0))


class Shop:
    """The account of a shop that keeps what it knows of its customers in a feature group."""

    def __init__(self, account: Account, directory: Path) -> None:
        self.account, self.s3 = account, account.client("s3")
        self.store = account.client("sagemaker-featurestore-runtime")
        place = {"LocationConstraint": account.region}
        self.s3.create_bucket(Bucket=FEATURES_IN, CreateBucketConfiguration=place)
        self._make_group()
        account.deploy(directory / "assembly")
        self.hotel = Hotel(account, parse_model_config(YAML, source=f"{MODEL}.yaml"), None)

    def _make_group(self) -> None:
        iam = self.account.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        may = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{FEATURES_IN}/*"}
        made = iam.create_role(RoleName="FeatureStore", AssumeRolePolicyDocument=policy(trust))
        iam.put_role_policy(RoleName="FeatureStore", PolicyName="Write", PolicyDocument=policy(may))
        types = {
            "customer": "Integral",
            "at": "String",
            "balance": "Fractional",
            "visits": "Integral",
            "plan": "String",
        }
        self.account.client("sagemaker").create_feature_group(
            FeatureGroupName=GROUP,
            RecordIdentifierFeatureName="customer",
            EventTimeFeatureName="at",
            FeatureDefinitions=[{"FeatureName": name, "FeatureType": kind} for name, kind in types.items()],
            OfflineStoreConfig={"S3StorageConfig": {"S3Uri": URI}},
            RoleArn=made["Role"]["Arn"],
        )

    def know(self, customer: int, at: datetime, value: float) -> None:
        facts = {"customer": customer, "at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "balance": value, "visits": customer}
        record = [{"FeatureName": n, "ValueAsString": str(v)} for n, v in {**facts, "plan": f"p{customer % 2}"}.items()]
        self.store.put_record(FeatureGroupName=GROUP, Record=record)

    def live(self, number: int, *, serving: bool) -> list[dict[str, Any]]:
        """One day: at six the group is told of each customer, at noon each of them buys."""
        day = START + number * DAY
        self.account.clock.advance_to(day + 6 * HOUR)
        self._tell_group(number, day)
        self.account.clock.advance_to(day + 12 * HOUR)
        rows = [
            {
                "id": f"{number}-{customer}",
                "timestamp": self.account.clock.now,
                "customer": customer,
                "amount": float(customer % 5),
                "label": label(customer, number),
            }
            for customer in range(CUSTOMERS)
        ]
        if serving:
            self._ask(rows)
            self._label(rows)
        return rows

    def _tell_group(self, number: int, day: datetime) -> None:
        for customer in range(CUSTOMERS):
            if customer != DELETED or number < DELETED_DAY:
                self.know(customer, day + 6 * HOUR, balance(customer, number))
        if number == DELETED_DAY:
            at = f"{day:%Y-%m-%dT07:00:00Z}"
            self.store.delete_record(FeatureGroupName=GROUP, RecordIdentifierValueAsString=str(DELETED), EventTime=at)
        if number == CORRECTED_DAY + 3:
            # Of an earlier day, from before its rows, and known only now: the training rows in between must not have it.
            for customer in range(CUSTOMERS):
                self.know(customer, START + CORRECTED_DAY * DAY + 7 * HOUR, CORRECTED)

    def _ask(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            self.hotel.runtime.invoke_endpoint(
                EndpointName=MODEL,
                ContentType="text/csv",
                InferenceId=row["id"],
                CustomAttributes=f"customer={row['customer']}",
                Body=f"{row['amount']},{SENT},{row['customer']},p{row['customer'] % 2}",
            )

    def _label(self, rows: list[dict[str, Any]]) -> None:
        records = [
            {
                "groundTruthData": {"data": row["label"], "encoding": "CSV"},
                "eventMetadata": {"eventId": row["id"]},
                "eventVersion": "0",
            }
            for row in rows
        ]
        now = self.account.clock.now + HOUR
        self.account.clock.advance_to(now)
        body = "\n".join(json.dumps(record) for record in records)
        self.hotel.put(f"labels/{MODEL}/{now:%Y/%m/%d/%H}/paid.jsonl", body.encode())

    def retrain(self) -> dict[str, Any]:
        """Ask for a retraining; return what the timeline says of its end."""
        asked = {"model": MODEL, "time": f"{self.account.clock.now:%Y-%m-%dT%H:%M:%SZ}", "trigger": "manual"}
        self.account.invoke_function(function_name(self.account, "decide_retraining"), {**asked, "reason": "a test"})
        self.account.clock.advance_to(self.account.clock.now + 8 * HOUR)
        ended = ("data_rejected", "gate_passed", "gate_failed", "failed")
        return self.hotel.timeline(*ended)[-1]

    def snapshot(self, run: str) -> pd.DataFrame:
        """Every row that a run learnt from or judged on."""
        found = self.hotel.objects(f"retraining/{MODEL}/{run}/")
        names = ("training.parquet", "truth.parquet")
        read = (pq.read_table(io.BytesIO(body)) for key, body in found.items() if key.endswith(names))
        return pd.concat([table.to_pandas() for table in read]).set_index("kedge_row_id").sort_index()

    def runs(self) -> list[str]:
        return sorted({key.split("/")[2] for key in self.hotel.objects(f"retraining/{MODEL}/")})


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    directory = tmp_path_factory.mktemp("features")
    (directory / "models").mkdir()
    (directory / "models" / f"{MODEL}.yaml").write_text(YAML)
    build_app(directory / "assembly", directory / "models", feature_groups={GROUP: URI}).synth()
    with Account(start=START - HOUR, directory=directory / "account") as account:
        shop = Shop(account, directory)
        rows = [row for number in range(FIRST_DAYS) for row in shop.live(number, serving=False)]
        body = io.BytesIO()
        pd.DataFrame(rows).to_parquet(body, index=False)
        shop.hotel.put(f"initial/{MODEL}/training.parquet", body.getvalue())
        release_trained(account, shop.hotel.config)
        for number in range(FIRST_DAYS + 1, FIRST_DAYS + 1 + SERVED_DAYS):
            shop.live(number, serving=True)
        account.clock.advance_to(account.clock.now + 2 * DAY)
        yield shop


@pytest.fixture(scope="module")
def retrained(shop: Shop) -> dict[str, Any]:
    return shop.retrain()


def as_known_then(rows: pd.DataFrame) -> dict[str, float | None]:
    """What the group knew at noon of each row's day."""
    places = {row_id: tuple(map(int, row_id.split("-"))) for row_id in rows.index}
    return {
        row_id: None if customer == DELETED and day >= DELETED_DAY else balance(customer, day)
        for row_id, (day, customer) in places.items()
    }


def balances(rows: pd.DataFrame) -> dict[str, float | None]:
    return {row_id: None if pd.isna(value) else value for row_id, value in rows["balance"].items()}


def test_the_first_rows_learn_what_was_known_at_their_time(shop):
    rows = shop.snapshot(shop.runs()[0])
    # The labels of the last two days are not old enough.
    assert len(rows) == (FIRST_DAYS - 2) * CUSTOMERS
    assert balances(rows) == as_known_then(rows)


def test_a_retraining_gives_the_endpoints_rows_the_groups_values_and_not_those_of_the_request(shop, retrained):
    assert retrained["kind"] in ("gate_passed", "gate_failed")
    rows = shop.snapshot(retrained["detail"]["run"])
    served = [row_id for row_id in rows.index if int(row_id.split("-")[0]) > FIRST_DAYS]
    assert len(served) == SERVED_DAYS * CUSTOMERS
    assert balances(rows) == as_known_then(rows)
    assert not {CORRECTED, SENT} & {*rows["balance"]}


def test_records_that_were_written_twice_double_no_row(shop, retrained):
    rows = shop.snapshot(retrained["detail"]["run"])
    assert rows.index.is_unique
    assert set(rows["plan"].dropna()) == {"p0", "p1"}


def test_the_manifest_names_the_group_and_the_rows_without_a_record(shop, retrained):
    (manifest,) = [
        json.loads(body)
        for key, body in shop.hotel.objects(f"retraining/{MODEL}/{retrained['detail']['run']}/manifest.json").items()
    ]
    assert f"feature group {GROUP}" in manifest["sources"]
    deleted = FIRST_DAYS - DELETED_DAY + SERVED_DAYS
    assert any(f"had no record for {deleted} of" in note for note in manifest["notes"])


def test_no_call_was_refused(shop, retrained):
    refused = [call for call in shop.account.calls if not call.allowed and "SnapshotData" in call.role]
    assert refused == []
