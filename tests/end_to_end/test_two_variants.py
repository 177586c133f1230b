"""An endpoint with two production variants is adopted: each is counted and judged apart, and both together."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app import build_app
from cli.main import app
from demo.other_team import BUCKET, ENDPOINT, OtherTeam
from kedge.config.reading import parse_model_config
from offline.account import Account
from tests.end_to_end.hotel import DAY, HOUR, Hotel

pytestmark = pytest.mark.slow

START = datetime(2026, 3, 2, tzinfo=UTC)
CONTROL, CHALLENGER = "control", "challenger"


class Trial(OtherTeam):
    """The team tries a challenger on a quarter of its requests."""

    def make_config(self, name: str, *models: str, **_: Any) -> None:
        self.make_model("payments-8")
        super().make_config(name, *models, "payments-8", variants={CONTROL: 3.0, CHALLENGER: 1.0})


@dataclass
class Watch:
    shown: str
    yaml: Path
    kedge: Hotel
    account: Account


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    directory = tmp_path_factory.mktemp("variants")
    yaml = directory / "models" / f"{ENDPOINT}.yaml"
    yaml.parent.mkdir()
    build_app(directory / "empty", yaml.parent, capture_buckets=BUCKET).synth()
    with Account(start=START - HOUR, directory=directory / "account") as account:
        account.deploy(directory / "empty")
        team = Trial(account)
        team.deploy()
        account.clock.advance_to(START)
        team.ask_until(START + 5 * DAY)
        command = [
            "adopt",
            ENDPOINT,
            "--out",
            str(yaml),
            "--baseline-days",
            "4",
            "--endpoint-url",
            account.serve(0).url,
        ]
        shown = CliRunner().invoke(app, [*command, "--apply"])
        assert shown.exit_code == 0, shown.output
        yaml.write_text(
            f"{yaml.read_text()}\ncadence: {{profile: daily, judge: daily, window_days: 3}}\ndrift: {{minimum_rows: 100}}\n"
        )
        build_app(directory / "assembly", yaml.parent, capture_buckets=BUCKET).synth()
        account.deploy(directory / "assembly")
        kedge = Hotel(account, parse_model_config(yaml.read_text(), source=yaml.name), None)
        team.ask_until(START + 9 * DAY, every=HOUR)
        # The half of the clients that calls the challenger pays more from now on.
        team.ask_until(START + 12 * DAY, amount=80.0, variant=CHALLENGER, every=HOUR)
        account.clock.advance_to(START + 12 * DAY + 6 * HOUR)
        yield Watch(shown.output, yaml, kedge, account)


def reports(watch: Watch) -> list[dict[str, Any]]:
    names = sorted(key for key in watch.kedge.objects("reports/") if "/drift-r" in key and key.endswith(".json"))
    return [json.loads(watch.kedge.objects(name).popitem()[1]) for name in names]


def by_name(report: dict[str, Any]) -> dict[str, Any]:
    return {variant["name"]: variant for variant in report["variants"]}


def test_the_yaml_names_both_variants(watch):
    config = parse_model_config(watch.yaml.read_text(), source=watch.yaml.name)
    assert config.endpoint.variants == (CONTROL, CHALLENGER)
    assert "payments-7, payments-8" in watch.shown


def test_each_variant_is_counted_apart_and_the_whole_is_their_sum(watch):
    for report in reports(watch):
        found = by_name(report)
        assert sum(variant["rows"] for variant in found.values()) == report["window"]["rows"] > 0
    calm = by_name(reports(watch)[0])
    assert calm[CONTROL]["traffic_fraction"] == pytest.approx(0.75, abs=0.05)
    assert calm[CONTROL]["captured"] < calm[CONTROL]["invocations"]


def test_the_variant_that_drifts_is_told_and_the_other_is_in_order(watch):
    # The first window that is whole, and the last.
    calm, last = by_name(reports(watch)[2]), by_name(reports(watch)[-1])
    assert {variant["severity"] for variant in calm.values()} == {"OK"}
    assert last[CONTROL]["severity"] == "OK", last[CONTROL]
    assert last[CHALLENGER]["severity"] == "CRITICAL"
    assert any(reason.startswith("variant challenger: ") for reason in reports(watch)[-1]["reasons"])
    (mail, *_) = watch.kedge.mails_saying("VARIANTS", "challenger: ")
    assert "of the requests" in mail.body
    assert "control: " in mail.body


def test_the_owners_are_told_of_nothing_else_about_their_endpoint(watch):
    assert watch.kedge.timeline("endpoint_changed") == []
    assert watch.kedge.timeline("captures_unreadable") == []
    assert watch.kedge.timeline("failed") == []
