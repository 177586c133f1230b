"""A model is adopted and watched, then handed over by one word of its YAML: its past stays, and Kedge retrains and releases it."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from app import build_app
from cli.main import app
from demo.other_team import BUCKET, ENDPOINT, OtherTeam
from kedge.config.reading import parse_model_config
from offline.account import Account
from tests.builders import json_lines
from tests.end_to_end.hotel import DAY, HOUR, MINUTE, Hotel

pytestmark = pytest.mark.slow

START = datetime(2026, 3, 2, tzinfo=UTC)
ADOPTED = START + 5 * DAY
HANDED_OVER = ADOPTED + 5 * DAY + 6 * HOUR
# What the team adds to the YAML that was drafted: names, the pace, and how its truth is learnt from.
OWN = """
cadence: {profile: daily, judge: daily, window_days: 3}
drift: {minimum_rows: 100}
labels: {label_horizon_days: 1}
training: {framework: sklearn, entry_point: train_sklearn.py, minimum_rows: 500}
gate: {metric: auc}
"""


@dataclass
class HandedOver:
    """The account after the word was changed, and what was there before."""

    team: OtherTeam
    kedge: Hotel
    url: str
    before: dict[str, Any]
    after: dict[str, Any]
    retrained: Any

    def types(self, *arguments: str) -> Any:
        return CliRunner().invoke(app, [*arguments, "--endpoint-url", self.url])


def past(kedge: Hotel) -> dict[str, Any]:
    """All that tells of the model's past."""
    champion = kedge.item("champion")
    assert champion is not None
    return {
        "champion": champion,
        "baseline": kedge.objects(f"baselines/{ENDPOINT}/{champion['baseline']}"),
        "reports": kedge.objects(f"reports/{ENDPOINT}/{champion['baseline']}/"),
        "judged": kedge.timeline("window_judged"),
        "history": kedge.objects("history/windows/"),
    }


def send_labels(kedge: Hotel) -> None:
    """What came true of the captured payments: large ones fail more often than the model thinks, and so do those to PT."""
    random = np.random.default_rng(5)
    records = []
    for body in kedge.objects(f"predictions/{ENDPOINT}/").values():
        for row in pq.read_table(io.BytesIO(body)).to_pylist():
            chance = 1 / (1 + np.exp(-(row["amount"] - 50) / 10 - 1.5 * (row["country"] == "PT") + 0.5))
            records.append(
                {
                    "groundTruthData": {"data": str(int(random.uniform() < chance)), "encoding": "CSV"},
                    "eventMetadata": {"eventId": row["kedge_row_id"]},
                    "eventVersion": "0",
                }
            )
    kedge.put(f"labels/{ENDPOINT}/{kedge.now:%Y/%m/%d/%H}/truth.jsonl", json_lines(*records))


@pytest.fixture(scope="module")
def handed_over(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HandedOver]:
    directory = tmp_path_factory.mktemp("handed-over")
    yaml = directory / "models" / f"{ENDPOINT}.yaml"
    yaml.parent.mkdir()
    build_app(directory / "empty", yaml.parent, capture_buckets=BUCKET).synth()
    with Account(start=START - HOUR, directory=directory / "account") as account:
        account.deploy(directory / "empty")
        team = OtherTeam(account)
        team.deploy()
        account.clock.advance_to(START)
        team.ask_until(ADOPTED)
        url = account.serve(0).url
        adopt(yaml, url)
        deploy(account, directory / "watched", yaml.parent)
        kedge = Hotel(account, parse_model_config(yaml.read_text(), source=yaml.name), None)
        team.ask_until(HANDED_OVER, every=HOUR)
        send_labels(kedge)
        before = past(kedge)
        yaml.write_text(yaml.read_text().replace("mode: watch", "mode: manage"))
        deploy(account, directory / "managed", yaml.parent)
        after = past(kedge)
        account.clock.advance_to(kedge.now + 2 * HOUR)
        retrained = CliRunner().invoke(app, ["retrain", ENDPOINT, "--reason", "ours now", "--endpoint-url", url])
        account.clock.advance_to(kedge.now + 6 * HOUR)
        yield HandedOver(team, kedge, url, before, after, retrained)


