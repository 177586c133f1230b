"""An endpoint that captures one side only is adopted and watched: what can be judged is, and the report says what cannot."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
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


@dataclass
class Watch:
    side: str
    kedge: Hotel
    adopted: str

    def reports(self) -> list[dict[str, Any]]:
        """Each judged window's last report, in time."""
        found = self.kedge.objects(f"reports/{ENDPOINT}/")
        return [json.loads(found[key]) for key in sorted(found) if "/drift-r" in key and key.endswith(".json")]


@pytest.fixture(scope="module", params=["Input", "Output"])
def watch(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    directory = tmp_path_factory.mktemp("one-side")
    (directory / "models").mkdir()
    build_app(directory / "empty", directory / "models", capture_buckets=BUCKET).synth()
    with Account(start=START - HOUR, directory=directory / "account") as account:
        account.deploy(directory / "empty")
        team = OtherTeam(account)
        team.captured_sides = (request.param,)
        team.deploy()
        account.clock.advance_to(START)
        team.ask_until(START + 4 * DAY)
        yaml = directory / f"{ENDPOINT}.yaml"
        url = account.serve(0).url
        options = ["--baseline-days", "3", "--to-bucket", "--apply", "--endpoint-url", url]
        adopted = CliRunner().invoke(app, ["adopt", ENDPOINT, "--out", str(yaml), *options])
        assert adopted.exit_code == 0, adopted.output
        # Judged each day, not each week, and by the rows of a day.
        yaml.write_text(
            f"{yaml.read_text()}\ncadence: {{profile: daily, judge: daily, window_days: 3}}\ndrift: {{minimum_rows: 100}}\n"
        )
        put = CliRunner().invoke(app, ["models", "put", str(yaml), "--endpoint-url", url])
        assert put.exit_code == 0, put.output
        team.ask_until(START + 7 * DAY)
        team.ask_until(START + 10 * DAY, amount=75.0)
        account.clock.advance_to(START + 10 * DAY + 6 * HOUR)
        kedge = Hotel(account, parse_model_config(yaml.read_text(), source=yaml.name), None)
        yield Watch(request.param, kedge, adopted.output)


def test_drift_of_what_is_captured_is_found_and_the_rest_is_not_judged(watch):
    first, last = watch.reports()[0], watch.reports()[-1]
    assert (first["severity"], last["severity"]) == ("OK", "CRITICAL")
    names = [column["name"] for column in last["columns"]]
    assert sorted(names) == (["feature_0", "feature_1", "feature_2"] if watch.side == "Input" else ["prediction"])
    assert first["window"]["rows"] > 0


def test_report_mail_page_and_command_say_what_cannot_be_judged(watch):
    lost = {"Input": "drift of the answers", "Output": "drift of the features"}[watch.side]
    said = f"(CaptureMode {watch.side}): {lost}"
    assert said in watch.adopted
    assert all(said in report["reasons"][-1] for report in watch.reports())
    (page,) = watch.kedge.objects(f"reports/{ENDPOINT}/index.html").values()
    assert said in page.decode()
    mails = watch.kedge.mails_saying("drifted", f"(CaptureMode {watch.side})")
    assert mails
    assert [mail for mail in mails if "no labels have been joined" in mail.body] == (
        mails if watch.side == "Output" else []
    )


def test_nothing_is_kept_aside_or_told_as_unreadable(watch):
    assert not watch.kedge.objects(f"quarantine/{ENDPOINT}/")
    assert not watch.kedge.timeline("failed", "captures_unreadable")
    checks = {check["check"]: check["severity"] for check in watch.reports()[-1]["quality"]}
    assert checks.get("captured", "OK") == "OK"
