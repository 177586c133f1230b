"""An endpoint that others deployed is adopted, watched while it drifts, and told of; nothing of it is touched."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app import build_app
from cli.main import app
from demo.other_team import BUCKET, CAPTURES, ENDPOINT, OtherTeam
from kedge.config.reading import parse_model_config
from offline.account import Account
from tests.end_to_end.hotel import DAY, HOUR, Hotel

pytestmark = pytest.mark.slow

START = datetime(2026, 3, 2, tzinfo=UTC)
# What may be called of SageMaker where a model is only watched.
LOOKING = ("Describe", "List", "Get", "Search", "InvokeEndpoint")


@dataclass
class Watch:
    """What the person who adopts has, and what came of it."""

    team: OtherTeam
    kedge: Hotel
    directory: Path
    url: str
    shown: str
    adopted: str
    before: dict[str, Any]
    calls_before: int

    def types(self, *arguments: str) -> Any:
        return CliRunner().invoke(app, [*arguments, "--endpoint-url", self.url])


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    directory = tmp_path_factory.mktemp("adopted")
    yaml = directory / "models" / f"{ENDPOINT}.yaml"
    yaml.parent.mkdir()
    build_app(directory / "empty", yaml.parent).synth()
    with Account(start=START - HOUR, directory=directory / "account") as account:
        account.deploy(directory / "empty")
        team = OtherTeam(account)
        team.deploy()
        account.clock.advance_to(START)
        team.ask_until(START + 5 * DAY)
        url = account.serve(0).url
        command = ["adopt", ENDPOINT, "--out", str(yaml), "--baseline-days", "4", "--endpoint-url", url]
        shown = CliRunner().invoke(app, command)
        assert shown.exit_code == 0, shown.output
        assert not yaml.exists()
        # What a person does with what was shown: names the columns, and the pace at which they want to hear.
        drafted = shown.output[shown.output.index("    model:") : shown.output.index("\nendpoint  ")]
        text = "\n".join(line.removeprefix("    ") for line in drafted.splitlines())
        for place, name in enumerate(("amount", "items", "country")):
            text = text.replace(f"feature_{place}", name)
        yaml.write_text(
            f"{text}\ncadence: {{profile: daily, judge: daily, window_days: 3}}\ndrift: {{minimum_rows: 100}}\n"
        )
        build_app(directory / "assembly", yaml.parent, capture_buckets=BUCKET).synth()
        account.deploy(directory / "assembly")
        before, calls = team.looks(), len(account.calls)
        adopted = CliRunner().invoke(app, [*command, "--apply"])
        assert adopted.exit_code == 0, adopted.output
        config = parse_model_config(yaml.read_text(), source=yaml.name)
        kedge = Hotel(account, config, None)
        team.ask_until(START + 9 * DAY)
        team.ask_until(START + 12 * DAY, amount=75.0)
        account.clock.advance_to(START + 12 * DAY + 6 * HOUR)
        yield Watch(team, kedge, directory, url, shown.output, adopted.output, before, calls)


def test_the_dry_run_shows_what_it_inferred_and_writes_nothing(watch):
    for said in (
        "mode: watch",
        f"uri: {CAPTURES}",
        "sampling_percentage: 20",
        "variant: main",
        "{name: feature_0, kind: numeric}",
        "{name: feature_2, kind: categorical}",
        "problem: binary_classification",
        "the payload has no names",
        "lie between 0 and 1",
        "20 % of the requests",
        "Nothing was written",
    ):
        assert said in watch.shown


def test_what_is_left_to_do_is_said_in_order(watch):
    assert f'1. let Kedge read the captures: add "{BUCKET}" to capture_buckets' in watch.adopted
    assert "2. deploy the YAML" in watch.adopted
    assert "measured quality is not" in watch.adopted


def test_undrifted_days_are_told_to_nobody_and_drift_is(watch):
    judged = {entry["time"]: entry["detail"] for entry in watch.kedge.timeline("window_judged")}
    severities = [detail["severity"] for detail in judged.values()]
    assert severities[:2] == ["OK", "OK"], judged
    assert severities[-1] == "CRITICAL"
    told = watch.kedge.mails_saying("amount", "drifted")
    assert told
    assert "a sample of about" in told[0].body
    assert "what is done about it, its owners decide" in told[0].body


def test_the_sampling_is_judged_as_the_config_says(watch):
    reports = [key for key in watch.kedge.objects("reports/") if "/drift-r" in key and key.endswith(".json")]
    document = json.loads(watch.kedge.objects(sorted(reports)[-1]).popitem()[1])
    (captured,) = (check for check in document["quality"] if check["check"] == "captured")
    assert captured["severity"] == "OK"
    assert "where 20% are to be sampled" in captured["reason"]
    window = document["window"]
    assert window["rows_estimated"] == 5 * window["rows"]


def test_nothing_of_the_endpoint_is_touched(watch):
    assert watch.team.looks() == watch.before
    calls = watch.kedge.account.calls[watch.calls_before :]
    changed = {c.action for c in calls if c.action.startswith("sagemaker:")}
    assert {action for action in changed if not action.removeprefix("sagemaker:").startswith(LOOKING)} == set()
    assert watch.kedge.executions("kedge-retrain") == watch.kedge.executions("kedge-release") == []


def test_a_retraining_is_refused_with_the_remedy(watch):
    refused = watch.types("retrain", ENDPOINT, "--reason", "now")
    assert refused.exit_code == 2
    assert "payments is watched, not managed: to let Kedge retrain and release it, say `mode: manage`" in refused.stderr
    refused = watch.types("rollback", ENDPOINT, "--reason", "now")
    assert refused.exit_code == 2
    assert "watched, not managed" in refused.stderr


def test_an_endpoint_is_adopted_anew_after_its_owners_changed_it_and_its_past_stays(watch):
    team, kedge = watch.team, watch.kedge
    first = kedge.item("champion")
    team.make_model("payments-8")
    team.make_config("payments-config-2", "payments-8")
    team.sagemaker.update_endpoint(EndpointName=ENDPOINT, EndpointConfigName="payments-config-2")
    kedge.wait(2 * HOUR)
    assert kedge.mails_saying("serves payments-config-2 now; before it was payments-config")
    assert kedge.item("champion")["endpoint_config"] == "payments-config-2"
    assert kedge.item("champion")["baseline"] == first["baseline"]
    again = watch.types("adopt", ENDPOINT, "--out", str(watch.directory / "models" / f"{ENDPOINT}.yaml"), "--apply")
    assert again.exit_code == 0, again.output
    assert f"before     {first['package_version']}" in again.output
    assert kedge.item("champion")["package_version"] > first["package_version"]
    assert len(kedge.timeline("adopted")) == 2
    assert kedge.objects(f"baselines/{ENDPOINT}/{first['baseline']}.npz")
    assert timedelta(0) <= kedge.now - datetime.fromisoformat(kedge.item("champion")["promoted_at"]) < HOUR
