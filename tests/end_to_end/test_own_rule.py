"""A house's own rule refuses a model that the gate's figures pass; once it agrees, Kedge approves and releases by itself."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from app import build_app
from demo.bookings import CHAMPION_FROM, REPLAY_FROM, training_rows
from demo.first_champion import function_name
from kedge.config.reading import parse_model_config
from lambdas.adapters.bucket import layout
from offline.account import Account
from tests.end_to_end.hotel import DAY, HOUR, Hotel
from tests.synthesised import EXAMPLE, brisk_models

pytestmark = pytest.mark.slow

RULE = """
def answer(event, context):
    rows = {row["gate"]: row for row in event["rows"]}
    auc = rows["auc_above_chance"]["challenger"]
    verdict = "PASS" if auc >= LEAST else "REFUSE"
    return {"verdict": verdict, "value": auc, "limit": LEAST, "sentence": f"the house wants an auc of {LEAST}"}
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def zipped(least: float) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("rule.py", f"LEAST = {least}\n{RULE}")
    return body.getvalue()


@pytest.fixture(scope="module")
def hotel(frame: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotel]:
    directory = tmp_path_factory.mktemp("rule")
    models = directory / "models"
    models.mkdir()
    text = (brisk_models() / EXAMPLE).read_text() + "approval: automatic\ngate: {rule_function: house-rule}\n"
    (models / EXAMPLE).write_text(text)
    build_app(directory / "assembly", models).synth()
    with Account(start=REPLAY_FROM - DAY / 2, directory=directory / "account") as account:
        account.deploy(directory / "assembly")
        role = account.client("iam").create_role(RoleName="house", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
        account.client("lambda").create_function(
            FunctionName="house-rule",
            Runtime="python3.13",
            Role=role["Arn"],
            Handler="rule.answer",
            Code={"ZipFile": zipped(0.999)},
        )
        hotel = Hotel(account, parse_model_config(text, source=EXAMPLE), frame)
        body = io.BytesIO()
        rows = training_rows(frame, hotel.config.feature_names, since=CHAMPION_FROM, until=REPLAY_FROM)
        rows.to_parquet(body, index=False)
        hotel.put(layout.initial_key(hotel.model), body.getvalue())
        yield hotel


def train(hotel: Hotel) -> None:
    asked = {"model": hotel.model, "time": f"{hotel.now:%Y-%m-%dT%H:%M:%SZ}", "trigger": "initial", "reason": "a test"}
    hotel.account.invoke_function(function_name(hotel.account, "decide_retraining"), asked)
    hotel.wait(3 * HOUR)


def packages(hotel: Hotel) -> list[str]:
    found = hotel.registry.list_model_packages(ModelPackageGroupName=hotel.config.package_group)
    return [str(each["ModelApprovalStatus"]) for each in found["ModelPackageSummaryList"]]


def test_the_rule_refuses_and_once_it_agrees_the_model_is_approved_and_promoted_without_a_person(hotel):
    train(hotel)
    assert hotel.timeline("failed", "data_rejected", "retraining_held") == []
    (failed,) = hotel.timeline("gate_failed")
    refusing = [row for row in failed["detail"]["rows"] if row["verdict"] == "REFUSE"]
    assert [row["gate"] for row in refusing] == ["own_rule"]
    assert refusing[0]["reason"] == "rule house-rule: the house wants an auc of 0.999"
    assert packages(hotel) == []
    assert hotel.mails_saying("was refused", "the house wants an auc of 0.999")

    hotel.account.client("lambda").update_function_code(FunctionName="house-rule", ZipFile=zipped(0.6))
    hotel.wait(timedelta(minutes=1))
    train(hotel)
    hotel.wait(6 * HOUR)
    assert packages(hotel) == ["Approved"]
    (told,) = hotel.timeline("approved_automatically")
    assert "approval is automatic in the model's YAML, and the gate passed it" in told["detail"]["reasons"][0]
    (heard,) = hotel.timeline("approved")
    assert "ApprovePackage" in heard["detail"]["by"]
    assert hotel.item("champion")["package_version"] == "1"
    assert hotel.mails_saying("was approved automatically")
    assert not hotel.mails_saying("please decide about")
    described = hotel.registry.describe_model_package(ModelPackageName=told["detail"]["package_arn"])
    table = {
        name: said for name, said in described["CustomerMetadataProperties"].items() if name.startswith("kedge:gate:")
    }
    assert table["kedge:gate:own_rule"].startswith("PASS: 0.")
    assert {f"kedge:gate:{row['gate']}" for row in hotel.timeline("gate_passed")[0]["detail"]["rows"]} == table.keys()