def adopt(yaml: Path, url: str) -> None:
    """Adopt the endpoint with the draft that is shown, its columns named by the team."""
    command = ["adopt", ENDPOINT, "--out", str(yaml), "--baseline-days", "4", "--endpoint-url", url]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 0, shown.output
    drafted = shown.output[shown.output.index("    model:") : shown.output.index("\nendpoint  ")]
    text = "\n".join(line.removeprefix("    ") for line in drafted.splitlines())
    for place, name in enumerate(("amount", "items", "country")):
        text = text.replace(f"feature_{place}", name)
    yaml.write_text(f"{text}\n{OWN}")
    adopted = CliRunner().invoke(app, [*command, "--apply"])
    assert adopted.exit_code == 0, adopted.output


def deploy(account: Account, assembly: Path, models: Path) -> None:
    build_app(assembly, models, capture_buckets=BUCKET).synth()
    account.deploy(assembly)


def test_the_watched_days_were_judged_and_nothing_was_retrained(handed_over):
    judged = handed_over.before["judged"]
    assert [entry["detail"]["severity"] for entry in judged][:2] == ["OK", "OK"]
    assert not handed_over.kedge.timeline("failed")


def test_the_past_stays_as_it_was(handed_over):
    assert handed_over.before["reports"]
    assert handed_over.before["history"]
    assert handed_over.after == handed_over.before


def test_a_retraining_runs_until_it_waits_for_an_approval(handed_over):
    assert handed_over.retrained.exit_code == 0, handed_over.retrained.output
    (run,) = handed_over.kedge.executions("kedge-retrain")
    assert run["status"] == "SUCCEEDED", [m.body for m in handed_over.kedge.mails()][-1]
    (passed,) = handed_over.kedge.timeline("gate_passed")
    assert passed["detail"]["champion"] == handed_over.before["champion"]["package_version"]
    assert handed_over.kedge.mails_saying("approval", ENDPOINT)


def test_the_days_settlements_of_what_was_adopted_went_well(handed_over):
    assert not handed_over.kedge.mails_saying("Settle failed")


@pytest.fixture(scope="module")
def released(handed_over) -> Hotel:
    """After the approval: the clients go on, and so does the next day."""
    kedge = handed_over.kedge
    (waiting,) = kedge.registry.list_model_packages(ModelPackageGroupName=ENDPOINT)["ModelPackageSummaryList"]
    handed_over.team.ask_until(kedge.now + HOUR, every=5 * MINUTE)
    kedge.approve(waiting["ModelPackageArn"])
    handed_over.team.ask_until(kedge.now + 2 * HOUR, every=2 * MINUTE)
    handed_over.team.ask_until(kedge.now + DAY)
    return kedge


def test_the_approved_package_replaces_what_was_adopted(handed_over, released):
    (run,) = released.executions("kedge-release")
    assert run["status"] == "SUCCEEDED", [mail.body for mail in released.mails()][-1]
    champion = released.item("champion")
    assert champion["package_version"] == "1", [mail.body for mail in released.mails_saying("package version 1")][-1]
    assert champion["previous_package_arn"] == handed_over.before["champion"]["package_arn"]
    assert champion["endpoint_config"] == handed_over.team.looks()["EndpointConfigName"]
    assert released.mails_saying("package version 1", "promoted")


def test_its_answers_are_captured_and_counted_apart_from_those_of_what_was_adopted(released):
    assert released.objects(f"capture/{ENDPOINT}/1/{ENDPOINT}/")
    assert sum(released.day(released.now - DAY)["rows_by_hour"].values()) > 0
    assert not released.timeline("failed", "captures_unreadable", "capture_astray", "endpoint_changed")


def test_a_rollback_to_what_was_adopted_is_refused_in_a_sentence(handed_over, released):
    refused = handed_over.types("rollback", ENDPOINT, "--reason", "try")
    assert refused.exit_code == 2
    assert "Traceback" not in refused.output
    assert "adopted" in refused.stderr
